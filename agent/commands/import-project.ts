// A compose project on this host, for `plumb import`: its compose file and what that file mounts beside it, without what containers write.
import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { composeFilesNamed, projectName } from '../../shared/repository/compose-project.ts'
import { composeFileNames } from '../../shared/repository/tree.ts'
import { composeModelText } from '../host/compose-command.ts'
import { composeCommand, engineOf } from '../host/engine.ts'
import { entriesBelow, type HostEntry } from '../host/entries-below.ts'
import type { HostReader } from '../host/host.ts'
import type { Findings } from '../import/findings.ts'

/** `asked`: the directory, or the name of a running project. Throws PlumbError `usage` or `validation-failed`. */
export async function foundProject(asked: string, host: HostReader): Promise<NonNullable<Findings['compose']>> {
  const place = asked.startsWith('/')
    ? await projectIn(absolutePathSchema.parse(asked.replace(/(?<=.)\/+$/, '')), host)
    : await runningAs(asked, host)
  const { directory, project, composeFiles } = place
  const [name = '', ...others] = composeFiles
  const [file = '', ...overrides] = composeFiles.map((one) => `${directory}/${one}`)
  const { text } = await composeModelText({ project, file, overrides }, host.query)
  const mounts = mountsIn(text).filter(({ source }) => source.startsWith(`${directory}/`))
  const data: string[] = mounts
    .filter(({ source, readOnly }) => !readOnly && isDirectory(source, host))
    .map(({ source }) => source)
  const isComposeFile = (path: string) => path === file || overrides.includes(path)
  const all = await entriesBelow(directory, host.files)
  const writable = new Set(mounts.flatMap(({ source, readOnly }) => (readOnly ? [] : [source])))
  const written = all.filter((entry) => writable.has(entry.path) && entry.kind === 'file')
  data.push(...written.filter((entry) => !isTextFile(entry)).map(({ path }) => path))
  const isData = (path: string) => data.some((one) => path === one || path.startsWith(`${one}/`))
  const files = all.filter(
    (entry) =>
      entry.kind !== 'directory' &&
      !isData(entry.path) &&
      (isWanted(entry, directory, mounts) || isComposeFile(entry.path)),
  )
  return {
    directory,
    project,
    ...(others.length === 0 ? {} : { composeFiles }),
    files,
    notes: [
      `\`${name}\` of \`${directory}\`, where the project stays: what its containers write there is left as it is`,
      ...others.map((other) => `\`${other}\` overrides it`),
      ...data.map((path) => `\`${path}\` is written by containers: its data was not taken`),
      ...written.filter(isTextFile).map(({ path }) => `\`${path}\` can be written by containers: ${asContent}`),
      ...volumesIn(text).map((volume) => `the volume \`${volume}\` holds data, which was not taken`),
    ],
  }
}

const asContent = 'where one does, that is drift. Mount it with `:ro`, or import again with `--leave`'

function isTextFile(entry: HostEntry): boolean {
  if (entry.kind !== 'file' || entry.content === undefined) return false
  return isUtf8(entry.content) && !entry.content.includes(0)
}

export type RunningProject = {
  readonly name: string
  readonly directory: string
  /** Of the first compose file's directory, by their names in it. */
  readonly composeFiles: readonly string[]
}

/** Empty where there is no engine or no compose. */
export async function runningProjects({ query }: HostReader): Promise<readonly RunningProject[]> {
  const engine = await engineOf(query)
  if (engine === undefined) return []
  const { code, stdout } = await query(composeCommand(engine, ['ls', '--format', 'json']))
  if (code !== 0) return []
  return listSchema.parse(JSON.parse(stdout)).map(({ Name, ConfigFiles }) => {
    const files = ConfigFiles.split(',').filter((file) => file.startsWith('/'))
    const directory = (files[0] ?? '').replace(/\/[^/]*$/, '')
    const below = files.filter((file) => file.startsWith(`${directory}/`))
    return { name: Name, directory, composeFiles: below.map((file) => file.slice(directory.length + 1)) }
  })
}

const listSchema = z.array(z.object({ Name: z.string().max(200), ConfigFiles: z.string().max(20_000) })).max(10_000)

