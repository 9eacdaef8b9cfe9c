// Every kind of bad input, each met by a running agent, by `plumb check`, and seen by the server that the agent reports to: one
// clear error, nothing half-applied, the last good revision in force and still checked, and the report still sent.
import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import type { Revision } from '../../shared/names.ts'
import { problemLine, problemSchema } from '../../shared/problem.ts'
import { serviceReportSchema } from '../../shared/report.ts'
import {
  makeRepository,
  type ServedRepository,
  serveRepository,
  type TestFiles,
  type TestRepository,
} from '../support/git.ts'
import { makeSandbox, type Ran, type RunningAgent, runPlumb, type Sandbox } from '../support/plumb.ts'
import { type ServerForAgents, startServerFor } from '../support/server.ts'
import { treeOf } from './apply/world.ts'

const files = {
  'plumb.yaml': `version: 1
hosts:
  web-1: { services: [base, app] }
  web-2: { services: [base, app] }
vars: { place: cellar }
defaults: { syncEvery: 1h, checkEvery: 1h }
`,
  'services/base/README.md': '# base\n',
  'services/base/files/etc/motd': 'welcome\n',
  'services/app/README.md': '# app\n',
  'services/app/service.yaml': 'after: [base]\nfiles:\n  /etc/app.conf: { template: true }\n',
  'services/app/files/etc/app.conf': `place = \${{ vars.place }}\n`,
} satisfies TestFiles

const template = 'services/app/files/etc/app.conf'
const noSpace =
  'no space is left on its file system. Free some (`df -h`, `df -i` show how much there is), then apply again.'
const login = { username: 'ci', password: 'right' }

let fleet: TestRepository
let good: Revision
let remote: ServedRepository
let server: ServerForAgents

beforeAll(async () => {
  fleet = await makeRepository(files)
  good = await fleet.head()
  remote = await serveRepository(fleet, login)
  server = await startServerFor(fleet.directory)
})

afterAll(async () => {
  await server.remove()
  await remote.close()
  await fleet.remove()
})

describe('a host that was in sync', () => {
  let box: Sandbox
  let agent: RunningAgent

  beforeAll(async () => {
    box = await installedHost('web-1')
    agent = box.agent()
    await agent.said('"looked"')
  })

  afterAll(async () => {
    await box.remove()
  })

  afterEach(async () => {
    await box.write('/etc/motd', 'welcome\n')
    await asBefore()
    await server.sync()
    await reportedWhen('web-1', ({ revision, problems }) => revision === good && problems.length === 0)
  })

  test.each<[string, TestFiles, string]>([
    [
      'a malformed plumb.yaml',
      { 'plumb.yaml': 'version: 1\nhosts: [web-1\n' },
      'plumb.yaml:3:1: is not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]. Look for wrong indentation, or a bracket or quote that is not closed, there or before it.',
    ],
    [
      'a service without README',
      { 'services/base/README.md': null },
      'services/base/README.md: the service "base" has no README.md. Write in it what the service does and how it is deployed.',
    ],
    [
      'a cycle in after',
      { 'services/base/service.yaml': 'after: [app]\n' },
      'services/app/service.yaml:1:9: services wait for each other: app after base after app. Take one of these out of its `after`.',
    ],
    [
      'two services that claim one path',
      { 'services/app/files/etc/motd': 'mine\n' },
      'services/base/files/etc/motd: /etc/motd is claimed by the services "app" and "base", both on host web-1; the other place is services/app/files/etc/motd. Keep one of them.',
    ],
    [
      'a missing source',
      { 'services/base/service.yaml': 'files:\n  /etc/issue: { mode: "0600" }\n' },
      'services/base/service.yaml:2:15: missing source: the repository has no file for "/etc/issue". Expected it at services/base/files/etc/issue.',
    ],
    [
      'a template naming an unknown variable',
      { [template]: `place = \${{ vars.plcae }}\n` },
      `${template}:1:9: unknown variable "plcae". Did you mean "place"?`,
    ],
  ])('%s', async (_, broken, expected) => {
    const text = expected.replace('ROOT', box.root)
    await drift(box)
    const before = treeOf(box.root)
    agent.mark()

    await fleet.commit({ ...broken, 'services/base/files/etc/new': 'comes with it\n' })
    await server.sync()
    const report = await reportedWhen('web-1', ({ problems }) => problems.length > 0)

    expect(report.problems.map(problemLine)).toEqual([text])
    expect(await agent.said('"looked"')).toContain(JSON.stringify(text))
    expectLastGood(report)
    await expectStillChecked(box, text)
    expect(treeOf(box.root)).toEqual(before)
  })

  test('a secret that no one set makes its service unknown; the others are applied and checked', async () => {
    const text = `${template}:1:7: the secret "app_key" is not set on this host. Write its value to ${box.root}/etc/plumb/secrets/app_key on the host (owner root, mode 0600, in a directory of mode 0700).`
    await drift(box)

    const head = await fleet.commit({
      [template]: `key = \${{ secrets.app_key }}\n`,
      'services/base/files/etc/new': 'comes with it\n',
    })
    await server.sync()
    const { revision, problems, services } = await reportedWhen('web-1', (report) => report.problems.length > 0)

    expect(revision).toBe(head)
    expect(problems.map(problemLine)).toEqual([text])
    expect(services).toMatchObject([
      { service: 'app', applied: good, unknown: { problems: [{ code: 'secret-missing' }] } },
      { service: 'base', applied: head, findings: [{ diff: expect.stringContaining('-welcome\n+WELCOME\n') }] },
    ])
    expect(await box.read('/etc/new')).toBe('comes with it\n')
    expect(await box.read('/etc/app.conf')).toBe('place = cellar\n')
    expect(await box.plumb('check')).toMatchObject({ code: 2, out: expect.stringContaining(`app: unknown: ${text}\n`) })
    await box.write('/etc/motd', 'welcome\n')
    expect(await box.plumb('check')).toMatchObject({
      code: 1,
      out: expect.stringContaining('out of sync: 1 service unknown'),
    })
    expect((await box.plumb('status')).code).toBe(1)
  })

  test('an unreachable remote', async () => {
    const { port, url } = remote
    const text = `${url}: nothing listens there (connection refused). Check that the server runs, and the port.`
    await remote.close()
    try {
      await expectUnmoved(text)
    } finally {
      remote = await serveRepository(fleet, { ...login, port })
    }
  })

  test('a wrong token for the repository', async () => {
    const { port, url } = remote
    const text = `${url}: it asks for credentials, or does not accept the ones it got (401). Check the user and the token in the address.`
    await remote.close()
    remote = await serveRepository(fleet, { ...login, password: 'exchanged', port })
    try {
      await expectUnmoved(text)
    } finally {
      await remote.close()
      remote = await serveRepository(fleet, { ...login, port })
    }
  })

  async function expectUnmoved(text: string): Promise<void> {
    await drift(box)
    const before = treeOf(box.root)

    await fleet.commit({ 'services/base/files/etc/motd': 'never\n' })
    await server.sync()
    const report = await reportedWhen('web-1', ({ problems }) => problems.length > 0)

    expect(report.problems.map(problemLine)).toEqual([text])
    expectLastGood(report)
    await expectStillChecked(box, text)
    expect(treeOf(box.root)).toEqual(before)
  }
})

