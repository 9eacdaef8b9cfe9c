// Opens the server's database: one SQLite file, checked at start and quarantined when it is damaged.
import { closeSync, existsSync, openSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { type SqliteDatabase as DialectDatabase, Kysely, SqliteDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import { PlumbError } from '../../shared/problem.ts'
import { migrations } from './migrations.ts'
import type { Db, Tables } from './tables.ts'

export type OpenDatabase = {
  readonly db: Db
  /** Where a damaged file was moved, if there was one. */
  readonly setAside: string | undefined
  /** False when the path no longer leads to the file that is open. */
  isInPlace(): boolean
  close(): Promise<void>
}

const databaseName = 'plumb.sqlite'

/** Short, because a waiting query blocks the one thread that serves all requests. */
const busyTimeoutMs = 100

export type DatabaseEvents = {
  /** An error of a query; also thrown to the caller. */
  failed(thrown: unknown): void
}

/** `now` is used in the name of a quarantined file. The directory must exist and be claimed by this server (claim.ts). */
export async function openDatabase(directory: string, now: Date, events?: DatabaseEvents): Promise<OpenDatabase> {
  const file = join(directory, databaseName)
  const setAside = existsSync(file) && isDamaged(file) ? setFileAside(file, now) : undefined
  // Created before SQLite does, with mode 0600; SQLite gives the files beside it the same mode.
  closeSync(openSync(file, 'a', 0o600))
  const sqlite = new SqliteDatabase(file, { timeout: 5000 })
  const opened = placeOf(file)
  sqlite.pragma('journal_mode = WAL')
  sqlite.pragma('synchronous = FULL')
  sqlite.pragma('foreign_keys = ON')
  const db = new Kysely<Tables>({
    dialect: new SqliteDialect({ database: keepingErrors(sqlite) }),
    log: (event) => {
      if (event.level === 'error') events?.failed(event.error)
    },
  })
  try {
    await migrate(db, file)
    sqlite.pragma(`busy_timeout = ${busyTimeoutMs}`)
  } catch (thrown) {
    await db.destroy()
    throw thrown
  }
  return { db, setAside, isInPlace: () => placeOf(file) === opened, close: () => db.destroy() }
}

/** Undefined when there is no such file. */
function placeOf(file: string): string | undefined {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.dev}:${found.ino}`
}

/**
 * SQLite rolls back by itself when the disk is full or fails. The explicit rollback that follows would then fail and hide the
 * error that says why.
 */
function keepingErrors(sqlite: SqliteDatabase.Database): DialectDatabase {
  return {
    close: () => void sqlite.close(),
    prepare: (text) => sqlite.prepare(text === 'rollback' && !sqlite.inTransaction ? 'select 1' : text),
  }
}

/** Quarantined files that are still in the data directory. */
export function damagedDatabases(directory: string): readonly string[] {
  const names = readdirSync(directory).filter((name) => name.startsWith(`${databaseName}.corrupt-`))
  return names.filter((name) => !/-(?:wal|shm)$/.test(name)).map((name) => join(directory, name))
}

function isDamaged(file: string): boolean {
  let sqlite: SqliteDatabase.Database | undefined
  try {
    sqlite = new SqliteDatabase(file, { timeout: 5000 })
    return sqlite.pragma('quick_check(1)', { simple: true }) !== 'ok'
  } catch (thrown) {
    if (isDamage(thrown)) return true
    throw thrown
  } finally {
    sqlite?.close()
  }
}

function isDamage(thrown: unknown): boolean {
  if (!(thrown instanceof SqliteDatabase.SqliteError)) return false
  return thrown.code.startsWith('SQLITE_CORRUPT') || thrown.code === 'SQLITE_NOTADB'
}

/** Moves the write-ahead log too: it may hold the only good copy of the latest pages. */
function setFileAside(file: string, now: Date): string {
  const aside = `${file}.corrupt-${now.toISOString().replaceAll(':', '-')}`
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix)
  }
  return aside
}

async function migrate(db: Db, file: string): Promise<void> {
  const { error } = await new Migrator({ db, provider: migrations }).migrateToLatest()
  if (error === undefined) return
  throw new PlumbError(
    {
      code: 'state-corrupt',
      message: `the database's schema could not be brought up to date: ${error instanceof Error ? error.message : String(error)}`,
      where: { file },
      remedy: 'It may have been written by a newer Plumbline: start that version, or move the file away.',
    },
    { cause: error },
  )
}
