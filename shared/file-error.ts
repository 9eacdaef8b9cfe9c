// File system errors as problems a person can act on; classified by errno, here and nowhere else.
import { errnoOf } from './errno.ts'
import { PlumbError, type Problem, type ProblemCode } from './problem.ts'

export type Access = 'reading' | 'writing'

/** PlumbErrors pass through as they are. */
export function fileError(error: unknown, path: string, access: Access): PlumbError {
  if (error instanceof PlumbError) return error
  const errno = errnoOf(error)
  if (isModeless(error)) return new PlumbError(modelessProblem(error, path), { cause: error })
  const known = errno === undefined ? undefined : meanings[errno]
  if (known !== undefined) {
    const code = known.code ?? generalCode(access)
    const problem = { code, message: `${known.message}.`, where: { file: path }, remedy: known.remedy }
    return new PlumbError(problem, { cause: error })
  }
  const message = `${access} failed: ${error instanceof Error ? error.message : String(error)}.`
  return new PlumbError({ code: generalCode(access), message, where: { file: path } }, { cause: error })
}

type Given = { readonly mode: number; readonly uid: number; readonly gid: number }

/** Of a file system that gives every file the same mode and owner: vfat, exfat, ntfs. */
export function modelessError(given: Given): Error {
  return Object.assign(new Error('the file system has no modes'), { code: modelessCode, given })
}

const modelessCode = 'ENOMODES'

export function isModeless(error: unknown): error is Error & { readonly given: Given } {
  return errnoOf(error) === modelessCode
}

function modelessProblem({ given: { mode, uid, gid } }: { readonly given: Given }, path: string): Problem {
  return {
    code: 'apply-failed',
    message: `its file system has no modes and owners of its own: what is there has the mode ${octal(mode)}, uid ${uid} and gid ${gid}.`,
    where: { file: path },
    remedy: `Give it these in service.yaml (mode: "${octal(mode)}"), or mount the file system with others (fmask=, dmask=, uid=).`,
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

export function unsafePath(path: string, message: string, remedy: string): PlumbError {
  return new PlumbError({ code: 'unsafe-path', message, where: { file: path }, remedy })
}

function generalCode(access: Access): ProblemCode {
  return access === 'reading' ? 'observe-failed' : 'apply-failed'
}

type Meaning = { readonly code?: ProblemCode; readonly message: string; readonly remedy: string }

const diskFull: Meaning = {
  code: 'disk-full',
  message: 'no space is left on its file system',
  remedy: 'Free some (`df -h`, `df -i` show how much there is), then apply again.',
}

const mountPoint: Meaning = {
  message: 'it is a mount point, and cannot be replaced',
  remedy: '`findmnt` shows what is mounted there. Unmount it, or leave it to what mounts it.',
}

const meanings: Readonly<Record<string, Meaning>> = {
  ENOSPC: diskFull,
  EDQUOT: { ...diskFull, message: 'the disk quota is used up' },
  EROFS: {
    code: 'read-only',
    message: 'its file system is mounted read-only',
    remedy: 'Find out why (`dmesg`), remount it writable, then apply again.',
  },
  EPERM: {
    code: 'read-only',
    message: 'it, or its directory, may not be changed: it is immutable or append-only, or not owned',
    remedy:
      '`lsattr -d` of it and of its directory shows the attributes i and a, `chattr -i -a` removes them. Without root only own files can be changed.',
  },
  EACCES: { message: 'permission denied', remedy: 'Run it as root.' },
  EBUSY: mountPoint,
  // link(2) and rename(2) of a file that is mounted by itself, as /etc/hosts and /etc/resolv.conf are in containers.
  EXDEV: mountPoint,
  EISDIR: { message: 'a directory is in the way', remedy: 'Move it away, then apply again.' },
  ENOTDIR: {
    message: 'one of its parent directories is not a directory',
    remedy: 'Move that file away, then apply again.',
  },
  ENAMETOOLONG: { message: 'the name is too long for its file system', remedy: 'Give it a shorter one.' },
  EIO: { message: 'the disk reported an error', remedy: '`dmesg` says more; check the disk.' },
  EMFILE: { message: 'too many files are open', remedy: 'Raise the limit of open files (LimitNOFILE=).' },
}
