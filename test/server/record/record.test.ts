import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recordReport } from '../../../server/record/record.ts'
import { type OpenDatabase, openDatabase } from '../../../server/store/database.ts'
import { listApplies, listTransitions } from '../../../server/store/history.ts'
import { findHost, insertHost } from '../../../server/store/hosts.ts'
import { listServiceStates } from '../../../server/store/service-states.ts'
import { hostNameSchema, resourceIdSchema, revisionSchema } from '../../../shared/names.ts'
import type { Report } from '../../../shared/report.ts'
import { drifted, findingOf, reportOf, serviceOf, someRevision } from '../kit.ts'

const web1 = hostNameSchema.parse('web-1')
let directory = ''
let database: OpenDatabase

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-record-'))
  database = await openDatabase(directory, new Date())
  await insertHost(database.db, web1, 'key', '03:00')
})

afterEach(async () => {
  await database.close()
  await rm(directory, { recursive: true, force: true })
})

test('each change of state is one transition, with the time it was heard', async () => {
  await record(reportOf('web-1'), '03:01')
  await record(drifted('web-1'), '03:02')
  await record(reportOf('web-1'), '03:03')

  const steps = (await listTransitions(database.db, web1, 10)).map(({ at, service, from, to }) => [
    at,
    service,
    from,
    to,
  ])
  expect(steps).toEqual([
    ['03:03', 'nginx', 'drift', 'in-sync'],
    ['03:02', 'nginx', 'in-sync', 'drift'],
    ['03:01', 'nginx', undefined, 'in-sync'],
  ])
})

test('a report that says the same again writes nothing', async () => {
  await record(drifted('web-1'), '03:01')
  const before = await writes()

  expect(await record(drifted('web-1'), '03:02')).toEqual({ kind: 'nothing-new' })

  expect(await writes()).toEqual(before)
})

test('a report that is sent again later does not bring old states back', async () => {
  const old = drifted('web-1')
  await record(old, '03:01')
  await record(reportOf('web-1'), '03:02')

  expect(await record(old, '03:03')).toEqual({ kind: 'nothing-new' })

  expect((await state('nginx'))?.state).toBe('in-sync')
})

test('a finding keeps the time it was first seen while its diff changes', async () => {
  await record(drifted('web-1', 'one'), '03:01')
  await record(drifted('web-1', 'two'), '03:02')

  const nginx = await state('nginx')
  expect(nginx?.findings.map(({ firstSeenAt }) => firstSeenAt)).toEqual(['03:01'])
  expect(nginx?.findings[0]?.finding.diff).toContain('+two')
  expect(nginx?.since).toBe('03:01')
})

test('findings that are gone are forgotten one by one', async () => {
  const [first, second] = [findingOf('/etc/a', 'x'), findingOf('/etc/b', 'y')]
  await record(reportOf('web-1', { services: [serviceOf('nginx', { findings: [second, first] })] }), '03:01')
  await record(reportOf('web-1', { services: [serviceOf('nginx', { findings: [second] })] }), '03:02')

  expect((await state('nginx'))?.findings.map(({ finding }) => finding.resource)).toEqual(['file:/etc/b'])
})

test('a service that the host has no longer leaves with a transition', async () => {
  await record(reportOf('web-1', { services: [serviceOf('nginx'), serviceOf('base')] }), '03:01')
  await record(reportOf('web-1', { services: [serviceOf('base')] }), '03:02')

  expect(await state('nginx')).toBeUndefined()
  expect((await listTransitions(database.db, web1, 1))[0]).toMatchObject({
    service: 'nginx',
    from: 'in-sync',
    to: 'removed',
  })
})

test('an apply is kept with what it changed', async () => {
  const revision = revisionSchema.parse('b'.repeat(40))
  const service = serviceOf('nginx').service
  const apply = {
    revision,
    at: '03:00',
    changes: [{ service, summary: 'wrote /etc/nginx/nginx.conf (content)' }],
    failed: [],
  }
  await record(reportOf('web-1', { apply }), '03:01')

  expect(await listApplies(database.db, web1, 10)).toEqual([apply])
  expect((await listTransitions(database.db, web1, 1))[0]).toEqual({ at: '03:01', to: 'applied', revision })
})

