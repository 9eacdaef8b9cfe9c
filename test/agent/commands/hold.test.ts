// `plumb hold` and `plumb release` as processes: on a host without a server, beside a running agent, and through a server.
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { exampleFleet } from '../../lab/example-fleet.ts'
import type { TestRepository } from '../../support/git.ts'
import { makeSandbox, runPlumb, type Sandbox } from '../../support/plumb.ts'
import { type ServerForAgents, startServerFor } from '../../support/server.ts'

const nginxConf = 'services/nginx/files/etc/nginx/nginx.conf'
const reason = ['--why', 'moving the site']

let fleet: TestRepository
let box: Sandbox

beforeEach(async () => {
  fleet = await exampleFleet((text) => text.replace('checkEvery: 10s', 'checkEvery: 1s'))
  box = await makeSandbox({ repo: fleet.directory })
})

afterEach(async () => {
  await box.remove()
  await fleet.remove()
})

test('what is held is said by apply, plan, check and status, and not applied before it is released', async () => {
  await box.plumb('apply')
  await fleet.commit({ [nginxConf]: 'events {}\n' })
  const before = await box.read('/etc/nginx/nginx.conf')
  const env = { SUDO_USER: 'anna' }
  const places = ['--repo', fleet.directory, '--host', 'web-1', '--root', box.root, '--state', box.state]

  const hold = await runPlumb(['hold', 'nginx', '--for', '2h', ...reason, ...places], { env })
  const text =
    /^nginx: (held by anna@web-1 until [-\d: ]+ UTC \(moving the site\)): no apply, no repair and no drift alert; drift is still found and shown\n$/
  expect(hold).toMatchObject({ code: 0, out: expect.stringMatching(text) })
  const held = text.exec(hold.out)?.[1]

  expect(await box.plumb('apply')).toMatchObject({
    code: 1,
    out: expect.stringContaining(`nginx: ${held}: not applied\nout of sync at `),
  })
  expect(await box.read('/etc/nginx/nginx.conf')).toBe(before)
  expect((await box.plumb('plan')).out).toContain(`nginx: ${held}: nothing will be applied\nnothing to do at `)
  const check = await box.plumb('check')
  expect(check).toMatchObject({ code: 2, out: expect.stringContaining(`nginx: ${held}\nnginx: pending: `) })
  expect((await box.plumb('status')).out).toContain(`  nginx  pending, ${held}: 1 pending\n`)
  expect(await box.plumb('hold')).toMatchObject({ code: 0, out: `nginx: ${held}\n` })
  expect(JSON.parse((await box.plumb('hold', '--json')).out)).toMatchObject([
    { service: 'nginx', by: 'anna@web-1', why: 'moving the site', origin: 'host' },
  ])

  expect(await box.plumb('release', 'nginx')).toMatchObject({ code: 0, out: `nginx: released; it was ${held}\n` })
  expect(await box.plumb('apply')).toMatchObject({ code: 0, out: expect.stringContaining('nginx: wrote /etc/nginx') })
})

test('in a sandbox hold and release need no repository, and know the host and its services', async () => {
  await box.plumb('apply')
  const places = ['--root', box.root, '--state', box.state]

  const held = await runPlumb(['hold', 'nginx', '--for', '2h', ...reason, ...places])
  expect(held).toMatchObject({ code: 0, out: expect.stringMatching(/^nginx: held by \S+@web-1 until/) })
  expect((await runPlumb(['hold', ...places])).out).toMatch(/^nginx: held by/)
  expect((await box.plumb('plan')).out).toContain('nginx: held by')
  expect((await runPlumb(['hold', 'ngin', '--for', '2h', ...reason, ...places])).err).toContain(
    'web-1 has no service "ngin". Did you mean "nginx"?',
  )
  expect((await runPlumb(['release', 'nginx', ...places])).out).toMatch(/^nginx: released/)
  expect((await runPlumb(['hold', ...places])).out).toBe('nothing is held on web-1\n')
})

