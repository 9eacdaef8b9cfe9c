import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { Kysely, SqliteDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { insertAlert } from '../../../server/store/alerts.ts'
import { claimDirectory } from '../../../server/store/claim.ts'
import { damagedDatabases, openDatabase } from '../../../server/store/database.ts'
import { insertHost, listHosts } from '../../../server/store/hosts.ts'
import { migrations } from '../../../server/store/migrations.ts'
import { insertChannel, insertMessage } from '../../../server/store/outbox.ts'
import { insertResourceEvents, listResourceEvents } from '../../../server/store/resource-events.ts'
import { listCells, saveServiceStates } from '../../../server/store/service-states.ts'
import type { Tables } from '../../../server/store/tables.ts'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'
import { serviceReportSchema } from '../../../shared/report.ts'

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
])('a database with %s is quarantined and replaced by an empty one', async (_what, position, bytes) => {
  await storeHosts(2000)
  writeSync(openSync(join(directory, 'plumb.sqlite'), 'r+'), bytes, 0, bytes.length, position)

  const { db, setAside, close } = await openDatabase(directory, now)

  expect(setAside).toBe(join(directory, 'plumb.sqlite.corrupt-2026-11-23T03-00-00.000Z'))
  expect(damagedDatabases(directory)).toEqual([setAside])
  expect(await listHosts(db)).toEqual([])
  await close()
})

test('a database of before the histories of resources gets them, and keeps what it has', async () => {
  const sqlite = new SqliteDatabase(join(directory, 'plumb.sqlite'))
  const old = new Kysely<Tables>({ dialect: new SqliteDialect({ database: sqlite }) })
  await new Migrator({ db: old, provider: migrations }).migrateTo('0002-holds')
  await insertHost(old, web1, 'key', now.toISOString())
  await old.destroy()

  const { db, close } = await openDatabase(directory, now)

  const [{ host } = { host: web1 }] = await listHosts(db)
  const event = { kind: 'left', at: now.toISOString(), service: serviceNameSchema.parse('nginx') } as const
  await insertResourceEvents(db, host, [{ event }])
  expect(
    await listResourceEvents(db, { host, service: event.service, resources: ['file:/x'], source: 'x' }, 10),
  ).toEqual([event])
  await close()
})

test('a database of when held was a state knows what else is true of each service', async () => {
  const finding = { resource: 'file:/etc/a', summary: 'a', differences: [], diffCut: false, evidence: {} }
  const hold = { by: 'anna', why: 'a fix', until: '2026-11-23T05:00:00Z' }
  const said: readonly (readonly [string, object])[] = [
    ['drift,held', { hold, findings: [finding], applied: 'a'.repeat(40) }],
    ['pending,held', { hold }],
    ['held', { hold, applied: 'a'.repeat(40) }],
    ['', { applied: 'a'.repeat(40) }],
  ]
  const { db, close } = await openDatabase(directory, now)
  await insertHost(db, web1, 'key', now.toISOString())
  for (const [index, [, more]] of said.entries()) {
    const report = serviceReportSchema.parse({ service: `s${index}`, findings: [], pending: [], ...more })
    await saveServiceStates(db, [{ host: web1, since: now.toISOString(), report }])
  }
  await close()
  const old = new SqliteDatabase(join(directory, 'plumb.sqlite'))
  undoFrom('0007-service-facts', old, `update service_states set state = 'held' where facts like '%held%'`)
  old.close()

  const again = await openDatabase(directory, now)

  expect((await listCells(again.db)).map(({ facts }) => facts.join())).toEqual(said.map(([facts]) => facts))
  await again.close()
})

test('a database from when an attempt counted as delivered sends its queued messages, each with its own id', async () => {
  const { db, close } = await openDatabase(directory, now)
  const at = now.toISOString()
  await insertChannel(db, 'c', '{}', at)
  const cause = { kind: 'drift', severity: 'warning', scope: 'fleet', text: '' } as const
  for (const key of ['waits', 'again', 'sent']) {
    const { id } = await insertAlert(db, { ...cause, key, title: key }, at)
    await db.insertInto('told_alerts').values({ channel: 'c', alert: id }).execute()
    const message = { channel: 'c', alert: id, event: 'opened', body: '', createdAt: at, dueAt: at }
    if (key !== 'sent') await insertMessage(db, message)
  }
  await close()
  const old = new SqliteDatabase(join(directory, 'plumb.sqlite'))
  undoFrom('0011-deliveries', old)
  old.close()

  const again = await openDatabase(directory, now)

  expect(await again.db.selectFrom('told_alerts').select('alert').execute()).toEqual([{ alert: 3 }])
  const waiting = await again.db.selectFrom('outbox').select(['delivery', 'attempts']).execute()
  expect(waiting.map(({ attempts }) => attempts)).toEqual([0, 0])
  expect(new Set(waiting.map(({ delivery }) => delivery)).size).toBe(2)
  await again.close()
})