test('what the host says of itself and its problems is kept', async () => {
  const problems = [{ code: 'repository-unreachable' as const, message: 'no route to forge' }]
  await record(reportOf('web-1', { problems }), '03:01')

  expect(await findHost(database.db, web1)).toMatchObject({
    revision: someRevision,
    platform: 'Debian 12 x64',
    problems,
  })
})

test('nothing is recorded of a host that was removed', async () => {
  await database.db.deleteFrom('hosts').execute()

  expect(await record(reportOf('web-1'), '03:01')).toEqual({ kind: 'host-unknown' })
  expect(await state('nginx')).toBeUndefined()
})

test('a report that cannot be recorded in full leaves no part of itself', async () => {
  await record(reportOf('web-1'), '03:01')
  await sql`create trigger full_disk before insert on applies begin select raise(abort, 'disk full'); end`.execute(
    database.db,
  )
  const apply = { revision: someRevision, at: '03:02', changes: [], failed: [serviceOf('nginx').service] }

  await expect(record({ ...drifted('web-1'), apply }, '03:02')).rejects.toThrow('disk full')

  expect((await state('nginx'))?.state).toBe('in-sync')
  expect(await listTransitions(database.db, web1, 10)).toHaveLength(1)
})

test('text that an earlier report had is not written again', async () => {
  const summary = 'x'.repeat(4000)
  const pending = Array.from({ length: 500 }, (_, n) => ({
    resource: resourceIdSchema.parse(`file:/etc/p${n}`),
    summary,
  }))
  const findings = Array.from({ length: 200 }, (_, n) => findingOf(`/etc/f${n}`, summary))
  const changes = Array.from({ length: 200 }, () => ({ service: serviceOf('nginx').service, summary }))
  const apply = { revision: someRevision, at: '03:00', changes, failed: [] }
  const [first, ...rest] = findings
  await record(reportOf('web-1', { services: [serviceOf('nginx', { pending, findings })], apply }), '03:01')
  await sql`pragma wal_checkpoint(truncate)`.execute(database.db)

  const changed = [...rest, { ...findingOf('/etc/f0', 'y'), source: first?.source ?? '' }]
  await record(reportOf('web-1', { services: [serviceOf('nginx', { pending, findings: changed })], apply }), '03:02')

  expect((await listServiceStates(database.db))[0]?.findings[0]?.finding.diff).toContain('+y')
  expect(await listApplies(database.db, web1, 10)).toEqual([apply])
  // Three megabytes are kept; the log has the pages that this report wrote.
  expect(statSync(join(directory, 'plumb.sqlite-wal')).size).toBeLessThan(300_000)
})

test('a host that flaps for ever does not fill the disk', async () => {
  for (let minute = 0; minute < 300; minute += 1) {
    await record(minute % 2 === 0 ? drifted('web-1') : reportOf('web-1'), String(1000 + minute))
  }
  const failed = [serviceOf('nginx').service]
  for (let minute = 0; minute < 250; minute += 1) {
    const apply = { revision: someRevision, at: String(minute), changes: [], failed }
    await record(reportOf('web-1', { apply }), String(2000 + minute))
  }

  expect(await listApplies(database.db, web1, 1000)).toHaveLength(200)
  expect(await database.db.selectFrom('reports').selectAll().execute()).toHaveLength(500)
})

function record(report: Report, at: string) {
  return recordReport(database.db, report, at)
}

async function state(service: string) {
  return (await listServiceStates(database.db, { hosts: [web1] })).find(({ report }) => report.service === service)
}

async function writes(): Promise<unknown> {
  return (await sql`select total_changes() as changes`.execute(database.db)).rows
}
