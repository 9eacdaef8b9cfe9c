// A word for a command that a person copies.
import { visibleText } from './visible-text.ts'

/** For a POSIX shell, quoted only when it has to be. What cannot be seen is named, not copied. */
export function shellWord(word: string): string {
  if (/^[\w./@:+,=-]+$/.test(word)) return word
  return `'${visibleText(word).replaceAll("'", `'\\''`)}'`
}
