import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fitted } from '../../../agent/report/fit.ts'
import { openSpool } from '../../../agent/report/spool.ts'
import type { Finding } from '../../../shared/finding.ts'
import { resourceId } from '../../../shared/names.ts'
import { frameLimit } from '../../../shared/protocol.ts'
import { type Report, reportSchema } from '../../../shared/report.ts'
import { anApply, report, stateDirectory, web } from './fixture.ts'

test('reports wait on disk until they are acknowledged', async () => {
  const state = await stateDirectory()
  openSpool(state).add(report('one'))

  const again = openSpool(state)
  expect(again.next()?.id).toBe('one')
  again.acknowledge('one')
  expect(openSpool(state).next()).toBeUndefined()
  expect((await stat(join(state, 'spool.json'))).mode & 0o777).toBe(0o600)
})

test('the latest state replaces older ones, which are counted; what was applied is kept', async () => {
  const spool = openSpool(await stateDirectory())
  for (const id of ['a', 'b']) spool.add(report(id))
  spool.add(report('applied', { apply: anApply }))
  for (const id of ['c', 'd', 'e']) spool.add(report(id))

  expect(drained(spool)).toEqual([
    ['applied', 2],
    ['e', 2],
  ])
})

test('a report that is on its way is not replaced under the feet of the connection', async () => {
  const spool = openSpool(await stateDirectory())
  spool.add(report('a'))
  spool.next()
  spool.add(report('b'))
  spool.add(report('c'))

  expect(drained(spool)).toEqual([
    ['a', 0],
    ['c', 1],
  ])
})

test('the count of what was lost is not lost itself', async () => {
  const state = await stateDirectory()
  const spool = openSpool(state)
  spool.add(report('a'))
  spool.add(report('b'))
  spool.add(report('c'))
  spool.giveUp('c')
  const again = openSpool(state)
  again.add(report('d'))

  expect(drained(again)).toEqual([['d', 3]])
})

test('more reports than the bound: the oldest go, the newest stays, and nothing is lost silently', async () => {
  const spool = openSpool(await stateDirectory(), { reports: 10, bytes: 1_000_000 })
  for (let n = 0; n < 50; n += 1) spool.add(report(`r${n}`, { apply: anApply }))

  const left = drained(spool)
  expect(left).toHaveLength(10)
  expect(left[0]).toEqual(['r40', 40])
  expect(left.at(-1)).toEqual(['r49', 0])
})

test('more bytes than the bound: the file stays bounded', async () => {
  const state = await stateDirectory()
  const spool = openSpool(state, { reports: 1000, bytes: 100_000 })
  for (let n = 0; n < 100; n += 1)
    spool.add(report(`r${n}`, { apply: anApply, platform: 'x'.repeat(200), problems: [problem('y'.repeat(4000))] }))

  expect((await stat(join(state, 'spool.json'))).size).toBeLessThan(110_000)
  expect(drained(spool).at(-1)?.[0]).toBe('r99')
})

test.each(['', '{"reports":', '[]', 'null', '{"reports":[{}],"dropped":0}'])(
  'a damaged file (%s) is no reason to fail',
  async (content) => {
    const state = await stateDirectory()
    await writeFile(join(state, 'spool.json'), content)
    const spool = openSpool(state)
    spool.add(report('a'))

    expect(spool.next()?.id).toBe('a')
    expect(openSpool(state).next()?.id).toBe('a')
  },
)

test('one damaged report among others costs that one alone, and is counted', async () => {
  const state = await stateDirectory()
  await writeFile(
    join(state, 'spool.json'),
    JSON.stringify({ reports: [report('a', { apply: anApply }), { id: 5 }], dropped: 0 }),
  )
  const spool = openSpool(state)
  spool.add(report('b'))

  expect(drained(spool)).toEqual([
    ['a', 0],
    ['b', 1],
  ])
})

test('where nothing can be written the report still goes out', async () => {
  const state = join(await stateDirectory(), 'gone')
  await mkdir(state)
  const spool = openSpool(state)
  await rm(state, { recursive: true })
  spool.add(report('a'))

  expect(spool.next()?.id).toBe('a')
})

test('a directory in the place of the file is no reason to fail', async () => {
  const state = await stateDirectory()
  await mkdir(join(state, 'spool.json'))
  const spool = openSpool(state)
  spool.add(report('a'))

  expect(spool.next()?.id).toBe('a')
})

test('a report too large for a frame loses its diffs first, and says so', () => {
  const large = report('a', { services: [service(50, 'd'.repeat(200_000))] })
  const sent = fitted(large)

  expect(sizeOf(large)).toBeGreaterThan(frameLimit)
  expect(sizeOf(sent)).toBeLessThan(frameLimit)
  expect(sent.services[0]?.findings).toHaveLength(50)
  expect(sent.services[0]?.findings.every((finding) => finding.diffCut && finding.diff === undefined)).toBe(true)
  expect(sent.problems[0]?.message).toContain('too large')
  expect(reportSchema.safeParse(sent).success).toBe(true)
})

test('a report too large even without diffs is shortened, and no drifted service looks as if it had not', () => {
  const services = Array.from({ length: 40 }, () => service(2000, undefined))
  const sent = fitted(report('a', { services }))

  expect(sizeOf(sent)).toBeLessThan(frameLimit)
  expect(sent.services).toHaveLength(40)
  expect(sent.services.every(({ findings }) => findings.length > 0)).toBe(true)
  expect(sent.problems).toHaveLength(1)
})

test('a report that fits is sent as it is', () => {
  const small = report('a', { services: [service(3, 'd')] })

  expect(fitted(small)).toBe(small)
})

test('what is spooled is what a person may read in the report: nothing else is in the file', async () => {
  const state = await stateDirectory()
  openSpool(state).add(report('a'))

  expect(JSON.parse(await readFile(join(state, 'spool.json'), 'utf8'))).toEqual({ reports: [report('a')], dropped: 0 })
})

function drained(spool: ReturnType<typeof openSpool>): readonly (readonly [string, number])[] {
  const all: (readonly [string, number])[] = []
  for (let next = spool.next(); next !== undefined; next = spool.next()) {
    all.push([next.id, next.dropped])
    spool.acknowledge(next.id)
  }
  return all
}

function service(findings: number, diff: string | undefined): Report['services'][number] {
  const finding = (n: number): Finding => ({
    resource: resourceId('file', `/etc/${n}`),
    summary: `/etc/${n}: content differs${' '.repeat(100)}`,
    differences: [{ name: 'content', expected: 'a'.repeat(64), live: 'b'.repeat(64) }],
    ...(diff === undefined ? {} : { diff }),
    diffCut: false,
    evidence: {},
  })
  return { service: web, findings: Array.from({ length: findings }, (_, n) => finding(n)), pending: [] }
}

function problem(message: string): Report['problems'][number] {
  return { code: 'internal', message }
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
