// A directory as if it were a revision: what `plumb lint` reads before anything is committed. Symlinks are never followed.

import { createHash } from 'node:crypto'
import { constants, type Dirent } from 'node:fs'
import { lstat, open, opendir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import { revisionSchema } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import { invalid } from '../../shared/repository/invalid.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'
import type { RevisionReader } from '../sync/revision.ts'

export type WorkTree = { readonly reader: RevisionReader; readonly problems: readonly Problem[] }

/** Throws PlumbError `usage` when there is no such directory. */
export async function readWorkTree(root: string): Promise<WorkTree> {
  const top = await lstat(`${root}/.`).catch(() => undefined)
  if (top?.isDirectory() !== true) {
    const remedy = 'Give the directory of a fleet repository.'
    throw new PlumbError({ code: 'usage', message: `${root} is not a directory.`, remedy })
  }
  const walk: Walk = { root, entries: [], problems: [], files: new Map(), links: new Map(), count: 0 }
  await readDirectory(walk, '')
  return { reader: readerOf(walk), problems: walk.problems }
}

type Walk = {
  readonly root: string
  readonly entries: TreeEntry[]
  readonly problems: Problem[]
  /** Path by object id. */
  readonly files: Map<string, string>
  /** What a symlink says, by object id. */
  readonly links: Map<string, Buffer>
  /** Of all but directories. */
  count: number
}

export const workTreeLimits = { entries: 200_000, bytes: 100 * 1024 * 1024, depth: 64, atOnce: 32 } as const

async function readDirectory(walk: Walk, directory: string): Promise<void> {
  const found = await namesIn(walk, directory).catch((error: unknown) => {
    if (error instanceof PlumbError) throw error
    if (isForHosts(directory)) walk.problems.push(notRead(directory, error))
    return []
  })
  if (directory !== '' && found.some(({ name }) => name === '.git')) {
    walk.entries.push({ path: directory, kind: 'submodule', oid: gitId('commit', Buffer.from(directory)) })
    return
  }
  const sorted = found.filter(({ name }) => name !== '.git').toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const leaves = sorted.filter((entry) => !entry.isDirectory())
  for (let start = 0; start < leaves.length; start += workTreeLimits.atOnce)
    await Promise.all(
      leaves.slice(start, start + workTreeLimits.atOnce).map((entry) => readEntry(walk, directory, entry)),
    )
  if (directory.split('/').length > workTreeLimits.depth) return
  for (const { name } of sorted.filter((entry) => entry.isDirectory()))
    await readDirectory(walk, below(directory, name))
}

/** Counted while they are listed: nothing is read of a directory that has too many. */
async function namesIn(walk: Walk, directory: string): Promise<readonly Dirent[]> {
  const found: Dirent[] = []
  for await (const entry of await opendir(join(walk.root, directory))) {
    found.push(entry)
    if (!entry.isDirectory()) walk.count += 1
    if (walk.count > workTreeLimits.entries || found.length > workTreeLimits.entries) throw tooManyFiles()
  }
  return found
}

async function readEntry(walk: Walk, directory: string, entry: Dirent): Promise<void> {
  const path = below(directory, entry.name)
  try {
    if (entry.isSymbolicLink()) {
      const link = await readlink(join(walk.root, path), 'buffer')
      const oid = gitId('blob', link)
      walk.links.set(oid, link)
      walk.entries.push({ path, kind: 'symlink', oid, size: link.byteLength })
      return
    }
    const { content, executable } = await readPlainFile(join(walk.root, path))
    const oid = gitId('blob', content)
    walk.files.set(oid, path)
    walk.entries.push({ path, kind: executable ? 'executable' : 'file', oid, size: content.byteLength })
  } catch (error) {
    // What no host gets may be as large and as odd as it likes.
    if (isForHosts(path)) walk.problems.push(notRead(path, error))
  }
}

function isForHosts(path: string): boolean {
  return path === '' || path === 'plumb.yaml' || /^services(?:\/|$)/.test(path)
}

/** Without O_NONBLOCK a FIFO would hold a thread of the pool for ever. */
async function readPlainFile(path: string): Promise<{ readonly content: Buffer; readonly executable: boolean }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new NotPlain('is neither a file, a directory nor a symlink')
    if (stat.size > workTreeLimits.bytes) throw new NotPlain(`is larger than ${workTreeLimits.bytes / 1024 / 1024} MiB`)
    return { content: await file.readFile(), executable: (stat.mode & 0o100) !== 0 }
  } finally {
    await file.close()
  }
}

class NotPlain extends Error {}

function readerOf(walk: Walk): RevisionReader {
  const read = async (oid: string): Promise<Uint8Array> => {
    const link = walk.links.get(oid)
    if (link !== undefined) return link
    const path = walk.files.get(oid)
    if (path === undefined) throw new PlumbError({ code: 'repository-corrupt', message: `There is no object ${oid}.` })
    return (await readPlainFile(join(walk.root, path))).content
  }
  return {
    revision: revisionSchema.parse('0'.repeat(40)),
    entries: () => Promise.resolve(walk.entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))),
    read,
    readMany: (oids) => Promise.all(oids.map(read)),
  }
}

export function tooManyFiles(): PlumbError {
  return new PlumbError({
    code: 'repository-invalid',
    message: `There are more than ${workTreeLimits.entries} files; none is read.`,
    remedy: 'Keep large trees out of the fleet repository.',
  })
}

function gitId(kind: 'blob' | 'commit', content: Buffer): string {
  return createHash('sha1').update(`${kind} ${content.byteLength}\0`).update(content).digest('hex')
}

function below(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}

function notRead(path: string, error: unknown): Problem {
  if (error instanceof NotPlain) return invalid(error.message, { file: path })
  const code = errnoOf(error) ?? 'unknown error'
  return invalid(`cannot be read (${code})`, { file: path === '' ? '.' : path })
}
