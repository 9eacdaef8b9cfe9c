// Content that differs and is not told, in words: where it differs, why it is not shown, and how it would be.
import type { ChangedLines, HiddenDiff } from './finding.ts'

/** `lines 3-4 and 9 differ; what they say is not shown: ...`. */
export function hiddenText({ why, lines = [] }: HiddenDiff): string {
  const where = lines.length === 0 ? 'its content differs' : `${placesText(lines)} differ${isOne(lines) ? 's' : ''}`
  return `${where}; what it says is not shown: ${reasons[why] ?? why}`
}

const reasons: Readonly<Record<string, string>> = {
  mode: 'its mode, or that of a directory above it, keeps other users from reading it (`diff: true` in service.yaml shows it)',
  linked: "the file has another name on this host (a hard link), and may be somebody else's",
  setting: '`diff: false` in service.yaml',
}

const placesShown = 10

/** On the host; where lines were only removed, in the repository. */
function placesText(lines: readonly ChangedLines[]): string {
  const places = lines
    .slice(0, placesShown)
    .map(({ expected, live }) => (live.count > 0 ? spanText(live) : `${spanText(expected)} (removed)`))
  const rest = lines.length - places.length
  const all = rest > 0 ? [...places, `${rest} more places`] : places
  const [last = '', ...before] = all.toReversed()
  return `line${isOne(lines) ? '' : 's'} ${before.length === 0 ? last : `${before.toReversed().join(', ')} and ${last}`}`
}

function spanText({ start, count }: { readonly start: number; readonly count: number }): string {
  return count === 1 ? `${start}` : `${start}-${start + count - 1}`
}

function isOne([first, second]: readonly ChangedLines[]): boolean {
  if (first === undefined || second !== undefined) return false
  return (first.live.count > 0 ? first.live.count : first.expected.count) === 1
}
