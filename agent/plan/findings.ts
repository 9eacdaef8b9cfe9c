// In: a comparison and the bytes of what drifted. Out: findings with diffs, and what a report says of each service. Pure.

import { compact } from '../../shared/compact.ts'
import type { Evidence } from '../../shared/evidence.ts'
import {
  type Difference,
  type Finding,
  type FindingAdoption,
  type HiddenDiff,
  type HiddenReason,
  logLimit,
  type RepairLoop,
  type Revised,
} from '../../shared/finding.ts'
import { kindsOf } from '../../shared/finding-kind.ts'
import { hiddenText } from '../../shared/hidden-text.ts'
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import {
  type Failure,
  type Hold,
  type IgnoredDrift,
  type Obstacle,
  type Pending,
  reportDiffLimitBytes,
  type ServiceReport,
  unknownProblemsLimit,
} from '../../shared/report.ts'
import { type Unseen, unseenText } from '../../shared/unseen.ts'
import { formatOf } from '../document/read.ts'
import type { ContentSides, ContentsByResource } from '../observe/contents.ts'
import type { Attributes, CodedDifference, ResourceChange } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import { isAdoptable, kindNameOf, kinds } from '../resources/registry.ts'
import {
  type ComparedResource,
  drifted,
  type HostComparison,
  ignored,
  pendingOf,
  type ServiceComparison,
} from './compare.ts'
import { changedLines, type Diff, type DiffOptions, unifiedDiff } from './diff.ts'
import { largeDiff, reversed } from './large-diff.ts'
import type { Mask } from './mask.ts'
import { type ToldChanges, toldChanges } from './told-changes.ts'
import { unseenBetween } from './unseen.ts'

export type FindingInput = {
  /** Of the files whose content drifted (observe/contents.ts). */
  readonly contents: ContentsByResource
  readonly mask: Mask
  /** Gathered by evidence/. */
  readonly evidence?: ReadonlyMap<ResourceId, Evidence>
  /** Of units that failed, the end of the journal. */
  readonly logs?: ReadonlyMap<ResourceId, string>
  /** Resources that are no longer repaired. */
  readonly repairLoops?: ReadonlyMap<ResourceId, RepairLoop>
  /** What `plumb adopt` would do. */
  readonly adoptions?: ReadonlyMap<ResourceId, FindingAdoption>
}

export type ReportInput = FindingInput & {
  readonly failureOf?: (service: ServiceName) => Failure | undefined
  readonly holdOf?: (service: ServiceName) => Hold | undefined
  readonly obstacles?: ReadonlyMap<ServiceName, Obstacle>
}

export function findingsFor(compared: ServiceComparison, input: FindingInput): readonly Finding[] {
  return drifted(compared).map((resource) => findingOf(resource, sourceOf(resource, compared.service), input))
}

/** Diffs of all services together stay below a report's limit; those that do not fit are left out and said to be cut. */
export function serviceReports({ services }: HostComparison, input: ReportInput): readonly ServiceReport[] {
  const budget = { left: reportDiffLimitBytes }
  return services.map((compared) => {
    const { service, baseline } = compared
    const failure = input.failureOf?.(service)
    const hold = input.holdOf?.(service)
    const obstacle = input.obstacles?.get(service)
    const left = ignored(compared).map((resource) => ignoredText(resource, input.mask))
    const problems = compared.problems
      .slice(0, unknownProblemsLimit)
      .map((problem) => ({ ...problem, message: input.mask.sentence(problem.message) }))
    return {
      service,
      ...(baseline === undefined ? {} : { applied: baseline.revision, appliedAt: baseline.appliedAt }),
      findings: findingsFor(compared, input).map((finding) => withinBudget(finding, budget)),
      pending: pendingOf(compared).map(pendingText),
      ...(left.length === 0 ? {} : { ignored: left }),
      ...compact({ failure, hold, obstacle }),
      ...(problems.length === 0 ? {} : { unknown: { problems } }),
    }
  })
}

