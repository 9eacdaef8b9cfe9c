// The verbs as processes, on a real repository made from examples/fleet.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { acquireLock } from '../../../agent/state/lock.ts'
import { problemSchema } from '../../../shared/problem.ts'
import { changeSchema, serviceReportSchema } from '../../../shared/report.ts'
import { edited, exampleFleet, now } from '../../lab/example-fleet.ts'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { command, makeSandbox, runPlumb, type Sandbox } from '../../support/plumb.ts'
import { treeOf } from '../apply/world.ts'

const nginxConf = 'services/nginx/files/etc/nginx/nginx.conf'

let fleet: TestRepository
let box: Sandbox

beforeEach(async () => {
  fleet = await exampleFleet()
  box = await makeSandbox({ repo: fleet.directory })
})

afterEach(async () => {
  await box.remove()
  await fleet.remove()
})

test('an empty root is all pending; apply makes it as the repository says, and the second time changes nothing', async () => {
  const at = (await fleet.head()).slice(0, 12)

  const before = await box.plumb('check')
  expect(before.code).toBe(2)
  expect(before.out).toContain('base: pending: /etc/motd: missing\n')
  expect(before.out).not.toContain('drift')
  expect(before.out).toMatch(new RegExp(`\nout of sync: 7 pending \\(7 resources at ${at}\\)\n$`))
  expect(treeOf(box.root)).toEqual([])

  const first = await box.plumb('apply')
  expect(first).toMatchObject({ code: 0, err: '' })
  expect(first.out.split('\n')).toEqual([
    'base: wrote /etc/motd (new)',
    'hello: wrote /etc/sysusers.d/hello.conf (new)',
    'hello: wrote /etc/hello/greeting (new)',
    'hello: wrote /etc/tmpfiles.d/hello.conf (new)',
    'hello: wrote /usr/local/lib/hello/hello.py (new)',
    'hello: wrote /etc/systemd/system/hello.service (new)',
    'nginx: wrote /etc/nginx/nginx.conf (new)',
    `in sync at ${at}: 3 services changed`,
    '',
  ])
  expect(await box.read('/etc/motd')).toContain('This is web-1.')

  const applied = treeOf(box.root)
  const second = await box.plumb('apply')
  expect(second).toEqual({ code: 0, out: `nothing to change: in sync at ${at}\n`, err: '' })
  expect(treeOf(box.root)).toEqual(applied)

  const after = await box.plumb('check')
  expect(after).toEqual({ code: 0, out: `in sync: 3 services, 7 resources at ${at}\n`, err: '' })
})

