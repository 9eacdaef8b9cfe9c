// The last phase of one service: what it displaced is kept, and its baseline is put together and written to the journal.

import type { Change } from '../../shared/report.ts'
import type { ServicePlan } from '../plan/plan.ts'
import { changesIn } from '../resources/change-step.ts'
import { savedPathSchema } from '../resources/paths.ts'
import { firstPurgedBy, purgedBy, removedDirectories, replacedBy } from '../resources/removal/leaving.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import { beforeOf } from './before.ts'
import type { ApplyContext, Transaction } from './context.ts'
import { keepDisplaced } from './displaced.ts'
import type { JournalRecord } from './journal.ts'

/** From here on the service is as desired: nothing of it is undone any more, unless contact is lost. */
export async function commit(transaction: Transaction, context: ApplyContext): Promise<void> {
  const { servicePlan, journal, host, changes } = transaction
  const { baseline, notes } = await recorded(servicePlan, journal.records, { ...context, host })
  await journal.committed(baseline)
  for (const note of notes) context.onProgress?.(note)
  changes.push(...notes)
  context.committed.push(transaction)
  context.baselines.set(servicePlan.service, baseline)
}

/** What is as desired already is put on record without a write to the host. */
export async function recordUnchanged(servicePlan: ServicePlan, context: ApplyContext): Promise<void> {
  const { service, isRecorded, before } = servicePlan
  if (isRecorded) return
  const { baseline } = await recorded(servicePlan, [], context)
  const appliedAt = before?.appliedAt ?? context.now().toISOString()
  context.baselines.set(service, baseline && { ...baseline, appliedAt })
}

type Recorded = {
  readonly baseline: ServiceBaseline | undefined
  /** What could not be kept. */
  readonly notes: readonly Change[]
}

type Recording = Pick<ApplyContext, 'host' | 'state' | 'now' | 'budget' | 'taken'>

/** On disk when it returns, but for the baseline. Throws what must not be committed without. */
async function recorded(
  servicePlan: ServicePlan,
  records: readonly JournalRecord[],
  { host, state, now, budget, taken }: Recording,
): Promise<Recorded> {
  const { service, record, untaken } = servicePlan
  const at = now().toISOString()
  const changes = changesIn(servicePlan)
  const displacing = { service, at, host, state, budget }
  const kept = await keepDisplaced(
    replacedBy(changes, servicePlan.before, record?.before),
    purgedBy(changes),
    displacing,
  )
  const notes = kept.notKept.map((summary) => ({ service, summary }))
  // What is in them was not removed before: to be tried again.
  const remaining = removedDirectories(changes).filter((path) => host.files.stat(path)?.type === 'directory')
  const base = record ?? (remaining.length > 0 ? leftoverOf(servicePlan) : undefined)
  if (base === undefined) return { baseline: undefined, notes }
  const saved = records.flatMap((one) => (one.kind === 'saved' ? one.saved : [])).flatMap(savedPath)
  const first = untaken.filter((path) => (taken.get(path) ?? service) === service)
  const before = await beforeOf({
    record: base,
    untaken: first,
    firstPurged: firstPurgedBy(changes),
    saved,
    kept,
    host,
    state,
  })
  for (const path of [...before.keys(), ...untaken]) if (!taken.has(path)) taken.set(path, service)
  for (const path of remaining) before.set(path, before.get(path) ?? { was: { type: 'missing' }, made: true })
  return { baseline: { ...base, appliedAt: at, ...(before.size === 0 ? {} : { before }) }, notes }
}

function leftoverOf({ service, before }: ServicePlan): ServicePlan['record'] {
  if (before === undefined) return undefined
  return { service, revision: before.revision, onRemove: before.onRemove, resources: new Map() }
}

function savedPath(point: unknown) {
  const parsed = savedPathSchema.safeParse(point)
  return parsed.success ? [parsed.data] : []
}
