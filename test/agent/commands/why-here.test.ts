import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, type Ran, runPlumb, type Sandbox } from '../../support/plumb.ts'
import { type ServerForAgents, startServerFor } from '../../support/server.ts'

const open = `${'$'}{{`
const plain = 'services/web/files/etc/web.conf'
const template = 'services/web/files/etc/web.key.conf'
const secret = ['-----BEGIN KEY-----', 'the-secret-itself', '-----END KEY-----'].join('\n')

let fleet: TestRepository
let server: ServerForAgents
let box: Sandbox

/** A host whose agent has applied, seen a drift and said so, and then was stopped. */
beforeAll(async () => {
  fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [web], vars: { port: 8080 } }\n',
    'services/web/README.md': '# web\n',
    'services/web/service.yaml': 'files: { /etc/web.key.conf: { template: true } }\n',
    [plain]: 'one\ntwo\nthree\n',
    [template]: `name ${open} host.name }}\nkey ${open} secrets.key }}\nport ${open} vars.port }}\nlast\n`,
  })
  await fleet.commit({ [plain]: 'one\n2\nthree\n' }, { message: 'Two is 2\n\nIt is shorter.', author: 'Grace' })
  server = await startServerFor(fleet.directory)
  box = await makeSandbox({})
  await box.write('/etc/plumb/secrets/key', secret)
  await chmod(join(box.root, 'etc/plumb/secrets'), 0o700)
  await chmod(join(box.root, 'etc/plumb/secrets/key'), 0o600)
  const places = ['--root', box.root, '--state', box.state]
  const mirror = new URL('/git/fleet.git', server.url).href
  const options = ['--server', server.url, '--repo', mirror, '--host', 'web-1', ...places]
  const installed = await runPlumb(['install', ...options], { env: { PLUMB_TOKEN: await server.token('web-1') } })
  expect(installed).toMatchObject({ code: 0, err: '' })

  await box.write('/etc/web.conf', 'zero\none\nTWO\nthree\n')
  const agent = box.agent()
  await agent.said('"web":"drift"')
  for (;;) {
    server.mark()
    if (JSON.stringify(await server.get('/api/v1/hosts/web-1')).includes('/etc/web.conf: content differs')) break
    await server.logged('report recorded')
  }
  await agent.kill()
})

afterAll(async () => {
  await box.remove()
  await server.remove()
  await fleet.remove()
})

test('a line is found in the repository although lines were added above it', async () => {
  const { code, out, err } = await why('/etc/web.conf:4')

  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/^\/etc\/web\.conf:4 is line 3 of the repository's file\n/)
  expect(out).toContain(`${plain}:3\n  | three\n`)
  expect(out).toContain('by Ada on')
})

test('a line that was changed on the host is told so, since when, and what the repository has in its place', async () => {
  const { out } = await why('/etc/web.conf:3')

  expect(out).toContain(`/etc/web.conf:3 was changed on this host: it differs from line 2 of ${plain}\n  changed `)
  expect(out).toContain(`see what differs: plumb check --root ${box.root} --state ${box.state}\n`)
  expect(out).toMatch(/web\.conf:2\n {2}\| 2\n {2}[0-9a-f]{12} by Grace on .*\n\n {4}Two is 2\n\n {4}It is shorter\.\n/)
  expect(out).not.toContain('TWO')
})

test('a line that was added on the host belongs to nobody, and one past the end is an error', async () => {
  expect((await why('/etc/web.conf:1')).out).toContain("was added on this host, before the repository's first line")
  const past = await why('/etc/web.conf:5')
  expect([past.code, past.out.split('\n')[0]]).toEqual([1, '/etc/web.conf has 4 lines on this host, and no line 5'])
  expect(JSON.parse((await why('/etc/web.conf:1', '--json')).out)).toMatchObject([
    { source: plain, live: { path: '/etc/web.conf', line: 1, found: { kind: 'added', after: 0 } } },
  ])
})

test('a line of a rendered file is that of its template, and no value is told', async () => {
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((line) => why(`/etc/web.key.conf:${line}`)))

  const shown = answers.map(({ out }) => /web\.key\.conf:\d+\n {2}\| (.*)/.exec(out)?.[1])
  const key = `key ${open} secrets.key }}`
  expect(shown).toEqual([`name ${open} host.name }}`, key, key, key, `port ${open} vars.port }}`, 'last'])
  for (const { out } of answers) expect(out).not.toContain('the-secret-itself')
})

test('what happened to the path on this host is told, newest first', async () => {
  const { out } = await why('/etc/web.conf')

  expect(out).toMatch(
    /\n {2}on web-1: applied at [0-9a-f]{12}, .* UTC; drift since .* UTC: \/etc\/web\.conf: content differs\n/,
  )
  const events = out.slice(out.indexOf('on web-1')).split('\n').slice(1, -1)
  expect(events.map((line) => line.replace(/^ {4}[\d-]+ [\d:]+ UTC {2}/, ''))).toEqual([
    expect.stringMatching(/^drifted: \/etc\/web\.conf: content differs \(changed .* UTC.*\)$/),
    expect.stringMatching(/^applied at [0-9a-f]{7}: wrote \/etc\/web\.conf/),
  ])
})

test('while a newer revision waits, a line is looked for in the one that was applied', async () => {
  expect(await box.plumb('hold', 'web', '--for', '1h', '--why', 'a test')).toMatchObject({ code: 0 })
  const newer = { [plain]: 'new\nnew\none\n2\nthree\n', [template]: `new\n${open} secrets.key }}\nlast\n` }
  await fleet.commit(newer, { message: 'Newer', author: 'Alan' })
  await server.sync()
  await box.plumb('apply')

  expect((await why('/etc/web.conf:4')).out).toContain(`${plain}:3\n  | three\n`)
  expect((await why('/etc/web.key.conf:6')).out).toContain(`${template}:4\n  | last\n`)
})

test('what cannot be looked for here is told with the reason, and with what the server knows', async () => {
  await rm(join(box.root, 'etc/web.conf'))
  await rm(join(box.root, 'etc/plumb/secrets/key'))

  const [gone, withheld] = [await why('/etc/web.conf:1'), await why('/etc/web.key.conf:1')]

  const lead = 'could not be looked for in what was applied here: '
  for (const { code, out } of [gone, withheld]) {
    expect(code).toBe(0)
    expect(out).toContain(lead)
    expect(out).toMatch(/by (?:Grace|Alan) on/)
  }
  expect(gone.out).toContain(`/etc/web.conf:1 ${lead}there is no file of at most 1 MiB that can be read`)
  expect(withheld.out).toContain('the secret "key" is not set on this host')
})

function why(...args: readonly string[]): Promise<Ran> {
  return box.plumb('why', ...args)
}