test('a hold on a service in sync is no reason for another exit code', async () => {
  await box.plumb('apply')
  await box.plumb('hold', '*', '--for', '30m', ...reason)

  for (const verb of ['apply', 'plan', 'check', 'status']) {
    const { code, out } = await box.plumb(verb)
    expect([verb, code]).toEqual([verb, 0])
    expect(out).toContain('held by')
  }
})

test.each([
  [['ngnix', '--for', '2h', ...reason], 'web-1 has no service "ngnix". Did you mean "nginx"?'],
  [['../x', '--for', '2h', ...reason], '"../x" is no name of a service. Give one'],
  [['nginx', ...reason], '--for needs a duration of at most 14d. As in: --for 30m, --for 2h or --for 1d'],
  [['nginx', '--for', '15d', ...reason], '--for needs a duration of at most 14d, not "15d". As in: --for 30m'],
  [['nginx', '--for', '2h'], '--why needs the reason, on one line of at most 500 characters.'],
  [['nginx', '--for', '2h', '--why', 'one\ntwo'], '--why needs the reason, on one line'],
  [['--for', '2h', ...reason], 'Hold what? plumb hold SERVICE --for 2h --why "..."'],
  [['nginx', '--fleet', '--for', '2h', ...reason], 'No server is known here. Add --server'],
  [['nginx', '--hosts', 'db-*', '--for', '2h', ...reason], 'No server is known here. Add --server'],
])('plumb hold %j is refused, with the way out', async (args, message) => {
  await box.plumb('check')

  const { code, err } = await box.plumb('hold', ...args)

  expect(code).toBe(1)
  expect(err).toContain(`plumb: ${message}`)
  expect((await box.plumb('hold')).out).toBe('nothing is held on web-1\n')
})

test('what is not held cannot be released; what is held with everything is released with everything', async () => {
  await box.plumb('apply')
  expect((await box.plumb('release', 'base')).err).toBe('plumb: base is not held on web-1. Nothing is held on web-1.\n')
  await box.plumb('hold', '*', '--for', '2h', ...reason)

  expect((await box.plumb('release', 'base')).err).toContain("Release them together: plumb release '*'")
  expect((await box.plumb('release', '*')).code).toBe(0)
})

test('a running agent repairs nothing that is held, from the moment it is; its end is logged once', async () => {
  await fleet.commit({ 'services/base/service.yaml': 'onDrift: repair\nfiles:\n  /etc/motd: { template: true }\n' })
  const agent = box.agent()
  await agent.said('"base":"in-sync"')
  const motd = await box.read('/etc/motd')

  await box.plumb('hold', 'base', '--for', '10s', ...reason)
  await box.write('/etc/motd', 'typed\n')
  await agent.said('"base":"drift, held"')
  expect(await box.read('/etc/motd')).toBe('typed\n')

  await agent.said('a hold has ended: the normal policy applies again')
  expect(await box.read('/etc/motd')).toBe(motd)
  agent.mark()
  await box.write('/etc/motd', 'typed again\n')
  await agent.said('"summary":"wrote /etc/motd')
  expect(agent.log().split('a hold has ended')).toHaveLength(2)
})

