// One pass of the agent, in this process: a real repository, a real root and state directory.
import { existsSync, writeFileSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openAgent } from '../../agent/commands/open.ts'
import type { Agent } from '../../agent/inspect.ts'
import { createReconciler, type PassOptions, type ReconcileOutcome, type Reconciler } from '../../agent/reconcile.ts'
import { holdStore } from '../../agent/state/holds.ts'
import { writeStatus } from '../../agent/state/status.ts'
import { type SyncLimits, Syncs } from '../../agent/syncs.ts'
import { serviceNameSchema } from '../../shared/names.ts'
import { type Report, reportSchema, stateOf } from '../../shared/report.ts'
import { absoluteTime } from '../../shared/time-text.js'
import { makeRepository, type ServedRepository, serveRepository, type TestRepository } from '../support/git.ts'

const plumbYaml = `version: 1
hosts:
  web-1: { services: [base, motd], vars: { place: cellar } }
defaults: { syncEvery: 2m, checkEvery: 30s }
`
const motd = 'services/motd/files/etc/motd'
const patience = { timeout: 120_000 }

let directory: string
let fleet: TestRepository
let reconciler: Reconciler

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
  reconciler = await opened()
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

test('a secret that goes makes its service unknown, whose drift stays reported; the others are applied and checked', async () => {
  // Open to other users, as diffs of what lies in it are hidden otherwise.
  await mkdir(at('root/etc'))
  await mkdir(at('root/etc/plumb/secrets'), { recursive: true, mode: 0o700 })
  await writeFile(at('root/etc/plumb/secrets/word'), 'xyzzy-plugh\n', { mode: 0o600 })
  await fleet.commit({
    'services/base/service.yaml': 'files:\n  /etc/base.conf: { template: true }\n',
    'services/base/files/etc/base.conf': `word = \${{ secrets.word }}\n`,
  })
  await run({ sync: true })
  await appendFile(at('root/etc/base.conf'), 'typed\n')
  const { report: seen } = await run({ sync: false })
  writeStatus(at('state'), seen)
  await rm(at('root/etc/plumb/secrets/word'))
  const head = await fleet.commit({ [motd]: 'later\n' })

  const { report: first } = await run({ sync: true })
  await appendFile(at('root/etc/motd'), 'typed\n')
  writeStatus(at('state'), first)
  reconciler = await opened()
  const { report: second } = await run({ sync: false })

  for (const report of [first, second]) {
    expect(report.revision).toBe(head)
    expect(report.problems).toMatchObject([{ code: 'secret-missing', where: { line: 1, column: 8 } }])
    expect(report.services[0]).toMatchObject({
      service: 'base',
      applied: seen.revision,
      unknown: { problems: [{ code: 'secret-missing' }] },
      findings: [{ ...seen.services[0]?.findings[0], seenAt: expect.stringMatching(/^20/) }],
    })
    expect(report.services[0] && stateOf(report.services[0])).toBe('unknown')
  }
  expect(first.services[1]).toMatchObject({ service: 'motd', applied: head, findings: [], pending: [] })
  expect(second.services[1]?.findings).toMatchObject([{ diff: expect.stringContaining('+typed') }])
  expect(second.services[0]?.findings).toEqual(first.services[0]?.findings)

  await writeFile(at('root/etc/plumb/secrets/word'), 'xyzzy-plugh\n', { mode: 0o600 })
  const { report: known } = await run({ sync: false })
  expect(known.services[0]).toMatchObject({ applied: head, findings: [{ resource: 'file:/etc/base.conf' }] })
  expect(known.services[0]).not.toHaveProperty('unknown')
  expect(known.services[0]?.findings[0]).not.toHaveProperty('seenAt')
})

