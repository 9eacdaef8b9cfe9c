// The end of a change to a path: forget its former content, or roll back to it.
// Both may run after a crash, in another process, whatever part of the change was done, and twice as well as once.
import { closeSync, constants, lstatSync, openSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs'
import { fileError } from '../../shared/file-error.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { FileStat, FileWriter, SavedPath } from './files.ts'
import { entryAt, type ReadMethods, sameInode, statOf } from './files-read.ts'
import { type Entry, join, pathOf } from './files-walk.ts'
import {
  below,
  makeDirectory,
  moveEntry,
  removeEmpty,
  setPermissions,
  withDirectory,
  withHolding,
} from './files-write.ts'
import { holdingEntry, keptEntry, stagedEntry, touch, unlinkIfThere, type Writing, wholeMark } from './files-writing.ts'
import { descend } from './tree-descent.ts'

const treeFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

export type UndoMethods = Pick<FileWriter, 'rollBack' | 'forget'>

export function undoMethods(writing: Writing, read: ReadMethods): UndoMethods {
  const whole = async (path: string, work: () => Promise<void>) => {
    try {
      await writing.walk.pass(work)
    } catch (error) {
      throw fileError(error, path, 'writing')
    }
  }
  return {
    rollBack: (saved) => whole(saved.path, () => rollBack(writing, saved, read)),
    forget: (path) => whole(path, () => forget(writing, path)),
  }
}

async function rollBack(writing: Writing, saved: SavedPath, read: ReadMethods): Promise<void> {
  const target = entryAt(writing.walk, saved.path)
  if (target !== undefined) {
    unlinkIfThere(stagedEntry(writing, target))
    returnEntries(writing, saved.path)
    const kept = keptEntry(writing, target)
    const keptStat = statOf(kept)
    if (keptStat !== undefined) returnKept({ writing, target, kept, keptStat })
    else if (saved.was.type === 'missing') await removeOwn(writing, saved, { target, read })
    touch(writing, target.directory)
  }
  if (saved.was.type !== 'missing') await correct(writing, saved)
  for (const parent of saved.missingParents.toReversed()) removeMade(writing, parent, parent)
}

/** Not through a link: a repeated rollback may find a link restored already, and it may lead into a user's directory. */
function removeMade(writing: Writing, path: string, place: string): void {
  const entry = entryAt(writing.walk, path)
  if (entry !== undefined && join(entry.directory.path, entry.name) === place) removeEmpty(writing, path)
}

type Returning = {
  readonly writing: Writing
  readonly target: Entry
  readonly kept: Entry
  readonly keptStat: FileStat
}

function returnKept({ writing, target, kept, keptStat }: Returning): void {
  const there = statOf(target)
  if (there?.type === 'directory') removeEmpty(writing, join(target.directory.path, target.name))
  else if (there !== undefined && keptStat.type === 'directory') unlinkSync(pathOf(target))
  writing.walk.changed(join(target.directory.path, target.name))
  // rename(2) does nothing when both names are the same file.
  if (there !== undefined && sameInode(there, keptStat)) unlinkSync(pathOf(kept))
  else renameSync(pathOf(kept), pathOf(target))
}

/** Nothing was there before; what another program created there meanwhile stays. */
async function removeOwn(
  writing: Writing,
  saved: SavedPath,
  { target, read }: { readonly target: Entry; readonly read: ReadMethods },
): Promise<void> {
  const there = statOf(target)
  if (there === undefined) return
  if (there.type === 'directory') removeMade(writing, saved.path, saved.reached ?? saved.path)
  else if (saved.becomes === undefined || saved.becomes === (await contentOf(saved, there, read))) unlinkIfThere(target)
}

async function contentOf(saved: SavedPath, there: FileStat, read: ReadMethods): Promise<string | undefined> {
  if (there.type === 'symlink') return read.readLink(saved.path)
  return (await read.inspect(saved.path))?.content
}

/** Mode and owner of what stayed in place, and the directory that was removed. */
async function correct(writing: Writing, { path, was }: SavedPath): Promise<void> {
  if (was.type === 'missing') return
  const target = entryAt(writing.walk, path)
  const there = target === undefined ? undefined : statOf(target)
  const permissions = process.geteuid?.() === 0 ? was : { mode: was.mode }
  if (there === undefined && was.type === 'directory') return makeDirectory(writing, path, permissions)
  if (there === undefined || there.type !== was.type)
    throw new PlumbError({
      code: 'apply-failed',
      message: `what was there before (a ${was.type}) could not be restored.`,
      where: { file: path },
      remedy: 'Apply again, or restore it from a backup.',
    })
  const same = there.mode === was.mode && there.uid === was.uid && there.gid === was.gid
  if (!same && (was.type === 'file' || was.type === 'directory'))
    await setPermissions(writing, path, { type: was.type, permissions })
}

function returnEntries(writing: Writing, path: string): void {
  const directory = writing.walk.directory(path)
  if (directory.kind !== 'directory') return
  const holding = holdingEntry(writing, directory)
  if (statOf(holding)?.type !== 'directory') return
  withHolding(holding, (fd) => {
    for (const name of namesIn(fd)) moveEntry(name, fd, directory.fd)
  })
  rmdirSync(pathOf(holding))
  touch(writing, directory)
}

async function forget(writing: Writing, path: string): Promise<void> {
  const target = entryAt(writing.walk, path)
  if (target === undefined) return
  for (const entry of [stagedEntry(writing, target), keptEntry(writing, target)]) {
    const there = statOf(entry)
    if (there === undefined) continue
    if (there.type === 'directory') forgetDirectory(writing, { kept: entry, target })
    else unlinkIfThere(entry)
    touch(writing, target.directory)
  }
  if (statOf(target)?.type === 'directory') await forgetEntries(writing, path)
}

/** A directory into which something was written since it was moved away is restored. */
function forgetDirectory({ mark }: Writing, { kept, target }: { readonly kept: Entry; readonly target: Entry }): void {
  if (withDirectory(kept, (fd) => removeMarked(fd, wholeMark(mark)))) rmdirSync(pathOf(kept))
  else if (statOf(target) === undefined) renameSync(pathOf(kept), pathOf(target))
}

/** Also in the directories in it, which are removed with it. False: something else is there. */
function removeMarked(fd: number, mark: string): boolean {
  const results = namesIn(fd).map((name) => {
    const path = below(fd, name)
    if (!lstatSync(path).isDirectory()) {
      const isMarked = name.toString('utf8').startsWith(mark)
      if (isMarked) unlinkSync(path)
      return isMarked
    }
    const inside = openSync(path, treeFlags)
    try {
      if (!removeMarked(inside, mark)) return false
    } finally {
      closeSync(inside)
    }
    rmdirSync(path)
    return true
  })
  return results.every((isGone) => isGone)
}

async function forgetEntries(writing: Writing, path: string): Promise<void> {
  const directory = writing.walk.directory(path)
  if (directory.kind !== 'directory') return
  const holding = holdingEntry(writing, directory)
  const held = statOf(holding)
  if (held?.type !== 'directory') return
  await removeTree(Buffer.from(pathOf(holding)), path, held.device)
  touch(writing, directory)
}

/** Follows no link and enters no other file system. */
async function removeTree(top: Buffer, path: string, device: number): Promise<void> {
  const fd = openSync(top, treeFlags)
  try {
    await descend(fd, 'inside', {
      shown: () => path,
      enter: async (at) => {
        const stat = lstatSync(at)
        if (stat.isDirectory()) return stat.dev === device ? 'inside' : undefined
        unlinkSync(at)
        return undefined
      },
      leave: rmdirSync,
    })
  } finally {
    closeSync(fd)
  }
  rmdirSync(top)
}

function namesIn(fd: number): readonly Buffer[] {
  return readdirSync(`/proc/self/fd/${fd}/.`, { encoding: 'buffer' })
}
