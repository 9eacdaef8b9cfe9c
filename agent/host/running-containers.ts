// What compose had running goes on running when an apply restarts docker - by a trigger, a package, a unit: docker itself starts again only
// what has a restart policy.

import type { Run } from '../../shared/command.ts'
import { daemonStart } from './daemons.ts'
import { listContainers } from './docker.ts'

export class RunningContainers {
  readonly #run: Run
  #before: { readonly start: string; readonly ids: readonly string[] } | undefined

  constructor(run: Run) {
    this.#run = run
  }

  /** When `work` fails, what ran before it is still known to `startAgain`. */
  async across<Result>(work: () => Promise<Result>): Promise<Result> {
    const start = daemonStart('docker')
    if (start === '') return work()
    this.#before = { start, ids: await this.#idsIn('running') }
    const result = await work()
    await this.startAgain()
    return result
  }

  /** Nothing unless docker was started since. What was removed meanwhile stays so. */
  async startAgain(): Promise<void> {
    const before = this.#before
    this.#before = undefined
    if (before === undefined || before.ids.length === 0 || daemonStart('docker') === before.start) return
    const stopped = new Set(await this.#idsIn('exited'))
    const ids = before.ids.filter((id) => stopped.has(id))
    // One that does not start is drift of its own project, and is reported as that.
    if (ids.length > 0) await this.#run({ args: ['docker', 'start', '--', ...ids], deadlineSeconds: 300 })
  }

  async #idsIn(state: 'running' | 'exited'): Promise<readonly string[]> {
    const listing = await listContainers(this.#run)
    if (listing.kind !== 'listed') return []
    return listing.containers.filter((container) => container.state === state).map(({ id }) => id)
  }
}