test('a pass that can check nothing reports what was found before as unknown, with its time, also in the next process', async () => {
  await run({ sync: true })
  await appendFile(at('root/etc/motd'), 'typed\n')
  const { report: seen } = await run({ sync: false })
  writeStatus(at('state'), seen)
  await rename(fleet.directory, at('elsewhere'))
  await rm(at('state/repository'), { recursive: true })
  reconciler = await opened()

  const { report: blind } = await run({ sync: true })
  writeStatus(at('state'), blind)
  reconciler = await opened()
  const { report: later } = await run({ sync: true })

  for (const report of [blind, later]) {
    expect(report.services).toMatchObject(seen.services)
    expect(report.services.map(stateOf)).toEqual(['unknown', 'unknown'])
    for (const { unknown } of report.services)
      expect(unknown).toEqual({
        seenAt: seen.at,
        problems: [expect.objectContaining({ code: 'repository-unreachable' })],
      })
  }
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

describe('a remote that answers slowly', () => {
  const limits = { fetchSeconds: 60, cloneSeconds: 60, slowSeconds: 1 }
  let held: PromiseWithResolvers<void>
  let asked: PromiseWithResolvers<void>
  let served: ServedRepository

  beforeEach(async () => {
    held = Promise.withResolvers()
    asked = Promise.withResolvers()
    await run({ sync: true })
    const hold = () => {
      asked.resolve()
      return held.promise
    }
    served = await serveRepository(fleet, { hold })
  })
  afterEach(async () => {
    held.resolve()
    await served.close()
  })

  test('is told with how long the sync has taken, once as a problem, and the host is looked at and repaired meanwhile', async () => {
    reconciler = await following(served.url, limits)
    const head = await fleet.commit({ [motd]: 'later\n' })
    const syncing = reconciler.sync(new AbortController().signal)
    await asked.promise
    await writeFile(at('root/etc/base.conf'), 'typed\n')

    const early = await run({ sync: false })
    expect(early.report.apply?.changes).toMatchObject([{ summary: 'wrote /etc/base.conf (content)' }])
    const { report } = await vi.waitFor(async () => {
      const outcome = await run({ sync: false })
      expect(outcome.report.problems).toMatchObject([{ code: 'sync-slow', message: expect.any(String) }])
      return outcome
    }, patience)
    expect(report.sync?.seconds).toBeGreaterThanOrEqual(1)
    expect(report.problems[0]?.message).toContain(absoluteTime(report.sync?.since ?? ''))
    const later = await run({ sync: false })
    expect(later.report.problems).toEqual(report.problems)

    held.resolve()
    await syncing
    const after = await run({ sync: false })
    expect(after.report).toMatchObject({ revision: head, problems: [] })
    expect(after.report.sync).toBeUndefined()
    expect(await readFile(at('root/etc/motd'), 'utf8')).toBe('later\n')
  })

  test('is unreachable when the time of the sync is over', async () => {
    reconciler = await following(served.url, { ...limits, fetchSeconds: 0.5 })

    const { report } = await run({ sync: true })

    expect(report.problems).toMatchObject([{ code: 'repository-unreachable' }])
    expect(report.revision).toBe(await fleet.head())
  })

  test('is let go of by a stop, which is no problem', async () => {
    reconciler = await following(served.url, limits)
    const stop = new AbortController()
    const syncing = reconciler.sync(stop.signal)
    await asked.promise

    stop.abort()
    await syncing

    expect((await run({ sync: false })).report.problems).toEqual([])
  })

  async function following(url: string, syncLimits: SyncLimits): Promise<Reconciler> {
    const { agent } = await openAgent({ root: at('root'), state: at('state'), repo: url, host: 'web-1' })
    return createReconciler(agent, new Syncs(agent, syncLimits))
  }
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
  expect((await run({ sync: true })).report).toMatchObject({ revision: await fleet.head(), problems: [] })
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
  const agent = await openedAgent()
  expect(agent.state.archive.list()).toMatchObject([{ path: '/etc/base.conf' }])
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
  reconciler = await opened()

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

describe('what is changed while an apply runs, before the host is looked at again', () => {
  const base = () => at('root/etc/base.conf')

  test('is put back in the same pass, and the report tells of no drift', async () => {
    await run({ sync: true })
    await writeFile(base(), 'one')
    const rewrites = ['two']

    const { report } = await run({ sync: false, onChange: () => rewriteWith(base(), rewrites) })

    expect(await readFile(base(), 'utf8')).toBe('place = cellar\n')
    expect(report.services[0]?.findings).toEqual([])
    expect(report.apply?.repaired?.map(({ finding }) => finding.diff)).toEqual([
      expect.stringContaining('+one'),
      expect.stringContaining('+two'),
    ])
  })

  test('is a fight when it goes on, and the first report says so', async () => {
    await run({ sync: true })
    await writeFile(base(), 'theirs')

    const { report } = await run({ sync: false, onChange: () => writeFileSync(base(), 'theirs') })

    expect(report.services[0]?.findings).toMatchObject([{ resource: 'file:/etc/base.conf', fight: { repairs: 3 } }])
    expect(report.apply?.repaired).toHaveLength(3)
    expect(await readFile(base(), 'utf8')).toBe('theirs')
  })

  test('is put back too when it was no drift before', async () => {
    await fleet.commit({ 'services/base/files/etc/other.conf': 'calm\n' })
    await run({ sync: true })
    await writeFile(base(), 'one')
    const rewrites = ['typed\n']

    const { report } = await run({ sync: false, onChange: () => rewriteWith(at('root/etc/other.conf'), rewrites) })

    expect(await readFile(at('root/etc/other.conf'), 'utf8')).toBe('calm\n')
    expect(report.services[0]?.findings).toEqual([])
    expect(report.apply?.repaired?.map(({ finding }) => finding.resource)).toEqual([
      'file:/etc/base.conf',
      'file:/etc/other.conf',
    ])
  })

  test('is told where a person decides about it', async () => {
    await run({ sync: true })
    await writeFile(base(), 'one')

    const { report } = await run({ sync: false, onChange: () => writeFileSync(at('root/etc/motd'), 'typed\n') })

    expect(report.apply?.repaired).toHaveLength(1)
    expect(report.services.map(({ findings }) => findings.length)).toEqual([0, 1])
    expect(await readFile(at('root/etc/motd'), 'utf8')).toBe('typed\n')
  })
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
  const agent = await openedAgent()
  reconciler = createReconciler({ ...agent, state: { ...agent.state, holds } })
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

function rewriteWith(path: string, texts: string[]): void {
  const text = texts.shift()
  if (text !== undefined) writeFileSync(path, text)
}

function at(path: string): string {
  return join(directory, path)
}

async function opened(): Promise<Reconciler> {
  return createReconciler(await openedAgent())
}

async function openedAgent(): Promise<Agent> {
  return (await openAgent({ root: at('root'), state: at('state'), repo: fleet.directory, host: 'web-1' })).agent
}

/** Every report is one that the server takes. */
async function run({
  sync,
  onChange = () => undefined,
}: {
  readonly sync: boolean
  readonly onChange?: PassOptions['onChange']
}): Promise<ReconcileOutcome & { readonly report: Report }> {
  if (sync) await reconciler.sync(new AbortController().signal)
  const outcome = await reconciler.pass({ full: false, onChange })
  reportSchema.parse(JSON.parse(JSON.stringify(outcome.report)))
  return outcome
}
