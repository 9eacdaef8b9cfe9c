// Mode and owner of an open file, also where the file system has none of its own: vfat, exfat, ntfs.
import { fchmodSync, fchownSync, fstatSync, statfsSync } from 'node:fs'
import { errnoOf } from '../../shared/errno.ts'
import { isModeless, modelessError } from '../../shared/file-error.ts'
import type { Permissions } from './files.ts'

/** Owner first: chown clears setuid. Only where it differs: chown clears file capabilities, too. */
export function setOwnerAndMode(fd: number, { mode, uid, gid }: Permissions): void {
  const is = fstatSync(fd)
  if (uid !== undefined && gid !== undefined && (uid !== is.uid || gid !== is.gid))
    orModeless(fd, () => fchownSync(fd, uid, gid))
  setMode(fd, mode)
}

/** Only where it differs: vfat refuses or ignores every other mode than the one that all of its files have. */
export function setMode(fd: number, mode: number): void {
  if (modeOf(fd) === mode) return
  orModeless(fd, () => fchmodSync(fd, mode))
  // The bits above these may be dropped for an ordinary user.
  if ((modeOf(fd) & 0o777) !== (mode & 0o777)) throw modeless(fd)
}

function modeOf(fd: number): number {
  return fstatSync(fd).mode & 0o7777
}

function orModeless(fd: number, change: () => void): void {
  try {
    change()
  } catch (error) {
    if (refusals.has(errnoOf(error) ?? '') && modelessTypes.has(statfsSync(`/proc/self/fd/${fd}`).type))
      throw modeless(fd)
    throw error
  }
}

function modeless(fd: number): Error {
  const { mode, uid, gid } = fstatSync(fd)
  return modelessError({ mode: mode & 0o7777, uid, gid })
}

const refusals: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'])

/** Magic numbers of linux/magic.h: vfat, exfat, both ntfs, and FUSE (ntfs-3g and others; none of them has immutable files). */
const modelessTypes: ReadonlySet<number> = new Set([0x4d44, 0x2011bab0, 0x5346544e, 0x7366746e, 0x65735546])

/** Of a directory made on the way, which has the mode that its file system gives it. */
export function setModeIfAny(fd: number, mode: number): void {
  try {
    setMode(fd, mode)
  } catch (error) {
    if (!isModeless(error)) throw error
  }
}
