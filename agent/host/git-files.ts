// What git would open of a repository on this host: a FIFO among it would hold every git for as long as it may take, a
// device longer. Looked at by lstat alone; who can write there can still exchange a file afterwards, and the time limit
// of the command is left then.

import { constants, type Dirent } from 'node:fs'
import { lstat, open, opendir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { compact } from '../../shared/compact.ts'
import { PlumbError } from '../../shared/problem.ts'

export type AwaitedFile = { readonly path: string; readonly kind: 'FIFO' | 'socket' | 'device' }

/** For a directory of a repository, or below one. Throws PlumbError `usage` that names the file. */
export async function requirePlainGitFiles(directory: string): Promise<void> {
  const found = await awaitedGitFile(directory, { workTree: true })
  if (found === undefined) return
  throw new PlumbError({
    code: 'usage',
    message: `${awaitedText(found)}.`,
    remedy: 'Remove it, or use another clone.',
  })
}

export function awaitedText({ path, kind }: AwaitedFile): string {
  return `${path} is a ${kind}: git would wait for it, where it reads a file`
}

/** The first file that git would wait for; in the work tree, of those that it reads wherever it is asked to. */
export async function awaitedGitFile(
  directory: string,
  { workTree }: { readonly workTree: boolean },
): Promise<AwaitedFile | undefined> {
  const top = await topOf(resolve(directory))
  if (top === undefined) return undefined
  const budget = { entries: entriesLimit }
  const { places, awaited } = await gitDirectories(top.git)
  let found = awaited
  for (const place of places) found ??= await awaitedIn({ directory: place, isRead: () => true, budget })
  if (!workTree || top.workTree === undefined) return found
  return found ?? (await awaitedIn({ directory: top.workTree, isRead: isReadInWorkTree, budget }))
}

/** Beyond them it is not looked further: a git that waits is ended at its time limit. */
const entriesLimit = 400_000
const pointerBytes = 4096

type Top = { readonly git: string; readonly workTree?: string }

/** Undefined outside of a repository: git says so in its own words. */
async function topOf(directory: string): Promise<Top | undefined> {
  for (let at = directory; ; at = dirname(at)) {
    const git = join(at, '.git')
    if (await isThere(git)) return { git, workTree: at }
    const parts = await Promise.all(['HEAD', 'objects', 'refs'].map((name) => isThere(join(at, name))))
    if (!parts.includes(false)) return { git: at }
    if (at === dirname(at)) return undefined
  }
}

/** A linked work tree has a file that names its directory, which names the one of the whole repository. */
async function gitDirectories(git: string): Promise<GitDirectories> {
  const own = await awaitedAt(git)
  if (own !== undefined) return { places: [], awaited: own }
  const named = (await stat(git).catch(() => undefined))?.isFile() === true ? await pointedTo(git, dirname(git)) : git
  if (named === undefined || !(await isThere(named))) return { places: [] }
  const common = join(named, 'commondir')
  if (!(await isThere(common))) return { places: [named] }
  const shared = await awaitedAt(common)
  const whole = shared === undefined ? await pointedTo(common, named) : undefined
  return {
    places: whole === undefined ? [named] : [named, whole],
    ...compact({ awaited: shared }),
  }
}

type GitDirectories = { readonly places: readonly string[]; readonly awaited?: AwaitedFile }

async function pointedTo(file: string, from: string): Promise<string | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(pointerBytes), 0, pointerBytes, 0)
    const path = buffer
      .toString('utf8', 0, bytesRead)
      .replace(/^gitdir: /, '')
      .trim()
    return path === '' ? undefined : resolve(from, path)
  } finally {
    await handle.close()
  }
}

type Look = {
  readonly directory: string
  readonly isRead: (name: string) => boolean
  readonly budget: { entries: number }
}

async function awaitedIn({ directory, isRead, budget }: Look): Promise<AwaitedFile | undefined> {
  const below: string[] = []
  const entries = await opendir(directory).catch(() => undefined)
  // A user without access to the directory cannot have git read it either.
  if (entries === undefined) return undefined
  for await (const entry of entries) {
    budget.entries -= 1
    if (budget.entries < 0) return undefined
    const path = join(directory, entry.name)
    if (entry.isDirectory()) below.push(path)
    else if (isRead(entry.name) && !entry.isFile()) {
      const awaited = await awaitedAt(path, entry)
      if (awaited !== undefined) return awaited
    }
  }
  for (const path of below) {
    const awaited = path.endsWith('/.git') ? undefined : await awaitedIn({ directory: path, isRead, budget })
    if (awaited !== undefined) return awaited
  }
  return undefined
}

function isReadInWorkTree(name: string): boolean {
  return name === '.gitattributes' || name === '.gitignore' || name === '.mailmap'
}

/** A link counts as its target; a dangling one as not present. */
async function awaitedAt(path: string, entry?: Dirent): Promise<AwaitedFile | undefined> {
  const found = entry?.isSymbolicLink() === false ? entry : await stat(path).catch(() => undefined)
  if (found === undefined || found.isFile() || found.isDirectory()) return undefined
  return { path, kind: found.isFIFO() ? 'FIFO' : found.isSocket() ? 'socket' : 'device' }
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}