/** What an apply would do to a file, live -> desired; undefined for what is not a file's content. */
export function changeDiff({ id, desired }: ResourceChange, { contents, mask }: FindingInput): Diff | undefined {
  const sides = contents.get(id)
  if (desired?.kind !== 'file') return undefined
  const labels = { live: `live: ${desired.path}`, wanted: `repository: ${desired.source}` }
  // Live may hold an older value of a secret, which nobody here knows any more.
  if (desired.secrets.length > 0) return sides && { text: secretsText(labels, desired.secrets), cut: false }
  if (sides?.hidden !== undefined) {
    // What an apply writes is what is expected: lines are told by where they will be.
    const { hidden, isCut } = hiddenDiff(sides.hidden, sides.live ?? new Uint8Array(), sides.desired)
    return { text: `--- ${labels.live}\n+++ ${labels.wanted}\n${hiddenText(hidden)}\n`, cut: isCut }
  }
  if (sides?.large?.expected.sha256 === desired.sha256)
    return largeDiff(
      reversed(sides.large),
      { expected: labels.live, live: labels.wanted },
      { mask, holdsSecrets: false },
    )
  if (sides?.desired === undefined) return undefined
  const live = { label: labels.live, bytes: sides.live ?? new Uint8Array() }
  const wanted = { label: labels.wanted, bytes: sides.desired }
  return unifiedDiff(live, wanted, { mask, holdsSecrets: false })
}

type Labels = { readonly live: string; readonly wanted: string }

function secretsText({ live, wanted }: Labels, secrets: readonly string[]): string {
  const names = secrets.map((name) => `"${name}"`).join(', ')
  const [what, whose] = secrets.length === 1 ? ['the secret', 'its value'] : ['the secrets', 'a value of theirs']
  return `--- ${live}\n+++ ${wanted}\nnot shown: it holds ${what} ${names}, and ${whose} may be all that changed\n`
}

/** Of a project that is left, and of what has no file of its own: none. */
function sourceOf({ desired, baseline }: ComparedResource, service: ServiceName): string | undefined {
  if (desired?.kind === 'compose') return `services/${service}/${desired.file.slice(desired.directory.length + 1)}`
  return baseline?.source ?? (desired !== undefined && 'source' in desired ? desired.source : undefined)
}

function findingOf(
  resource: ComparedResource,
  source: string | undefined,
  { contents, mask, evidence, logs, repairLoops, adoptions }: FindingInput,
): Finding {
  const { id, comparison } = resource
  const fight = repairLoops?.get(id)
  const log = logs?.get(id)
  const sides = contents.get(id)
  const hidden = hiddenIn(resource, sides)
  const shown = hidden === undefined ? shownContents(resource, sides, mask) : undefined
  const diff = hidden === undefined ? (overridesDiff(resource, sides, mask) ?? (shown && diffOf(shown))) : undefined
  const changes = shown && changesOf(shown)
  const unseen = shown && unseenIn(shown, changes)
  const revised = revisedBy(resource, sides, mask)
  const adoption = adoptions?.get(id)
  return {
    resource: id,
    summary: summaryOf(resource, mask, noteOf(changes, unseen)),
    differences: comparison.drift.slice(0, 100).map((difference) => bounded(id, difference, mask)),
    kinds: kindsOf(comparison.drift),
    ...(diff === undefined ? {} : { diff: diff.text }),
    diffCut: diff?.cut ?? hidden?.isCut ?? false,
    ...(diff?.isMasked ? { diffMasked: true } : {}),
    ...compact({ diffInstead: diff?.instead, diffEncoding: diff?.encoding }),
    ...(hidden === undefined ? {} : { diffHidden: hidden.hidden }),
    ...(unseen === undefined ? {} : { unseen: { ...unseen, kinds: [...unseen.kinds] } }),
    ...(changes === undefined ? {} : { changes: [...changes.changes] }),
    ...(changes?.isCut ? { changesCut: true } : {}),
    ...(log === undefined ? {} : { log: mask.text(log).slice(-logLimit) }),
    ...compact({ source, revised }),
    ...(adoption === undefined ? {} : { adoption: { ...adoption, problems: [...adoption.problems] } }),
    evidence: evidence?.get(id) ?? {},
    ...compact({ fight }),
  }
}

