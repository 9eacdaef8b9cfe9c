// The order in which lint prints what it found.
import type { Place } from '../../shared/problem.ts'

type Placed = { readonly where?: Place | undefined }

/** By file, line and column. */
export function byPlace(one: Placed, other: Placed): number {
  const [a, b] = [one.where, other.where]
  return (
    (a?.file ?? '').localeCompare(b?.file ?? '') ||
    (a?.line ?? 0) - (b?.line ?? 0) ||
    (a?.column ?? 0) - (b?.column ?? 0)
  )
}