test('a wrong enrollment token makes no host: nothing is pinned, nothing applied', async () => {
  const box = await makeSandbox({})
  onTestFinished(() => box.remove())

  const { code, out, err } = await install(box, 'web-9', 'plumb_made-up-by-somebody')

  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toBe(
    `plumb: ${new URL(server.url).origin} did not enroll web-9: The enrollment token was refused. Make a new install line. The server's log says why this one was refused.\n`,
  )
  expect(treeOf(box.root)).toEqual([])
})

describe.runIf(process.getuid?.() === 0)('a full disk', () => {
  let directory: string
  let box: Sandbox
  let agent: RunningAgent

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'plumb-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory])
    box = await installedHost('web-2', directory)
    agent = box.agent()
    await agent.said('"looked"')
  })

  afterAll(async () => {
    await box?.remove()
    execFileSync('umount', ['-l', directory])
    await rm(directory, { recursive: true })
  })

  test('of root and state: nothing is applied, the host is still looked at and reported, and room ends it', async () => {
    await drift(box)
    await reportedWhen('web-2', ({ services }) => services.some(({ findings }) => findings.length > 0))
    const before = treeOf(box.root)
    fill(directory)
    // An agent that is busy frees what it wrote beside a file once it has renamed it.
    const keepingFull = setInterval(() => fill(directory), 20)
    onTestFinished(() => clearInterval(keepingFull))

    const head = await fleet.commit({ 'services/base/files/etc/motd': 'later\n' })
    await server.sync()
    const report = await reportedWhen('web-2', ({ problems }) => problems.map(problemLine).some(isNoSpaceIn(box.state)))
    expect(report.problems).toHaveLength(1)
    expectLastGood(report)
    await expectStillChecked(box, expect.toSatisfy(isNoSpaceIn(box.state)))
    expect(await box.plumb('apply')).toMatchObject({
      code: 1,
      err: expect.toSatisfy((text: string) => isNoSpaceIn(box.state)(text.replace(/^plumb: (.*)\n$/, '$1'))),
    })
    await agent.kill()
    agent = box.agent()
    expect(await agent.said('"looked"')).toContain('"states":{"base":"drift","app":"in-sync"}')
    expect(treeOf(box.root)).toEqual(before)

    clearInterval(keepingFull)
    await rm(join(directory, 'filler'))
    await agent.said('"connected"')
    await server.sync()
    await reportedWhen('web-2', ({ revision, problems }) => revision === head && problems.length === 0)
    expect(await box.read('/etc/motd')).toBe('later\n')
    await asBefore()
  })

  test('of the root alone: the service that does not fit is put back, the other is applied, and the verb says so', async () => {
    const small = join(directory, 'small')
    await mkdir(join(small, 'root'), { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', join(small, 'root')])
    onTestFinished(() => void execFileSync('umount', [join(small, 'root')]))
    const tight = await makeSandbox({ repo: fleet.directory, directory: small })
    expect(await tight.plumb('apply')).toMatchObject({ code: 0 })
    const before = treeOf(join(tight.root, 'etc')).filter((line) => line.startsWith('app.conf'))

    const large = Buffer.alloc(512 * 1024, 'large')
    const motd = { 'services/base/files/etc/motd': 'later\n' }
    await fleet.commit({ ...motd, [template]: 'later\n', 'services/app/files/etc/large': large })
    const { code, out } = await tight.plumb('apply')

    expect(code).toBe(1)
    expect(out.split('\n')).toEqual([
      'base: wrote /etc/motd (content)',
      `app: not applied, put back as it was: write /etc/large: /etc/large: ${noSpace}`,
      expect.stringContaining('out of sync at '),
      '',
    ])
    expect(treeOf(join(tight.root, 'etc')).filter((line) => !line.startsWith('motd'))).toEqual(before)
    await asBefore()
  })
})

