// In: a comparison and the bytes of what drifted. Out: findings with diffs, and what a report says of each service. Pure.

import type { Evidence } from '../../shared/evidence.ts'
import type { Fight, Finding } from '../../shared/finding.ts'
import { kindsOf } from '../../shared/finding-kind.ts'
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import {
  type Failure,
  type Hold,
  type IgnoredDrift,
  type Pending,
  reportDiffLimitBytes,
  type ServiceReport,
} from '../../shared/report.ts'
import { formatOf } from '../document/read.ts'
import type { ContentSides, ContentsByResource } from '../observe/contents.ts'
import type { AttributeDifference, ResourceChange } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import {
  type ComparedResource,
  drifted,
  type HostComparison,
  ignored,
  pendingOf,
  type ServiceComparison,
} from './compare.ts'
import { type Diff, type DiffOptions, unifiedDiff } from './diff.ts'
import { largeDiff, reversed } from './large-diff.ts'
import type { Mask } from './mask.ts'
import { type ToldChanges, toldChanges } from './told-changes.ts'

export type FindingInput = {
  /** Of the files whose content drifted (observe/contents.ts). */
  readonly contents: ContentsByResource
  readonly mask: Mask
  /** Gathered by evidence/. */
  readonly evidence?: ReadonlyMap<ResourceId, Evidence>
  /** Of what is not put back any more. */
  readonly fights?: ReadonlyMap<ResourceId, Fight>
}

export type ReportInput = FindingInput & {
  readonly failureOf?: (service: ServiceName) => Failure | undefined
  readonly holdOf?: (service: ServiceName) => Hold | undefined
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
    const left = ignored(compared).map((resource) => ignoredText(resource, input.mask))
    return {
      service,
      ...(baseline === undefined ? {} : { applied: baseline.revision, appliedAt: baseline.appliedAt }),
      findings: findingsFor(compared, input).map((finding) => withinBudget(finding, budget)),
      pending: pendingOf(compared).map(pendingText),
      ...(left.length === 0 ? {} : { ignored: left }),
      ...(failure === undefined ? {} : { failure }),
      ...(hold === undefined ? {} : { hold }),
    }
  })
}

/** What an apply would do to a file, live -> desired; undefined for what is not a file's content. */
export function changeDiff({ id, desired }: ResourceChange, { contents, mask }: FindingInput): Diff | undefined {
  const sides = contents.get(id)
  // Live may hold an older value of a secret, which nobody here knows any more.
  if (desired?.kind !== 'file' || desired.secrets.length > 0) return undefined
  const labels = { live: `live: ${desired.path}`, wanted: `repository: ${desired.source}` }
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

/** Of a project that is left, and of what has no file of its own: none. */
function sourceOf({ desired, baseline }: ComparedResource, service: ServiceName): string | undefined {
  if (desired?.kind === 'compose') return `services/${service}/${desired.file.slice(desired.directory.length + 1)}`
  return baseline?.source ?? (desired !== undefined && 'source' in desired ? desired.source : undefined)
}

function findingOf(
  resource: ComparedResource,
  source: string | undefined,
  { contents, mask, evidence, fights }: FindingInput,
): Finding {
  const { id, comparison } = resource
  const fight = fights?.get(id)
  const shown = shownContents(resource, contents.get(id), mask)
  const diff = overridesDiff(resource, contents.get(id), mask) ?? (shown && diffOf(shown))
  const changes = shown && changesOf(shown)
  return {
    resource: id,
    summary: summaryOf(resource, mask, changes),
    differences: comparison.drift.slice(0, 100).map((difference) => bounded(difference, mask)),
    kinds: kindsOf(id, comparison.drift),
    ...(diff === undefined ? {} : { diff: diff.text }),
    diffCut: diff?.cut ?? false,
    ...(changes === undefined ? {} : { changes: [...changes.changes] }),
    ...(changes?.isCut ? { changesCut: true } : {}),
    ...(source === undefined ? {} : { source }),
    evidence: evidence?.get(id) ?? {},
    ...(fight === undefined ? {} : { fight }),
  }
}

function ignoredText({ why, ...resource }: ComparedResource & { readonly why: string }, mask: Mask): IgnoredDrift {
  return { resource: resource.id, summary: summaryOf(resource, mask), why }
}

/** `/etc/grafana/fleet.json: content differs (no longer JSON: 3:5 expected a comma)` */
function summaryOf({ id, live, comparison }: ComparedResource, mask: Mask, changes?: ToldChanges): string {
  const summary = kinds[kindNameOf(id)].describe(id, comparison.drift)
  const note = changes?.isFormatting ? 'only formatting and order differ' : live.judged?.note
  return mask.text(note === undefined || !isContent(comparison) ? summary : `${summary} (${note})`).slice(0, 4500)
}

/** Of a drop-in that the repository does not have. */
function overridesDiff({ id, overrides }: ComparedResource, sides: ContentSides | undefined, mask: Mask) {
  if (overrides === undefined || sides?.live === undefined) return undefined
  const nothing = { label: 'repository: no such file', bytes: new Uint8Array() }
  return unifiedDiff(nothing, { label: `live: ${pathOf(id)}`, bytes: sides.live }, { mask, holdsSecrets: false })
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
  const [expected, live] = [`repository: ${baseline?.source ?? path}`, `live: ${path}`]
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
  return toldChanges({ format, before, after, ...(rules === undefined ? {} : { rules }) }, options)
}

function pendingText({ id, desired, comparison }: ComparedResource): Pending {
  const source = desired !== undefined && 'source' in desired ? { source: desired.source } : {}
  return { resource: id, summary: kinds[kindNameOf(id)].describe(id, comparison.pending).slice(0, 4500), ...source }
}

function bounded({ name, expected, live }: AttributeDifference, mask: Mask): AttributeDifference {
  return {
    name: name.slice(0, 100),
    expected: mask.text(expected).slice(0, 2000),
    live: mask.text(live).slice(0, 2000),
  }
}

/** Without its diff, and saying so, where that takes more than is left. */
export function withinBudget(finding: Finding, budget: { left: number }): Finding {
  const { diff, changes, ...rest } = finding
  const fits = (part: unknown) => {
    const bytes = part === undefined ? 0 : Buffer.byteLength(JSON.stringify(part))
    if (bytes > budget.left) return false
    budget.left -= bytes
    return true
  }
  // What differs by value says more, in less.
  const [keepsChanges, keepsDiff] = [fits(changes), fits(diff)]
  return {
    ...rest,
    ...(diff === undefined ? {} : keepsDiff ? { diff } : { diffCut: true }),
    ...(changes === undefined ? {} : keepsChanges ? { changes } : { changesCut: true }),
  }
}