test('drift is told by check, plan and status with its diff, and put right by apply', async () => {
  await box.plumb('apply')
  const motd = await box.read('/etc/motd')
  await box.write('/etc/motd', `${motd}typed by hand\n`)
  chmodSync(join(box.root, 'etc/hello/greeting'), 0o600)
  const drifted = treeOf(box.root)
  const diff = [' change it there. Questions: ops@example.org', '+typed by hand']

  const changed = expect.stringMatching(/^ {2}changed 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)

  const check = await box.plumb('check')
  expect(check.code).toBe(2)
  expect(check.out.split('\n')).toEqual([
    'base: drift: /etc/motd: content differs',
    changed,
    '--- last applied: services/base/files/etc/motd',
    '+++ live: /etc/motd',
    '@@ -1,2 +1,3 @@',
    ' This is web-1. Its configuration is a git repository, kept in sync by Plumbline:',
    ...diff,
    'hello: drift: /etc/hello/greeting: mode is 0600, should be 0644',
    changed,
    expect.stringMatching(/^out of sync: 2 drifted \(7 resources at /),
    expect.stringMatching(/^base: to keep it: plumb adopt \/etc\/motd --repo /),
    expect.stringMatching(/^hello: to keep it: plumb adopt \/etc\/hello\/greeting --repo /),
    expect.stringMatching(/^to repair it: plumb apply --repo /),
    '',
  ])

  const status = await box.plumb('status')
  expect(status.code).toBe(2)
  expect(status.out.split('\n').slice(1)).toEqual([
    '  base   drift: /etc/motd: content differs',
    '  hello  drift: /etc/hello/greeting: mode is 0600, should be 0644',
    '  nginx  in sync',
    '',
  ])

  expect(status.out).toMatch(/, checked (?:just now|\d+ (?:second|minute)s? ago) \(20\d\d-/)

  const plan = await box.plumb('plan')
  expect(plan.code).toBe(2)
  expect(plan.out).toContain('base: write /etc/motd (content)\n--- live: /etc/motd\n+++ repository: services/base')
  expect(plan.out).toContain('-typed by hand\nhello: write /etc/hello/greeting (mode)\n2 steps to ')
  expect(treeOf(box.root)).toEqual(drifted)

  const apply = await box.plumb('apply')
  expect(apply.code).toBe(0)
  expect(apply.out).toContain('base: wrote /etc/motd (content)\nhello: wrote /etc/hello/greeting (mode)\nin sync at ')
  expect(await box.read('/etc/motd')).toBe(motd)
  expect((await box.plumb('status')).code).toBe(0)
})

const answerSchema = z.object({
  host: z.literal('web-1'),
  revision: z.string(),
  services: z.array(serviceReportSchema),
  problems: z.array(problemSchema),
})

test('a commit not applied yet is pending and an edit on the host is drift, also both in one service', async () => {
  await box.plumb('apply')
  await box.write(
    '/etc/nginx/nginx.conf',
    (await box.read('/etc/nginx/nginx.conf')).replace('timeout 65', 'timeout 99'),
  )
  const live = await box.read('/etc/nginx/nginx.conf')
  const applied = await fleet.head()
  const head = await fleet.commit({ [nginxConf]: live.replace('timeout 99', 'timeout 30') })

  const text = await box.plumb('check')
  expect(text.code).toBe(2)
  expect(text.out).toMatch(
    /^nginx: drift: \/etc\/nginx\/nginx.conf: content differs\n {2}changed 20.*\n--- last applied: services\/nginx/,
  )
  expect(text.out).toContain('-    keepalive_timeout 65;\n+    keepalive_timeout 99;\n')
  expect(text.out).toContain('\nnginx: pending: /etc/nginx/nginx.conf: content differs\n')
  expect(text.out).toContain('out of sync: 1 drifted, 1 pending (7 resources at ')

  const json = await box.plumb('check', '--json')
  expect(json.code).toBe(2)
  const answer = answerSchema.parse(JSON.parse(json.out))
  expect(answer.revision).toBe(head)
  const [base, , nginx] = answer.services
  expect(base).toMatchObject({ service: 'base', applied, findings: [], pending: [] })
  expect(nginx).toMatchObject({
    applied,
    findings: [{ source: nginxConf, diff: expect.stringContaining('+    keepalive_timeout 99;') }],
    pending: [{ resource: 'file:/etc/nginx/nginx.conf', source: nginxConf }],
  })

  const apply = await box.plumb('apply', '--json')
  expect(apply.code).toBe(0)
  const result = answerSchema.extend({ changes: z.array(changeSchema) }).parse(JSON.parse(apply.out))
  expect(result.changes.map(({ summary }) => summary)).toEqual(['wrote /etc/nginx/nginx.conf (content)'])
  expect(result.services.map((service) => service.applied)).toEqual([head, head, head])
  expect(apply.err).toBe('nginx: wrote /etc/nginx/nginx.conf (content)\n')
  expect(await box.read('/etc/nginx/nginx.conf')).toContain('timeout 30')
})

test('an earlier revision is applied when it is named; one that is nowhere is an error that changes nothing', async () => {
  const first = await fleet.head()
  const second = await fleet.commit({ 'services/base/files/etc/motd': 'second\n' })
  await box.plumb('apply')
  const applied = treeOf(box.root)

  const unknown = await box.plumb('apply', '--revision', 'f00dfeed')
  expect(unknown).toMatchObject({ code: 1, out: '' })
  expect(unknown.err).toMatch(/^plumb: \S+: "f00dfeed" is no branch, no tag, and no commit .*\.\n$/)
  expect(treeOf(box.root)).toEqual(applied)

  const asked = await box.plumb('check', '--revision', first.slice(0, 8))
  expect(asked).toMatchObject({ code: 2, out: expect.stringContaining('base: pending: /etc/motd: content differs') })
  expect((await box.plumb('status')).code).toBe(0)

  const back = await box.plumb('apply', '--revision', first.slice(0, 8))
  expect(back).toMatchObject({ code: 0, out: expect.stringContaining(`in sync at ${first.slice(0, 12)}`) })
  expect(await box.read('/etc/motd')).toContain('This is web-1.')
  expect(await box.plumb('check')).toMatchObject({ code: 2, out: expect.stringContaining(second.slice(0, 12)) })
})

test('what cannot be applied is put back and told; the services that do not need it are applied; the exit code says so', async () => {
  mkdirSync(join(box.root, 'etc/nginx/nginx.conf'), { recursive: true })

  const { code, out } = await box.plumb('apply')

  expect(code).toBe(1)
  expect(out).toContain('hello: wrote /etc/hello/greeting (new)\n')
  expect(out).toMatch(
    /\nnginx: not applied, put back as it was: .*\/etc\/nginx\/nginx.conf: a directory is in the way\..*\n/,
  )
  expect(out).toMatch(/\nout of sync at [0-9a-f]{12}\n$/)
  expect(treeOf(join(box.root, 'etc/nginx'))).toHaveLength(1)
  expect(await box.plumb('status')).toMatchObject({
    code: 2,
    out: expect.stringContaining('  nginx  failed, never applied before: '),
  })
})

test('a commit that takes most of the services away waits until a person says so', async () => {
  await box.plumb('apply')
  const applied = treeOf(box.root)
  const yaml = await readFile(join(fleet.directory, 'plumb.yaml'), 'utf8')
  await fleet.commit({ 'plumb.yaml': edited(yaml, '[base, hello, nginx]', '[base]') }, { at: now() })
  const reason = /removes 2 of the 3 services of this host \(hello, nginx\)/
  const plan = await box.plumb('plan')
  expect(plan.code).toBe(2)
  expect(plan.out).toContain('hello: remove /etc/hello/greeting\n')
  expect(plan.out).toMatch(reason)
  const waits = await box.plumb('apply')
  expect(waits.code).toBe(1)
  expect(waits.out).toMatch(reason)
  expect(treeOf(box.root)).toEqual(applied)
  const allowed = await box.plumb('apply', '--allow-removal')
  expect(allowed).toMatchObject({ code: 0, err: '' })
  expect(treeOf(box.root).join('\n')).not.toMatch(/greeting|nginx\.conf/)
})

test('in the middle of an apply, under way or interrupted, check and plan say that what they find is of its middle', async () => {
  await box.plumb('apply')
  // All that tells it: the journal of an apply is there as long as it is not at its end.
  await box.write('../state/journal', `${JSON.stringify({ kind: 'guarded', had: ['remote'], withinSeconds: 60 })}\n`)

  const interrupted = await box.plumb('check')
  expect(interrupted.code).toBe(1)
  expect(interrupted.out).toContain('an apply was interrupted')
  expect(interrupted.out).not.toContain('in sync')
  expect(await box.plumb('plan')).toMatchObject({ code: 1, out: expect.stringContaining('an apply was interrupted') })

  const lock = await acquireLock(join(box.state, 'lock'), { purpose: 'plumb apply', now: new Date() })
  const underWay = await box.plumb('check')
  expect(underWay).toMatchObject({ code: 1, out: expect.stringContaining('"plumb apply" is under way') })
  const places = ['--repo', fleet.directory, '--host', 'web-1', '--root', box.root, '--state', box.state]
  const second = spawn(command, ['apply', ...places], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [waits] = await once(second.stdout, 'data')
  lock.release()

  expect(String(waits)).toMatch(/^waits: "plumb apply" is under way: process \d+, since .*\n$/)
  expect(await once(second, 'close')).toEqual([0, null])
  expect((await box.plumb('check')).code).toBe(0)
})

test('plan names the host that it judged, and says of a changed secret which file holds it, never its value', async () => {
  const own = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [a] } }\n',
    'services/a/README.md': '# a',
    'services/a/service.yaml': 'files: { /etc/a: { template: true }, /etc/b: { template: true, mode: "0644" } }\n',
    'services/a/files/etc/a': `x = \${{ secrets.a }}\n`,
    'services/a/files/etc/b': `x = \${{ secrets.a }}\ny = \${{ secrets.b }}\n`,
  })
  onTestFinished(() => own.remove())
  const other = await makeSandbox({ repo: own.directory })
  onTestFinished(() => other.remove())
  const secrets = join(other.root, 'etc/plumb/secrets')
  mkdirSync(secrets, { recursive: true, mode: 0o700 })
  const set = (values: Readonly<Record<string, string>>) => {
    for (const [name, value] of Object.entries(values)) writeFileSync(join(secrets, name), value, { mode: 0o600 })
  }
  set({ a: 'the-first-value', b: 'another-value' })
  await other.plumb('apply')
  expect((await other.plumb('plan')).out).toMatch(/^nothing to do at [0-9a-f]{12} on web-1\n$/)
  set({ a: 'the-second-value' })

  const { code, out } = await other.plumb('plan')

  expect(code).toBe(2)
  expect(out).toContain('a: write /etc/a (content)\n')
  expect(out).toContain('not shown: it holds the secret "a", and its value may be all that changed\n')
  expect(out).toContain('not shown: it holds the secrets "a", "b", and a value of theirs may be all that changed\n')
  expect(out).toMatch(/2 steps to [0-9a-f]{12} on web-1\n$/)
  expect(out).not.toMatch(/first-value|second-value|another-value/)
})

