import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { claimDirectory } from '../../../server/store/claim.ts'
import { damagedDatabases, openDatabase } from '../../../server/store/database.ts'
import { insertHost, listHosts } from '../../../server/store/hosts.ts'
import { insertResourceEvents, listResourceEvents } from '../../../server/store/resource-events.ts'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'

const now = new Date('2026-11-23T03:00:00Z')
const web1 = hostNameSchema.parse('web-1')
let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-store-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

test('what was stored is there when the database is opened again', async () => {
  await storeHosts(1)

  const { db, setAside, close } = await openDatabase(directory, now)

  expect(setAside).toBeUndefined()
  expect((await listHosts(db)).map(({ host }) => host)).toEqual(['host-0'])
  await close()
})

test('transitions survive a power cut: the log is written through', async () => {
  const { db, close } = await openDatabase(directory, now)

  expect((await sql`pragma journal_mode`.execute(db)).rows).toEqual([{ journal_mode: 'wal' }])
  expect((await sql`pragma synchronous`.execute(db)).rows).toEqual([{ synchronous: 2 }])
  expect((await sql`pragma foreign_keys`.execute(db)).rows).toEqual([{ foreign_keys: 1 }])
  await close()
})

test.each([
  ['flipped bytes in the middle', 4096 * 3, Buffer.alloc(8192, 0x5a)],
  ['a header that is none', 0, Buffer.from('this is not a database')],
])('a database with %s is set aside, and an empty one takes its place', async (_what, position, bytes) => {
  await storeHosts(2000)
  writeSync(openSync(join(directory, 'plumb.sqlite'), 'r+'), bytes, 0, bytes.length, position)

  const { db, setAside, close } = await openDatabase(directory, now)

  expect(setAside).toBe(join(directory, 'plumb.sqlite.corrupt-2026-11-23T03-00-00.000Z'))
  expect(damagedDatabases(directory)).toEqual([setAside])
  expect(await listHosts(db)).toEqual([])
  await close()
})

test('a database of before the histories of resources gets them, and keeps what it has', async () => {
  await storeHosts(1)
  const old = new SqliteDatabase(join(directory, 'plumb.sqlite'))
  old.exec(`drop table resource_events; delete from kysely_migration where name = '0003-resource-events'`)
  old.close()

  const { db, close } = await openDatabase(directory, now)

  const [{ host } = { host: web1 }] = await listHosts(db)
  const event = { kind: 'left', at: now.toISOString(), service: serviceNameSchema.parse('nginx') } as const
  await insertResourceEvents(db, host, [{ event }])
  expect(
    await listResourceEvents(db, { host, service: event.service, resources: ['file:/x'], source: 'x' }, 10),
  ).toEqual([event])
  await close()
})

test('a database of a newer Plumbline is left alone, with the way out', async () => {
  await (await openDatabase(directory, now)).close()
  const sqlite = new SqliteDatabase(join(directory, 'plumb.sqlite'))
  sqlite.prepare("insert into kysely_migration values ('9999-future', '2030-01-01')").run()
  sqlite.close()

  await expect(openDatabase(directory, now)).rejects.toThrow('written by a newer Plumbline')
  expect(readdirSync(directory)).toContain('plumb.sqlite')
})

test('nobody else can read the database', async () => {
  await storeHosts(1)

  expect(statSync(join(directory, 'plumb.sqlite')).mode & 0o777).toBe(0o600)
})

test('a directory belongs to one server, until that one is gone - however it went', async () => {
  const code = `
    import { claimDirectory } from ${JSON.stringify(join(import.meta.dirname, '../../../server/store/claim.ts'))}
    claimDirectory(${JSON.stringify(directory)})
    console.log('claimed')
    setInterval(() => {}, 1000)`
  const other = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(other.stdout, 'data')

  expect(() => claimDirectory(directory)).toThrow(`in use by another Plumbline server (process ${other.pid})`)
  other.kill('SIGKILL')
  await once(other, 'exit')

  claimDirectory(directory).release()
})

test('one process cannot claim a directory twice either', () => {
  const claim = claimDirectory(directory)

  expect(() => claimDirectory(directory)).toThrow('in use')
  claim.release()
})

test('a host that is deleted takes all its rows along', async () => {
  const { db, close } = await openDatabase(directory, now)
  await insertHost(db, web1, 'key', now.toISOString())
  await db.insertInto('transitions').values({ host: 'web-1', at: 'now', to_state: 'enrolled' }).execute()

  await db.deleteFrom('hosts').execute()

  expect(await db.selectFrom('transitions').selectAll().execute()).toEqual([])
  await close()
})

async function storeHosts(count: number): Promise<void> {
  const { db, close } = await openDatabase(directory, now)
  await db.transaction().execute(async (transaction) => {
    for (let index = 0; index < count; index += 1) {
      await insertHost(transaction, hostNameSchema.parse(`host-${index}`), 'k'.repeat(60), now.toISOString())
    }
  })
  await close()
}
