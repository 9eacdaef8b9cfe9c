// Text from elsewhere as a person must see it: characters that hide, reorder or overprint others are named instead of obeyed.

/** A carriage return becomes `␍`, a right-to-left override `‹U+202E›`; tabs and line feeds stay. */
export function visibleText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, nameOf)
}

function nameOf(character: string): string {
  if (character === '\t' || character === '\n') return character
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return '␡'
  return `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`
}
