// Content in parts, of any size: of a file that is there, and of what this writer replaced or took out of a directory.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  read as readFd,
  readlinkSync,
} from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { FileStat, Former, TakenEntry, TakePart } from './files.ts'
import { errnoOf, fileError } from './files-errors.ts'
import { shownName } from './files-list.ts'
import { entryAt, fileStat, linkOf, openRegular, statOf } from './files-read.ts'
import { type Entry, join, nameOf, type OpenDirectory, parentOf, pathOf, type Walk } from './files-walk.ts'
import { below } from './files-write.ts'
import { gone, holdingEntry, keptEntry, type Writing, wholeMark } from './files-writing.ts'

const partBytes = 1024 * 1024
const treeFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** Entries looked at between turns of the event loop. */
const entriesPerTurn = 500

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
    taken: (directory, visit) => walk.pass(() => visitTaken(writing, directory, visit)),
  }
}

/** Also in a directory that was set aside or purged after it, and perhaps made again. */
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

type Visit = (entry: TakenEntry) => Promise<void>

async function visitTaken(writing: Writing, path: string, visit: Visit): Promise<void> {
  const directory = writing.walk.directory(path)
  if (directory.kind !== 'directory') return
  const holding = holdingEntry(writing, directory)
  if (statOf(holding)?.type !== 'directory') return
  let seen = 0
  const visiting: Visiting = {
    mark: wholeMark(writing.mark),
    device: statOf(holding)?.device,
    visit: async (entry) => {
      seen += 1
      if (seen % entriesPerTurn === 0) await nextTurn()
      await visit(entry)
    },
  }
  const fd = openDirectory(Buffer.from(pathOf(holding)), path)
  if (fd === undefined) return
  try {
    // Its name could be exchanged in a directory that others can write.
    if (fstatSync(fd).uid !== process.geteuid?.()) throw gone(path)
    await visitTree(fd, path, visiting)
  } finally {
    closeSync(fd)
  }
}

type Visiting = {
  readonly mark: string
  readonly device: number | undefined
  readonly visit: Visit
}

/** By descriptors all the way down: its owner can still move what is in it. Follows no link, enters no other file system. */
async function visitTree(fd: number, path: string, visiting: Visiting): Promise<void> {
  for (const name of readdirSync(`/proc/self/fd/${fd}/.`, { encoding: 'buffer' }).toSorted(Buffer.compare)) {
    // What this writer keeps there is known by the path it had.
    if (name.toString('utf8').startsWith(visiting.mark)) continue
    const at = below(fd, name)
    const shown = join(path, shownName(name))
    const stat = statAtName(at, shown)
    if (stat === undefined || stat.device !== visiting.device) continue
    await visiting.visit({
      path: shown,
      isEscaped: shownName(name) !== name.toString('utf8') || path.includes('\\x'),
      stat,
      readLink: () => (stat.type === 'symlink' ? readlinkSync(at, 'utf8') : undefined),
      parts: async (take) => (stat.type === 'file' ? partsAt(at, shown, take) : undefined),
    })
    if (stat.type === 'directory') await visitDirectory(at, shown, visiting)
  }
}

async function visitDirectory(at: Buffer, shown: string, visiting: Visiting): Promise<void> {
  const fd = openDirectory(at, shown)
  if (fd === undefined) return
  try {
    await visitTree(fd, shown, visiting)
  } finally {
    closeSync(fd)
  }
}

function openDirectory(at: Buffer, shown: string): number | undefined {
  try {
    return openSync(at, treeFlags)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined
    throw fileError(error, shown, 'reading')
  }
}

function statAtName(at: Buffer, shown: string): FileStat | undefined {
  try {
    return fileStat(lstatSync(at))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fileError(error, shown, 'reading')
  }
}
