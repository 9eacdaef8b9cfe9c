// Containers that look well at the end of an `up` and fall over some seconds later. Each look judges by itself whether a container
// runs: one that ended between the `up` and the first look has left no other trace. Restarts are counted from one look to the next, and
// before the first look from the `up` on: whoever starts a container, compose or a person, sets the engine's count to nought.
import { setTimeout as sleep } from 'node:timers/promises'
import { lastLines, type Run } from '../../shared/command.ts'
import type { DeclaredService } from '../host/compose-model.ts'
import { daemonStart, dockerRestarts } from '../host/daemons.ts'
import { type Container, containersOf, listContainers, logEnd } from '../host/docker.ts'
import { engineOf } from '../host/engine.ts'

export type WatchedProject = {
  readonly name: string
  /** Of its compose file; none while the files on disk are of another revision. */
  readonly services: readonly Pick<DeclaredService, 'name' | 'ends' | 'replicas'>[]
}

/**
 * Notes the containers of these projects now. What it returns says what is wrong with them by then, or undefined. `since`: when they began
 * to be brought up, in ms since the epoch; what the engine started again by itself after that counts from the first look on.
 */
export async function watchContainers(
  projects: readonly WatchedProject[],
  query: Run,
  since = Number.POSITIVE_INFINITY,
): Promise<() => Promise<string | undefined>> {
  let before = startedSince(await containersNow(projects, query), since)
  let start = daemonStart('docker')
  const look = async () => {
    const now = await containersNow(projects, query)
    if (typeof now === 'string') return now
    // The apply itself restarted docker, and with it the containers.
    if (daemonStart('docker') !== start) before = restartedWith(before, now)
    start = daemonStart('docker')
    const known = typeof before === 'string' ? new Map<string, Watched>() : before
    for (const id of new Set([...known.keys(), ...now.keys()])) {
      const fault = faultOf(known.get(id), now.get(id))
      if (fault === undefined) continue
      const log = now.has(id) ? await logEnd(id, query) : ''
      return log === '' ? `${fault}.` : `${fault}. Its log ends:\n${log}`
    }
    return missingText(projects, [...now.values()])
  }
  const isRestarting = dockerRestarts()
  return async () => {
    for (;;) {
      const fault = await look()
      if (fault === undefined || !isRestarting()) return fault
      await sleep(1000)
    }
  }
}

type Watched = Pick<Container, 'id' | 'project' | 'service' | 'health'> & {
  readonly name: string
  readonly restarts: number
  /** In ms since the epoch; NaN: never. */
  readonly startedAt: number
  readonly status: string
  readonly exitCode: number
  /** Undefined where its service is not declared: it may be in any state, as long as it stays in it. */
  readonly ends: boolean | undefined
}

/** Counted from nought where the last start came after the beginning; what runs from before has restarts of before. */
function startedSince(listed: Listed, since: number): Listed {
  if (typeof listed === 'string') return listed
  return new Map([...listed].map(([id, now]) => [id, now.startedAt >= since ? { ...now, restarts: 0 } : now]))
}

function restartedWith(before: Listed, after: ReadonlyMap<string, Watched>): Listed {
  if (typeof before === 'string') return before
  return new Map([...before].map(([id, was]) => [id, { ...was, restarts: after.get(id)?.restarts ?? was.restarts }]))
}

function faultOf(was: Watched | undefined, now: Watched | undefined): string | undefined {
  if (now === undefined) return `the container ${was?.name} is gone`
  const restarts = now.restarts - (was?.restarts ?? now.restarts)
  // While it runs again, docker tells no exit code.
  const ended = now.status === 'running' ? '' : `, last after the exit code ${now.exitCode}`
  if (restarts > 0)
    return `the container ${now.name} was restarted ${restarts === 1 ? 'once' : `${restarts} times`}${ended}`
  if (now.status === 'restarting') return `the container ${now.name} is restarting`
  if (now.health === 'unhealthy') return `the container ${now.name} has become unhealthy`
  const isDone = now.status === 'exited' && now.exitCode === 0 && now.ends !== false
  const isUnchanged = now.ends === undefined && was?.status === now.status
  if (now.status === 'running' || isDone || isUnchanged) return undefined
  return `the container ${now.name} is ${now.status} (exit code ${now.exitCode})`
}

function missingText(projects: readonly WatchedProject[], containers: readonly Watched[]): string | undefined {
  for (const { name: project, services } of projects)
    for (const { name, replicas } of services) {
      const isThere = containers.some((container) => container.project === project && container.service === name)
      if (replicas > 0 && !isThere) return `${name} of ${project} has no container any more.`
    }
  return undefined
}

const format = [
  '{{.Id}}',
  '{{.Name}}',
  '{{.RestartCount}}',
  '{{.State.Status}}',
  '{{.State.ExitCode}}',
  // Podman prints a time in words of its own otherwise.
  '{{json .State.StartedAt}}',
].join('\t')

/** By id. A text: why nothing can be told. */
type Listed = ReadonlyMap<string, Watched> | string

async function containersNow(projects: readonly WatchedProject[], query: Run): Promise<Listed> {
  const listing = projects.length === 0 ? undefined : await listContainers(query)
  if (listing?.kind === 'silent') return `${listing.engine.name} does not answer: ${listing.why}`
  const engine = await engineOf(query)
  if (listing?.kind !== 'listed' || engine === undefined) return new Map()
  const there = projects.flatMap(({ name }) => containersOf(name, listing))
  if (there.length === 0) return new Map()
  const ids = there.map(({ id }) => id)
  const args = [engine.name, 'inspect', '--type', 'container', '--format', format, '--', ...ids]
  const result = await query({ args, outputLimitBytes: 4 << 20 })
  const lines = result.stdout.split('\n').filter((line) => line.includes('\t'))
  // It exits with 1 when one of them went meanwhile; without a line for any it has told nothing.
  if (result.code !== 0 && lines.length === 0) return `${engine.name} does not answer: ${lastLines(result, 1)}`
  const declared = new Map(projects.map(({ name, services }) => [name, services]))
  return new Map(
    lines.flatMap((line) => {
      const container = there.find(({ id }) => id === line.split('\t')[0])
      if (container === undefined) return []
      const service = declared.get(container.project)?.find(({ name }) => name === container.service)
      return [[container.id, { ...container, ...parsed(line), ends: service?.ends }] as const]
    }),
  )
}

function parsed(line: string): Pick<Watched, 'name' | 'restarts' | 'startedAt' | 'status' | 'exitCode'> {
  const [, name = '', restarts = '', status = '', exitCode = '', startedAt = ''] = line.split('\t')
  return {
    name: name.replace(/^\//, ''),
    restarts: Number(restarts),
    startedAt: Date.parse(startedAt.replaceAll('"', '')),
    status,
    exitCode: Number(exitCode),
  }
}
