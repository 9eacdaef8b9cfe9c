// How far apart two lists may be for their differences to be worked out. A bound on the work and not on the time: on a busy machine the
// same content gives the same diff, and so the same finding and no second alert.

/** Work grows with their square. */
const mostEdits = 5000
/** Items times edits: what lists of few different items, such as empty lines, can take. */
const mostSteps = 200_000_000

/** Of items removed and added. */
export function editBound(before: number, after: number): { readonly maxEditLength: number } {
  return { maxEditLength: Math.min(mostEdits, Math.ceil(mostSteps / (before + after + 1))) }
}

export function lineCount(text: string): number {
  let count = 1
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1
  return count
}
