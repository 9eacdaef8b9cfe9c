// One pass of the agent, in this process: a real repository, a real root and state directory.
import { existsSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openAgent } from '../../agent/commands/open.ts'
import { type PassOptions, type PassOutcome, passesOf } from '../../agent/pass.ts'
import { holdStore } from '../../agent/state/holds.ts'
import { writeStatus } from '../../agent/state/status.ts'
import { serviceNameSchema } from '../../shared/names.ts'
import { type Report, reportSchema } from '../../shared/report.ts'
import { makeRepository, type TestRepository } from '../support/git.ts'

const plumbYaml = `version: 1
hosts:
  web-1: { services: [base, motd], vars: { place: cellar } }
defaults: { syncEvery: 2m, checkEvery: 30s }
`
const motd = 'services/motd/files/etc/motd'

let directory: string
let fleet: TestRepository
let pass: (options: PassOptions) => Promise<PassOutcome>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-pass-'))
  await mkdir(at('root'))
  fleet = await makeRepository({
    'plumb.yaml': plumbYaml,
    'services/base/README.md': '# base\n',
    'services/base/service.yaml': 'onDrift: repair\nfiles:\n  /etc/base.conf: { template: true }\n',
    'services/base/files/etc/base.conf': `place = \${{ vars.place }}\n`,
    'services/motd/README.md': '# motd\n',
    [motd]: 'welcome\n',
  })
  pass = await passes()
})

afterEach(async () => {
  await fleet.remove()
  await rm(directory, { recursive: true, force: true })
})

test('the first pass clones, applies and says so; the next finds nothing to do', async () => {
  const { report: first, timing } = await run({ sync: true })
  expect(first).toMatchObject({ host: 'web-1', revision: await fleet.head(), problems: [] })
  expect(first.apply?.changes.map(({ summary }) => summary)).toEqual([
    'wrote /etc/base.conf (new)',
    'wrote /etc/motd (new)',
  ])
  expect(await readFile(at('root/etc/base.conf'), 'utf8')).toBe('place = cellar\n')
  expect(timing).toMatchObject({ syncEverySeconds: 120, checkEverySeconds: 30 })

  const { report: second } = await run({ sync: true })
  expect(second.apply).toBeUndefined()
  expect(second.services).toEqual(first.services)
  expect(second.id).not.toBe(first.id)
})

test('a check alone looks at the host and not at the remote', async () => {
  const before = (await run({ sync: true })).report.revision
  await fleet.commit({ [motd]: 'later\n' })
  await appendFile(at('root/etc/motd'), 'typed\n')

  const { report } = await run({ sync: false })

  expect(report.revision).toBe(before)
  expect(report.services[1]).toMatchObject({ service: 'motd', findings: [{ diff: expect.stringContaining('+typed') }] })
  expect(await readFile(at('root/etc/motd'), 'utf8')).toBe('welcome\ntyped\n')
})

test('what the last sync ran into is told by every pass until the next sync', async () => {
  await run({ sync: true })
  await rename(fleet.directory, at('elsewhere'))

  const away = await run({ sync: true })
  const between = await run({ sync: false })
  await rename(at('elsewhere'), fleet.directory)
  const still = await run({ sync: false })
  const back = await run({ sync: true })

  for (const { report } of [away, between, still]) {
    expect(report.problems).toMatchObject([{ code: 'repository-unreachable', remedy: expect.any(String) }])
    expect(report.revision).toBe(await fleet.head())
    expect(report.services.map(({ service }) => service)).toEqual(['base', 'motd'])
  }
  expect(back.report.problems).toEqual([])
})

test('a head that cannot be desired leaves the last good revision in force: looked at, repaired, and reported', async () => {
  const good = (await run({ sync: true })).report.revision
  await fleet.commit({ 'plumb.yaml': 'version: 1\nhost: {}\n', [motd]: 'never\n' })
  await writeFile(at('root/etc/base.conf'), 'typed\n')

  const { report } = await run({ sync: true })
  expect(report.revision).toBe(good)
  expect(report.problems).toMatchObject([{ code: 'repository-invalid', where: { file: 'plumb.yaml', line: 2 } }])
  expect(report.apply?.changes).toMatchObject([{ summary: 'wrote /etc/base.conf (content)' }])
  expect(report.services.map(({ applied }) => applied)).toEqual([good, good])
  expect(await readFile(at('root/etc/motd'), 'utf8')).toBe('welcome\n')

  const mended = await fleet.commit({ 'plumb.yaml': plumbYaml })
  expect((await run({ sync: true })).report).toMatchObject({ revision: mended, problems: [] })
  expect(await readFile(at('root/etc/motd'), 'utf8')).toBe('never\n')
})

