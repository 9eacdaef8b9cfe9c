// One server per data directory: an exclusive lock that the kernel drops with the process, however it ends.
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { PlumbError } from '../../shared/problem.ts'

export type Claim = { release(): void }

/** Creates the directory if needed. Throws PlumbError `locked` when another server uses it. */
export function claimDirectory(directory: string): Claim {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const pidFile = join(directory, 'server.pid')
  // Node has no flock. An empty SQLite file serves as one, also across containers on one machine.
  const lockFile = join(directory, 'server.lock')
  // Creating the file first gives the system's reason for a failure; SQLite reports none.
  closeSync(openSync(lockFile, 'a', 0o600))
  const lock = new SqliteDatabase(lockFile, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (thrown) {
    lock.close()
    if (!(thrown instanceof SqliteDatabase.SqliteError) || thrown.code !== 'SQLITE_BUSY') throw thrown
    throw new PlumbError({
      code: 'locked',
      message: `the data directory is in use by another Plumbline server${holderText(pidFile)}`,
      where: { file: directory },
      remedy: 'Stop that server, or give this one another directory with --data.',
    })
  }
  writeFileSync(pidFile, `${process.pid}\n`)
  return { release: () => void lock.close() }
}

function holderText(pidFile: string): string {
  try {
    return ` (process ${readFileSync(pidFile, 'utf8').trim()})`
  } catch {
    return ''
  }
}
