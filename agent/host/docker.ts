// Docker with compose as the stages see it: containers of all projects in one read, a project's declared services, and
// the few verbs that change them. Another provider (podman) is another file with these functions.
import { dirname } from 'node:path'
import { PlumbError } from '../../shared/problem.ts'
import { type ComposeModel, parseModel, withLabels } from './compose-model.ts'
import { type Command, type CommandResult, endText, type Run } from './run.ts'

/** A container that compose made for a service of a project; what `compose run` leaves behind is not one. */
export type Container = {
  readonly id: string
  readonly name: string
  readonly project: string
  readonly service: string
  /** `running`, `exited`, `created`, `restarting`, `paused`, `dead`. */
  readonly state: string
  /** Of `exited` and `restarting` ones. */
  readonly exitCode: number | undefined
  readonly health: 'starting' | 'healthy' | 'unhealthy' | 'none'
  /** The image's name, or its id when the name has moved on to another image since. */
  readonly image: string
  readonly configHash: string
  /** Of the compose that made it: hashes of different versions do not compare. */
  readonly composeVersion: string
  /** The compose file it was made from. */
  readonly file: string
  /** Digest of the mounted files it was made with, under `filesLabel`. */
  readonly files: string
}

export type Listing =
  | { readonly kind: 'listed'; readonly containers: readonly Container[] }
  | { readonly kind: 'absent' }
  | { readonly kind: 'silent'; readonly why: string }

export type Project = {
  readonly project: string
  readonly file: string
  /** Per service, the digest of the mounted files: put on its containers, so that another digest makes them anew. */
  readonly labels: Readonly<Record<string, string>>
}

export const filesLabel = 'plumbline.files'

export async function listContainers(query: Run): Promise<Listing> {
  const format = psFields.map(([, template]) => template).join('\t')
  const args = [
    'docker',
    'ps',
    '--all',
    '--no-trunc',
    '--filter',
    'label=com.docker.compose.project',
    '--format',
    format,
  ]
  const command: Command = { args, outputLimitBytes: 16 << 20, deadlineSeconds: 30 }
  const result = await query(command)
  if (result.code === 127) return { kind: 'absent' }
  if (result.code !== 0) return { kind: 'silent', why: lastLines(result, 1) || endText(command, result) }
  return { kind: 'listed', containers: parseContainers(result.stdout) }
}

/** The same where containers are to be changed; throws when docker is not there or does not answer. */
export async function listedContainers(query: Run): Promise<Listing> {
  const listing = await listContainers(query)
  if (listing.kind === 'absent') throw noDocker('docker is not installed here')
  if (listing.kind === 'listed') return listing
  throw new PlumbError({
    code: 'apply-failed',
    message: `docker does not answer: ${listing.why}`,
    remedy: 'See: systemctl status docker',
  })
}

export function noDocker(message: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${message}.`,
    remedy: 'Add it to the `packages` of the service, on Debian: [docker.io, docker-cli, docker-compose].',
  })
}

export function containersOf(project: string, listing: Listing): readonly Container[] {
  return listing.kind === 'listed' ? listing.containers.filter((container) => container.project === project) : []
}

/** What `listContainers` has docker print: one line a container, fields between tabs. */
export function parseContainers(stdout: string): readonly Container[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => new Map(line.split('\t').map((text, index) => [psFields[index]?.[0], text])))
    .filter((fields) => fields.get('oneOff') !== 'True')
    .map((fields) => {
      const field = (name: PsField) => fields.get(name) ?? ''
      return {
        id: field('id'),
        name: field('name'),
        project: field('project'),
        service: field('service'),
        state: field('state'),
        exitCode: exitCodeIn(field('status')),
        health: healthIn(field('status')),
        image: field('image'),
        configHash: field('configHash'),
        composeVersion: field('version'),
        file: field('configFiles').split(',')[0] ?? '',
        files: field('files'),
      }
    })
}

/** Throws `validation-failed` with compose's own words when the file is not valid. */
export async function composeModel(project: Omit<Project, 'labels'>, query: Run): Promise<ComposeModel> {
  const command = compose({ ...project, labels: {} }, ['config', '--format', 'json'])
  const result = await query(command)
  if (result.code === 0) return parseModel(result.stdout)
  throw new PlumbError({
    code: 'validation-failed',
    message: `The compose file of ${project.project} is refused: ${lastLines(result, 5) || endText(command, result)}`,
    where: { file: project.file },
    remedy: `Try it by hand: docker compose -f ${project.file} config`,
  })
}

/**
 * The configuration hash that compose would give each service's containers. Asked of the resolved model, because of
 * the file `--hash` leaves out what env_file says (2.22 until mid-2026, docker/compose#14001).
 */
export async function configHashes(
  project: Project,
  model: ComposeModel,
  query: Run,
): Promise<ReadonlyMap<string, string>> {
  const command: Command = {
    args: [
      'docker',
      'compose',
      '-p',
      project.project,
      '--project-directory',
      dirname(project.file),
      '-f',
      '-',
      'config',
      '--hash',
      '*',
    ],
    stdin: JSON.stringify(withLabels(model, filesLabel, project.labels)),
  }
  const result = await query(command)
  if (result.code !== 0) throw failed(project, 'config --hash', command, result)
  const lines = result.stdout.split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => line.split(' ')).map(([name = '', hash = '']) => [name, hash]))
}

/** Compose's own word on which services it would make anew; undefined when it gives none. Slower than comparing hashes. */
export async function servicesToRecreate(project: Project, own: readonly Container[], query: Run) {
  const result = await query(compose(project, ['--dry-run', 'up', '--detach', '--no-build', '--pull', 'never']))
  if (result.code !== 0) return undefined
  const named = own.filter(({ name }) => result.stderr.includes(`Container ${name}  Recreate`))
  return new Set(named.map(({ service }) => service))
}

/** `2.26.1`, without a distribution's suffix. */
export async function composeVersion(query: Run): Promise<string> {
  const result = await query({ args: ['docker', 'compose', 'version', '--short'] })
  return /\d+\.\d+\.\d+/.exec(result.stdout)?.[0] ?? ''
}

export type UpOptions = { readonly build?: boolean; readonly recreate?: readonly string[] }

/** Only containers whose declaration, image or label differs are made anew. Pulls and builds may take their time. */
export async function composeUp(project: Project, run: Run, options: UpOptions = {}): Promise<void> {
  const how =
    options.recreate === undefined ? ['--remove-orphans'] : ['--no-deps', '--force-recreate', '--', ...options.recreate]
  const command = compose(project, ['up', '--detach', ...(options.build === true ? ['--build'] : []), ...how], 1800)
  const result = await run(command)
  if (result.code !== 0) throw failed(project, 'up', command, result)
}

export async function composeStop(project: Project, run: Run): Promise<void> {
  const command = compose(project, ['stop'], 300)
  const result = await run(command)
  if (result.code !== 0) throw failed(project, 'stop', command, result)
}

/** Containers and networks, found by their labels: the compose file may be gone. Volumes are data and stay. */
export async function composeDown(project: string, run: Run): Promise<void> {
  const args = ['docker', 'compose', '--project-name', project, 'down', '--remove-orphans']
  const command: Command = { args, cwd: '/', deadlineSeconds: 300 }
  const result = await run(command)
  if (result.code !== 0) throw failed({ project, file: '', labels: {} }, 'down', command, result)
}

export async function logEnd(container: string, query: Run): Promise<string> {
  const result = await query({ args: ['docker', 'logs', '--tail', '12', container] })
  return `${result.stdout}${result.stderr}`.trim()
}

/**
 * Of each container, the targets whose file was since replaced on the host: a mount keeps the old inode, which the
 * kernel marks `//deleted` once it has no name left.
 */
export async function replacedMounts(
  ids: readonly string[],
  query: Run,
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (ids.length === 0) return new Map()
  const format = '{{.Id}} {{.State.Pid}}'
  const inspected = await query({
    args: ['docker', 'inspect', '--type', 'container', '--format', format, '--', ...ids],
  })
  const pids = inspected.stdout
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([id = '', pid = '0']) => (pid === '0' ? [] : [[id, pid] as const]))
  if (pids.length === 0) return new Map()
  const paths = pids.map(([, pid]) => `/proc/${pid}/mountinfo`)
  const { stdout } = await query({ args: ['grep', '-H', '//deleted ', ...paths], outputLimitBytes: 1 << 20 })
  return new Map(pids.map(([id, pid]) => [id, deletedTargets(stdout, `/proc/${pid}/mountinfo:`)]))
}

