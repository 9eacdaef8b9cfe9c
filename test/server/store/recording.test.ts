// Whether writes are recorded: by SQLite's errors, and by where its file is.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type OpenDatabase, openDatabase } from '../../../server/store/database.ts'
import { createRecording, type Recording } from '../../../server/store/recording.ts'

const start = new Date('2026-11-23T03:00:00Z')
let directory: string
let file: string
let database: OpenDatabase
let recording: Recording
let elapsed: number

beforeEach(async () => {
  elapsed = 0
  directory = await mkdtemp(join(tmpdir(), 'plumb-recording-'))
  file = join(directory, 'plumb.sqlite')
  const now = () => new Date(start.getTime() + elapsed)
  recording = createRecording(pino({ level: 'silent' }), { now, elapsedMs: () => elapsed })
  database = await openDatabase(directory, start, recording)
})
afterEach(async () => {
  await database.close()
  await rm(directory, { recursive: true, force: true })
})

test.each([
  ['was moved away', () => rename(file, `${file}.old`)],
  ['was deleted', () => rm(file)],
  ['is replaced by another file', () => rename(file, `${file}.old`).then(() => writeFile(file, ''))],
])('a database whose file %s records nothing for good, though it takes what is written', async (_what, spoil) => {
  expect(await problem()).toBeUndefined()
  await spoil()
  const since = new Date(start.getTime() + elapsed + 1000).toISOString()

  expect(await problem()).toMatchObject({ code: 'state-corrupt', message: expect.stringMatching('moved away'), since })
  expect(await problem()).toMatchObject({ since })
})

test('a file that is moved back is written to again', async () => {
  await rename(file, `${file}.old`)
  expect(await problem()).toBeDefined()
  await rename(`${file}.old`, file)

  expect(await problem()).toBeUndefined()
})

test.each(['SQLITE_CORRUPT', 'SQLITE_CORRUPT_INDEX', 'SQLITE_NOTADB'])(
  'after %s of any query it is damaged until a start checks it, whatever it still takes',
  async (code) => {
    recording.failed(new SqliteDatabase.SqliteError('the file is broken', code))
    recording.failed(new SqliteDatabase.SqliteError('no room', 'SQLITE_FULL'))

    expect(await problem()).toMatchObject({ code: 'state-corrupt', message: expect.stringMatching('damaged') })
    expect(await problem()).toMatchObject({
      remedy: expect.stringMatching('Restart the server'),
      since: start.toISOString(),
    })
  },
)

test.each([
  ['SQLITE_FULL', 'disk-full'],
  ['SQLITE_READONLY', 'read-only'],
  ['SQLITE_BUSY_SNAPSHOT', 'locked'],
  ['SQLITE_IOERR_WRITE', 'state-corrupt'],
])('%s is over with the first thing that is written', async (code) => {
  recording.failed(new SqliteDatabase.SqliteError('not now', code))

  expect(await problem()).toBeUndefined()
})

/** Asked when it is due to be tried again. */
async function problem() {
  elapsed += 1000
  return await recording.problem(database)
}
