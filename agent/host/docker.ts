// Containers that compose made, as the stages see them: those of all projects in one read, their logs, and what they mount.
// Docker and podman (engine.ts) are asked alike.

import { type Command, lastLines, type Run, whyText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import { type Engine, engineOf, forgetEngine, socketUnit } from './engine.ts'
import { pollUntil } from './poll.ts'
import { loopRestarts } from './restart-loops.ts'

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
  /** Within the last two minutes or so, by the engine's own words. */
  readonly isStartedLately: boolean
  readonly health: 'starting' | 'healthy' | 'unhealthy' | 'none'
  /** The image's name, or its id when the name has moved on to another image since. */
  readonly image: string
  /** Only from podman, which still shows the old image when the name has moved on. */
  readonly imageId: string
  readonly configHash: string
  /** Of the compose that made it: hashes of different versions do not compare. */
  readonly composeVersion: string
  /** The compose file it was made from. */
  readonly file: string
  /** Those that overrode it. */
  readonly overrides: readonly string[]
  /** Digest of the mounted files it was made with, under `filesLabel`. */
  readonly files: string
}

export type Listing =
  | { readonly kind: 'listed'; readonly containers: readonly Container[] }
  | { readonly kind: 'absent' }
  | { readonly kind: 'silent'; readonly why: string; readonly engine: Engine }

export const filesLabel = 'plumbline.files'

export async function listContainers(query: Run): Promise<Listing> {
  const engine = await engineOf(query)
  if (engine === undefined) return { kind: 'absent' }
  const command = psCommand(engine)
  const result = await query(command)
  if (result.code === 127) {
    forgetEngine(query)
    const other = await engineOf(query)
    return other === undefined || other.name === engine.name ? { kind: 'absent' } : listContainers(query)
  }
  if (result.code !== 0) return { kind: 'silent', why: whyText(command, result, lastLines(result, 1)), engine }
  const containers = parseContainers(result.stdout)
  const named = engine.name === 'docker' ? containers : await withMovedImages(containers, query)
  return { kind: 'listed', containers: await withLoops(named, engine, query) }
}

/** What is restarted again and again runs most of the time (restart-loops.ts). Asks only where one was started lately. */
async function withLoops(
  containers: readonly Container[],
  { name }: Engine,
  query: Run,
): Promise<readonly Container[]> {
  const lately = containers.filter(({ state, isStartedLately }) => state === 'running' && isStartedLately)
  if (lately.length === 0) return containers
  const args = [
    'inspect',
    '--type',
    'container',
    '--format',
    '{{.Id}} {{.RestartCount}}',
    '--',
    ...lately.map(({ id }) => id),
  ]
  const { stdout } = await query({ args: [name, ...args] })
  const counts = new Map(stdout.split('\n').map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]))
  const isLooping = ({ id }: Container) => (counts.get(id) ?? 0) >= loopRestarts
  return containers.map((one) => (isLooping(one) ? { ...one, state: 'restarting' } : one))
}

/** Ends a loop: what is restarted by a person or an apply has its count at nought. */
export async function restartContainers(ids: readonly string[], run: Run): Promise<void> {
  if (ids.length > 0) await run({ args: [await programOf(run), 'restart', '--', ...ids], deadlineSeconds: 300 })
}

export async function stopContainers(ids: readonly string[], run: Run): Promise<void> {
  if (ids.length > 0) await run({ args: [await programOf(run), 'stop', '--', ...ids], deadlineSeconds: 300 })
}

/** Those that are still there; their volumes stay. */
export async function removeContainers(ids: readonly string[], run: Run): Promise<void> {
  if (ids.length === 0) return
  const listing = await listContainers(run)
  const there = listing.kind === 'listed' ? listing.containers.flatMap(({ id }) => (ids.includes(id) ? [id] : [])) : []
  if (there.length === 0) return
  const command = { args: [await programOf(run), 'rm', '--', ...there], deadlineSeconds: 300 }
  const result = await run(command)
  if (result.code === 0) return
  throw new PlumbError({
    code: 'apply-failed',
    message: `Containers that are not declared any more cannot be removed: ${whyText(command, result, lastLines(result, 3))}`,
  })
}

/** The same, before containers are changed; throws when docker is missing or does not answer. */
export async function listedContainers(query: Run): Promise<Listing> {
  const listing = await listContainers(query)
  if (listing.kind === 'absent') throw noEngine('neither docker nor podman is installed here')
  if (listing.kind === 'listed') {
    await mustListen(query)
    return listing
  }
  const { engine, why } = listing
  throw new PlumbError({
    code: 'apply-failed',
    message: `${engine.name} does not answer: ${why}`,
    remedy: `See: systemctl status ${socketUnit(engine)}`,
  })
}

