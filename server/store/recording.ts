// Whether the database accepts writes: keeps the last write error of SQLite, and probes with a small write whether it persists.

import SqliteDatabase from 'better-sqlite3'
import { sql } from 'kysely'
import type { Logger } from 'pino'
import { errnoOf } from '../../shared/errno.ts'
import type { Problem } from '../../shared/problem.ts'
import type { OpenDatabase } from './database.ts'
import type { Db } from './tables.ts'

export type RecordingProblem = Problem & {
  /** ISO 8601: when the error first occurred. */
  readonly since: string
}

export type Recording = {
  /** Called for each failed query. */
  failed(thrown: unknown): void
  /** Undefined when writes work. Probes at most once a second, however often it is called. */
  problem(database: Pick<OpenDatabase, 'db' | 'isInPlace'>): Promise<RecordingProblem | undefined>
}

export type RecordingClock = { now(): Date; elapsedMs(): number }

export function createRecording(log: Logger, { now, elapsedMs }: RecordingClock): Recording {
  let last: RecordingProblem | undefined
  let isDamaged = false
  let asked: { readonly at: number; readonly answer: Promise<RecordingProblem | undefined> } | undefined
  const met = (problem: Problem, thrown?: unknown) => {
    // A damaged database may accept some writes: only the check at start shows that it is sound.
    if (isDamaged) return
    if (problem.message !== last?.message)
      log.error({ err: thrown, code: codeOf(thrown), problem: problem.code }, 'nothing can be recorded')
    last = { ...problem, since: last?.code === problem.code ? last.since : now().toISOString() }
  }
  const failed = (thrown: unknown) => {
    const problem = recordingProblem(thrown)
    if (problem === undefined) return
    met(problem, thrown)
    isDamaged ||= problem === damaged
  }
  const tried = async ({ db, isInPlace }: Pick<OpenDatabase, 'db' | 'isInPlace'>) => {
    try {
      // A full disk may still have room for a few bytes.
      await tryToWrite(db, last === undefined ? 1 : largeProbeBytes)
      if (!isInPlace()) met(moved)
      else if (!isDamaged) {
        if (last !== undefined) log.info({ was: last.code }, 'writes to the database work again')
        last = undefined
      }
    } catch (thrown) {
      // An error of another kind counts too.
      if (recordingProblem(thrown) === undefined) met(refused, thrown)
      else failed(thrown)
    }
    return last
  }
  return {
    failed,
    problem(database) {
      if (asked === undefined || elapsedMs() - asked.at >= askEveryMs)
        asked = { at: elapsedMs(), answer: tried(database) }
      return asked.answer
    },
  }
}

const askEveryMs = 1000
const largeProbeBytes = 256 * 1024

/** Writes the single row of the probe table. */
async function tryToWrite(db: Db, size: number): Promise<void> {
  await db
    .insertInto('write_probe')
    .values({ id: 1, bytes: sql<string>`hex(zeroblob(${size / 2}))` })
    .onConflict((conflict) => conflict.column('id').doUpdateSet((row) => ({ bytes: row.ref('excluded.bytes') })))
    .execute()
}

/** Undefined when the error is not about writing. */
export function recordingProblem(thrown: unknown): Problem | undefined {
  const code = codeOf(thrown)
  if (code === undefined) return undefined
  const known = Object.entries(problems).find(([prefix]) => code.startsWith(prefix))
  return known?.[1]
}

const refused: Problem = {
  code: 'internal',
  message: 'Nothing can be recorded: the database does not take what is written.',
}

const damaged: Problem = {
  code: 'state-corrupt',
  message: 'Nothing can be recorded: the database is damaged.',
  remedy:
    'Restart the server: it checks the database and sets a damaged one aside. Then put a backup back as plumb.sqlite.',
}

const moved: Problem = {
  code: 'state-corrupt',
  message: 'Nothing can be recorded for good: the file of the database was moved away or deleted.',
  remedy: 'Move it back as plumb.sqlite, or restart the server to go on with the file that is there now.',
}

/** By prefix of the error code; the first match counts. */
const problems: Readonly<Record<string, Problem>> = {
  SQLITE_CORRUPT: damaged,
  SQLITE_NOTADB: damaged,
  SQLITE_READONLY_DBMOVED: moved,
  SQLITE_FULL: {
    code: 'disk-full',
    message: 'Nothing can be recorded: the file system of the data directory is full.',
    remedy: 'Make room on the server. Hosts keep their reports and send them again.',
  },
  SQLITE_READONLY: {
    code: 'read-only',
    message: 'Nothing can be recorded: the data directory is read-only.',
    remedy:
      'Look at the file system of the data directory on the server. Hosts keep their reports and send them again.',
  },
  SQLITE_BUSY: {
    code: 'locked',
    message: 'Nothing can be recorded: another process holds the database.',
    remedy:
      'End that process on the server (fuser plumb.sqlite names it). Hosts keep their reports and send them again.',
  },
  SQLITE_LOCKED: {
    code: 'locked',
    message: 'Nothing can be recorded: another process holds the database.',
    remedy:
      'End that process on the server (fuser plumb.sqlite names it). Hosts keep their reports and send them again.',
  },
  SQLITE_IOERR: {
    code: 'state-corrupt',
    message: 'Nothing can be recorded: the disk of the data directory fails.',
    remedy: "Look at the kernel's log on the server. Hosts keep their reports and send them again.",
  },
  SQLITE_CANTOPEN: {
    code: 'read-only',
    message: 'Nothing can be recorded: a file of the database cannot be opened.',
    remedy:
      'Look at the file system of the data directory on the server. Hosts keep their reports and send them again.',
  },
}

/** Error codes of SQLite, and of the system. */
function codeOf(thrown: unknown): string | undefined {
  if (thrown instanceof SqliteDatabase.SqliteError) return thrown.code
  return systemCodes[errnoOf(thrown) ?? '']
}

const systemCodes: Readonly<Record<string, string>> = {
  ENOSPC: 'SQLITE_FULL',
  EDQUOT: 'SQLITE_FULL',
  EROFS: 'SQLITE_READONLY',
  EIO: 'SQLITE_IOERR',
}
