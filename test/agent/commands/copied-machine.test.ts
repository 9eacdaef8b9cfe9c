// A host that was copied with its agent: two real agents with one key, and the way out for the copy.
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, runPlumb, type Sandbox } from '../../support/plumb.ts'
import { type ServerForAgents, startServerFor } from '../../support/server.ts'

let fleet: TestRepository
let server: ServerForAgents
let original: Sandbox

beforeEach(async () => {
  fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [motd] }\n  web-2: { services: [motd] }\n',
    'services/motd/README.md': '# motd\n',
    'services/motd/files/etc/motd': 'hello\n',
  })
  server = await startServerFor(fleet.directory)
  original = await makeSandbox({})
  await install(original, 'web-1')
})

afterEach(async () => {
  await original.remove()
  await server.remove()
  await fleet.remove()
})

test('a copy is told so by its log and plumb status, its drift is not that of the host, and it enrolls with a name of its own', async () => {
  const first = original.agent()
  await first.said('connected')
  const directory = `${original.directory}-copy`
  await cp(original.directory, directory, { recursive: true })
  const copy = await makeSandbox({ directory })
  await rm(join(copy.state, 'agent-lock'), { recursive: true, force: true })
  await copy.write('/etc/motd', 'typed on the copy\n')

  const second = copy.agent()
  await second.said('identity-shared')
  // The report that `plumb status` shows has it as its one problem.
  await second.said(`"problems":["${server.url} knows`)
  const status = await copy.plumb('status')
  await second.kill()

  expect(second.log()).toContain("then the server's install line")
  expect(status.code).not.toBe(0)
  expect(status.out).toContain('knows the host web-1 as another machine than this one')
  const host = z.object({ state: z.string() }).parse(await server.get('/api/v1/hosts/web-1'))
  expect(host.state).toBe('in-sync')
  expect(JSON.stringify(await server.get('/api/v1/alerts'))).toContain('web-1: two machines use its key')
  expect(first.log()).not.toContain('took over')

  const words = /rm -f (?<files>[^;]+);/.exec(status.out)?.groups?.['files']?.split(' ') ?? []
  for (const file of words) await rm(file.startsWith('/etc/') ? join(copy.root, file) : file, { force: true })
  // What was typed there is drift of the new host.
  await install(copy, 'web-2', 2)
  const third = copy.agent()
  await third.said('connected')
  await server.logged('"host":"web-2"')
  expect((await copy.plumb('status')).out).not.toContain('another machine')
  await third.kill()
  await rm(directory, { recursive: true, force: true })
})

test('a host that the repository does not name is said, from a host that follows the mirror', async () => {
  for (const verb of ['check', 'plan']) {
    const ran = await original.plumb(verb, '--host', 'nowhere')

    expect(ran.code, verb).toBe(1)
    expect(ran.err, verb).toContain('nowhere')
    expect(ran.err, verb).not.toMatch(/credential|password|401|unauthori[sz]ed/i)
  }
})

async function install({ root, state }: Sandbox, host: string, code = 0): Promise<void> {
  const mirror = new URL('git/fleet.git', server.url).href
  const ran = await runPlumb(
    ['install', '--host', host, '--server', server.url, '--repo', mirror, '--root', root, '--state', state],
    { env: { PLUMB_TOKEN: await server.token(host) } },
  )
  expect(ran).toMatchObject({ code })
}
