// What is in a directory, by names that can be shown and told apart, and which directories are mount points.
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { fileError } from './files-errors.ts'
import type { Walk } from './files-walk.ts'

/** What is not UTF-8, and what would move a terminal's cursor, is escaped; two names are never shown alike. */
export function shownName(name: Buffer): string {
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
    return new Map(names.map((name) => [shownName(name), name] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
  } catch (error) {
    throw fileError(error, path, 'reading')
  }
}

/** Mount points below a root directory, as paths below it. */
export function mountsBelow(root: string): ReadonlySet<string> {
  const real = realpathSync(root)
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point) => point !== undefined)
    .map((point) =>
      point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
  if (real === '/') return new Set(points)
  return new Set(points.filter((point) => point.startsWith(`${real}/`)).map((point) => point.slice(real.length)))
}
