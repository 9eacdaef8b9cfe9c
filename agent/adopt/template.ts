// A template, what it became when it was applied, and the text that is live now -> the template that renders to that text. What was changed
// in a substituted part is refused, each with its line: its value is not the template's. Pure.
import type { Problem } from '../../shared/problem.ts'
import { parseTemplate, type Reference, type Template } from '../desire/template.ts'
import { type Edit, lineAt, lineEdits, withEdits, wordEdits } from './edits.ts'

/** A stretch of a template: as it is written there, and what it was filled in with. Literals and references take turns. */
export type Piece = { readonly source: string; readonly text: string; readonly reference?: Reference }

export type AdoptedTemplate =
  | { readonly kind: 'adopted'; readonly text: string }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }

/** `source` is the text that `template` was parsed from, without problems. */
export function piecesOf(
  source: string,
  { parts }: Template,
  textFor: (reference: Reference) => string,
): readonly Piece[] {
  let at = 0
  return parts.map((part): Piece => {
    const start = at
    if (typeof part === 'string') {
      at += part.length
      return { source: part, text: part }
    }
    at = source.indexOf(closing, start) + closing.length
    return { source: source.slice(start, at), text: textFor(part), reference: part }
  })
}

export function renderedText(pieces: readonly Piece[]): string {
  return pieces.map(({ text }) => text).join('')
}

/** `file`: of the template, for the places of problems. */
export function adoptedTemplate(pieces: readonly Piece[], live: string, file: string): AdoptedTemplate {
  const before = renderedText(pieces)
  const spans = spansOf(pieces)
  const source = pieces.map((piece) => piece.source).join('')
  const lines = lineEdits(before, live)
  if (lines === undefined) return { kind: 'refused', problems: [tooDifferent(pieces, file)] }
  const edits: Edit[] = []
  const problems: Problem[] = []
  for (const line of lines) {
    const found = editsWithin(line, { before, spans })
    const touched = found.flatMap((edit) => spans.filter((span) => isTouched(span, edit, before)))
    problems.push(...[...new Set(touched)].map((span) => touchedProblem(span.piece, file)))
    for (const edit of found)
      if (edit.text.includes(opening)) problems.push(typedReference(file, lineAt(source, inSource(edit, spans).start)))
    edits.push(...found)
  }
  if (problems.length > 0) return { kind: 'refused', problems }
  const placed = edits.map((edit) => inSource(edit, spans))
  const text = withEdits(source, placed)
  if (rendersTo(text, pieces, file) === live) return { kind: 'adopted', text }
  return { kind: 'refused', problems: [typedReference(file, lineAt(text, placed[0]?.start ?? 0))] }
}

/** With the values of before; undefined when it refers to other names than before, as after a brace that was typed beside a `$`. */
function rendersTo(text: string, pieces: readonly Piece[], file: string): string | undefined {
  const { template, problems } = parseTemplate(file, Buffer.from(text))
  const before = pieces.filter(({ reference }) => reference !== undefined)
  const after = template.parts.filter((part) => typeof part !== 'string')
  const isSame =
    after.length === before.length &&
    after.every(({ kind, name }, index) => {
      const one = before[index]?.reference
      return one?.kind === kind && one.name === name
    })
  if (problems.length > 0 || !isSame) return undefined
  let next = 0
  return renderedText(piecesOf(text, template, () => before[next++]?.text ?? ''))
}

// Two pieces, so that this file's own text is not taken for a placeholder.
const opening = `${'$'}{{`
const closing = '}}'

/** A piece with its offsets in the filled-in text and in the template. */
type Span = { readonly piece: Piece; readonly start: number; readonly end: number; readonly sourceStart: number }

function spansOf(pieces: readonly Piece[]): readonly Span[] {
  let start = 0
  let sourceStart = 0
  return pieces.map((piece) => {
    const span = { piece, start, end: start + piece.text.length, sourceStart }
    start = span.end
    sourceStart += piece.source.length
    return span
  })
}

type Rendered = { readonly before: string; readonly spans: readonly Span[] }

/** Changed lines as they are where nothing in them was substituted, else the changed words alone. */
function editsWithin(line: Edit, { before, spans }: Rendered): readonly Edit[] {
  const holds = spans.some(
    ({ piece, start, end }) => piece.reference !== undefined && start < line.end && end >= line.start,
  )
  if (!holds || line.start === line.end) return [line]
  const words = wordEdits(before.slice(line.start, line.end), line.text)
  return words?.map((edit) => ({ ...edit, start: edit.start + line.start, end: edit.end + line.start })) ?? [line]
}

/** Also where the value only grew, `80` to `8080`: such a change cannot be distinguished from one of the value. */
function isTouched({ piece, start, end }: Span, edit: Edit, before: string): boolean {
  if (piece.reference === undefined) return false
  const isWholeLines =
    (edit.start === 0 || before[edit.start - 1] === '\n') && (edit.text === '' || edit.text.endsWith('\n'))
  if (start === end)
    return isWholeLines ? edit.start <= start && start < edit.end : edit.start <= start && start <= edit.end
  if (edit.start < end && start < edit.end) return true
  const grewAfter = edit.start === end && isWord(before[end - 1]) && isWord(edit.text[0] ?? before[edit.end])
  const grewBefore = edit.end === start && isWord(before[start]) && isWord(edit.text.at(-1) ?? before[edit.start - 1])
  return grewAfter || grewBefore
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}_.-]/u.test(character)
}

/** An edit that touches no reference lies in one literal. */
function inSource(edit: Edit, spans: readonly Span[]): Edit {
  const literal = spans.find(
    ({ piece, start, end }) => piece.reference === undefined && start <= edit.start && edit.end <= end,
  )
  const shift = literal === undefined ? 0 : literal.sourceStart - literal.start
  return { ...edit, start: edit.start + shift, end: edit.end + shift }
}

function touchedProblem({ source, reference }: Piece, file: string): Problem {
  return {
    code: reference?.kind === 'secret' ? 'secret-exposed' : 'usage',
    message: `the change touches ${source}`,
    where: { file, ...(reference === undefined ? {} : { line: reference.line, column: reference.column }) },
    remedy: reference === undefined ? '' : remedyFor(reference),
  }
}

function remedyFor({ kind, name }: Reference): string {
  switch (kind) {
    case 'variable':
      return `Set vars.${name} in plumb.yaml instead, or edit the template by hand.`
    case 'secret':
      return `Write the new value to the secret ${name} on the hosts instead.`
    case 'host-name':
      return 'It is the name of the host; edit the template by hand.'
  }
}

/** Of a template with secrets, in whose live text they could not be found. */
export const editAroundSecrets = 'Edit the template by hand, and leave the placeholders of its secrets in it.'

function typedReference(file: string, line: number): Problem {
  return {
    code: 'usage',
    message: `${opening} was typed into the live text, and the template would substitute it`,
    where: { file, line },
    remedy: 'Edit the template by hand.',
  }
}

function tooDifferent(pieces: readonly Piece[], file: string): Problem {
  const hasSecret = pieces.some(({ reference }) => reference?.kind === 'secret')
  return {
    code: hasSecret ? 'secret-exposed' : 'usage',
    message: 'too much differs to find the substituted parts',
    where: { file },
    remedy: hasSecret ? editAroundSecrets : 'Edit the template by hand.',
  }
}
