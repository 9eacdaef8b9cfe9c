// What is kept of one host is bounded in rows and bytes, and what another host has is not touched by it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bounds } from '../../../server/allowance/bounds.ts'
import { boundedReport } from '../../../server/record/bounded.ts'
import { recordReport } from '../../../server/record/record.ts'
import { insertAlert, resolveAlert, trimAlerts } from '../../../server/store/alerts.ts'
import { type OpenDatabase, openDatabase } from '../../../server/store/database.ts'
import { listApplies } from '../../../server/store/history.ts'
import { findHost, insertHost } from '../../../server/store/hosts.ts'
import { listServiceStates } from '../../../server/store/service-states.ts'
import { hostNameSchema, resourceIdSchema, serviceNameSchema } from '../../../shared/names.ts'
import { type Report, reportSchema, type ServiceReport, stateOf } from '../../../shared/report.ts'
import { findingOf, reportOf, serviceOf, someRevision } from '../kit.ts'

const web1 = hostNameSchema.parse('web-1')
const web2 = hostNameSchema.parse('web-2')
const nginx = serviceNameSchema.parse('nginx')
let directory = ''
let database: OpenDatabase

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-kept-'))
  database = await openDatabase(directory, new Date())
  for (const host of [web1, web2]) await insertHost(database.db, host, `key of ${host}`, '03:00')
  await record(applied('web-2', 3, 20))
})

afterEach(async () => {
  await database.close()
  await rm(directory, { recursive: true, force: true })
})

describe('applies', () => {
  test('of one, the first changes are kept and the others are counted', async () => {
    await record(applied('web-1', 1750, 4400))

    const [apply] = await listApplies(database.db, web1, 10)
    expect(apply?.changes).toHaveLength(bounds.changesPerApply.limit)
    expect(apply?.changes[0]?.summary).toMatch(/^0 /)
    expect(apply?.changesLeftOut).toBe(1750 - bounds.changesPerApply.limit)
  })

  test('of many, the newest are kept within the bytes of a host', async () => {
    for (let n = 0; n < 8; n += 1) await record(applied('web-1', 1750, 4400))

    expect(await bytesOf('applies', 'web-1')).toBeLessThanOrEqual(bounds.applyBytes.limit)
    expect((await listApplies(database.db, web1, 10)).length).toBeGreaterThan(1)
    expect(await listApplies(database.db, web2, 10)).toHaveLength(1)
  })

  test('of before there was a bound are not read into memory', async () => {
    const body = JSON.stringify(applied('web-1', 1500, 4400).apply)
    for (let n = 0; n < 4; n += 1)
      await database.db.insertInto('applies').values({ host: 'web-1', received_at: '03:00', body }).execute()

    expect(await listApplies(database.db, web1, 10)).toEqual([])
  })

  test('a usual one is kept as it was reported', async () => {
    const report = applied('web-1', 150, 100)
    await record(report)

    expect(await listApplies(database.db, web1, 10)).toEqual([report.apply])
  })
})

describe('states', () => {
  test.each([
    ['findings', serviceOf('nginx', { findings: many(9000).map((n) => findingOf(`/etc/f${n}`, 'x')) })],
    [
      'large findings',
      serviceOf('nginx', {
        findings: many(60).map((n) => findingOf(`/etc/f${n}`, 'x'.repeat(120_000))),
      }),
    ],
    [
      'pending changes',
      serviceOf('nginx', {
        pending: many(9000).map((n) => ({ resource: resourceIdSchema.parse(`file:/etc/f${n}`), summary: 'x' })),
      }),
    ],
    [
      'ignored differences',
      serviceOf('nginx', {
        ignored: many(9000).map((n) => ({
          resource: resourceIdSchema.parse(`file:/etc/f${n}`),
          summary: 'x',
          why: 'x',
        })),
      }),
    ],
  ])('with too many %s are cut, and a problem counts the rest', async (_what, service) => {
    const sent = service.findings.length + service.pending.length + (service.ignored?.length ?? 0)
    await record(reportOf('web-1', { services: [service, serviceOf('caddy', { findings: [findingOf('/x', 'x')] })] }))

    const states = await listServiceStates(database.db, { hosts: [web1] })
    const kept = states.reduce(
      (sum, { report }) => sum + report.findings.length + report.pending.length + (report.ignored?.length ?? 0),
      0,
    )
    const host = await findHost(database.db, web1)
    expect(kept).toBeLessThan(sent)
    expect(kept).toBeGreaterThan(20)
    expect(host?.problems).toMatchObject([
      { code: 'report-too-large', message: expect.stringContaining(`${sent + 1 - kept} differences`) },
    ])
    expect(await bytesOf('findings', 'web-1')).toBeLessThanOrEqual(bounds.findingBytes.limit)
  })

  test('of usual size are kept as they are', () => {
    const report = reportOf('web-1', {
      services: [serviceOf('nginx', { findings: many(1500).map((n) => findingOf(`/etc/f${n}`, 'x')) })],
    })

    expect(boundedReport(report)).toBe(report)
  })
})