const psFields = [
  ['id', '{{.ID}}'],
  ['name', '{{.Names}}'],
  ['state', '{{.State}}'],
  ['status', '{{.Status}}'],
  ['image', '{{.Image}}'],
  ['project', '{{.Label "com.docker.compose.project"}}'],
  ['service', '{{.Label "com.docker.compose.service"}}'],
  ['configHash', '{{.Label "com.docker.compose.config-hash"}}'],
  ['oneOff', '{{.Label "com.docker.compose.oneoff"}}'],
  ['version', '{{.Label "com.docker.compose.version"}}'],
  ['configFiles', '{{.Label "com.docker.compose.project.config_files"}}'],
  ['files', `{{.Label "${filesLabel}"}}`],
] as const

type PsField = (typeof psFields)[number][0]

/** proc(5): the fourth field is the mounted path, the fifth where it is mounted; blanks are written as `\\040`. */
function deletedTargets(mounts: string, prefix: string): readonly string[] {
  return mounts
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.split(' '))
    .filter(([, , , root = '']) => root.endsWith('//deleted'))
    .map(([, , , , target = '']) =>
      target.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8))),
    )
}

function exitCodeIn(status: string): number | undefined {
  const code = /^(?:Exited|Restarting) \((\d+)\)/.exec(status)?.[1]
  return code === undefined ? undefined : Number(code)
}

function healthIn(status: string): Container['health'] {
  const health = /\((?:health: )?(starting|healthy|unhealthy)\)/.exec(status)?.[1]
  return health === 'starting' || health === 'healthy' || health === 'unhealthy' ? health : 'none'
}

/** The labels travel as a second compose file on stdin: nothing of it lies on disk. */
function compose(project: Project, args: readonly string[], deadlineSeconds = 60): Command {
  const services = Object.fromEntries(
    Object.entries(project.labels).map(([name, files]) => [name, { labels: { [filesLabel]: files } }]),
  )
  const labelled = Object.keys(services).length > 0
  const files = ['--file', project.file, ...(labelled ? ['--file', '-'] : [])]
  return {
    args: ['docker', 'compose', '--project-name', project.project, ...files, ...args],
    deadlineSeconds,
    outputLimitBytes: 16 << 20,
    ...(labelled ? { stdin: JSON.stringify({ services }) } : {}),
  }
}

function failed(project: Project, verb: string, command: Command, result: CommandResult): PlumbError {
  const why = lastLines(result, 8) || endText(command, result)
  const file = project.file === '' ? '' : ` --file ${project.file}`
  return new PlumbError({
    code: 'apply-failed',
    message: `${project.project}: docker compose ${verb} failed: ${why}`.slice(0, 4000),
    remedy: `Try it by hand: docker compose --project-name ${project.project}${file} ${verb}`,
  })
}

function lastLines(result: CommandResult, count: number): string {
  return result.stderr.trim().split('\n').slice(-count).join('\n')
}