/** Podman itself needs no daemon, but compose speaks to its socket. */
async function mustListen(query: Run): Promise<void> {
  if ((await engineOf(query))?.name !== 'podman') return
  const asked = await query({ args: ['systemctl', 'is-active', '--quiet', 'podman.socket', 'podman.service'] })
  if (asked.code === 0) return
  throw new PlumbError({
    code: 'apply-failed',
    message: 'podman does not listen on /run/podman/podman.sock, by which compose reaches it.',
    remedy: 'Have it listen: `units: { podman.socket: {} }` in service.yaml.',
  })
}

export function noEngine(message: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${message}.`,
    remedy:
      'Add it to the `packages` of the service, on Debian: [docker.io, docker-cli, docker-compose] or [podman, docker-compose, nftables].',
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
        isStartedLately: /^Up (?:Less than a second|\d+ seconds?|About a minute|1 minute)\b/.test(field('status')),
        health: healthIn(field('status')),
        image: field('image'),
        imageId: field('imageId').replace('sha256:', ''),
        configHash: field('configHash'),
        composeVersion: field('version'),
        file: field('configFiles').split(',')[0] ?? '',
        // Labels come on standard input, as `-`.
        overrides: field('configFiles')
          .split(',')
          .slice(1)
          .filter((file) => file.startsWith('/')),
        files: field('files'),
      }
    })
}

/** Unpauses containers, which compose cannot bring up otherwise, and waits for health checks that were paused too. */
export async function unpause(containers: readonly Container[], run: Run): Promise<void> {
  const paused = containers.filter(({ state }) => state === 'paused').map(({ id }) => id)
  if (paused.length === 0) return
  await run({ args: [await programOf(run), 'unpause', '--', ...paused] })
  const attempt = async () => {
    const listing = await listContainers(run)
    const isIll = ({ id, health }: Container) => paused.includes(id) && health === 'unhealthy'
    return listing.kind === 'listed' && listing.containers.some(isIll) ? undefined : true
  }
  await pollUntil(attempt, { seconds: 30, pauseMs: 1000 })
}

export async function logEnd(container: string, query: Run): Promise<string> {
  const result = await query({ args: [await programOf(query), 'logs', '--tail', '12', container] })
  return `${result.stdout}${result.stderr}`.trim()
}

/** Of those that run, where the host finds what each sees: `/proc/4711/root`. */
export async function rootsOf(ids: readonly string[], query: Run): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map()
  const format = '{{.Id}} {{.State.Pid}}'
  const inspected = await query({
    args: [await programOf(query), 'inspect', '--type', 'container', '--format', format, '--', ...ids],
  })
  const pids = inspected.stdout.split('\n').map((line) => line.split(' '))
  return new Map(pids.flatMap(([id = '', pid = '0']) => (pid === '0' ? [] : [[id, `/proc/${pid}/root`] as const])))
}

/**
 * Of each container, by its root, the targets whose file was since replaced on the host: a mount keeps the old inode, which the
 * kernel marks `//deleted` once it has no name left.
 */
export async function replacedMounts(
  roots: ReadonlyMap<string, string>,
  query: Run,
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (roots.size === 0) return new Map()
  const listings = new Map([...roots].map(([id, root]) => [id, root.replace(/root$/, 'mountinfo')]))
  const { stdout } = await query({
    args: ['grep', '-H', '//deleted ', ...listings.values()],
    outputLimitBytes: 1 << 20,
  })
  return new Map([...listings].map(([id, path]) => [id, deletedTargets(stdout, `${path}:`)]))
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
  ['imageId', '{{.ImageID}}'],
] as const

type PsField = (typeof psFields)[number][0]

function psCommand({ name }: Engine): Command {
  const fields = psFields.filter(([field]) => name === 'podman' || field !== 'imageId')
  const format = fields.map(([, template]) => template).join('\t')
  const filter = ['--filter', 'label=com.docker.compose.project']
  const args = [name, 'ps', '--all', '--no-trunc', ...filter, '--format', format]
  return { args, outputLimitBytes: 16 << 20, deadlineSeconds: 30 }
}

/** As docker shows them: a container whose image's name has moved on to another image has that image's id. */
async function withMovedImages(containers: readonly Container[], query: Run): Promise<readonly Container[]> {
  const args = ['podman', 'images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}}\t{{.ID}}']
  const { stdout } = await query({ args, outputLimitBytes: 4 << 20 })
  const ids = new Map(
    stdout.split('\n').map((line) => [line.split('\t')[0], line.split('\t')[1]?.replace('sha256:', '')]),
  )
  return containers.map((container) => {
    const now = ids.get(container.image)
    return now === undefined || now.startsWith(container.imageId)
      ? container
      : { ...container, image: container.imageId }
  })
}

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

async function programOf(query: Run): Promise<string> {
  return (await engineOf(query))?.name ?? 'docker'
}
