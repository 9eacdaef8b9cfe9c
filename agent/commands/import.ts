// `plumb import NAME PATH...`: the service's directory, made from what is on this host. Exits 0 when it is written (or would be, with --dry-run),
// 2 when files with likely secrets were left out, 1 when nothing was or lint finds problems in it.
import { join, resolve } from 'node:path'
import { absolutePathSchema, identifierSchema, serviceNameSchema } from '../../shared/names.ts'
import { createRun } from '../../shared/platform/run.ts'
import { PlumbError, type Problem, problemLine } from '../../shared/problem.ts'
import { secretsOf } from '../desire/secrets.ts'
import { asOwner } from '../host/as-owner.ts'
import { type HostWriter, openHost, readerOf } from '../host/host.ts'
import { type Draft, draftOf, type Exposed } from '../import/draft.ts'
import type { Untaken } from '../import/findings.ts'
import { changedByCommit } from '../lint/committed.ts'
import { ownHostName, readConfiguration, secretsDirectory } from './configuration.ts'
import { findingsFor, pathOption } from './import-findings.ts'
import { lintDirectory } from './lint.ts'
import { hostNameOption } from './open.ts'
import { counted, type Output } from './output.ts'
import { placeFile } from './place-file.ts'
import { assign, hasService, refuseTaken, writeService } from './write-service.ts'

export type ImportOptions = {
  readonly into: string
  readonly root: string
  readonly host?: string
  readonly unit?: readonly string[]
  readonly package?: readonly string[]
  readonly compose?: string
  readonly all?: boolean
  readonly secrets?: boolean
  readonly withSecret?: readonly string[]
  readonly notSecret?: readonly string[]
  readonly leave?: readonly string[]
  readonly assign?: boolean
  readonly dryRun?: boolean
  readonly force?: boolean
}

export async function importService(
  service: string | undefined,
  paths: readonly string[],
  { options, output }: { readonly options: ImportOptions; readonly output: Output },
): Promise<number> {
  const name = serviceName(service)
  if (paths.length === 0 && options.compose === undefined && options.unit === undefined)
    throw usage('Nothing is named to import.', 'Name paths, as in: plumb import nginx /etc/nginx')
  const workTree = resolve(options.into)
  await refuseTaken({ workTree, service: name }, options.force === true ? 'replace' : 'refuse')
  const root = resolve(options.root)
  const host = openHost({ root, run: createRun() })
  const hostName =
    options.host === undefined ? ((await readConfiguration(root))?.host ?? ownHostName()) : hostNameOption(options.host)
  const findings = await findingsFor(
    {
      service: name,
      host: hostName,
      paths: paths.map(pathOption),
      units: options.unit ?? [],
      packages: options.package ?? [],
      compose: options.compose,
      all: options.all === true,
      leave: new Set(options.leave?.map(pathOption)),
      notSecret: new Set(options.notSecret?.map(pathOption)),
      hide: options.secrets === true,
      hideIn: new Map(options.withSecret?.map(withSecretOption)),
    },
    readerOf(host),
  )
  const draft = draftOf(findings)
  const isWorthWriting = draft.exposed.length === 0 || [...draft.files.keys()].some((path) => !isAbout.has(path))
  const isWritten = isWorthWriting && options.dryRun !== true
  const problems: Problem[] = []
  let isAssigned = false
  if (isWritten) {
    const own = openHost({ root, run: createRun(), own: 'all' })
    await keepSecrets(draft.secrets, { host: own, directory: secretsDirectory(root) })
    const assignment = { workTree, host: hostName, service: name }
    await asOwner(workTree, createRun(), async () => {
      await writeService({ workTree, service: name }, draft.files)
      if (options.assign === true) await assign(assignment)
    })
    isAssigned = await hasService(assignment)
    problems.push(...(await problemsIn(workTree, name, draft)))
  }
  output.print({
    json: {
      service: name,
      host: hostName,
      written: isWritten,
      directory: join(workTree, 'services', name),
      files: [...draft.files.keys()].toSorted(),
      packages: findings.packages.map((one) => one.name),
      secrets: [...draft.secrets.keys()],
      ...{ left: draft.left, refused: draft.refused, exposed: draft.exposed },
      problems,
    },
    text: [
      ...draft.refused.map(({ path, why }) => `refused: ${path}: ${why}`),
      ...leftLines(draft.left),
      ...draft.exposed.flatMap(exposedLines),
      ...[...draft.secrets.keys()].map(
        (secret) =>
          `secret: ${secret}: its value ${isWritten ? 'is' : 'goes'} in ${secretsDirectory(root)}/${secret}; every other host that gets the service needs it there, too`,
      ),
      ...problems.map(problemLine),
      ...lastLines(draft, { isWorthWriting, isWritten, isAssigned, name, hostName }),
    ],
  })
  if (problems.length > 0 || !isWorthWriting) return 1
  return draft.exposed.length === 0 ? 0 : 2
}

