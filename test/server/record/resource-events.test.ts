import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recordReport } from '../../../server/record/record.ts'
import { type OpenDatabase, openDatabase } from '../../../server/store/database.ts'
import { deleteHost, insertHost } from '../../../server/store/hosts.ts'
import { listResourceEvents } from '../../../server/store/resource-events.ts'
import {
  hostNameSchema,
  type Revision,
  resourceIdSchema,
  revisionSchema,
  serviceNameSchema,
} from '../../../shared/names.ts'
import type { Hold, Report, ServiceReport } from '../../../shared/report.ts'
import { findingOf, reportOf, serviceOf, someRevision } from '../kit.ts'

const web1 = hostNameSchema.parse('web-1')
const nginx = serviceNameSchema.parse('nginx')
const conf = '/etc/nginx/nginx.conf'
const other = revisionSchema.parse('b'.repeat(40))
const evidence = 'changed 2026-11-23 02:50:00 UTC'

let directory = ''
let database: OpenDatabase
let minute = 0

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-events-'))
  database = await openDatabase(directory, new Date())
  await insertHost(database.db, web1, 'key', time(0))
  minute = 0
})

afterEach(async () => {
  await database.close()
  await rm(directory, { recursive: true, force: true })
})

test('a path drifts, drifts further and is repaired by an apply; a repeated report adds no event', async () => {
  await said({})
  await said({ findings: [finding('one')] })
  await said({ findings: [finding('one')] })
  await said({ findings: [finding('two')] })
  await said({}, { apply: applyOf(someRevision, conf) })

  expect(await history()).toEqual([
    { kind: 'drifted', at: time(2), service: nginx, summary: `${conf}: content differs`, evidence },
    { kind: 'drifted-on', at: time(4), service: nginx, summary: `${conf}: content differs`, evidence },
    { kind: 'applied', at: time(4.5), service: nginx, revision: someRevision, summary: `wrote ${conf} (content)` },
    { kind: 'put-right', at: time(5), service: nginx, by: 'apply', revision: someRevision },
  ])
})

test('drift ends when a person reverts it on the host, or a revision matches it', async () => {
  await said({ findings: [finding('one')] })
  await said({})
  await said({ findings: [finding('one')] })
  await said({ applied: other })

  expect(
    (await history()).map((event) => (event.kind === 'put-right' ? [event.by, event.revision] : event.kind)),
  ).toEqual(['drifted', ['host', undefined], 'drifted', ['revision', other]])
})

test('an apply of other files says nothing of this one', async () => {
  await said({ findings: [finding('one')] })
  await said({}, { apply: applyOf(someRevision, '/etc/nginx/mime.types') })

  expect((await history()).at(-1)).toMatchObject({ kind: 'put-right', by: 'host' })
})

test('drift that the policy repairs at once is an event too, and ignored drift has its reason', async () => {
  await said({}, { apply: { ...applyOf(someRevision, conf), repaired: [{ service: nginx, finding: finding('one') }] } })
  const resource = resourceIdSchema.parse(`file:${conf}`)
  await said({ findings: [finding('two')] })
  for (const _again of [1, 2])
    await said({ ignored: [{ resource, summary: `${conf}: content differs`, why: 'certbot' }] })
  await said({})

  const about = { service: nginx, summary: `${conf}: content differs` }
  expect(await history()).toEqual([
    { kind: 'drifted', at: time(0.5), ...about, evidence },
    { kind: 'put-right', at: time(0.5), service: nginx, by: 'policy', revision: someRevision },
    { kind: 'applied', at: time(0.5), service: nginx, revision: someRevision, summary: `wrote ${conf} (content)` },
    { kind: 'drifted', at: time(2), ...about, evidence },
    { kind: 'ignored', at: time(3), ...about, why: 'certbot' },
    { kind: 'put-right', at: time(5), service: nginx, by: 'host' },
  ])
})

