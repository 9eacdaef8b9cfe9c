// What a host's page says of how its services came to be as they are: the commit of each, what failed, and what a person applied there.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Revision, revisionSchema, serviceNameSchema } from '../../../shared/names.ts'
import type { Failure, ServiceReport } from '../../../shared/report.ts'
import { enrollAgent, reportOf, serviceOf, startTestServer, type TestServer } from '../kit.ts'

const [base, nginx] = [serviceNameSchema.parse('base'), serviceNameSchema.parse('nginx')]

const template = 'files: { /etc/nginx/nginx.conf: { template: true } }\n'
const fleetWith = (workers: number, more = '') =>
  `version: 1\nhosts:\n  web-1: { services: [base, nginx], vars: { workers: "${workers}" } }\n${more}`

let server: TestServer

beforeEach(async () => {
  server = await startTestServer(
    {},
    {
      files: {
        'plumb.yaml': fleetWith(1),
        'services/base/README.md': '# base\n',
        'services/nginx/README.md': '# nginx\n',
        'services/nginx/service.yaml': template,
        'services/nginx/files/etc/nginx/nginx.conf': `worker_processes ${'$'}{{ vars.workers }};\n`,
      },
    },
  )
})

afterEach(() => server.remove())

test.each([
  ['another service', { 'services/base/README.md': '# base, again\n' }, ['the last', 'the beginning']],
  ['its own directory', { 'services/nginx/README.md': '# nginx, again\n' }, ['the beginning', 'the last']],
  ['a file that it loses', { 'services/nginx/files/etc/nginx/old.conf': null }, ['the beginning', 'the last']],
  ['a value of its template', { 'plumb.yaml': fleetWith(4) }, ['the beginning', 'the last']],
  [
    'another part of plumb.yaml',
    { 'plumb.yaml': fleetWith(1, 'defaults: { checkEvery: 2m }\n') },
    ['the beginning', 'the beginning'],
  ],
])(
  'beside a service is its own last commit, whatever the host is at: after a change of %s',
  async (_, files, subjects) => {
    await server.fleet.commit({ 'services/nginx/files/etc/nginx/old.conf': 'old\n' }, { message: 'the beginning' })
    await server.fleet.commit(files, { message: 'the last' })
    await server.post('/api/v1/sync')
    const applied = await server.fleet.head()
    const line = await (await enrollAgent(server, 'web-1')).connect()
    await line.report(
      reportOf('web-1', { revision: applied, services: ['base', 'nginx'].map((name) => serviceOf(name, { applied })) }),
    )

    expect(await json('/api/v1/hosts/web-1')).toMatchObject({
      commit: { subject: 'the last' },
      services: subjects.map((subject) => ({ applied, commit: { subject } })),
    })
  },
)

test('what fails is one row for each service and revision, with its attempts, until another revision comes', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  const [first, second] = [revisionSchema.parse('a'.repeat(40)), revisionSchema.parse('b'.repeat(40))]
  const failing = (revision: Revision, attempts: number, more: Partial<ServiceReport> = {}) =>
    reportOf('web-1', {
      revision,
      services: [
        serviceOf('base', { failure: failureAt(revision, attempts), ...more }),
        serviceOf('nginx', { failure: failureAt(revision, 1) }),
      ],
      apply: {
        revision,
        at: '2026-11-23T02:00:00Z',
        changes: [],
        failed: [base, nginx],
      },
    })
  for (const attempts of [1, 2, 3]) await line.report(failing(first, attempts))
  await line.report(failing(second, 1, { hold: { by: 'ann', why: 'a fix', until: '2026-11-24T00:00:00Z' } }))

  const { failedApplies, applies } = await host()

  expect(applies).toEqual([])
  const rows = failedApplies.map(({ service, failure, isCurrent, hold }) => [
    service,
    failure.revision,
    failure.attempts,
    isCurrent,
    hold?.by,
  ])
  expect(rows.toSorted()).toEqual([
    ['base', first, 3, false, undefined],
    ['base', second, 1, true, 'ann'],
    ['nginx', first, 1, false, undefined],
    ['nginx', second, 1, true, undefined],
  ])
  const page = await (await server.get('/hosts/web-1')).text()
  expect(page).toContain('Failed applies')
  expect(page).toMatch(/is-failed">failed<\/span> <b>base<\/b> <span>3 attempts/)
  expect(page).toContain('it answers with 502')
  expect(page).toContain('not tried again before the hold of ann ends')
  expect(page).toContain('next attempt')
})

test('what a person applied on the host is in its history, with who it was', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  const change = { service: nginx, summary: 'wrote /etc/nginx/nginx.conf (content)' }
  const apply = { revision: await server.fleet.head(), at: '2026-11-23T02:00:00.000Z', changes: [change], failed: [] }
  await line.report(reportOf('web-1', { personApplies: [{ ...apply, by: 'anna@web-1' }], apply }))

  expect((await host()).applies.map(({ by }) => by)).toEqual([undefined, 'anna@web-1'])
  expect(await (await server.get('/hosts/web-1')).text()).toContain('by anna@web-1')
})

function failureAt(revision: Revision, attempts: number): Failure {
  return {
    revision,
    at: '2026-11-23T02:00:00.000Z',
    nextAttemptAt: '2026-11-23T04:00:00.000Z',
    step: 'check http',
    problem: { code: 'check-failed', message: 'it answers with 502' },
    attempts,
  }
}

type Said = {
  readonly failedApplies: readonly { service: string; failure: Failure; isCurrent: boolean; hold?: { by: string } }[]
  readonly applies: readonly { by?: string }[]
}

async function host(): Promise<Said> {
  return (await json('/api/v1/hosts/web-1')) as Said
}

async function json(path: string): Promise<unknown> {
  return (await server.get(path)).json()
}
