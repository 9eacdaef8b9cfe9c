// What of the two sides of a file may be shown, and how: as a diff, by value, or not at all. Pure.
import { compact } from '../../shared/compact.ts'
import type { HiddenDiff, HiddenReason } from '../../shared/finding.ts'
import { hiddenText } from '../../shared/hidden-text.ts'
import type { Unseen } from '../../shared/unseen.ts'
import { formatOf } from '../document/read.ts'
import type { ContentSides, ContentsByResource } from '../observe/contents.ts'
import type { ResourceChange } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import type { ComparedResource } from './compare.ts'
import { changedLines, type Diff, type DiffOptions, unifiedDiff } from './diff.ts'
import { largeDiff, reversed } from './large-diff.ts'
import type { Mask } from './mask.ts'
import { type ToldChanges, toldChanges } from './told-changes.ts'
import { unseenBetween } from './unseen.ts'

/** What an apply would do to a file, live -> desired; undefined for what is not a file's content. */
export function changeDiff(
  { id, desired }: ResourceChange,
  { contents, mask }: { readonly contents: ContentsByResource; readonly mask: Mask },
): Diff | undefined {
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

/** Where values differ, they say enough. */
export function unseenIn(
  { sides: { baseline, live } }: ShownContents,
  changes: ToldChanges | undefined,
): Unseen | undefined {
  if (changes?.isFormatting === false || baseline === undefined || live === undefined) return undefined
  return unseenBetween(baseline, live)
}

/** Of a drop-in that the repository does not have. */
export function overridesDiff({ id, overrides }: ComparedResource, sides: ContentSides | undefined, mask: Mask) {
  if (overrides === undefined || sides?.live === undefined) return undefined
  const nothing = { label: 'repository: no such file', bytes: new Uint8Array() }
  return unifiedDiff(nothing, { label: `live: ${pathOf(id)}`, bytes: sides.live }, { mask, holdsSecrets: false })
}

type Hidden = { readonly hidden: HiddenDiff; readonly isCut: boolean }

export function hiddenIn(
  { overrides, comparison }: ComparedResource,
  sides: ContentSides | undefined,
): Hidden | undefined {
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
export function shownContents(
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

export function isContent({ drift }: ComparedResource['comparison']): boolean {
  return drift.some(({ name }) => name === 'content')
}

export function diffOf({ resource: { id, baseline }, sides, options }: ShownContents): Diff | undefined {
  const path = pathOf(id)
  const [expected, live] = [appliedLabel(baseline?.source ?? path), `live: ${path}`]
  if (sides.large !== undefined) return largeDiff(sides.large, { expected, live }, options)
  if (sides.baseline === undefined || sides.live === undefined) return undefined
  return unifiedDiff({ label: expected, bytes: sides.baseline }, { label: live, bytes: sides.live }, options)
}

/** Of what is judged as JSON or YAML, and of what is called so. */
export function changesOf({ resource, sides, options }: ShownContents): ToldChanges | undefined {
  const { id, desired } = resource
  const { baseline: before, live: after } = sides
  const rules = desired?.kind === 'file' ? desired.judged?.rules : undefined
  const format = rules?.as ?? formatOf(pathOf(id))
  if (format === undefined || before === undefined || after === undefined) return undefined
  return toldChanges({ format, before, after, ...compact({ rules }) }, options)
}

/** None of a template with secrets: those that it was applied with may have been exchanged since. */
export function revisedDiff(
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
