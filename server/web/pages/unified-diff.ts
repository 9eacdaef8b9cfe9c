// A unified diff as lines to show: numbered, told apart, and with the part of a changed line that differs. Not by parsePatch of `diff`:
// it throws at a diff that was cut at the limit of a report, or that a hostile host made, and drops what is no part of a hunk.

/** Half-open range of characters. */
export type Span = { readonly start: number; readonly end: number }

export type DiffLine =
  | { readonly kind: 'file'; readonly text: string }
  | { readonly kind: 'hunk'; readonly text: string }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'same'; readonly text: string; readonly before: number; readonly after: number }
  | { readonly kind: 'removed'; readonly text: string; readonly before: number; readonly changed?: Span }
  | { readonly kind: 'added'; readonly text: string; readonly after: number; readonly changed?: Span }

type RemovedLine = Extract<DiffLine, { kind: 'removed' }>
type AddedLine = Extract<DiffLine, { kind: 'added' }>

/** `---` and `+++` are headings only outside of a hunk: inside one they are a removed `--` and an added `++`. */
export function diffLines(diff: string): readonly DiffLine[] {
  const lines: DiffLine[] = []
  let place = { before: 0, after: 0, beforeLeft: 0, afterLeft: 0 }
  for (const raw of linesOf(diff)) {
    const inHunk = place.beforeLeft > 0 || place.afterLeft > 0
    const line = inHunk ? hunkLine(raw, place) : outerLine(raw)
    lines.push(line)
    place = line.kind === 'hunk' && !inHunk ? hunkPlace(raw) : placeAfter(line, place)
  }
  return markChangedParts(lines)
}

type Place = {
  readonly before: number
  readonly after: number
  readonly beforeLeft: number
  readonly afterLeft: number
}

function linesOf(diff: string): readonly string[] {
  const lines = diff.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function outerLine(raw: string): DiffLine {
  if (raw.startsWith('@@')) return { kind: 'hunk', text: raw }
  if (raw.startsWith('--- ') || raw.startsWith('+++ ')) return { kind: 'file', text: raw }
  return { kind: 'note', text: raw }
}

function hunkLine(raw: string, place: Place): DiffLine {
  const text = raw.slice(1)
  switch (raw[0]) {
    case '-':
      return { kind: 'removed', text, before: place.before }
    case '+':
      return { kind: 'added', text, after: place.after }
    case '\\':
      return { kind: 'note', text: raw }
    default:
      return { kind: 'same', text, before: place.before, after: place.after }
  }
}

function hunkPlace(raw: string): Place {
  const found = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(raw)
  return {
    before: Number(found?.[1] ?? 0),
    after: Number(found?.[3] ?? 0),
    beforeLeft: found === null ? 0 : Number(found[2] ?? 1),
    afterLeft: found === null ? 0 : Number(found[4] ?? 1),
  }
}

function placeAfter(line: DiffLine, place: Place): Place {
  const beforeStep = line.kind === 'same' || line.kind === 'removed' ? 1 : 0
  const afterStep = line.kind === 'same' || line.kind === 'added' ? 1 : 0
  return {
    before: place.before + beforeStep,
    after: place.after + afterStep,
    beforeLeft: place.beforeLeft - beforeStep,
    afterLeft: place.afterLeft - afterStep,
  }
}

/** Pairs a run of removed lines with the run of added ones behind it, one to one as far as the shorter goes. */
function markChangedParts(lines: readonly DiffLine[]): readonly DiffLine[] {
  const marked: DiffLine[] = []
  let index = 0
  while (index < lines.length) {
    const removed = runOf(lines, index, isRemoved)
    const added = runOf(lines, index + removed.length, isAdded)
    const taken = lines.slice(index, index + Math.max(1, removed.length + added.length))
    marked.push(...(removed.length > 0 && added.length > 0 ? markPairs(removed, added) : taken))
    index += taken.length
  }
  return marked
}

function runOf<Line extends DiffLine>(
  lines: readonly DiffLine[],
  from: number,
  belongs: (line: DiffLine) => line is Line,
): readonly Line[] {
  const run: Line[] = []
  for (let index = from; index < lines.length; index += 1) {
    const line = lines[index]
    if (line === undefined || !belongs(line)) break
    run.push(line)
  }
  return run
}

function isRemoved(line: DiffLine): line is RemovedLine {
  return line.kind === 'removed'
}

function isAdded(line: DiffLine): line is AddedLine {
  return line.kind === 'added'
}

function markPairs(removed: readonly RemovedLine[], added: readonly AddedLine[]): readonly DiffLine[] {
  const pairs = removed.slice(0, added.length).map((line, index) => changedParts(line.text, added[index]?.text ?? ''))
  return [
    ...removed.map((line, index) => withSpan(line, pairs[index]?.before)),
    ...added.map((line, index) => withSpan(line, pairs[index]?.after)),
  ]
}

function withSpan<Line extends RemovedLine | AddedLine>(line: Line, changed: Span | undefined): Line {
  return changed === undefined ? line : { ...line, changed }
}

/** What remains between the common start and the common end; nothing when too little is common to be worth showing. */
function changedParts(before: string, after: string): { before?: Span; after?: Span } {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start += 1
  let tail = 0
  while (tail < shorter - start && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1
  if ((start + tail) * 3 < Math.max(before.length, after.length)) return {}
  return { before: { start, end: before.length - tail }, after: { start, end: after.length - tail } }
}
