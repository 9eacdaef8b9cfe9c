// The result of the last run of what a timer, path or socket unit starts: the timer is well while the backup behind it fails each
// night. It is drift that no apply repairs: a job is not run again because somebody looked, and its next success ends it.

import type { Run } from '../../shared/command.ts'
import { lastRunName } from '../../shared/finding-kind.ts'
import type { UnitResource } from '../../shared/resource.ts'
import { shownUnits, type UnitStatus } from '../host/systemd.ts'
import type { AttributeDifference, LastRun, Subject } from './kind.ts'

/** By the name of the managed unit: the started one where it is managed itself, else the unit that starts it. */
export async function lastRuns(
  units: readonly (readonly [Subject<UnitResource>, UnitStatus])[],
  query: Run,
): Promise<ReadonlyMap<string, LastRun>> {
  const known = new Set(units.map(([, { name }]) => name))
  const own = units
    .filter(([{ desired }, unit]) => isWithoutState(desired) && unit.triggeredBy.length > 0)
    .map(([, unit]) => ({ owner: unit.name, unit }))
  const starters = units
    .filter(([{ desired }, { name }]) => isStarter(name) && desired !== undefined && !isResting(desired))
    .flatMap(([, { name, triggers }]) => triggers.filter((one) => !known.has(one)).map((one) => ({ owner: name, one })))
  const others = await shownUnits([...new Set(starters.map(({ one }) => one))], query)
  const behind = starters.flatMap(({ owner, one }) => {
    const unit = others.get(one)
    return unit === undefined ? [] : [{ owner, unit }]
  })
  const runs = [...own, ...behind].flatMap(({ owner, unit }) => {
    const run = lastRunOf(unit)
    return run === undefined ? [] : [[owner, run] as const]
  })
  // A failure outweighs the run of another unit that the same one starts.
  return new Map(runs.toSorted(([, one], [, other]) => Number(one.kind === 'failed') - Number(other.kind === 'failed')))
}

export function lastRunDifference(run: LastRun | undefined): readonly AttributeDifference[] {
  if (run?.kind !== 'failed') return []
  return [{ name: lastRunName, expected: 'success', live: run.why }]
}

function lastRunOf(unit: UnitStatus): LastRun | undefined {
  const { name, activeState, subState, result, exitStatus } = unit
  if (activeState === 'failed') return { kind: 'failed', unit: name, why: whyText(result, exitStatus) }
  const isJob = unit.triggeredBy.some((starter) => /\.(?:timer|path)$/.test(starter))
  const isRunning = ['active', 'activating', 'reloading'].includes(activeState) && subState !== 'exited'
  return isJob && isRunning ? { kind: 'under-way' } : undefined
}

function whyText(result: string, exitStatus: number): string {
  if (result === 'exit-code') return `exit code ${exitStatus}`
  return result === 'signal' || result === 'core-dump' ? `${result} ${exitStatus}` : result
}

/** One that is to run, or to rest, has its state compared. */
function isWithoutState(desired: UnitResource | undefined): boolean {
  return desired !== undefined && desired.state === undefined && desired.masked !== true
}

function isResting({ state, masked }: UnitResource): boolean {
  return masked === true || state === 'stopped'
}

function isStarter(name: string): boolean {
  return /\.(?:timer|path|socket)$/.test(name)
}
