// Lists a directory, with names that are printable and distinct.
import { readdirSync } from 'node:fs'
import { fileError } from '../../shared/file-error.ts'
import type { Walk } from './files-walk.ts'

/** What is not UTF-8, and what would move a terminal's cursor, is escaped; two names are never shown alike. */
export function displayName(name: Buffer): string {
  const text = name.toString('utf8')
  const isPlain = !/\p{Cc}/u.test(text) && !text.includes('\\x') && Buffer.from(text, 'utf8').equals(name)
  if (isPlain) return text
  const shown = (byte: number) =>
    byte < 0x20 || byte >= 0x7f || byte === 0x5c
      ? `\\x${byte.toString(16).padStart(2, '0')}`
      : String.fromCharCode(byte)
  return [...name].map(shown).join('')
}

/** Names as shown -> as bytes, sorted. */
export function entriesOf(walk: Walk, path: string): ReadonlyMap<string, Buffer> {
  const directory = walk.directory(path)
  if (directory.kind !== 'directory') return new Map()
  try {
    const names = readdirSync(`/proc/self/fd/${directory.fd}/.`, { encoding: 'buffer' })
    return new Map(names.map((name) => [displayName(name), name] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
  } catch (error) {
    throw fileError(error, path, 'reading')
  }
}