test('a pass that could not look says what was seen last, also in the next process', async () => {
  await mkdir(at('root/etc/plumb/secrets'), { recursive: true, mode: 0o700 })
  await writeFile(at('root/etc/plumb/secrets/word'), 'xyzzy-plugh\n', { mode: 0o600 })
  const head = await fleet.commit({ 'services/base/files/etc/base.conf': `word = \${{ secrets.word }}\n` })
  await run({ sync: true })
  await appendFile(at('root/etc/motd'), 'typed\n')
  const { report: seen } = await run({ sync: false })
  writeStatus(at('state'), seen)
  await rm(at('root/etc/plumb/secrets/word'))

  const { report: blind } = await run({ sync: true })
  pass = await passes()
  const { report: restarted } = await run({ sync: true })

  for (const report of [blind, restarted]) {
    expect(report.problems).toMatchObject([{ code: 'secret-missing', where: { line: 1, column: 8 } }])
    expect(report.services).toEqual(seen.services)
    expect(report.services[1]?.findings).toHaveLength(1)
    expect(report.revision).toBe(head)
  }
  expect(await readFile(at('root/etc/base.conf'), 'utf8')).toBe('word = xyzzy-plugh\n')
})

test('a revision is worked out again when the value of a secret is another one, and only then', async () => {
  const word = at('root/etc/plumb/secrets/word')
  await mkdir(at('root/etc/plumb/secrets'), { recursive: true, mode: 0o700 })
  await writeFile(word, 'xyzzy-plugh\n', { mode: 0o600 })
  await fleet.commit({ 'services/base/files/etc/base.conf': `word = \${{ secrets.word }}\n` })
  const first = await run({ sync: true })

  expect((await run({ sync: false })).desired).toBe(first.desired)

  await writeFile(word, 'plover-fee\n')
  const { report, desired } = await run({ sync: false })
  expect(desired).not.toBe(first.desired)
  expect(report.apply?.changes).toMatchObject([{ summary: 'wrote /etc/base.conf (content)' }])
  expect(await readFile(at('root/etc/base.conf'), 'utf8')).toBe('word = plover-fee\n')
})

test('where nothing can be applied the host is still looked at', async () => {
  await run({ sync: true })
  await rm(at('state/lock'), { recursive: true })
  await writeFile(at('state/lock'), 'in the way of the lock')
  await writeFile(at('root/etc/base.conf'), 'typed\n')

  const { report } = await run({ sync: false })

  expect(report.problems).toMatchObject([{ where: { file: at('state/lock') } }])
  expect(report.services[0]).toMatchObject({ service: 'base', findings: [{ diff: expect.stringContaining('+typed') }] })
  expect(await readFile(at('root/etc/base.conf'), 'utf8')).toBe('typed\n')
})

test('before anything could be synced the report says why, and that there is no revision', async () => {
  await rename(fleet.directory, at('elsewhere'))

  for (const sync of [true, false]) {
    const { report, timing } = await run({ sync })
    expect(report.problems).toMatchObject([{ code: 'repository-unreachable' }])
    expect(report).toMatchObject({ services: [] })
    expect(report.revision).toBeUndefined()
    expect(timing.syncEverySeconds).toBe(60)
  }
  expect(existsSync(at('root/etc'))).toBe(false)

  await rename(at('elsewhere'), fleet.directory)
  expect((await run({ sync: false })).report).toMatchObject({ revision: await fleet.head(), problems: [] })
})

test('one service that fails is put back and told with its attempt; the others are applied', async () => {
  await run({ sync: true })
  await mkdir(at('root/etc/app/conf'), { recursive: true })
  const head = await fleet.commit({ 'services/base/files/etc/app/conf': 'x\n', [motd]: 'later\n' })

  const { report } = await run({ sync: true })

  expect(report.apply).toMatchObject({ revision: head, failed: ['base'], changes: [{ service: 'motd' }] })
  expect(report.services).toMatchObject([
    { service: 'base', failure: { revision: head, attempts: 1, problem: { where: { file: '/etc/app/conf' } } } },
    { service: 'motd', applied: head, pending: [] },
  ])
  const { report: again } = await run({ sync: true })
  expect(again.apply).toBeUndefined()
  expect(again.services[0]?.failure?.attempts).toBe(1)
})