/** What lint finds in it, and what git would not commit as it is: hosts get what is committed. */
async function problemsIn(workTree: string, service: string, { files }: Draft): Promise<readonly Problem[]> {
  const directory = `services/${service}/`
  const written = new Map([...files].map(([path, file]) => [`${directory}${path}`, file]))
  const linted = await lintDirectory(workTree)
  return [
    ...(await changedByCommit(workTree, written, createRun())),
    ...linted.filter(({ where }) => where?.file.startsWith(directory)),
  ]
}

/** What is written of a service in any case. */
const isAbout: ReadonlySet<string> = new Set(['README.md', 'service.yaml'])

/** `PATH` or `PATH=NAME`. */
function withSecretOption(text: string): readonly [string, string | undefined] {
  const at = text.lastIndexOf('=')
  const name = identifierSchema.safeParse(text.slice(at + 1))
  return at === -1 || !name.success ? [pathOption(text), undefined] : [pathOption(text.slice(0, at)), name.data]
}

/** A value that is there already under this name must be the same one. */
async function keepSecrets(
  values: ReadonlyMap<string, string>,
  { host, directory }: { readonly host: HostWriter; readonly directory: string },
): Promise<void> {
  if (values.size === 0) return
  const secrets = await secretsOf(directory)
  for (const [name, value] of values)
    if (secrets.names.has(name) && (await secrets.read(name)) !== value)
      throw usage(
        `The secret ${name} is on this host already, with another value. Nothing was written.`,
        'Rename one of the two, or import under another name.',
      )
  const own = absolutePathSchema.parse('/etc/plumb/secrets')
  host.files.makeDirectory(own, { mode: 0o700 })
  for (const [name, value] of values)
    if (!secrets.names.has(name))
      await placeFile(host.files, { path: absolutePathSchema.parse(`${own}/${name}`), text: `${value}\n`, mode: 0o600 })
}

/** By reason: what a package has is one line, not one for each file. */
function leftLines(left: readonly Untaken[]): readonly string[] {
  return [...Map.groupBy(left, ({ why }) => why)].map(([why, all]) => {
    const paths = all.slice(0, 3).map(({ path }) => path)
    const more = all.length > 3 ? ` and ${all.length - 3} more` : ''
    return `left out: ${paths.join(', ')}${more}: ${why}`
  })
}

function exposedLines({ path, proposals, why }: Exposed): readonly string[] {
  return proposals.map(({ line, what, becomes }) => {
    const stuck = why === undefined ? '' : ` (${why})`
    return `likely a secret: ${path}:${line}: ${what}${becomes === undefined ? '' : `; as a name: ${becomes}`}${stuck}`
  })
}

type End = {
  readonly isWorthWriting: boolean
  readonly isWritten: boolean
  readonly isAssigned: boolean
  readonly name: string
  readonly hostName: string
}

function lastLines({ files, exposed }: Draft, end: End): readonly string[] {
  const { isWorthWriting, isWritten, isAssigned, name, hostName } = end
  const without = exposed.length === 0 ? [] : [withoutLine(exposed, end)]
  if (!isWorthWriting) return without
  if (!isWritten)
    return [`${name}: ${counted(files.size, 'file')} would be written`, ...[...files.keys()].toSorted(), ...without]
  return [
    ...without,
    `${name}: ${counted(files.size, 'file')} in services/${name}. Correct its README.md, then commit it.`,
    isAssigned
      ? `plumb.yaml: ${hostName} has the service`
      : `plumb.yaml needs it under hosts: ${hostName}: { services: [..., ${name}] } (or run it with --assign)`,
  ]
}

/** Every file that was not taken, and the options that take it. */
function withoutLine(exposed: readonly Exposed[], { isWorthWriting, isWritten, name }: End): string {
  const paths = exposed.map(({ path }) => path)
  const what = isWorthWriting ? 'not taken' : 'nothing written'
  const again = isWritten ? 'Import again with --force and' : 'Import with'
  return `${name}: ${what}: ${counted(paths.length, 'file')} with likely secrets: ${paths.join(', ')}. ${again} --with-secret PATH[=NAME] (a name takes the secret's place, its value stays on this host), --secrets (does this for every file), --not-secret PATH (as it is) or --leave PATH.`
}

function serviceName(text: string | undefined) {
  if (text === undefined)
    throw usage('No name is given for the service.', 'plumb import NAME PATH..., or plumb import --scan')
  const parsed = serviceNameSchema.safeParse(text)
  if (parsed.success) return parsed.data
  throw usage(`"${text}" is no name of a service.`, 'Use letters, digits, dots, hyphens and underscores: nginx')
}

function usage(message: string, remedy: string): PlumbError {
  return new PlumbError({ code: 'usage', message, remedy })
}