test('without a repository, or with one that has no such host, the error says what to do', async () => {
  const lost = await runPlumb(['check', '--root', box.root, '--state', box.state, '--json'])
  const message = `No repository: ${box.root}/etc/plumb/agent.yaml is not there.`
  const remedy = 'Add --repo DIR_OR_URL, or make this machine a host by plumb install.'
  expect(lost).toMatchObject({ code: 1, err: `plumb: ${message} ${remedy}\n` })
  expect(JSON.parse(lost.out)).toEqual({ problems: [{ code: 'usage', message, remedy }] })

  const nothing = await runPlumb(['status', '--state', box.state])
  expect(nothing).toMatchObject({ code: 1, out: expect.stringContaining('nothing known') })

  const stranger = await makeSandbox({ repo: fleet.directory, host: 'web-7', directory: box.directory })
  const { code, err } = await stranger.plumb('apply')
  expect(code).toBe(1)
  expect(err).toBe(
    'plumb: plumb.yaml: there is no host "web-7", and no group\'s pattern matches it. Did you mean "web-1"?\n',
  )
})

test('lint tells every problem of a work tree at once, before anything is committed', async () => {
  expect(await runPlumb(['lint', fleet.directory])).toMatchObject({
    code: 0,
    out: '4 services on 2 hosts: no problems\n',
  })
  await fleet.commit({ 'services/base/README.md': null, 'services/nginx/service.yaml': 'aftre: [hello]\n' })

  const { code, out } = await runPlumb(['lint'], { cwd: fleet.directory })

  expect(code).toBe(1)
  expect(out.split('\n')).toEqual([
    expect.stringMatching(/^services\/base\/README.md: /),
    expect.stringMatching(/^services\/nginx\/service.yaml:1:1: unknown key "aftre".*Did you mean "after"\?$/),
    '4 services on 2 hosts: 2 problems',
    '',
  ])
})

