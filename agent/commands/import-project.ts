// A compose project on this host, for `plumb import`: its compose file and what that file mounts beside it, without what containers write.
import { z } from 'zod'
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { composeModelText } from '../host/compose-command.ts'
import { composeCommand, engineOf } from '../host/engine.ts'
import { entriesBelow, type HostEntry } from '../host/entries-below.ts'
import type { HostReader } from '../host/host.ts'
import type { Findings } from '../import/findings.ts'

export const composeFileNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']

/** `asked`: the directory, or the name of a running project. Throws PlumbError `usage` or `validation-failed`. */
export async function foundProject(asked: string, host: HostReader): Promise<NonNullable<Findings['compose']>> {
  const directory = asked.startsWith('/')
    ? absolutePathSchema.parse(asked.replace(/(?<=.)\/+$/, ''))
    : await placeOf(asked, host)
  const name = composeFileNames.find(
    (one) => host.files.stat(absolutePathSchema.parse(`${directory}/${one}`)) !== undefined,
  )
  if (name === undefined)
    throw usage(`There is no compose file in ${directory}.`, `It is called ${composeFileNames.join(' or ')}.`)
  const project = asked.startsWith('/') ? (directory.split('/').at(-1) ?? 'project').toLowerCase() : asked
  const text = await composeModelText({ project, file: `${directory}/${name}` }, host.query)
  const mounts = mountsIn(text).filter(({ source }) => source.startsWith(`${directory}/`))
  const data = mounts
    .filter(({ source, readOnly }) => !readOnly && isDirectory(source, host))
    .map(({ source }) => source)
  const isData = (path: string) => data.some((one) => path === one || path.startsWith(`${one}/`))
  const all = await entriesBelow(directory, host.files)
  const files = all.filter(
    (entry) => entry.kind !== 'directory' && !isData(entry.path) && isWanted(entry, directory, mounts),
  )
  return {
    directory,
    files,
    notes: [
      `\`${name}\` of \`${directory}\`; from the first apply on the project runs from \`/var/lib/plumb/compose/\`, and its containers are made anew there`,
      ...data.map((path) => `\`${path}\` is written by containers: its data was not taken`),
      ...volumesIn(text).map((volume) => `the volume \`${volume}\` holds data, which was not taken`),
    ],
  }
}

export type RunningProject = { readonly name: string; readonly directory: string }

/** Empty where there is no engine or no compose. */
export async function runningProjects({ query }: HostReader): Promise<readonly RunningProject[]> {
  const engine = await engineOf(query)
  if (engine === undefined) return []
  const { code, stdout } = await query(composeCommand(engine, ['ls', '--format', 'json']))
  if (code !== 0) return []
  return listSchema.parse(JSON.parse(stdout)).map(({ Name, ConfigFiles }) => ({
    name: Name,
    directory: (ConfigFiles.split(',')[0] ?? '').replace(/\/[^/]*$/, ''),
  }))
}

const listSchema = z.array(z.object({ Name: z.string().max(200), ConfigFiles: z.string().max(20_000) })).max(10_000)

async function placeOf(project: string, host: HostReader): Promise<AbsolutePath> {
  const running = await runningProjects(host)
  const found = running.find(({ name }) => name === project)
  if (found !== undefined) return absolutePathSchema.parse(found.directory)
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