/** What a commit changes of what somebody changed too: last applied -> desired. */
function revisedBy(
  { desired, baseline, comparison }: ComparedResource,
  sides: ContentSides | undefined,
  mask: Mask,
): Revised | undefined {
  if (comparison.pending.length === 0 || comparison.drift.length === 0) return undefined
  const applied: Attributes = baseline?.attributes ?? {}
  const wanted: Attributes = desired === undefined ? { type: 'missing' } : kinds[desired.kind].attributes(desired)
  const differences = Object.entries(wanted)
    .filter(([name, value]) => applied[name] !== value)
    .slice(0, 100)
    .map(([name, value]) => ({
      name: name.slice(0, 100),
      ...(applied[name] === undefined ? {} : { applied: mask.text(applied[name]).slice(0, 2000) }),
      desired: mask.text(value).slice(0, 2000),
    }))
  const diff = revisedDiff({ desired, baseline }, sides, mask)
  return { differences, ...(diff === undefined ? {} : { diff: diff.text }), diffCut: diff?.cut ?? false }
}

/** None of a template with secrets: those that it was applied with may have been exchanged since. */
function revisedDiff(
  { desired, baseline }: Pick<ComparedResource, 'desired' | 'baseline'>,
  sides: ContentSides | undefined,
  mask: Mask,
): Diff | undefined {
  if (desired?.kind !== 'file' || sides?.hidden !== undefined) return undefined
  if (sides?.baseline === undefined || sides.desired === undefined) return undefined
  if (desired.secrets.length > 0 || (baseline?.secrets ?? []).length > 0) return undefined
  if (desired.sha256 === baseline?.attributes['content']) return undefined
  const before = { label: appliedLabel(baseline?.source ?? desired.source), bytes: sides.baseline }
  return unifiedDiff(
    before,
    { label: `repository: ${desired.source}`, bytes: sides.desired },
    { mask, holdsSecrets: false },
  )
}

function appliedLabel(source: string): string {
  return `last applied: ${source}`
}

function ignoredText({ why, ...resource }: ComparedResource & { readonly why: string }, mask: Mask): IgnoredDrift {
  return { resource: resource.id, summary: summaryOf(resource, mask), why }
}

/** `/etc/grafana/fleet.json: content differs (no longer JSON: 3:5 expected a comma)` */
function summaryOf({ id, live, comparison }: ComparedResource, mask: Mask, told?: string): string {
  const summary = kinds[kindNameOf(id)].describe(id, comparison.drift)
  const notes = isContent(comparison) ? [live.judged?.note, told].filter((note) => note !== undefined) : []
  return mask.sentence(notes.length === 0 ? summary : `${summary} (${notes.join('; ')})`).slice(0, 4500)
}

function noteOf(changes: ToldChanges | undefined, unseen: Unseen | undefined): string | undefined {
  if (changes?.isFormatting && unseen?.isAll !== true) return 'only formatting and order differ'
  return unseen && unseenText(unseen)
}

/** Where values differ, they say enough. */
function unseenIn({ sides: { baseline, live } }: ShownContents, changes: ToldChanges | undefined): Unseen | undefined {
  if (changes?.isFormatting === false || baseline === undefined || live === undefined) return undefined
  return unseenBetween(baseline, live)
}

/** Of a drop-in that the repository does not have. */
function overridesDiff({ id, overrides }: ComparedResource, sides: ContentSides | undefined, mask: Mask) {
  if (overrides === undefined || sides?.live === undefined) return undefined
  const nothing = { label: 'repository: no such file', bytes: new Uint8Array() }
  return unifiedDiff(nothing, { label: `live: ${pathOf(id)}`, bytes: sides.live }, { mask, holdsSecrets: false })
}

type Hidden = { readonly hidden: HiddenDiff; readonly isCut: boolean }

function hiddenIn({ overrides, comparison }: ComparedResource, sides: ContentSides | undefined): Hidden | undefined {
  if (sides?.hidden === undefined || (overrides === undefined && !isContent(comparison))) return undefined
  return hiddenDiff(sides.hidden, sides.baseline, sides.live)
}