test('plan counts the services that cannot be applied, beside nothing to do', async () => {
  const fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [a] } }\n',
    'services/a/README.md': '# a\n',
    'services/a/service.yaml': 'files: { /etc/a: { template: true } }\n',
    'services/a/files/etc/a': `\${{ secrets.a }}\n`,
  })
  const own = await makeSandbox({ repo: fleet.directory })
  try {
    const { code, out } = await own.plumb('plan')
    expect(code).toBe(2)
    expect(out).toMatch(
      /^a: cannot be applied: .*\nnothing to do at [0-9a-f]{12} on web-1; 1 service cannot be applied\n$/,
    )
  } finally {
    await own.remove()
    await fleet.remove()
  }
})

test('a check of one service that fails says its name, and ends each line with what it is about', async () => {
  await box.write('/etc/motd/keep/note', 'of somebody else\n')
  const at = (await fleet.head()).slice(0, 12)
  expect((await box.plumb('apply')).code).toBe(1)
  const { out } = await box.plumb('check')
  expect(out).toContain(`base: failed at ${at} (never applied before): `)
  expect(out).toMatch(/^base: No apply gets through now: /m)
})

const unknownHost = 'version: 1\nhosts: { other-1: { services: [] } }\n'

test.each<[string, () => Promise<unknown>]>([
  ['is not valid', () => fleet.commit({ 'plumb.yaml': 'version: 1\nhost: {}\n' })],
  ['does not name the host', () => fleet.commit({ 'plumb.yaml': unknownHost })],
  ['cannot be reached', () => rename(fleet.directory, `${fleet.directory}-away`)],
])('an apply while the repository %s is not said to be in sync', async (_, change) => {
  const at = (await fleet.head()).slice(0, 12)
  await box.plumb('apply')
  await change()
  onTestFinished(() => rm(`${fleet.directory}-away`, { recursive: true, force: true }))
  const { code, out } = await box.plumb('apply')
  expect(code).toBe(1)
  expect(out.trimEnd().split('\n').at(-1)).toBe(
    `nothing to change at ${at}, the last good revision; the head of the repository could not be taken`,
  )
})

