// Whether units that an apply started, restarted or reloaded stay up: what is noted now is compared with what is so a
// little later.
import type { Run } from '../../shared/command.ts'
import { journalEnd, type UnitStatus, unitStatuses } from './systemd.ts'

/**
 * Notes how the units are. The returned function says in words what has gone wrong since, with the end of the journal;
 * undefined when nothing has. A restart by a person is no fault. Both throw PlumbError when systemd does not answer.
 *
 * `started`: units that the caller started, restarted or reloaded. One of them may end before this function sees it run.
 */
export async function watchUnits(
  names: readonly string[],
  query: Run,
  started: ReadonlySet<string> = new Set(),
): Promise<() => Promise<string | undefined>> {
  if (names.length === 0) return async () => undefined
  const before = await unitStatuses(names, query)
  return async () => {
    const now = await unitStatuses(names, query)
    const faults = names.flatMap((name) => {
      const fault = faultOf(before.get(name), now.get(name), started.has(name))
      return fault === undefined ? [] : [{ name, text: `${name} ${fault}` }]
    })
    const [first] = faults
    if (first === undefined) return undefined
    const journal = await journalEnd(first.name, query)
    const text = faults.map(({ text }) => text).join('; ')
    return journal === '' ? text : `${text}. The journal of ${first.name} ends:\n${journal}`
  }
}

/** Pure. */
function faultOf(before: UnitStatus | undefined, now: UnitStatus | undefined, isStarted: boolean): string | undefined {
  if (before === undefined || now === undefined || now.loadState === 'template') return undefined
  const restarts = restartsSince(before, now)
  if (restarts > 0) return `restarted ${restarts === 1 ? 'once' : `${restarts} times`} since the apply${reasonOf(now)}`
  if (now.activeState === 'failed') return `failed${reasonOf(now)}`
  if (now.subState.startsWith('auto-restart')) return `failed and waits to be started again${reasonOf(now)}`
  if (now.activeState === 'deactivating' && now.result !== 'success') return `is failing${reasonOf(now)}`
  if (now.activeState !== 'inactive') return undefined
  if (now.conditionFailed) return wasUp(before) ? 'no longer runs: a condition of it does not hold' : undefined
  return !mayRest(now) && (isStarted || wasUp(before)) ? 'no longer runs' : undefined
}

/** systemd counts from 0 again when a person starts the unit. */
function restartsSince(before: UnitStatus, now: UnitStatus): number {
  return now.restarts >= before.restarts ? now.restarts - before.restarts : now.restarts
}

/** A start that succeeded has wiped out how the run before it ended. */
function reasonOf({ result }: UnitStatus): string {
  return result === '' || result === 'success' ? '' : ` (${result})`
}

function wasUp({ activeState }: UnitStatus): boolean {
  return ['active', 'reloading', 'refreshing', 'activating'].includes(activeState)
}

/**
 * A job that ended well, a timer that has nothing left to wait for, a service that a socket, timer or path starts when
 * it is needed.
 */
function mayRest({ name, type, result, triggeredBy }: UnitStatus): boolean {
  if (result !== 'success') return false
  return type === 'oneshot' || name.endsWith('.timer') || triggeredBy.length > 0
}