test('a database with the state names of an earlier version gets those of now', async () => {
  const { db, close } = await openDatabase(directory, now)
  const at = now.toISOString()
  await insertHost(db, web1, 'key', at)
  const report = serviceReportSchema.parse({ service: 'web', findings: [], pending: [], applied: 'a'.repeat(40) })
  await saveServiceStates(db, [{ host: web1, since: at, report }])
  for (const [from_state, to_state] of [
    [null, 'in-sync'],
    ['in-sync', 'offline'],
    ['offline', 'online again'],
  ] as const)
    await db.insertInto('transitions').values({ host: 'web-1', at, from_state, to_state }).execute()
  const host = hostNameSchema.parse('host-silent')
  const cause = { severity: 'critical', scope: 'host:host-silent', text: '' } as const
  const common = { key: 'host-offline', title: 'Nothing is heard of {hosts}' }
  const offline = { kind: 'host-offline', key: 'host-offline:host-silent', title: 'host-silent is offline' } as const
  const { id } = await insertAlert(db, { ...cause, ...offline, host, common }, at)
  const refused = { kind: 'enrollment-refused', key: 'enrollment-refused:token:7', title: 't' } as const
  await insertAlert(db, { ...cause, ...refused }, at)
  await insertChannel(db, 'c', '{}', at)
  const body = '{"alert":{"kind":"host-offline","id":1}}'
  await insertMessage(db, { channel: 'c', alert: id, event: 'opened', body, createdAt: at, dueAt: at })
  const stored = async ({ db: from }: { readonly db: Kysely<Tables> }) => ({
    states: await from.selectFrom('service_states').select('state').execute(),
    transitions: await from.selectFrom('transitions').select(['from_state', 'to_state']).execute(),
    alerts: await from.selectFrom('alerts').select(['kind', 'title', 'cause', 'open_cause', 'common_key']).execute(),
    messages: await from.selectFrom('outbox').select('body').execute(),
  })
  const before = await stored({ db })
  await close()
  const old = new SqliteDatabase(join(directory, 'plumb.sqlite'))
  undoFrom('0013-state-names', old)
  expect(old.prepare('select to_state from transitions').all()).toContainEqual({ to_state: 'heard again' })
  old.close()

  const again = await openDatabase(directory, now)

  expect(await stored(again)).toEqual(before)
  expect(before.alerts.map((one) => one.cause)).toEqual([offline.key, refused.key])
  await again.close()
})

test('a database of a newer version is not changed, and the error says what to do', async () => {
  await (await openDatabase(directory, now)).close()
  const sqlite = new SqliteDatabase(join(directory, 'plumb.sqlite'))
  sqlite.prepare("insert into kysely_migration values ('9999-future', '2030-01-01')").run()
  sqlite.close()

  await expect(openDatabase(directory, now)).rejects.toThrow('written by a newer Plumbline')
  expect(readdirSync(directory)).toContain('plumb.sqlite')
})

test('no other user can read the database', async () => {
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

/** Reverts the latest migrations, so that a new database has an older schema. */
const reverts: Readonly<Record<string, string>> = {
  '0007-service-facts': 'alter table service_states drop column facts',
  '0008-failed-applies': 'drop table failed_applies',
  '0009-common-causes': 'alter table alerts drop column common_key; alter table alerts drop column common_title',
  '0010-write-probe': 'drop table write_probe',
  '0011-deliveries': [
    ...['outbox_by_delivery', 'outbox_by_alert'].map((index) => `drop index ${index}`),
    ...['delivery', 'attempts', 'refused', 'error'].map((column) => `alter table outbox drop column ${column}`),
    'alter table channels drop column failing_since',
  ].join(';'),
  '0012-alert-ends': 'alter table alerts drop column end_reason',
  '0013-state-names': [
    "update service_states set state = 'in-plumb' where state = 'in-sync'",
    "update transitions set to_state = 'in-plumb' where to_state = 'in-sync'",
    "update transitions set to_state = 'silent' where to_state = 'offline'",
    "update transitions set from_state = 'silent', to_state = 'heard again' where to_state = 'online again'",
    ...['cause', 'open_cause'].flatMap((column) => [
      `update alerts set ${column} = 'host-silent:host-silent' where kind = 'host-offline'`,
      `update alerts set ${column} = 'enrolment-refused:token:7' where kind = 'enrollment-refused'`,
    ]),
    `update alerts set common_key = 'host-silent' where kind = 'host-offline'`,
    `update alerts set kind = 'host-silent', title = 'host-silent is silent' where kind = 'host-offline'`,
    `update alerts set kind = 'enrolment-refused' where kind = 'enrollment-refused'`,
    `update outbox set body = '{"alert":{"kind":"host-silent","id":1}}'`,
  ].join(';'),
}

function undoFrom(first: string, sqlite: SqliteDatabase.Database, before = ''): void {
  const statements = Object.entries(reverts)
    .toReversed()
    .flatMap(([name, statement]) => (name >= first ? statement : []))
  sqlite.exec([before, ...statements, `delete from kysely_migration where name >= '${first}'`].join(';'))
}

async function storeHosts(count: number): Promise<void> {
  const { db, close } = await openDatabase(directory, now)
  await db.transaction().execute(async (transaction) => {
    for (let index = 0; index < count; index += 1) {
      await insertHost(transaction, hostNameSchema.parse(`host-${index}`), 'k'.repeat(60), now.toISOString())
    }
  })
  await close()
}
