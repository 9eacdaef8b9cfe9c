// The last phase of one service: what it displaced is kept, and its baseline is put together and written to the journal.

import { type AbsolutePath, resourceId } from '../../shared/names.ts'
import type { Change } from '../../shared/report.ts'
import { isOfKind } from '../../shared/resource.ts'
import type { HostWriter } from '../host/host.ts'
import type { ServicePlan } from '../plan/plan.ts'
import { changesIn } from '../resources/change-step.ts'
import { isStaying } from '../resources/directory.ts'
import type { ResourceChange } from '../resources/kind.ts'
import type { Before } from '../resources/original.ts'
import { pathInId, pathOf, savedPathSchema } from '../resources/paths.ts'
import { isReturning } from '../resources/returning.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import { beforeOf } from './before.ts'
import type { ApplyContext, Transaction } from './context.ts'
import { type DisplacedPath, keepDisplaced } from './displaced.ts'
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
  const kept = await keepDisplaced(replacedBy(changes, servicePlan), purgedBy(changes), displacing)
  const notes = kept.notKept.map((summary) => ({ service, summary }))
  const remaining = remainingOf(changes, host)
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

/** Directories that were to be removed and could not be, since what is in them was not removed before: to be tried again. */
function remainingOf(changes: readonly ResourceChange[], { files }: HostWriter): readonly AbsolutePath[] {
  return changes
    .filter((one) => isOfKind(one.id, 'directory') && one.desired === undefined && !isStaying(one) && !isReturning(one))
    .map(({ id }) => pathOf(id))
    .filter((path) => files.stat(path)?.type === 'directory')
}

function leftoverOf({ service, before }: ServicePlan): ServicePlan['record'] {
  if (before === undefined) return undefined
  return { service, revision: before.revision, onRemove: before.onRemove, resources: new Map() }
}

/** Without what those services now have, or have seen to. Undefined: nothing is left to be known of this one. */
export function withoutHandedOver(
  baseline: ServiceBaseline,
  { handedOver, isLeaving }: Pick<ServicePlan, 'handedOver' | 'isLeaving'>,
  isApplied: (service: ServicePlan['service']) => boolean,
): ServiceBaseline | undefined {
  const gone = handedOver.filter(({ until }) => isApplied(until))
  const ids = new Set<string>(gone.flatMap((one) => (one.kind === 'resource' ? [one.id] : [])))
  const paths = new Set<string>(gone.flatMap((one) => (one.kind === 'path' ? [one.path] : [])))
  const { before: known, ...rest } = baseline
  const resources = new Map([...baseline.resources].filter(([id]) => !ids.has(id)))
  const before = new Map([...(known ?? [])].filter(([path]) => !paths.has(path)))
  if (isLeaving && resources.size === 0 && before.size === 0) return undefined
  return { ...rest, resources, ...(before.size === 0 ? {} : { before }) }
}

function savedPath(point: unknown) {
  const parsed = savedPathSchema.safeParse(point)
  return parsed.success ? [parsed.data] : []
}

function replacedBy(
  changes: readonly ResourceChange[],
  { before, record }: Pick<ServicePlan, 'before' | 'record'>,
): readonly DisplacedPath[] {
  const replaced = new Map<string, DisplacedPath>()
  for (const change of changes) {
    if (pathInId(change.id) === undefined) continue
    const path = pathOf(change.id)
    const earlier = replaced.get(path)
    replaced.set(path, {
      path,
      why: change.desired === undefined && !isReturning(change) ? (earlier?.why ?? 'removed') : 'overwritten',
      known: new Set([...(earlier?.known ?? []), ...knownContents(change, path, before)]),
      wanted: wantedContent(path, record?.before),
      ...seenContent(change),
    })
  }
  return [...replaced.values()]
}

/** What the repository has, or had when it was applied; and what was there before, which is put back or was kept already. */
function knownContents(
  { desired, baseline, original }: ResourceChange,
  path: AbsolutePath,
  before: ServiceBaseline | undefined,
) {
  const applied = ['file', 'symlink'].map((kind) => before?.resources.get(resourceId(kind, path)))
  const attributes = [baseline, ...applied].flatMap((resource) => (resource === undefined ? [] : [resource.attributes]))
  return [
    ...attributes.flatMap(({ content, target }) => [content, target]),
    desired?.kind === 'file' ? desired.sha256 : undefined,
    desired?.kind === 'symlink' ? desired.target : undefined,
    original?.type === 'file' ? original.sha256 : undefined,
    original?.type === 'symlink' ? original.target : undefined,
  ].filter((known) => known !== undefined)
}

function seenContent({ live }: ResourceChange): Pick<DisplacedPath, 'seen'> {
  const seen = live.attributes['content']
  return seen === undefined ? {} : { seen }
}

function wantedContent(path: AbsolutePath, before: Before | undefined): string | undefined {
  const was = before?.get(path)?.was
  return was?.type === 'file' && was.kept === 'live' ? was.sha256 : undefined
}

function purgedBy(changes: readonly ResourceChange[]): readonly AbsolutePath[] {
  return [...new Set(changes.filter(isPurge).map(({ id }) => pathOf(id)))]
}

function firstPurgedBy(changes: readonly ResourceChange[]): readonly AbsolutePath[] {
  return purgedBy(changes.filter(({ baseline }) => baseline?.attributes['extra'] === undefined))
}

function isPurge({ desired, differences }: ResourceChange): boolean {
  return desired?.kind === 'directory' && differences.some(({ name }) => name === 'extra')
}
