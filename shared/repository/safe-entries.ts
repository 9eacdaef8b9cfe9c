// The entries of a tree that may be trusted to be what they look like, and a problem for each that may not.
import type { Problem } from '../problem.ts'
import { invalid, quoted } from './invalid.ts'
import type { TreeEntry } from './tree.ts'

export type SafeEntries = { readonly entries: readonly TreeEntry[]; readonly problems: readonly Problem[] }

const limits = { entries: 200_000, pathBytes: 4000, nameBytes: 255, depth: 64 } as const

export function safeEntries(entries: readonly TreeEntry[]): SafeEntries {
  if (entries.length > limits.entries) {
    const message = `the repository has ${entries.length} files; at most ${limits.entries} are read`
    return { entries: [], problems: [invalid(message, { file: 'plumb.yaml' })] }
  }
  const safe: TreeEntry[] = []
  const problems: Problem[] = []
  const names: Names = { spellings: new Map(), directories: new Set(), files: new Set() }
  for (const entry of entries) {
    const problem = hostileBecause(entry) ?? unsafeBecause(entry) ?? collision(entry, names)
    if (problem === undefined) safe.push(entry)
    else if (isForHosts(entry) || hostileBecause(entry) !== undefined) problems.push(problem)
  }
  return { entries: safe, problems }
}

/** Or looks as if it were meant to be. What lies elsewhere is never read: it is passed over when it is odd. */
function isForHosts({ path }: TreeEntry): boolean {
  return /^(?:plumb\.yaml$|services(?:[/\\]|$))/i.test(path)
}

/** No git makes such a tree; refused wherever it is. */
function hostileBecause({ path }: TreeEntry): Problem | undefined {
  const reason = path === '' || path.startsWith('/') ? notRelative(path) : firstOf(path.split('/'), badPart)
  return reason === undefined ? undefined : invalid(reason, { file: path }, { remedy: 'Rename it.' })
}

function firstOf(parts: readonly string[], reasonFor: (part: string) => string | undefined): string | undefined {
  return parts.map(reasonFor).find((reason) => reason !== undefined)
}

function unsafeBecause(entry: TreeEntry): Problem | undefined {
  const where = { file: entry.path }
  if (entry.kind === 'submodule')
    return invalid('is a submodule, which Plumbline does not follow', where, {
      remedy: 'Copy the files in, or use a subtree.',
    })
  const reason = badPath(entry.path)
  return reason === undefined ? undefined : invalid(reason, where, { remedy: 'Rename it.' })
}

function badPath(path: string): string | undefined {
  if (path.includes('\\') && !isUnitPath(path)) return `the path ${quoted(path)} has a backslash`
  if (!/^[ -~]*$/.test(path) && (/[\p{Cc}\uFFFD\u2028\u2029]/u.test(path) || !path.isWellFormed()))
    return `the path ${quoted(path)} has characters that are not printable UTF-8`
  const parts = path.split('/')
  if (parts.length > limits.depth || isLonger(path, limits.pathBytes)) return 'the path is too long'
  return firstOf(parts, (part) => (isLonger(part, limits.nameBytes) ? 'a name is too long' : undefined))
}

function notRelative(path: string): string {
  return `the path ${quoted(path)} is not relative to the repository`
}

/** systemd escapes paths in unit names with a backslash: `mnt-my\x2ddisk.mount`. */
function isUnitPath(path: string): boolean {
  return /^services\/[^/\\]+\/(?:units|files\/etc\/systemd\/system)\/(?:[^\\]|\\x[0-9a-f]{2})+$/.test(path)
}

function badPart(name: string): string | undefined {
  if (name === '') return 'the path has an empty part'
  if (name === '.' || name === '..') return `the path has a part ${quoted(name)}`
  return isGitName(name) ? `${quoted(name)} is a name that git keeps for itself` : undefined
}

/** `.git`, also as Windows, macOS and NTFS short names would read it. */
function isGitName(name: string): boolean {
  if (!/^(?:\.|git~)/i.test(name)) return false
  const plain = name
    .replace(/[\u200C-\u200F\u202A-\u202E\u206A-\u206F\uFEFF]/g, '')
    .replace(/[ .]+$/, '')
    .toLowerCase()
  return plain === '.git' || plain === 'git~1' || plain.startsWith('.git:')
}

/** In bytes of UTF-8, which are at most three for each of a string's units. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes
}

type Names = {
  /** Path as a case-insensitive file system would see it -> as it was first written. */
  readonly spellings: Map<string, string>
  readonly directories: Set<string>
  readonly files: Set<string>
}

/** Two paths that only case or the Unicode form tells apart, a path that is there twice, a file that is also a directory. */
function collision(entry: TreeEntry, names: Names): Problem | undefined {
  const { path } = entry
  if (names.files.has(path)) return invalid(`${quoted(path)} is in the tree twice`, { file: path })
  if (names.directories.has(path))
    return invalid(`${quoted(path)} is in the tree as a file and as a directory`, { file: path })
  const clash = spellingClash(path, names) ?? directoryClash(path, names)
  if (clash !== undefined) {
    const difference = path.startsWith(`${clash}/`)
      ? 'is below a file'
      : `and ${quoted(clash)} ${toldApartBy(path, clash)}`
    return invalid(`${quoted(path)} ${difference}`, { file: path }, { remedy: 'Rename one.' })
  }
  names.files.add(path)
  return undefined
}

/** Two names that look alike are shown by the bytes that differ. */
function toldApartBy(path: string, clash: string): string {
  const start = path.split('/').slice(0, clash.split('/').length).join('/')
  if (start.toLowerCase() === clash.toLowerCase()) return 'are told apart by case alone'
  const isSameCase = start.normalize('NFC') === clash.normalize('NFC')
  const how = isSameCase ? 'the Unicode form alone (composed or decomposed)' : 'case and Unicode form alone'
  return `are told apart by ${how}: ${differingBytes(start, clash)}`
}

/** `bytes c3 a9 and 65 cc 81` */
function differingBytes(one: string, other: string): string {
  const [a, b] = [[...one], [...other]]
  const from = a.findIndex((character, index) => character !== b[index])
  let common = 0
  while (common < Math.min(a.length, b.length) - from && a.at(-1 - common) === b.at(-1 - common)) common += 1
  const bytes = (characters: readonly string[]) =>
    [...new TextEncoder().encode(characters.slice(from, characters.length - common).join('')).slice(0, bytesShown)]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(' ')
  return `bytes ${bytes(a)} and ${bytes(b)}`
}

const bytesShown = 12

function spellingClash(path: string, names: Names): string | undefined {
  const folded = path.normalize('NFC').toLowerCase()
  const first = names.spellings.get(folded)
  if (first !== undefined && first !== path) return first
  names.spellings.set(folded, path)
  return undefined
}

function directoryClash(path: string, names: Names): string | undefined {
  const end = path.lastIndexOf('/')
  if (end === -1) return undefined
  const directory = path.slice(0, end)
  if (names.directories.has(directory)) return undefined
  if (names.files.has(directory)) return directory
  const clash = spellingClash(directory, names) ?? directoryClash(directory, names)
  if (clash === undefined) names.directories.add(directory)
  return clash
}
