// Text from hosts and commits on a page, and in a command to copy from one.
import { visibleText } from '../../shared/visible-text.ts'

export { visibleText }

/** A word for a POSIX shell, quoted only when it has to be. */
export function shellWord(word: string): string {
  if (/^[\w./@:+,=-]+$/.test(word)) return word
  return `'${visibleText(word).replaceAll("'", `'\\''`)}'`
}
