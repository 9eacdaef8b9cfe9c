// Syncs of the running agent, which go on beside its passes: one at a time, each within a limit. What the last one ran into, and that the
// present one takes long, is told by every pass.
import type { Revision } from '../shared/names.ts'
import { millisecondsSince, trace } from '../shared/platform/trace.ts'
import { type Problem, problemLine, problemsOf } from '../shared/problem.ts'
import type { SyncReport } from '../shared/report.ts'
import { absoluteTime } from '../shared/time-text.js'
import { type Agent, desiredAt, type NotedDesired } from './inspect.ts'

export type SyncLimits = {
  /** What came since the last revision is small. */
  readonly fetchSeconds: number
  /** The first clone, without which there is nothing to do. */
  readonly cloneSeconds: number
  /** From then on it is a problem that is told. */
  readonly slowSeconds: number
}

const usualLimits: SyncLimits = { fetchSeconds: 300, cloneSeconds: 900, slowSeconds: 60 }

export class Syncs {
  readonly #agent: Agent
  readonly #limits: SyncLimits
  #problems: readonly Problem[] = []
  #brought: NotedDesired | undefined
  #since: Date | undefined

  constructor(agent: Agent, limits: SyncLimits = usualLimits) {
    this.#agent = agent
    this.#limits = limits
  }

  /** The last revision that a sync of this process accepted; another process may have accepted a later one. */
  get brought(): NotedDesired | undefined {
    return this.#brought
  }

  /** Never throws. One that `stop` breaks off leaves everything as the sync before it left it. */
  async sync(stop: AbortSignal): Promise<void> {
    this.#since = new Date()
    const started = performance.now()
    try {
      const brought = await this.#headWithin(stop)
      this.#brought = brought ?? this.#brought
      this.#problems = []
    } catch (error) {
      if (!stop.aborted) this.#problems = problemsOf(error)
    } finally {
      trace('fetch ended', () => ({
        revision: this.#brought?.desired.revision,
        problems: this.#problems.map(problemLine),
        milliseconds: millisecondsSince(started),
      }))
      this.#since = undefined
    }
  }

  /** Of the sync under way; undefined when there is none, or when it has only just begun. */
  get underWay(): SyncReport | undefined {
    const since = this.#since
    if (since === undefined) return undefined
    const seconds = Math.round((Date.now() - since.getTime()) / 1000)
    return seconds < 1 ? undefined : { since: since.toISOString(), seconds }
  }

  get problems(): readonly Problem[] {
    const sync = this.underWay
    if (sync === undefined || sync.seconds < this.#limits.slowSeconds) return this.#problems
    return [...this.#problems, slow(sync)]
  }

  async #headWithin(stop: AbortSignal): Promise<NotedDesired | undefined> {
    // A copy that cannot be read is met, and told, by the pass.
    const good = await this.#agent.repository.lastGood().catch(() => undefined)
    const { cloneSeconds, fetchSeconds } = this.#limits
    const limit = AbortSignal.timeout((good === undefined ? cloneSeconds : fetchSeconds) * 1000)
    return await acceptedHead(this.#agent, good?.revision, AbortSignal.any([stop, limit]))
  }
}

/** Desired and accepted, when the head moved; a head that cannot be desired leaves the last good revision in force. */
async function acceptedHead(
  agent: Agent,
  good: Revision | undefined,
  stop: AbortSignal,
): Promise<NotedDesired | undefined> {
  const head = await agent.repository.sync({ allowRewind: false, stop })
  if (head.revision === good) return undefined
  const desired = await desiredAt(agent, head)
  await agent.repository.accept(head.revision)
  return desired
}

/** The same text for as long as it lasts: it is one alert. */
function slow({ since }: SyncReport): Problem {
  return {
    code: 'sync-slow',
    message: `The remote answers slowly: the sync under way began at ${absoluteTime(since)}.`,
    remedy:
      'Look at the network and at the remote, by git ls-remote on its address. The host is looked at meanwhile, under the last good revision.',
  }
}