describe('problems', () => {
  const problem = (n: number, length: number) => ({
    code: 'check-failed' as const,
    message: `${n} `.padEnd(length, 'x'),
  })
  const services = (count: number, change: (n: number) => Partial<ServiceReport>) =>
    many(count).map((n) => serviceOf(`s${n}`, change(n)))
  const failure = (n: number, length: number) => {
    const at = '2026-11-23T03:00:00Z'
    return { revision: someRevision, at, step: 'x', problem: problem(n, length), attempts: 1 }
  }

  test.each<readonly [string, Partial<Report>, RegExp]>([
    ['many of the host', { problems: many(1000).map((n) => problem(n, 100)) }, /500 problems are left out/],
    ['large ones of the host', { problems: many(1000).map((n) => problem(n, 3900)) }, /\d+ problems are left out/],
    [
      'large ones of what is unknown',
      { services: services(1000, (n) => ({ unknown: { problems: [problem(n, 2400), problem(n, 2400)] } })) },
      /\d+ problems are left out, the text of \d+ problems is cut/,
    ],
    [
      'large ones of failures',
      { services: services(1000, (n) => ({ failure: failure(n, 3900) })) },
      /the text of \d+ problems is cut/,
    ],
    [
      'many of what is unknown',
      { services: services(100, (n) => ({ unknown: { problems: many(50).map(() => problem(n, 50)) } })) },
      /\d+ problems are left out/,
    ],
  ])('%s are cut, each service keeps its state, and a problem counts the rest', (_what, change, said) => {
    const report = reportOf('web-1', change)
    const kept = boundedReport(report)

    const all = [
      ...kept.problems,
      ...kept.services.flatMap(({ unknown, failure }) => [
        ...(unknown?.problems ?? []),
        ...(failure ? [failure.problem] : []),
      ]),
    ]
    const shortest = 1000 * 300
    expect(JSON.stringify(all).length).toBeLessThan(bounds.problemBytes.limit + shortest)
    expect(kept.services.map(stateOf)).toEqual(report.services.map(stateOf))
    expect(kept.services.every(({ unknown }) => unknown === undefined || unknown.problems.length > 0)).toBe(true)
    expect(kept.problems.at(-1)).toMatchObject({ code: 'report-too-large', message: expect.stringMatching(said) })
    expect(reportSchema.parse(kept)).toEqual(kept)
  })

  test('of usual size are kept as they are', () => {
    const report = reportOf('web-1', {
      problems: many(20).map((n) => problem(n, 500)),
      services: services(60, (n) => ({ unknown: { problems: [problem(n, 500)] }, failure: failure(n, 1000) })),
    })

    expect(boundedReport(report)).toBe(report)
  })
})

test('a report takes as many statements for many services as for few', async () => {
  const statements = async (count: number) => {
    let counted = 0
    const db = database.db.withPlugin({
      transformQuery({ node }) {
        counted += 1
        return node
      },
      transformResult: async ({ result }) => result,
    })
    const all = (prefix: string) => reportOf('web-1', { services: many(count).map((n) => serviceOf(`${prefix}${n}`)) })
    await recordReport(db, all('old'), '03:00')
    counted = 0
    await recordReport(db, all('new'), '03:01')
    return counted
  }

  expect(await statements(200)).toBe(await statements(4))
})

test('events of resources keep to their bytes, the newest first', async () => {
  for (let n = 0; n < 6; n += 1) {
    const changes = many(1500).map((index) => ({
      ...{ service: nginx, summary: 'x'.repeat(600) },
      ...{ resource: resourceIdSchema.parse(`file:/etc/${n}/${'long'.repeat(100)}/${index}`), source: 's'.repeat(500) },
    }))
    await record(
      reportOf('web-1', { apply: { revision: someRevision, at: '2026-11-23T03:00:00Z', failed: [], changes } }),
    )
  }

  const { rows } = await sql<{ bytes: number; last: string }>`
    select sum(length(body) + length(resource) + length(source)) bytes, max(resource) last from resource_events
    where host = 'web-1'`.execute(database.db)
  expect(rows[0]?.bytes).toBeLessThanOrEqual(bounds.eventBytes.limit)
  expect(rows[0]?.last).toContain('/etc/5/')
})

test('resolved alerts keep to their bytes, and those of another host stay', async () => {
  for (const [host, count] of [
    ['web-1', 40],
    ['web-2', 1],
  ] as const) {
    for (let n = 0; n < count; n += 1) {
      const about = { kind: 'drift', severity: 'warning', title: 't', text: 't', diff: 'x'.repeat(250_000) } as const
      const cause = { ...about, key: `drift:${host}:s${n}`, scope: `host:${host}` as const }
      const { id } = await insertAlert(database.db, cause, '03:00')
      await resolveAlert(database.db, id, { at: '03:01', end: { kind: 'no-longer-true' } })
    }
  }

  await trimAlerts(database.db, 'host:web-1')

  const kept = await database.db.selectFrom('alerts').select(['scope', 'cause']).orderBy('id').execute()
  expect(kept.filter(({ scope }) => scope === 'host:web-1').at(-1)?.cause).toBe('drift:web-1:s39')
  expect(kept.filter(({ scope }) => scope === 'host:web-1').length).toBe(
    Math.floor(bounds.resolvedAlertBytes.limit / 250_001),
  )
  expect(kept.filter(({ scope }) => scope === 'host:web-2')).toHaveLength(1)
})

let at = 0

async function record(report: Report): Promise<void> {
  at += 1
  await recordReport(database.db, report, `03:${at}`)
}

function applied(host: string, count: number, length: number): Report {
  const changes = many(count).map((n) => ({ service: nginx, summary: `${n} `.padEnd(length, 'x') }))
  // Two applies in the same words would be one.
  return reportOf(host, { apply: { revision: someRevision, at: `2026-11-23T03:00:00.${at}Z`, failed: [], changes } })
}

async function bytesOf(table: 'applies' | 'findings', host: string): Promise<number> {
  const size = sql<number>`ifnull(sum(length(body)), 0)`.as('size')
  return (await database.db.selectFrom(table).select(size).where('host', '=', host).executeTakeFirstOrThrow()).size
}

function many(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}