test('what is put back by policy is told as it was found, with diff and evidence, and kept', async () => {
  await run({ sync: true })
  await writeFile(at('root/etc/base.conf'), 'typed\n')

  const { report } = await run({ sync: false })

  expect(report.apply?.repaired).toMatchObject([
    {
      service: 'base',
      finding: {
        resource: 'file:/etc/base.conf',
        kinds: ['content'],
        diff: expect.stringContaining('+typed'),
        evidence: { changedAt: expect.any(String) },
      },
    },
  ])
  expect(report.services[0]?.findings).toEqual([])
  const { agent } = await opened()
  expect(agent.state.displaced.list()).toMatchObject([{ path: '/etc/base.conf' }])
})

test('what is changed again after each of three repairs is left, and told as a fight; another file is still put back', async () => {
  await fleet.commit({ 'services/base/files/etc/other.conf': 'calm\n' })
  await run({ sync: true })
  for (const word of ['one', 'two', 'three']) {
    await writeFile(at('root/etc/base.conf'), word)
    expect((await run({ sync: false })).report.apply?.repaired).toHaveLength(1)
  }
  await writeFile(at('root/etc/base.conf'), 'four')
  await writeFile(at('root/etc/other.conf'), 'typed\n')
  pass = await passes()

  const { report } = await run({ sync: false })

  expect(await readFile(at('root/etc/base.conf'), 'utf8')).toBe('four')
  expect(await readFile(at('root/etc/other.conf'), 'utf8')).toBe('calm\n')
  expect(report.services[0]?.findings).toMatchObject([
    { resource: 'file:/etc/base.conf', fight: { repairs: 3, since: expect.any(String) } },
  ])

  await fleet.commit({ 'services/base/files/etc/base.conf': 'settled\n' })
  const { report: settled } = await run({ sync: true })
  expect(settled.services[0]?.findings).toEqual([])
  await writeFile(at('root/etc/base.conf'), 'five')
  expect((await run({ sync: false })).report.apply?.repaired).toHaveLength(1)
})

test('ignored drift is left and told with its reason; a policy that changes is no change of the host', async () => {
  await run({ sync: true })
  await writeFile(at('root/etc/base.conf'), 'typed\n')
  await fleet.commit({
    'services/base/service.yaml':
      'onDrift: repair\nfiles:\n  /etc/base.conf: { template: true, onDrift: { ignore: dhclient writes it } }\n',
  })

  const { report } = await run({ sync: true })

  expect(report.apply).toBeUndefined()
  expect(report.services[0]).toMatchObject({
    findings: [],
    pending: [],
    ignored: [{ resource: 'file:/etc/base.conf', why: 'dhclient writes it' }],
  })
  expect(await readFile(at('root/etc/base.conf'), 'utf8')).toBe('typed\n')
})

test('a held service is not repaired until the hold ends; the next pass then repairs it and tells of the end', async () => {
  await run({ sync: true })
  let now = new Date('2026-11-23T12:00:00.000Z')
  const holds = holdStore(at('state'), () => now)
  const { agent } = await opened()
  pass = passesOf({ ...agent, state: { ...agent.state, holds } })
  await holds.add({ service: serviceNameSchema.parse('base'), by: 'anna@web-1', why: 'a fix', seconds: 7200 })
  await writeFile(at('root/etc/base.conf'), 'typed\n')

  const { report: during } = await run({ sync: true })
  expect(during.services[0]).toMatchObject({
    findings: [{ diff: expect.stringContaining('+typed') }],
    hold: { by: 'anna@web-1', why: 'a fix', origin: 'host', until: '2026-11-23T14:00:00.000Z' },
  })
  expect(during).not.toHaveProperty('endedHolds')
  expect(await readFile(at('root/etc/base.conf'), 'utf8')).toBe('typed\n')

  now = new Date('2026-11-23T14:00:00.000Z')
  const { report: after } = await run({ sync: false })
  expect(after.services[0]).not.toHaveProperty('hold')
  expect(after.endedHolds).toMatchObject([{ service: 'base', by: 'anna@web-1', since: '2026-11-23T12:00:00.000Z' }])
  expect(await readFile(at('root/etc/base.conf'), 'utf8')).toBe('place = cellar\n')
})

function at(path: string): string {
  return join(directory, path)
}

async function passes() {
  return passesOf((await opened()).agent)
}

function opened() {
  return openAgent({ root: at('root'), state: at('state'), repo: fleet.directory, host: 'web-1' })
}

/** Every report is one that the server takes. */
async function run({ sync }: { readonly sync: boolean }): Promise<PassOutcome & { readonly report: Report }> {
  const outcome = await pass({ sync, full: false, onChange: () => {} })
  reportSchema.parse(JSON.parse(JSON.stringify(outcome.report)))
  return outcome
}
