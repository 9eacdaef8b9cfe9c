// "Did you mean ...?": the known name that is closest to what a person typed.
import leven from 'leven'

/** Undefined when nothing known is close enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  // Longer names are cut: a distance over thousands of characters costs much and tells a person nothing.
  const typed = name.slice(0, 200).toLowerCase()
  const limit = Math.max(1, Math.min(4, Math.floor(typed.length / 3)))
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known) {
    if (candidate === name || Math.abs(candidate.length - typed.length) > limit) continue
    const distance = distanceOf(typed, candidate.toLowerCase(), limit)
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { name: candidate, distance }
  }
  return best?.name
}

/** `Did you mean "caddy"?`, or `Known services: base, caddy.`, or undefined when nothing is known. */
export function suggestion(name: string, known: Iterable<string>, plural: string): string | undefined {
  const names = [...known]
  const meant = nearest(name, names)
  if (meant !== undefined) return `Did you mean "${meant}"?`
  if (names.length === 0) return undefined
  const shown = names.length > 12 ? `${names.slice(0, 12).join(', ')} and ${names.length - 12} more` : names.join(', ')
  return `Known ${plural}: ${shown}.`
}

/** Letters in another order (`wbe`) count as one slip, which plain Levenshtein takes for two. */
function distanceOf(typed: string, candidate: string, limit: number): number {
  return lettersOf(typed) === lettersOf(candidate) ? 1 : leven(typed, candidate, { maxDistance: limit + 1 })
}

function lettersOf(name: string): string {
  return [...name].toSorted().join('')
}