test.each([['restore'], ['restore', '/etc/motd'], ['hold'], ['release', 'base']])(
  'plumb %s of a directory without state says so, and makes none of it',
  async (...args) => {
    const elsewhere = join(box.directory, 'mistyped')
    const asked = await runPlumb([...args, '--state', elsewhere, '--root', box.root])
    expect(asked).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${elsewhere}: there is no state of an agent.`),
    })
    expect(existsSync(elsewhere)).toBe(false)
    // Nor is a directory of something else taken over, whose mode would become that of a state directory.
    mkdirSync(elsewhere, { mode: 0o755 })
    expect((await runPlumb([...args, '--state', elsewhere, '--root', box.root])).code).toBe(1)
    expect(statSync(elsewhere).mode & 0o777).toBe(0o755)
  },
)

test.each([
  ['status'],
  ['check'],
  ['plan'],
  ['apply'],
  ['hold'],
  ['restore'],
  ['why', '/etc/motd'],
  ['debug', 'bundle'],
  ['import', '--scan'],
])('%s refuses a root that is not there', async (...words) => {
  const nowhere = join(box.directory, 'nowhere')

  const ran = await runPlumb([...words, '--root', nowhere, '--state', box.state], { cwd: box.directory })

  expect(ran).toMatchObject({ code: 1, out: '' })
  expect(ran.err).toMatch(new RegExp(`^plumb: --root ${nowhere}: there is no such directory\\. Name the directory`))
})
