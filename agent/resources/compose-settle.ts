// Containers that look well at the end of an `up` and fall over some seconds later: counted from one look to the next.
import { type Container, containersOf, listContainers, logEnd } from '../host/docker.ts'
import { engineOf } from '../host/engine.ts'
import { lastLines, type Run } from '../host/run.ts'

/** Notes the containers of these projects now. What it returns says what has become wrong with them since, or undefined. */
export async function watchContainers(
  projects: readonly string[],
  query: Run,
): Promise<() => Promise<string | undefined>> {
  const listing = projects.length === 0 ? undefined : await listContainers(query)
  if (listing?.kind !== 'listed') return async () => undefined
  const ids = projects.flatMap((project) => containersOf(project, listing)).map(({ id }) => id)
  const before = await watched(ids, query)
  return async () => {
    const after = await watched(ids, query)
    if (typeof after === 'string') return after
    const known = typeof before === 'string' ? new Map<string, Watched>() : before
    for (const [id, was] of known) {
      const fault = faultSince(was, after.get(id))
      if (fault === undefined) continue
      const log = after.has(id) ? await logEnd(id, query) : ''
      return log === '' ? `${fault}.` : `${fault}. Its log ends:\n${log}`
    }
    return undefined
  }
}

type Watched = {
  readonly name: string
  readonly restarts: number
  readonly status: string
  readonly exitCode: number
  readonly health: Container['health']
}

function faultSince(was: Watched, now: Watched | undefined): string | undefined {
  if (now === undefined) return `the container ${was.name} is gone`
  const restarts = now.restarts - was.restarts
  // While it runs again, docker tells no exit code.
  const ended = now.status === 'running' ? '' : `, last after the exit code ${now.exitCode}`
  if (restarts > 0)
    return `the container ${now.name} was restarted ${restarts === 1 ? 'once' : `${restarts} times`}${ended}`
  if (now.status === 'restarting') return `the container ${now.name} is restarting`
  if (now.health === 'unhealthy' && was.health !== 'unhealthy') return `the container ${now.name} has become unhealthy`
  const isOver = now.status !== 'running' && was.status === 'running'
  // A migration that ends well is meant to.
  if (isOver && (now.exitCode !== 0 || now.status !== 'exited'))
    return `the container ${now.name} is ${now.status} (exit code ${now.exitCode})`
  return undefined
}

const format = ['{{.Id}}', '{{.Name}}', '{{.RestartCount}}', '{{.State.Status}}', '{{.State.ExitCode}}'].join('\t')

/** By id; of those that are gone there is nothing. A text: why nothing can be told. */
async function watched(ids: readonly string[], query: Run): Promise<ReadonlyMap<string, Watched> | string> {
  const listing = ids.length === 0 ? undefined : await listContainers(query)
  if (listing?.kind === 'silent') return `${listing.engine.name} does not answer: ${listing.why}`
  const engine = await engineOf(query)
  if (listing?.kind !== 'listed' || engine === undefined) return new Map()
  const there = listing.containers.filter(({ id }) => ids.includes(id))
  if (there.length === 0) return new Map()
  const names = there.map(({ id }) => id)
  const args = [engine.name, 'inspect', '--type', 'container', '--format', format, '--', ...names]
  const result = await query({ args, outputLimitBytes: 4 << 20 })
  const lines = result.stdout.split('\n').filter((line) => line.includes('\t'))
  // It exits with 1 when one of them went meanwhile; without a line for any it has told nothing.
  if (result.code !== 0 && lines.length === 0) return `${engine.name} does not answer: ${lastLines(result, 1)}`
  const health = new Map(there.map((container) => [container.id, container.health]))
  return new Map(lines.map((line) => parsed(line, health)))
}

function parsed(line: string, healths: ReadonlyMap<string, Container['health']>): readonly [string, Watched] {
  const [id = '', name = '', restarts = '', status = '', exitCode = ''] = line.split('\t')
  const known = { name: name.replace(/^\//, ''), status, health: healths.get(id) ?? 'none' }
  return [id, { ...known, restarts: Number(restarts), exitCode: Number(exitCode) }]
}