test('a hold of the service is an event with person and reason, and so is its end', async () => {
  const hold = { by: 'anna@web-1', why: 'the disk is full', until: time(30) }
  await said({ hold })
  await said({ hold: { ...hold, until: time(40) } })
  await said({})
  await said({ hold: { ...hold, until: time(50) } })
  await said({}, { endedHolds: [{ ...hold, until: time(50), since: time(4), service: '*', releasedBy: 'ben@web-1' }] })
  await said({ hold: { ...hold, until: time(6.5) } })
  await said({})

  const about = { service: nginx, by: 'anna@web-1', why: 'the disk is full' }
  expect(await history()).toEqual([
    { kind: 'held', at: time(1), ...about, until: time(30) },
    { kind: 'held', at: time(2), ...about, until: time(40) },
    { kind: 'hold-ended', at: time(3), service: nginx, early: true },
    { kind: 'held', at: time(4), ...about, until: time(50) },
    { kind: 'hold-ended', at: time(5), service: nginx, early: true, by: 'ben@web-1' },
    { kind: 'held', at: time(6), ...about, until: time(6.5) },
    { kind: 'hold-ended', at: time(7), service: nginx, early: false },
  ])
})

test('a report that comes twice is recorded once, and a service that leaves ends its history', async () => {
  const drifts = await said({ findings: [finding('one')] })
  await said({})
  expect(await recordReport(database.db, drifts, time(3))).toEqual({ kind: 'nothing-new' })
  await record({ ...reportOf('web-1', { services: [] }), at: time(4) })

  expect((await history()).map(({ kind }) => kind)).toEqual(['drifted', 'put-right', 'left'])
})

test('a host with a wrong clock has its time corrected by when it was heard', async () => {
  await record({
    ...reportOf('web-1', { services: [serviceOf('nginx', { findings: [finding('x')] })] }),
    at: '2099-01-01T00:00:00Z',
  })
  await record({ ...reportOf('web-1'), at: 'yesterday' })

  expect((await history()).map(({ at }) => at)).toEqual([time(1), time(2)])
})

test('the history of other paths, other services and other hosts is theirs', async () => {
  await insertHost(database.db, hostNameSchema.parse('web-2'), 'other key', time(0))
  await record(reportOf('web-2', { services: [serviceOf('nginx', { findings: [finding('one')] })] }))
  const hold = { by: 'anna', why: 'x', until: time(30) }
  const files = serviceOf('nginx', { findings: [findingOf('/etc/nginx/mime.types', 'y')] })
  await record(reportOf('web-1', { services: [files, serviceOf('caddy', { hold })] }))

  expect(await history()).toEqual([])
})

test('one path that drifts all day pushes no other out, and a removed host leaves nothing', async () => {
  await said({}, { apply: applyOf(someRevision, '/etc/nginx/mime.types') })
  for (let round = 0; round < 130; round += 1) {
    await said({ findings: [finding(`${round}`)] })
    await said({})
  }

  expect(await history(1000)).toHaveLength(200)
  expect((await history(1000)).at(-1)?.kind).toBe('put-right')
  expect(await history(10, '/etc/nginx/mime.types')).toHaveLength(1)

  await deleteHost(database.db, web1)
  expect(await history(1000)).toEqual([])
})

test('an apply of very many files is recorded within the bound of a host', async () => {
  await said({}, { apply: applyOf(someRevision, ...Array.from({ length: 12_000 }, (_, n) => `/etc/nginx/f${n}`)) })

  expect(await history(10, '/etc/nginx/f6999')).toEqual([])
  expect(await history(10, '/etc/nginx/f7000')).toHaveLength(1)
  expect(await history(10, '/etc/nginx/f11999')).toHaveLength(1)
})

function time(minutes: number): string {
  return new Date(Date.parse('2026-11-23T03:00:00Z') + minutes * 60_000).toISOString()
}

function finding(line: string) {
  return { ...findingOf(conf, line), evidence: { changedAt: '2026-11-23T02:50:00.000Z' } }
}

function applyOf(revision: Revision, ...paths: readonly string[]) {
  const changes = paths.map((path) => ({
    service: nginx,
    summary: `wrote ${path} (content)`,
    resource: resourceIdSchema.parse(`file:${path}`),
  }))
  return { revision, at: time(minute + 0.5), changes, failed: [] }
}

/** The host says this of nginx, a minute after what it said last. */
async function said(
  service: Omit<Partial<ServiceReport>, 'hold'> & { readonly hold?: Hold },
  more: Partial<Report> = {},
): Promise<Report> {
  const report = { ...reportOf('web-1', { services: [serviceOf('nginx', service)], ...more }), at: time(minute + 1) }
  await record(report)
  return report
}

async function record(report: Report): Promise<void> {
  minute += 1
  await recordReport(database.db, report, time(minute))
}

/** Oldest first. */
async function history(limit = 100, path = conf) {
  const about = { host: web1, service: nginx, resources: [`file:${path}`], source: 'none' }
  return (await listResourceEvents(database.db, about, limit)).toReversed()
}
