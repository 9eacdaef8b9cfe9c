// Containers that look well at the end of an `up` and fall over some seconds later: counted from one look to the next.
import { containersOf, listContainers, logEnd } from '../host/docker.ts'
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
  readonly health: string
}

function faultSince(was: Watched, now: Watched | undefined): string | undefined {
  if (now === undefined) return `the container ${was.name} is gone`
  const restarts = now.restarts - was.restarts
  if (restarts > 0)
    return `the container ${now.name} was restarted ${restarts === 1 ? 'once' : `${restarts} times`}, last after the exit code ${now.exitCode}`
  if (now.status === 'restarting') return `the container ${now.name} is restarting`
  if (now.health === 'unhealthy' && was.health !== 'unhealthy') return `the container ${now.name} has become unhealthy`
  const isOver = now.status !== 'running' && was.status === 'running'
  // A migration that ends well is meant to.
  if (isOver && (now.exitCode !== 0 || now.status !== 'exited'))
    return `the container ${now.name} is ${now.status} (exit code ${now.exitCode})`
  return undefined
}

const format = [
  '{{.Id}}',
  '{{.Name}}',
  '{{.RestartCount}}',
  '{{.State.Status}}',
  '{{.State.ExitCode}}',
  '{{if .State.Health}}{{.State.Health.Status}}{{end}}',
].join('\t')

/** By id; of those that are gone there is nothing. A text: why nothing can be told. */
async function watched(ids: readonly string[], query: Run): Promise<ReadonlyMap<string, Watched> | string> {
  const engine = await engineOf(query)
  if (engine === undefined || ids.length === 0) return new Map()
  const args = [engine.name, 'inspect', '--type', 'container', '--format', format, '--', ...ids]
  const result = await query({ args, outputLimitBytes: 4 << 20 })
  // It exits with 1 for one that is gone, and without a line for any when the daemon does not answer.
  if (result.code !== 0 && result.stdout.trim() === '' && !(await answers(query)))
    return `${engine.name} does not answer: ${lastLines(result, 1)}`
  return new Map(
    result.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map(parsed),
  )
}

async function answers(query: Run): Promise<boolean> {
  return (await listContainers(query)).kind === 'listed'
}

function parsed(line: string): readonly [string, Watched] {
  const [id = '', name = '', restarts = '', status = '', exitCode = '', health = ''] = line.split('\t')
  const known = { name: name.replace(/^\//, ''), status, health }
  return [id, { ...known, restarts: Number(restarts), exitCode: Number(exitCode) }]
}
