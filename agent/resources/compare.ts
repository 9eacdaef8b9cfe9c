// The three-way comparison behind every kind: what tells a commit not applied yet (pending) from a host changed by hand (drift).
// Decision: docs/decisions/2026-11-23-attributes-are-named-strings.md
import type { AttributeDifference, Attributes, Comparison } from './kind.ts'

const nothing: Comparison = { drift: [], pending: [] }

/**
 * Only attributes that desired (or, when it left the repository, the baseline) names count. One that live does not have
 * although the type is right cannot be observed here and never differs. Another type hides all other attributes.
 */
export function compareAttributes(
  desired: Attributes | undefined,
  baseline: Attributes | undefined,
  live: Attributes,
): Comparison {
  if (desired !== undefined) return compareDesired(desired, baseline, live)
  return baseline === undefined ? nothing : compareLeft(baseline, live)
}

/** The union by name, pending before drift: what an apply that repairs everything would change. */
export function allDifferences({ drift, pending }: Comparison): readonly AttributeDifference[] {
  if (drift.length === 0) return pending
  const names = new Set(pending.map(({ name }) => name))
  return [...pending, ...drift.filter(({ name }) => !names.has(name))]
}

/** Another type hides all other attributes. */
export function differencesFrom(expected: Attributes, live: Attributes): readonly AttributeDifference[] {
  const type = difference('type', expected['type'], live['type'])
  if (type !== undefined) return [type]
  return Object.keys(expected).flatMap((name) => difference(name, expected[name], live[name]) ?? [])
}

function compareDesired(desired: Attributes, baseline: Attributes | undefined, live: Attributes): Comparison {
  const type = difference('type', desired['type'], live['type'])
  if (type !== undefined) return compareType(type, desired, baseline)
  const drift: AttributeDifference[] = []
  const pending: AttributeDifference[] = []
  for (const [name, wanted] of Object.entries(desired)) {
    const here = live[name]
    const before = baseline?.[name]
    if (here === undefined || here === wanted) continue
    if (before !== undefined && here !== before) drift.push({ name, expected: before, live: here })
    if (wanted !== before) pending.push({ name, expected: wanted, live: here })
  }
  return drift.length + pending.length === 0 ? nothing : { drift, pending }
}

function compareType(type: AttributeDifference, desired: Attributes, baseline: Attributes | undefined): Comparison {
  if (baseline === undefined) return { drift: [], pending: [type] }
  const changed = Object.entries(desired).some(([name, wanted]) => baseline[name] !== wanted)
  const drift = difference('type', baseline['type'], type.live)
  return { drift: drift === undefined ? [] : [drift], pending: changed ? [type] : [] }
}

/** What left the repository is to be removed, unless somebody did that already, or put something else in its place. */
function compareLeft(baseline: Attributes, live: Attributes): Comparison {
  if (live['type'] === 'missing' || isDirectory(live) !== isDirectory(baseline)) return nothing
  const drift = differencesFrom(baseline, live)
  return { drift, pending: [{ name: 'type', expected: 'missing', live: live['type'] ?? 'present' }] }
}

function isDirectory({ type }: Attributes): boolean {
  return type === 'directory'
}

function difference(
  name: string,
  expected: string | undefined,
  live: string | undefined,
): AttributeDifference | undefined {
  return expected === undefined || live === undefined || expected === live ? undefined : { name, expected, live }
}
