// Bringing units up: a start, a restart or a reload has succeeded when the unit stays up, and its journal says why it did not.

import { type Run, whyText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import { pollUntil } from './poll.ts'
import {
  absent,
  firstLine,
  journalEnd,
  shownUnits,
  stopUnits,
  systemctl,
  type UnitStatus,
  unmetCondition,
} from './systemd.ts'

type Waiting = <Result>(wait: () => Promise<Result>) => Promise<Result>

type Starting = {
  /** For that they stay up. */
  readonly waiting?: Waiting
  /** Whether a unit may end up skipped by a condition of its own; default: none may, since it ran before. */
  readonly maySkip?: (unit: UnitStatus) => boolean
}

/** Returns once all of them stay up; throws with the end of the journal of the first that does not. */
export function startUnits(names: readonly string[], run: Run, starting?: Starting): Promise<void> {
  return withoutServices(names, run, () => bringUp('start', names, run, starting))
}

export function restartUnits(names: readonly string[], run: Run): Promise<void> {
  return withoutServices(names, run, () => bringUp('restart', names, run))
}

export async function reloadUnit(name: string, run: Run): Promise<void> {
  const result = await run(systemctl(['reload', '--', name], 120))
  if (result.code !== 0) throw await unitProblem(name, `${name} was not reloaded`, run)
}

/** systemd refuses to start a socket whose service runs: it is stopped for that moment. */
async function withoutServices(names: readonly string[], run: Run, work: () => Promise<void>): Promise<void> {
  const services = await runningBehind(
    names.filter((name) => name.endsWith('.socket')),
    run,
  )
  if (services.length === 0) return work()
  await stopUnits(services, run)
  try {
    await work()
  } catch (error) {
    await run(systemctl(['start', '--', ...services], 300))
    throw error
  }
  await bringUp('start', services, run)
}

async function runningBehind(sockets: readonly string[], query: Run): Promise<readonly string[]> {
  if (sockets.length === 0) return []
  const services = [...(await shownUnits(sockets, query)).values()].flatMap(({ triggers }) => triggers)
  if (services.length === 0) return []
  const isRunning = ({ activeState }: UnitStatus) => !['inactive', 'failed'].includes(activeState)
  return [...(await shownUnits(services, query)).values()].filter(isRunning).map(({ name }) => name)
}

async function bringUp(
  verb: 'start' | 'restart',
  names: readonly string[],
  run: Run,
  { waiting = (wait) => wait(), maySkip = () => false }: Starting = {},
): Promise<void> {
  if (names.length === 0) return
  // A unit that crashed into its start limit is refused for a while even when its configuration is right again.
  await run(systemctl(['reset-failed', '--quiet', '--', ...names]))
  // A start job ends by the unit's own TimeoutStartSec (90 s by default; none for oneshot units).
  const command = systemctl([verb, '--', ...names], 300)
  const result = await run(command)
  const after = await waiting(() => settled(names, run))
  const fallen = names.find((name) => !isUp(after.get(name) ?? absent(name), maySkip))
  if (fallen === undefined && result.code === 0) return
  const done = `not ${verb}ed`
  if (fallen !== undefined && isSkipped(after.get(fallen))) throw await skippedProblem(fallen, done, run)
  if (fallen !== undefined)
    throw await unitProblem(fallen, `${fallen} was ${done}: it is ${stateText(after.get(fallen))}`, run)
  throw await unitProblem(
    names[0] ?? '',
    `${names.join(', ')} ${done}: ${whyText(command, result, firstLine(result))}`,
    run,
  )
}

/** What `activating` and a main process that has only just been started become: looked at until it no longer moves. */
async function settled(names: readonly string[], query: Run): Promise<ReadonlyMap<string, UnitStatus>> {
  let now: ReadonlyMap<string, UnitStatus> = new Map()
  const attempt = async () => {
    const before = now
    now = await shownUnits(names, query)
    const isStill = [...now.values()].every((unit) => !isMoving(unit) && isProven(unit, before.get(unit.name)))
    return isStill ? now : undefined
  }
  return (await pollUntil(attempt, { seconds: 120, pauseMs: 500 })) ?? now
}

function isMoving(unit: UnitStatus): boolean {
  return unit.activeState === 'activating' && !unit.subState.startsWith('auto-restart')
}

/** A simple service is `active` as soon as it is forked: that it still is a moment later is the least to ask. */
function isProven(unit: UnitStatus, before: UnitStatus | undefined): boolean {
  const isActiveAtOnce = ['simple', 'exec', 'idle', 'forking'].includes(unit.type)
  if (unit.activeState !== 'active' || !isActiveAtOnce) return true
  return before?.activeState === 'active' && before.invocation === unit.invocation
}

function isUp(unit: UnitStatus, maySkip: (unit: UnitStatus) => boolean): boolean {
  if (unit.activeState === 'active' || unit.activeState === 'reloading') return true
  if (isSkipped(unit)) return maySkip(unit)
  return unit.activeState === 'inactive' && unit.type === 'oneshot' && unit.result === 'success'
}

function isSkipped(unit: UnitStatus | undefined): boolean {
  return unit?.activeState === 'inactive' && unit.conditionFailed
}

async function skippedProblem(name: string, done: string, run: Run): Promise<PlumbError> {
  const message = `${name} was ${done}, and ran before: ${skippedText(await unmetCondition(name, run))}.`
  return new PlumbError({
    code: 'apply-failed',
    message,
    remedy: 'Correct the condition. If the unit is meant to rest, say so in service.yaml: `state: stopped`.',
  })
}

/** `skipped: condition ConditionPathExists=/etc/x does not hold` */
export function skippedText(condition: string | undefined): string {
  return condition === undefined
    ? 'skipped: a condition of it does not hold'
    : `skipped: condition ${condition} does not hold`
}

function stateText(unit: UnitStatus | undefined): string {
  if (unit === undefined || unit.loadState === 'not-found') return 'not there (no such unit)'
  if (unit.loadState !== 'loaded') return unit.loadState
  if (unit.subState.startsWith('auto-restart')) return `failing again and again (${unit.result})`
  if (unit.activeState === 'failed') return `failed (${unit.result})`
  if (unit.activeState === 'inactive') return 'inactive: it ended by itself right after its start'
  return `${unit.activeState} (${unit.subState})`
}

async function unitProblem(name: string, message: string, run: Run): Promise<PlumbError> {
  const journal = await journalEnd(name, run)
  const text = journal === '' ? `${message}.` : `${message}. Its journal ends:\n${journal}\n`
  return new PlumbError({
    code: 'apply-failed',
    message: text,
    remedy: `See more: journalctl -u ${name}`,
  })
}
