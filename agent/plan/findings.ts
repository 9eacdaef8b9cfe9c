// In: a comparison and the bytes of what drifted. Out: findings with diffs, and what a report says of each service. Pure.

import { compact } from '../../shared/compact.ts'
import type { Evidence } from '../../shared/evidence.ts'
import {
  type Difference,
  type Finding,
  type FindingAdoption,
  logLimit,
  type RepairLoop,
  type Revised,
} from '../../shared/finding.ts'
import { kindsOf } from '../../shared/finding-kind.ts'
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
import type { ContentSides, ContentsByResource } from '../observe/contents.ts'
import type { Attributes, CodedDifference } from '../resources/kind.ts'
import { isAdoptable, kindNameOf, kinds } from '../resources/registry.ts'
import {
  type ComparedResource,
  drifted,
  type HostComparison,
  ignored,
  pendingOf,
  type ServiceComparison,
} from './compare.ts'
import {
  changesOf,
  diffOf,
  hiddenIn,
  isContent,
  overridesDiff,
  revisedDiff,
  shownContents,
  unseenIn,
} from './content-diff.ts'
import type { Mask } from './mask.ts'
import type { ToldChanges } from './told-changes.ts'

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