test('a hold for the fleet goes by the server to the hosts, is seen there, and is released for all or on one host', async () => {
  const server = await startServerFor(fleet.directory)
  onTestFinished(() => server.remove())
  const web = await enrolled(server, 'web-1')
  const agent = web.agent()
  await agent.said('"nginx":"in-sync"')
  const token = join(server.data, 'operator-token')
  const places = ['--server', server.url, '--root', web.root]

  const hold = await runPlumb(['hold', 'nginx', '--fleet', '--for', '2h', ...reason, '--token-file', token, ...places])
  expect(hold).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^nginx: held by .* on 1 host: web-1\nthe host is notified\n$/),
  })
  await agent.said('"nginx":"held"')
  await web.write('/etc/nginx/nginx.conf', 'typed\n')
  expect((await web.plumb('apply')).out).toContain('(moving the site): not applied')
  await server.logged('report recorded')
  const listed = () => runPlumb(['hold', '--fleet', '--token-file', token, ...places])
  while (!(await listed()).out.endsWith('on web-1\n'));
  expect((await web.plumb('hold')).out).toContain('(moving the site), by the server\n')

  const released = await web.plumb('release', 'nginx')
  expect(released.out).toContain('by the server, which is notified; other hosts keep it')
  await agent.said('"nginx":"drift"')
  while (!(await listed()).out.includes('web-1 (released there by '));

  const env = { PLUMB_TOKEN: (await readFile(token, 'utf8')).trim() }
  const over = await runPlumb(['release', 'nginx', '--fleet', ...places], { env })
  expect(over).toMatchObject({ code: 0, out: expect.stringMatching(/^nginx: released on all hosts; it was held by /) })
  expect((await listed()).out).toBe('nothing is held in the fleet\n')
  expect(await runPlumb(['release', 'nginx', '--fleet', ...places], { env })).toMatchObject({
    code: 1,
    err: 'plumb: The server has no hold of nginx. Nothing is held.\n',
  })
  const some = ['--hosts', 'web-?', '--hosts', 'box-*', ...places]
  expect((await runPlumb(['release', 'nginx', ...some], { env })).err).toBe(
    'plumb: The server has no hold of nginx on hosts named web-? or box-*. Nothing is held.\n',
  )
})

test('a host that was away takes the hold when it is back, and lets it go that ended meanwhile', async () => {
  const server = await startServerFor(fleet.directory)
  onTestFinished(() => server.remove())
  const web = await enrolled(server, 'web-1')
  const first = web.agent()
  await first.said('"nginx":"in-sync"')
  await server.logged('report recorded')
  await first.kill()
  const token = join(server.data, 'operator-token')
  const fleetWide = ['--fleet', '--token-file', token, '--root', web.root]
  expect((await runPlumb(['hold', 'nginx', '--for', '2h', ...reason, ...fleetWide])).out).toContain(
    'the host is not connected; it is notified when it reconnects',
  )

  const second = web.agent()
  await second.said('"nginx":"held"')
  await second.kill()
  await runPlumb(['release', 'nginx', ...fleetWide])
  const third = web.agent()
  await third.said('"nginx":"in-sync"')
})

test('the token is read from where nobody else can, and a wrong one holds nothing', async () => {
  const server = await startServerFor(fleet.directory)
  onTestFinished(() => server.remove())
  await enrolled(server, 'web-1')
  const args = ['hold', 'nginx', '--fleet', '--for', '2h', ...reason, '--server', server.url, '--root', box.root]
  const file = join(box.directory, 'token')
  await writeFile(file, 'operator_guessed\n', { mode: 0o600 })

  expect((await runPlumb(args)).err).toContain('No operator token was given. Set PLUMB_TOKEN, or name a file')
  expect((await runPlumb([...args, '--token-file', file])).err).toContain('This needs a token of this server.')
  await chmod(file, 0o644)
  expect((await runPlumb([...args, '--token-file', file])).err).toContain(
    'other users of this machine can read the token',
  )
  expect(await server.get('/api/v1/holds')).toEqual([])
})

/** A sandbox whose own configuration names the server that it is enrolled at. */
async function enrolled(server: ServerForAgents, host: string): Promise<Sandbox> {
  const sandbox = await makeSandbox({})
  onTestFinished(() => sandbox.remove())
  const repo = ['--repo', new URL('git/fleet.git', server.url).href]
  const places = ['--root', sandbox.root, '--state', sandbox.state]
  const env = { PLUMB_TOKEN: await server.token(host) }
  const made = await runPlumb(['install', '--host', host, '--server', server.url, ...repo, ...places], { env })
  expect(made).toMatchObject({ code: 0 })
  return sandbox
}