/** A test has committed once, or failed before it did. */
async function asBefore(): Promise<void> {
  if ((await fleet.head()) !== good) await fleet.git('revert', '--no-edit', 'HEAD')
  good = await fleet.head()
}

/** Which file is the first that does not fit depends on the pages that the agent itself frees. */
function isNoSpaceIn(state: string): (line: string) => boolean {
  return (line) => line.startsWith(`${state}/`) && line.endsWith(`: ${noSpace}`)
}

/** To the last byte. */
function fill(place: string): void {
  const path = join(place, 'filler')
  for (let bytes = 1024 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(bytes, 'x'))
    } catch {
      // Full for this size.
    }
  }
}

function install(box: Sandbox, host: string, token: string): Promise<Ran> {
  const url = remote.url.replace('http://', `http://${login.username}:${login.password}@`)
  return runPlumb(
    ['install', '--server', server.url, '--repo', url, '--host', host, '--root', box.root, '--state', box.state],
    { env: { PLUMB_TOKEN: token } },
  )
}

async function installedHost(host: string, directory?: string): Promise<Sandbox> {
  const box = await makeSandbox(directory === undefined ? {} : { directory })
  expect(await install(box, host, await server.token(host))).toMatchObject({ code: 0 })
  return box
}

async function drift(box: Sandbox): Promise<void> {
  await box.write('/etc/motd', 'WELCOME\n')
}

const hostSchema = z.object({
  revision: z.string(),
  problems: z.array(problemSchema),
  services: z.array(serviceReportSchema),
})
type Reported = z.infer<typeof hostSchema>

/** The first state that the server knows of which it is so; looked at again with every report. */
async function reportedWhen(host: string, isSo: (state: Reported) => boolean): Promise<Reported> {
  for (;;) {
    server.mark()
    const state = hostSchema.parse(await server.get(`/api/v1/hosts/${host}`))
    if (isSo(state)) return state
    await server.logged('report recorded')
  }
}

function expectLastGood(report: Reported): void {
  expect(report.revision).toBe(good)
  expect(report.services).toMatchObject([
    { service: 'app', pending: [], findings: [] },
    { service: 'base', pending: [], findings: [{ diff: expect.stringContaining('-welcome\n+WELCOME\n') }] },
  ])
}

async function expectStillChecked(box: Sandbox, problem: unknown): Promise<void> {
  const { code, out } = await box.plumb('check')
  expect(code).toBe(2)
  expect(out.split('\n')).toEqual([
    'base: drift: /etc/motd: content differs',
    expect.stringMatching(/^ {2}changed 20/),
    '--- last applied: services/base/files/etc/motd',
    '+++ live: /etc/motd',
    '@@ -1,1 +1,1 @@',
    '-welcome',
    '+WELCOME',
    problem,
    `out of sync: 1 drifted, 1 problem (2 resources at ${good.slice(0, 12)})`,
    expect.stringMatching(/^to keep it: plumb adopt \/etc\/motd /),
    expect.stringMatching(/^to repair it: plumb apply /),
    '',
  ])
}
