// Content in parts, of any size: of a file that is there, and of what this writer replaced or took out of a directory.
import { closeSync, fstatSync, lstatSync, read as readFd, readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import { errnoOf } from '../../shared/errno.ts'
import { fileError } from '../../shared/file-error.ts'
import type { FileStat, Former, PurgedEntry, TakePart } from './files.ts'
import { displayName } from './files-list.ts'
import { entryAt, fileStat, linkOf, openRegular, statOf } from './files-read.ts'
import { type Entry, join, nameOf, type OpenDirectory, parentOf, pathOf, type Walk } from './files-walk.ts'
import { changedMeanwhile, holdingEntry, keptEntry, type Writing, wholeMark } from './files-writing.ts'
import { descend, openDirectory } from './tree-descent.ts'

const partBytes = 1024 * 1024

const readAsync = promisify(readFd)

export function partsOf(walk: Walk, path: string, take: TakePart): Promise<FileStat | undefined> {
  return walk.pass(async () => {
    const entry = entryAt(walk, path)
    return entry === undefined ? undefined : partsOfEntry(entry, take)
  })
}

export function formerMethods(writing: Writing): Former {
  const { walk } = writing
  const former = (path: string) => formerEntry(writing, path)
  return {
    stat: (path) =>
      walk.passNow(() => {
        const entry = former(path)
        return entry === undefined ? undefined : statOf(entry)
      }),
    readLink: (path) =>
      walk.passNow(() => {
        const entry = former(path)
        return entry === undefined ? undefined : linkOf(entry)
      }),
    parts: (path, take) =>
      walk.pass(async () => {
        const entry = former(path)
        return entry === undefined ? undefined : partsOfEntry(entry, take)
      }),
    purged: (directory, visit) => walk.pass(() => visitTaken(writing, directory, visit)),
  }
}

/** Also in a directory that was moved away or purged after it, and perhaps made again. */
function formerEntry(writing: Writing, path: string): Entry | undefined {
  const [found] = formerDirectories(writing, parentOf(path)).flatMap((directory) => {
    const kept = keptEntry(writing, { directory, name: nameOf(path) })
    return statOf(kept) === undefined ? [] : [kept]
  })
  return found
}

function formerDirectories(writing: Writing, path: string): readonly OpenDirectory[] {
  const { walk } = writing
  const at = (real: string) => {
    const found = walk.directory(real)
    return found.kind === 'directory' ? [found] : []
  }
  if (path === '/') return at('/')
  return formerDirectories(writing, parentOf(path)).flatMap((directory) => {
    const entry = { directory, name: nameOf(path) }
    const taken = `${holdingEntry(writing, directory).name}/${entry.name}`
    return [entry.name, keptEntry(writing, entry).name, taken].flatMap((name) => at(join(directory.path, name)))
  })
}

async function partsOfEntry(entry: Entry, take: TakePart): Promise<FileStat | undefined> {
  if (statOf(entry)?.type !== 'file') return undefined
  return partsAt(pathOf(entry), join(entry.directory.path, entry.name), take)
}

/** The stat is of the file that was read, whatever its name stands for by now. What is appended meanwhile is not waited for. */
async function partsAt(at: string | Buffer, shown: string, take: TakePart): Promise<FileStat | undefined> {
  const fd = openRegular(at, shown)
  if (fd === undefined) return undefined
  try {
    const stat = fileStat(fstatSync(fd))
    const part = Buffer.allocUnsafe(Math.min(Math.max(stat.size, 1), partBytes))
    for (let left = stat.size; left > 0; ) {
      const { bytesRead } = await readAsync(fd, part, 0, Math.min(left, part.length), null)
      if (bytesRead === 0) break
      left -= bytesRead
      await take(part.subarray(0, bytesRead))
    }
    return stat
  } catch (error) {
    throw fileError(error, shown, 'reading')
  } finally {
    closeSync(fd)
  }
}

type Visit = (entry: PurgedEntry) => Promise<void>

async function visitTaken(writing: Writing, path: string, visit: Visit): Promise<void> {
  const directory = writing.walk.directory(path)
  if (directory.kind !== 'directory') return
  const holding = holdingEntry(writing, directory)
  const held = statOf(holding)
  if (held?.type !== 'directory') return
  const fd = openDirectory(Buffer.from(pathOf(holding)), path)
  if (fd === undefined) return
  try {
    // Its name could be exchanged in a directory that others can write.
    if (fstatSync(fd).uid !== process.geteuid?.()) throw changedMeanwhile(path)
    await visitTree(fd, path, { mark: wholeMark(writing.mark), device: held.device, visit })
  } finally {
    closeSync(fd)
  }
}

type Visiting = {
  readonly mark: string
  readonly device: number
  readonly visit: Visit
}

type Inside = { readonly path: string; readonly isEscaped: boolean }

/** Enters no other file system. */
function visitTree(fd: number, top: string, { mark, device, visit }: Visiting): Promise<void> {
  const inside: Inside = { path: top, isEscaped: top.includes('\\x') }
  return descend(fd, inside, {
    shown: ({ path }) => path,
    enter: async (at, name, { path, isEscaped }) => {
      // What this writer keeps there is known by the path it had.
      if (name.toString('utf8').startsWith(mark)) return undefined
      const shown = displayName(name)
      const child = { path: join(path, shown), isEscaped: isEscaped || shown !== name.toString('utf8') }
      const stat = statAtName(at, child.path)
      if (stat === undefined || stat.device !== device) return undefined
      await visit({
        ...child,
        stat,
        readLink: () => (stat.type === 'symlink' ? readlinkSync(at, 'utf8') : undefined),
        parts: async (take) => (stat.type === 'file' ? partsAt(at, child.path, take) : undefined),
      })
      return stat.type === 'directory' ? child : undefined
    },
  })
}

function statAtName(at: Buffer, shown: string): FileStat | undefined {
  try {
    return fileStat(lstatSync(at))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fileError(error, shown, 'reading')
  }
}