function hiddenDiff(why: HiddenReason, before: Uint8Array | undefined, after: Uint8Array | undefined): Hidden {
  const changed = before === undefined || after === undefined ? undefined : changedLines(before, after)
  if (why !== 'mode' || changed === undefined) return { hidden: { why }, isCut: false }
  return { hidden: { why, lines: [...changed.lines] }, isCut: changed.isCut }
}

type ShownContents = {
  readonly resource: ComparedResource
  readonly sides: ContentSides
  readonly options: DiffOptions
}

/** Undefined where nothing of the content may be shown, or nothing is there to show. */
function shownContents(
  resource: ComparedResource,
  sides: ContentSides | undefined,
  mask: Mask,
): ShownContents | undefined {
  const { desired, baseline, comparison } = resource
  if (!isContent(comparison) || sides === undefined) return undefined
  const holdsSecrets = (baseline?.secrets ?? []).length > 0
  const isCurrent = desired?.kind === 'file' && desired.sha256 === baseline?.attributes['content']
  // Applied with values that may have been exchanged since: they cannot be told from other text any more.
  if (holdsSecrets && !isCurrent) return undefined
  return { resource, sides, options: { mask, holdsSecrets } }
}

function isContent({ drift }: ComparedResource['comparison']): boolean {
  return drift.some(({ name }) => name === 'content')
}

function diffOf({ resource: { id, baseline }, sides, options }: ShownContents): Diff | undefined {
  const path = pathOf(id)
  const [expected, live] = [appliedLabel(baseline?.source ?? path), `live: ${path}`]
  if (sides.large !== undefined) return largeDiff(sides.large, { expected, live }, options)
  if (sides.baseline === undefined || sides.live === undefined) return undefined
  return unifiedDiff({ label: expected, bytes: sides.baseline }, { label: live, bytes: sides.live }, options)
}

/** Of what is judged as JSON or YAML, and of what is called so. */
function changesOf({ resource, sides, options }: ShownContents): ToldChanges | undefined {
  const { id, desired } = resource
  const { baseline: before, live: after } = sides
  const rules = desired?.kind === 'file' ? desired.judged?.rules : undefined
  const format = rules?.as ?? formatOf(pathOf(id))
  if (format === undefined || before === undefined || after === undefined) return undefined
  return toldChanges({ format, before, after, ...compact({ rules }) }, options)
}

function pendingText({ id, desired, comparison }: ComparedResource): Pending {
  const source = desired !== undefined && 'source' in desired ? { source: desired.source } : {}
  return { resource: id, summary: kinds[kindNameOf(id)].describe(id, comparison.pending).slice(0, 4500), ...source }
}

function bounded(id: ResourceId, { name, expected, live, codes }: CodedDifference, mask: Mask): Difference {
  const shown = mask.sentence(live)
  return {
    name: name.slice(0, 100),
    expected: mask.sentence(expected).slice(0, valueLimit),
    live: shown.slice(0, valueLimit),
    codes: [...codes],
    ...(isAdoptable(id, { name, live }) ? { adoptable: true } : {}),
    ...(shown === live ? {} : { liveMasked: true }),
    ...(shown.length > valueLimit ? { liveCut: true } : {}),
  }
}

const valueLimit = 2000

/** Without its diff, and saying so, where that takes more than is left. */
export function withinBudget(finding: Finding, budget: { left: number }): Finding {
  const { diff, changes, revised, ...rest } = finding
  const fits = (part: unknown) => {
    const bytes = part === undefined ? 0 : Buffer.byteLength(JSON.stringify(part))
    if (bytes > budget.left) return false
    budget.left -= bytes
    return true
  }
  // What differs by value says more, in less.
  const [keepsChanges, keepsDiff, keepsRevised] = [fits(changes), fits(diff), fits(revised?.diff)]
  return {
    ...rest,
    ...(diff === undefined ? {} : keepsDiff ? { diff } : { diffCut: true }),
    ...(changes === undefined ? {} : keepsChanges ? { changes } : { changesCut: true }),
    ...(revised === undefined ? {} : { revised: keepsRevised ? revised : withoutDiff(revised) }),
  }
}

function withoutDiff({ differences }: Revised): Revised {
  return { differences, diffCut: true }
}
