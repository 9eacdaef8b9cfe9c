// Reads `git blame --porcelain` into runs of lines; used by both sides, so that a clone and the server tell the same.
import type { Revision } from '../names.ts'

/** Lines in a row that one commit gave their present text. */
export type BlamedRun = {
  readonly revision: Revision
  /** Number of its first line, from 1 on. */
  readonly first: number
  /** Without line ends; what is not UTF-8 is shown by replacement characters. */
  readonly lines: readonly string[]
  /** What the commit called the file, when it has another name now. */
  readonly formerly?: string
}

/** A larger file, or one of more lines, is not blamed: nobody reads that line by line. */
export const blameLimits = { bytes: 1024 * 1024, lines: 20_000 }

/** Why there are no lines to blame; undefined when there are. */
export function unblamable(content: Uint8Array): 'not-text' | 'too-large' | undefined {
  if (content.length > blameLimits.bytes) return 'too-large'
  if (content.includes(0)) return 'not-text'
  return content.reduce((lines, byte) => (byte === 0x0a ? lines + 1 : lines), 0) > blameLimits.lines
    ? 'too-large'
    : undefined
}

/**
 * After `git`. No text conversion: what a clone is configured to run for it is no business of ours. `ignoring`: files that list commits to
 * look behind.
 */
export function blameArguments(revision: string, path: string, ignoring: readonly string[] = []): readonly string[] {
  const ignored = ignoring.map((file) => `--ignore-revs-file=${file}`)
  return ['-c', 'core.quotePath=true', 'blame', '--porcelain', '--no-textconv', ...ignored, revision, '--', path]
}

/** `path` is the file's name now. */
export function runsOfBlame(porcelain: string, path: string): readonly BlamedRun[] {
  const runs: { revision: Revision; first: number; lines: string[]; formerly?: string }[] = []
  const names = new Map<Revision, string>()
  let revision = '' as Revision
  let number = 0
  for (const line of porcelain.split('\n')) {
    const [, commit, final] = heading.exec(line) ?? []
    if (line.startsWith('\t')) {
      const name = names.get(revision) ?? path
      const last = runs.at(-1)
      if (last?.revision === revision && (last.formerly ?? path) === name) last.lines.push(line.slice(1))
      else runs.push({ revision, first: number, lines: [line.slice(1)], ...(name === path ? {} : { formerly: name }) })
    } else if (commit !== undefined) {
      revision = commit as Revision
      number = Number(final)
    } else if (line.startsWith('filename ')) names.set(revision, unquoted(line.slice('filename '.length)))
  }
  return runs
}

/** Commit, line in the commit's file, line now, and lines of the group where one begins. */
const heading = /^([0-9a-f]{40}) \d+ (\d+)(?: \d+)?$/

const escapes: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, '\\': 92 }

/** Git quotes a name with unusual bytes as C does: `"caf\303\251"`. */
function unquoted(name: string): string {
  if (!name.startsWith('"')) return name
  const bytes = [...name.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|([^\\])/g)].map(([, octal, escaped, plain = '']) => {
    if (octal !== undefined) return Number.parseInt(octal, 8)
    return escaped === undefined ? plain.charCodeAt(0) : (escapes[escaped] ?? escaped.charCodeAt(0))
  })
  return new TextDecoder().decode(Uint8Array.from(bytes))
}
