// Puts back what a service's steps changed: units that did not run go, then files come back, then what reads them, then what runs.
import type { AbsolutePath } from '../../shared/names.ts'
import { PlumbError, type Problem, problemsOf } from '../../shared/problem.ts'
import type { ResourceKindName, TriggerAction } from '../../shared/resource.ts'
import { bootId } from '../host/boot.ts'
import type { HostWriter } from '../host/host.ts'
import { unitStatuses } from '../host/systemd.ts'
import { runTools, type ToolStep } from '../host/tools.ts'
import { runTrigger } from '../host/triggers.ts'
import { savedPathSchema } from '../resources/paths.ts'
import { kinds } from '../resources/registry.ts'
import { forgetFailed, unitsOfApply } from './forget-failed.ts'
import type { JournalRecord, Saved, UndoLog } from './journal.ts'

export type Undoing = {
  /** What could not be put back, or not be told that it was. */
  readonly problems: readonly Problem[]
  /** Everything was put back. */
  readonly isComplete: boolean
}

/** Goes on after a failure. */
export async function undo(records: readonly JournalRecord[], host: HostWriter, log: UndoLog): Promise<Undoing> {
  const problems: Problem[] = []
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      problems.push(...problemsOf(error))
    }
  }
  const saved = records.filter((record) => record.kind === 'saved')
  const units: string[] = []
  await attempt(async () => units.push(...(await unitsOfApply(saved, host))))
  // A unit is stopped and disabled by way of the file that enabled it, so before that goes.
  for (const { resource, saved: points } of saved)
    await attempt(async () => {
      const going = points.filter((point) => kinds[resource].isRestoredFirst(point))
      if (going.length > 0) await kinds[resource].restore(going, host)
    })
  for (const { resource, saved: points, mark } of saved.filter(isPaths).toReversed())
    await attempt(() => kinds[resource].restore(points, { ...host, files: host.files.marked(mark) }))
  for (const tool of records.flatMap((record) => (record.kind === 'tools' ? record.tools : [])))
    await attempt(() => runAgain(tool, host))
  const actions = toTell(records)
  const running = await runningOf(actions, host)
  const isLast = ({ resource }: Saved) => Number(kinds[resource].isRestoredLast)
  for (const { resource, saved: points } of saved
    .filter((record) => !isPaths(record))
    .toSorted((one, other) => isLast(one) - isLast(other)))
    await attempt(() => kinds[resource].restore(points, host))
  await attempt(() => forgetFailed(units, host))
  const isComplete = problems.length === 0
  if (isComplete) await log.undone()
  // What had died was started by the restore above.
  problems.push(...(await tell(actions, { running, host, log: isComplete ? log : undefined })))
  return { problems, isComplete }
}

/** For an undo that was killed when it had put everything back, and was telling of it. */
export async function tellAgain(
  records: readonly JournalRecord[],
  host: HostWriter,
  log: UndoLog,
): Promise<readonly Problem[]> {
  const begun = records.flatMap((record) => (record.kind === 'telling' ? [JSON.stringify(record.action)] : []))
  const isTooOften = (action: TriggerAction) =>
    begun.filter((one) => one === JSON.stringify(action)).length >= tellingsAtMost
  const actions = toTell(records).filter((action) => action.kind !== 'run' || !isTooOften(action))
  return tell(actions, { running: await runningOf(actions, host), host, log })
}

/** One that kills whoever runs it, or reboots the host, does not do so for ever; one that was killed is run again. */
const tellingsAtMost = 2

type Telling = { readonly running: ReadonlySet<string>; readonly host: HostWriter; readonly log: UndoLog | undefined }

/** What runs with the content that was just taken back is told so. */
async function tell(actions: readonly TriggerAction[], { running, host, log }: Telling): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  for (const action of actions) {
    if (action.kind === 'run') {
      await log?.telling(action)
      // One that fails with the old content as well is not what could not be put back.
      await runTrigger(action, host.run).catch(isExpected)
    } else if (running.has(action.unit)) {
      await runTrigger(action, host.run).catch((error: unknown) => problems.push(...problemsOf(error)))
    }
  }
  if (actions.length > 0) await log?.told()
  return problems
}

/** What was told of the new content; after a reboot also what has read it by itself. */
function toTell(records: readonly JournalRecord[]): readonly TriggerAction[] {
  const boot = bootId()
  const actions = records.flatMap((record) => {
    if (record.kind === 'trigger') return [record.action]
    return record.kind === 'begun' && record.boot !== boot ? record.triggers : []
  })
  return [...new Map(actions.map((action) => [JSON.stringify(action), action])).values()]
}

function isExpected(error: unknown): undefined {
  if (error instanceof PlumbError) return undefined
  throw error
}

/** After success: removes what was kept for an undo. */
export async function forget(records: readonly JournalRecord[], host: HostWriter): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  for (const record of records.filter((one) => one.kind === 'saved').filter(isPaths)) {
    const files = host.files.marked(record.mark)
    await files.pass(async () => {
      for (const path of pathsIn(record)) {
        try {
          await files.forget(path)
        } catch (error) {
          problems.push(...problemsOf(error))
        }
      }
      await files.syncDirectories()
    })
  }
  return problems
}

/** Also where they were reached through a link, which may be gone by now. */
function pathsIn({ saved }: Saved): readonly AbsolutePath[] {
  return saved.flatMap((point) => {
    const { path, reached } = savedPathSchema.parse(point)
    return reached === undefined ? [path] : [path, reached]
  })
}

function isPaths({ resource }: Saved): boolean {
  return isPathKind(resource)
}

export function isPathKind(resource: ResourceKindName): boolean {
  return kinds[resource].order === 'paths'
}

/** With the files it named that are there again; one whose files are all gone has nothing to say. */
async function runAgain(tool: ToolStep, host: HostWriter): Promise<void> {
  const [program = '', ...args] = tool.command.args
  const named = args.filter((arg) => arg.startsWith('/'))
  const there = new Set(named.filter((path) => isThere(path, host)))
  if (named.length > 0 && there.size === 0) return
  const kept = args.filter((arg) => !arg.startsWith('/') || there.has(arg))
  await runTools([{ ...tool, command: { ...tool.command, args: [program, ...kept] } }], host.run)
}

function isThere(path: string, { files }: HostWriter): boolean {
  const saved = savedPathSchema.shape.path.safeParse(path)
  return saved.success && files.stat(saved.data) !== undefined
}

async function runningOf(actions: readonly TriggerAction[], host: HostWriter): Promise<ReadonlySet<string>> {
  const units = actions.flatMap((action) => (action.kind === 'run' ? [] : [action.unit]))
  if (units.length === 0) return new Set()
  try {
    const statuses = await unitStatuses(units, host.query)
    return new Set(units.filter((unit) => statuses.get(unit)?.activeState === 'active'))
  } catch {
    return new Set()
  }
}
