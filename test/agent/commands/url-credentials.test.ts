// The user and password of a repository's address: used, kept in one file of mode 0600, and nowhere else - whatever the verb, whatever fails.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeRepository, type ServedRepository, serveRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, type Ran, runPlumb, type Sandbox } from '../../support/plumb.ts'

const password = 'CANARYpass'
const configuration = 'etc/plumb/agent.yaml'
let fleet: TestRepository
let served: ServedRepository
let box: Sandbox
let withPassword = ''

beforeEach(async () => {
  fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [motd] }\n',
    'services/motd/README.md': '# motd\n',
    'services/motd/files/etc/motd': 'hello\n',
  })
  served = await serveRepository(fleet, { username: 'bot', password })
  withPassword = served.url.replace('http://', `http://bot:${password}@`)
  box = await makeSandbox({ repo: withPassword })
})

afterEach(async () => {
  await box.remove()
  await served.close()
  await fleet.remove()
})

test('install keeps the credentials in agent.yaml alone, readable by its owner, apart from the address', async () => {
  expect(clean(await box.plumb('install')).code).toBe(0)

  expect(await box.read(configuration)).toContain(`repository: ${served.url}\n`)
  expect(await box.read(configuration)).toContain(`password: ${password}\n`)
  expect((await stat(join(box.root, configuration))).mode & 0o777).toBe(0o600)
  expect(await filesWithPassword(box.directory)).toEqual([`root/${configuration}`])
})

test('every verb of an installed host uses them, and none says them', async () => {
  clean(await box.plumb('install'))
  const here = await makeSandbox({ directory: box.directory })
  await fleet.commit({ 'services/motd/files/etc/motd': 'hello again\n' })

  expect(clean(await here.plumb('plan')).code).toBe(2)
  expect(clean(await here.plumb('apply')).out).toContain('/etc/motd')
  await here.write('/etc/motd', 'typed\n')
  for (const verb of [
    ['check'],
    ['check', '--json'],
    ['status'],
    ['plan', '--revision', 'main'],
    ['adopt', '/etc/motd', '-m', 'because'],
    ['adopt', 'motd', '-m', 'because', '--no-push'],
    ['adopt', '/etc/motd', '-m', 'because', '--remote', withPassword],
    ['hold', 'motd', '--for', '1h', '--why', 'trying'],
    ['hold'],
    ['release', 'motd'],
    ['restore'],
    ['import', '--scan'],
    ['install', '--repo', withPassword],
    ['install', '--repo', served.url],
    ['apply'],
  ])
    clean(await here.plumb(verb[0] ?? '', ...verb.slice(1)))

  expect(await filesWithPassword(box.directory)).toEqual([`root/${configuration}`])
  expect(await here.read(configuration)).toContain(password)
  expect(served.authorizations.filter((given) => given !== undefined).length).toBeGreaterThan(5)
})

test('a running agent logs its remote without them, also when it does not answer', async () => {
  clean(await box.plumb('install'))
  await served.close()
  const agent = box.agent()
  await agent.said(`${served.url}: nothing listens`)
  await agent.kill()

  expect(agent.log()).not.toContain(password)
  expect(await filesWithPassword(box.directory)).toEqual([`root/${configuration}`])
  served = await serveRepository(fleet)
})

test('arguments of a running process do not show them', async () => {
  const agent = box.agent()
  await agent.said('agent started')

  const shown = await readFile(`/proc/${agent.child.pid}/cmdline`, 'utf8')
  expect(shown).toContain(served.url)
  expect(shown).not.toContain(password)
  await agent.kill()
})

test('the environment gives install an address that is in no argument', async () => {
  const places = ['--host', 'web-1', '--root', box.root, '--state', box.state]
  const ran = clean(await runPlumb(['install', ...places], { env: { PLUMB_REPOSITORY: withPassword } }))

  expect(ran.code).toBe(0)
  expect(await box.read(configuration)).toContain(`repository: ${served.url}\n`)
})

test('an agent.yaml of an earlier version, with the credentials in the address, goes on working', async () => {
  await box.write(configuration, `host: web-1\nrepository: ${withPassword}\n`)
  const here = await makeSandbox({ directory: box.directory })

  expect(clean(await here.plumb('apply')).code).toBe(0)
  expect(await here.read('/etc/motd')).toBe('hello\n')
  expect(clean(await here.plumb('install')).code).toBe(0)
  expect(await here.read(configuration)).toContain(`repository: ${served.url}\n`)
})

test('credentials of the known repository are not shown to another one', async () => {
  clean(await box.plumb('install'))
  const other = await serveRepository(fleet, { username: 'other', password: 'x' })
  const here = await makeSandbox({ directory: box.directory })

  expect(clean(await here.plumb('check', '--repo', other.url)).code).toBe(1)

  expect(other.authorizations.filter((given) => given !== undefined)).toEqual([])
  await other.close()
})

describe('what fails says the address without them', () => {
  test.each([
    ['nothing listens there', `http://bot:${password}@127.0.0.1:9/x.git`],
    ['an address behind the name of a helper', `ext::http://bot:${password}@127.0.0.1/x.git`],
    ['a scheme that is none', `htps://bot:${password}@127.0.0.1/x.git`],
    ['a password that ends the name of the host', `https://bot:a/${password}@127.0.0.1/x.git`],
    ['a user and password of ssh', `ssh://git:${password}@127.0.0.1:9/x.git`],
    ['a broken escape', `http://bot:${password}%2@127.0.0.1:9/x.git`],
  ])('%s', async (_what, address) => {
    const there = await makeSandbox({ repo: address })
    for (const verb of ['check', 'plan', 'apply', 'install', 'status']) {
      const ran = clean(await there.plumb(verb))
      expect(ran.code, verb).toBe(1)
      expect(ran.err, verb).not.toMatch(/\n\s+at /)
    }
    const files = await filesWithPassword(there.directory)
    expect(files.filter((file) => file !== `root/${configuration}`)).toEqual([])
    await there.remove()
  })

  test.each([
    ['an argument too many', ['status']],
    ['an unknown option', ['status', '--repositori']],
    ['a server with a password', ['install', '--host', 'web-1', '--repo', '/nowhere', '--server']],
    ['a server to be asked', ['why', '/etc/motd', '--server']],
    ['a server of the fleet', ['hold', '--fleet', '--server']],
    ['a server to enroll at', ['enroll', '--server']],
  ])('%s', async (_what, words) => {
    const places = words[0] === 'hold' ? ['--root', box.root] : ['--root', box.root, '--state', box.state]
    const known = words[0] === 'enroll' ? ['--state', box.state] : places
    const env = { PLUMB_TOKEN: 'plumb_not-a-token' }
    const ran = await runPlumb([words[0] ?? '', ...known, ...words.slice(1), `https://bot:${password}@127.0.0.1:9`], {
      env,
    })

    expect(clean(ran).code).not.toBe(0)
  })
})

function clean(ran: Ran): Ran {
  expect(ran.out + ran.err).not.toContain(password)
  expect(ran.out + ran.err).not.toContain(Buffer.from(`bot:${password}`).toString('base64'))
  return ran
}

async function filesWithPassword(directory: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && (await readFile(path)).includes(password)) found.push(path.slice(directory.length + 1))
  }
  return found.sort()
}
