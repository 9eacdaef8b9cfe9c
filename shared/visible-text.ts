// Text from elsewhere as a person must see it: characters that hide, reorder or overprint others are named instead of obeyed.
// Every sink of text - terminal, log, alert, page - passes its text through one of these.

/** A carriage return becomes `␍`, a right-to-left override `‹U+202E›`; tabs and line feeds stay. */
export function visibleText(text: string): string {
  return text.replace(/(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, nameOf)
}

/** For text with markup, by authors who write emoji and Arabic: what joins or breaks letters stays as well. */
export function visibleProse(text: string): string {
  return text.replace(/(?![\t\n\u00ad\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, nameOf)
}

/** For JSON on a terminal or in a log: escaped there, so that a parser gets the exact value. */
export function visibleJson(json: string): string {
  return json.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, index) => escapeOf(character.charCodeAt(index))).join(''),
  )
}

function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return '␡'
  return `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`
}

function escapeOf(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}
