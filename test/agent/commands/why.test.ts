import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { exampleFleet } from '../../lab/example-fleet.ts'
import type { TestRepository } from '../../support/git.ts'
import { makeSandbox, runPlumb, type Sandbox } from '../../support/plumb.ts'
import { type ServerForAgents, startServerFor } from '../../support/server.ts'

const nginxConf = 'services/nginx/files/etc/nginx/nginx.conf'
const message = 'Shorter keep-alive\n\nThe phones of visitors\nhold too many connections.'

let fleet: TestRepository
let reason: string
let box: Sandbox

beforeAll(async () => {
  fleet = await exampleFleet()
  const revision = await fleet.commit({ [nginxConf]: 'events {}\n' }, { message, author: 'Grace' })
  await fleet.commit({ 'services/base/files/etc/motd': 'later\n' }, { message: 'Something else' })
  const body = '    Shorter keep-alive\n\n    The phones of visitors\n    hold too many connections.\n'
  reason = `${nginxConf}\n  ${revision.slice(0, 12)} by Grace on 2026-11-01T12:00:00+00:00\n\n${body}`
})

afterAll(() => fleet.remove())

beforeEach(async () => {
  box = await makeSandbox({})
})

afterEach(() => box.remove())

test('a clone says which commit gave a file its content, from any directory of it', async () => {
  const places = ['--root', box.root, '--state', box.state]
  expect(await runPlumb(['why', '/etc/nginx/nginx.conf', '--repo', fleet.directory, ...places])).toEqual({
    code: 0,
    out: reason,
    err: '',
  })
  const cwd = join(fleet.directory, 'services/base')
  expect((await runPlumb(['why', nginxConf, ...places], { cwd })).out).toBe(reason)

  const json = JSON.parse(
    (await runPlumb(['why', '/etc/systemd/system/hello.service', '--json', ...places], { cwd })).out,
  )
  expect(json).toMatchObject([
    { path: '/etc/systemd/system/hello.service', source: 'services/hello/units/hello.service', why: { author: 'Ada' } },
  ])
})

test('what nothing manages, and what is no clone, is told with the way out', async () => {
  const stranger = await runPlumb(['why', '/etc/passwd', '--repo', fleet.directory, '--root', box.root])
  expect(stranger).toMatchObject({ code: 1, out: '' })
  expect(stranger.err).toBe(
    `plumb: Nothing in ${fleet.directory} manages /etc/passwd. Give the path as it is on the host (/etc/motd) or in the repository (services/base/files/etc/motd).\n`,
  )
  const nowhere = await runPlumb(['why', '/etc/motd', '--repo', box.directory, '--root', box.root])
  expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining(`${box.directory} cannot be read by git`) })
})

test('a server says the same: to anyone where anyone may read, else to its own hosts', async () => {
  const server = await startServerFor(fleet.directory)
  try {
    const asked = await runPlumb(['why', '/etc/nginx/nginx.conf', '--server', server.url, '--root', box.root])
    expect(asked).toMatchObject({ code: 0, out: reason, err: '' })
    const unmanaged = await runPlumb(['why', '/etc/passwd', '--server', server.url, '--root', box.root])
    expect(unmanaged).toMatchObject({ code: 1, err: expect.stringContaining('manages /etc/passwd. Give the path') })

    const token = await server.token('web-1')
    await server.restart({ tls: { kind: 'self-signed' }, viewers: 'signed-in' })
    await installHost(server, token)

    expect(await box.plumb('why', '/etc/nginx/nginx.conf')).toMatchObject({ code: 0, out: reason, err: '' })
    const elsewhere = await makeSandbox({})
    const stranger = await elsewhere.plumb('why', '/etc/nginx/nginx.conf', '--server', server.url)
    await elsewhere.remove()
    expect(stranger).toMatchObject({ code: 1, err: expect.stringContaining('is not the server it should be') })
  } finally {
    await server.remove()
  }

  const silent = await box.plumb('why', '/etc/nginx/nginx.conf')
  expect(silent).toMatchObject({
    code: 1,
    err: expect.stringMatching(/cannot be reached: .*ECONNREFUSED.*--repo with a clone/),
  })
})

/** With the server's certificate pinned, as the install line leaves a host. */
async function installHost(server: ServerForAgents, token: string): Promise<void> {
  await mkdir(box.state, { recursive: true })
  const certificate = join(server.data, 'tls/certificate.pem')
  const options = ['--server', server.url, '--certificate', certificate, '--repo', fleet.directory, '--host', 'web-1']
  const args = ['install', ...options, '--root', box.root, '--state', box.state]
  expect(await runPlumb(args, { env: { PLUMB_TOKEN: token } })).toMatchObject({ code: 0, err: '' })
}