type ProjectPlace = {
  readonly directory: AbsolutePath
  readonly project: string
  readonly composeFiles: readonly string[]
}

/** As it runs, or as `docker compose up` in the directory would have it run. */
async function projectIn(directory: AbsolutePath, host: HostReader): Promise<ProjectPlace> {
  const running = (await runningProjects(host)).find((one) => one.directory === directory)
  if (running !== undefined) return { directory, project: running.name, composeFiles: running.composeFiles }
  const isThere = (name: string) => host.files.stat(absolutePathSchema.parse(`${directory}/${name}`)) !== undefined
  const environment = await textIn(`${directory}/.env`, host)
  const named = composeFilesNamed(environment)
  const name = [...composeFileNames].find((one) => named?.includes(one) ?? isThere(one))
  if (name === undefined)
    throw usage(`There is no compose file in ${directory}.`, `It is called ${[...composeFileNames].join(' or ')}.`)
  const composeFiles = named ?? [name, ...[name.replace(/\.(?=ya?ml$)/, '.override.')].filter(isThere)]
  const texts = await Promise.all(composeFiles.map((one) => textIn(`${directory}/${one}`, host)))
  const called = projectName({
    service:
      directory
        .split('/')
        .at(-1)
        ?.replace(/[^A-Za-z0-9_-]/g, '') || 'project',
    project: undefined,
    composeFile: texts[0],
    overrides: texts.map((text) => text ?? ''),
    environment,
  })
  return { directory, project: called.name, composeFiles }
}

async function textIn(path: string, { query }: HostReader): Promise<string | undefined> {
  const { code, stdout } = await query({ args: ['cat', '--', path], outputLimitBytes: 1 << 20 })
  return code === 0 ? stdout : undefined
}

async function runningAs(project: string, host: HostReader): Promise<ProjectPlace> {
  const running = await runningProjects(host)
  const found = running.find(({ name }) => name === project)
  if (found !== undefined)
    return { directory: absolutePathSchema.parse(found.directory), project, composeFiles: found.composeFiles }
  const names = running.map(({ name }) => name).join(', ') || 'none'
  throw usage(`No compose project ${project} runs here.`, `There is ${names}; or give its directory.`)
}

/** What stands directly beside the compose file, and what is mounted; not a checkout that happens to be around it. */
function isWanted({ path }: HostEntry, directory: string, mounts: readonly Mount[]): boolean {
  const isBeside = !path.slice(directory.length + 1).includes('/')
  return isBeside || mounts.some(({ source }) => path === source || path.startsWith(`${source}/`))
}

function isDirectory(path: string, { files }: HostReader): boolean {
  return files.stat(absolutePathSchema.parse(path))?.type === 'directory'
}

type Mount = { readonly source: string; readonly readOnly: boolean }

const fileSchema = z.looseObject({ file: z.string().optional() })
const modelSchema = z.looseObject({
  services: z
    .record(
      z.string(),
      z.looseObject({
        volumes: z
          .array(z.looseObject({ type: z.string(), source: z.string().optional(), read_only: z.boolean().optional() }))
          .nullish(),
      }),
    )
    .nullish(),
  configs: z.record(z.string(), fileSchema).nullish(),
  secrets: z.record(z.string(), fileSchema).nullish(),
  volumes: z.record(z.string(), z.unknown()).nullish(),
})

function mountsIn(text: string): readonly Mount[] {
  const { services, configs, secrets } = modelSchema.parse(JSON.parse(text))
  const binds = Object.values(services ?? {}).flatMap(({ volumes }) => volumes ?? [])
  return [
    ...binds.flatMap(({ type, source, read_only }) =>
      type === 'bind' && source !== undefined ? [{ source, readOnly: read_only === true }] : [],
    ),
    ...[...Object.values(configs ?? {}), ...Object.values(secrets ?? {})].flatMap(({ file }) =>
      file === undefined ? [] : [{ source: file, readOnly: true }],
    ),
  ]
}

function volumesIn(text: string): readonly string[] {
  return Object.keys(modelSchema.parse(JSON.parse(text)).volumes ?? {})
}

function usage(message: string, remedy: string): PlumbError {
  return new PlumbError({ code: 'usage', message, remedy })
}
