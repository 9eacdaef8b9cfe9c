// Bare Debian hosts become what the repository says, by one line of the server or by `git clone && ./apply` with no server at all.
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { machineAddress } from '../../scripts/lab/places.ts'
import { type ServedRepository, serveRepository, type TestRepository } from '../support/git.ts'
import { agentPin, artifactsDirectory, buildArtifacts } from './agent-artifacts.ts'
import { exampleFleet, now } from './example-fleet.ts'
import { type LabServer, runLine, startLabServer } from './lab-server.ts'
import { answerOf, has, traceOf, unitState, until } from './seen.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`bare hosts cannot be bootstrapped here: ${reason}`)

const nginxConf = 'services/nginx/files/etc/nginx/nginx.conf'

describe.skipIf(reason !== null)('by the line of a server', () => {
  let lab: Lab
  let web: LabHost
  let box: LabHost
  let fleet: TestRepository
  let server: LabServer
  let webLine = ''

  beforeAll(async () => {
    await buildArtifacts()
    await buildArtifacts()
    lab = openLab({ say: console.log })
    ;[web, box] = await Promise.all([lab.host('web-1'), lab.host('box-1')])
    fleet = await exampleFleet()
    server = await startLabServer(fleet)
  })

  afterAll(async () => {
    await server?.close()
    lab?.close()
    await fleet?.remove()
  })

  test('a bare host becomes web-1', async () => {
    tellMoreOnFailure(web)
    await expectBare(web)
    webLine = await server.installLine('web-1')

    const { code, stdout, stderr } = await runLine(webLine, web)

    expect(`${stdout}${stderr}`).toContain('in sync')
    expect(code).toBe(0)
    await expectWebHost(web, fleet)
    await server.inSync('web-1', await fleet.head())
  })

  test('a used line makes no other machine a host, and leaves it as it was', async () => {
    tellMoreOnFailure(box)
    await expectBare(box)
    const before = await traceOf(box, ['/etc', '/tmp', '/var/lib/dpkg'], ['plumb.service'])

    const { code, stdout, stderr } = await runLine(webLine, box)

    expect(code).not.toBe(0)
    expect(`${stdout}${stderr}`).toContain('The enrollment token was refused')
    expect(await traceOf(box, ['/etc', '/tmp', '/var/lib/dpkg'], ['plumb.service'])).toBe(before)
    // Its key, for the next line.
    expect(await box.output(['ls', '/var/lib/plumb'])).toBe('identity.pem\n')
    await server.inSync('web-1', await fleet.head())
  })

  test('the line run again on its own host changes nothing there', async () => {
    tellMoreOnFailure(web)
    const before = await traceOf(web, ['/etc', '/usr/local', '/tmp'], ['nginx.service', 'hello.service'])

    const { code, stdout } = await runLine(webLine, web)

    expect(stdout).not.toMatch(/^(?:base|hello|nginx): /m)
    expect(code).toBe(0)
    expect(await traceOf(web, ['/etc', '/usr/local', '/tmp'], ['nginx.service', 'hello.service'])).toBe(before)
  })

  test('another line turns no host into another one, and is still good for a bare one, which gets other services', async () => {
    tellMoreOnFailure(box)
    const line = await server.installLine('box-1')
    const before = await traceOf(web, ['/etc', '/usr/local', '/tmp'], ['plumb.service', 'nginx.service'])
    const refused = await runLine(line, web)
    expect(refused.stderr).toContain('This machine is the host web-1, not box-1. Nothing was changed.')
    expect(refused.code).not.toBe(0)
    expect(await traceOf(web, ['/etc', '/usr/local', '/tmp'], ['plumb.service', 'nginx.service'])).toBe(before)

    const { code, stdout, stderr } = await runLine(line, box)

    expect(`${stdout}${stderr}`).toContain('in sync')
    expect(code).toBe(0)
    await server.inSync('box-1', await fleet.head())
    expect(await unitState(box, 'backup.timer')).toBe('enabled active')
    expect(await unitState(box, 'backup.service')).toBe('static inactive')
    expect(await unitState(box, 'plumb.service')).toBe('enabled active')
    expect(await box.output(['stat', '-c', '%U:%G %a', '/usr/local/bin/backup-etc'])).toBe('root:root 755\n')
    expect(await box.read('/etc/motd')).toContain('This is box-1.')
    for (const program of ['nginx', 'python3']) expect([program, await has(box, program)]).toEqual([program, false])
    const { hosts } = await server.fleet()
    expect(hosts.map(({ host, state }) => `${host} ${state}`).sort()).toEqual(['box-1 in-sync', 'web-1 in-sync'])
  })

  test('after a reboot it is the same again', async () => {
    tellMoreOnFailure(web)
    const booted = await web.read('/proc/sys/kernel/random/boot_id')

    await web.reboot()
    const at = now()

    expect(await web.read('/proc/sys/kernel/random/boot_id')).not.toBe(booted)
    await expectWebHost(web, fleet)
    await until(
      'the server has heard web-1 since its reboot',
      async () => (await server.fleet()).hosts.find(({ host }) => host === 'web-1'),
      (row) => row?.state === 'in-sync' && row.connected && row.lastSeenAt !== undefined && row.lastSeenAt > at,
    )
  })

  function tellMoreOnFailure(host: LabHost): void {
    onTestFailed(async () => {
      const journal = await host.exec(['journalctl', '--no-pager', '--lines=60', '--unit=plumb'])
      console.log(`${host.name}, plumb.service:\n${journal.stdout}\nserver:\n${server.log().slice(-6000)}`)
    })
  }
})

describe.skipIf(reason !== null)('by git clone and ./apply, with no server', () => {
  let lab: Lab
  let web: LabHost
  let fleet: TestRepository
  let forge: ServedRepository

  beforeAll(async () => {
    await buildArtifacts()
    await buildArtifacts()
    lab = openLab({ say: console.log })
    web = await lab.host('web-1')
    fleet = await exampleFleet()
    forge = await serveRepository(fleet, { address: machineAddress, intercept: serveArtifacts })
    const pin = await agentPin((file) => new URL(`/artifacts/${file}`, forge.url).href)
    await fleet.commit({ '.plumb/agent': pin }, { message: 'The agent that hosts run', at: now() })
  })

  afterAll(async () => {
    await forge?.close()
    lab?.close()
    await fleet?.remove()
  })

  test('a bare host becomes web-1, and the agent follows where the clone came from', async () => {
    await expectBare(web)
    await web.output(['apt-get', 'install', '--yes', '--no-install-recommends', 'git'], { timeoutMs: 300_000 })

    const script = 'git clone --quiet "$1" /root/fleet && cd /root/fleet && ./apply'
    const ran = await web.exec(['env', '--unset=DEBIAN_FRONTEND', 'sh', '-c', script, 'sh', forge.url], {
      timeoutMs: 300_000,
    })

    expect(`${ran.stdout}${ran.stderr}`).toContain('in sync')
    expect(ran.code).toBe(0)
    await expectWebHost(web, fleet)
    await expectStatus(0)
    expect((await web.exec(['plumb', 'check'])).code).toBe(0)
    await fleet.commit({ 'services/base/files/etc/motd': 'Changed by a commit.\n' }, { at: now() })
    await until(
      'the commit is live',
      () => web.read('/etc/motd'),
      (motd) => motd === 'Changed by a commit.\n',
    )
    await expectStatus(0)
  })

  async function expectStatus(code: number): Promise<void> {
    const status = () => web.exec(['plumb', 'status'])
    const seen = await until('plumb status says how the host is', status, (ran) => ran.code === code)
    expect(seen.stdout).toContain(`web-1 at ${(await fleet.head()).slice(0, 12)}`)
  }
})

function serveArtifacts(request: IncomingMessage, response: ServerResponse): boolean {
  if (!request.url?.startsWith('/artifacts/')) return false
  createReadStream(join(artifactsDirectory, basename(request.url))).pipe(response)
  return true
}

async function expectBare(host: LabHost): Promise<void> {
  expect(await has(host, 'curl')).toBe(true)
  for (const program of ['node', 'git', 'nginx', 'python3', 'plumb'])
    expect([program, await has(host, program)]).toEqual([program, false])
}

async function expectWebHost(host: LabHost, fleet: TestRepository): Promise<void> {
  const versions = await host.output(['dpkg-query', '-W', '-f', `\${Package} \${db:Status-Abbrev}\\n`, ...packages])
  expect(versions.trim().split(/ *\n/)).toEqual(packages.map((name) => `${name} ii`))
  expect(await host.read('/etc/nginx/nginx.conf')).toBe(await readFile(join(fleet.directory, nginxConf), 'utf8'))
  expect(await host.read('/etc/motd')).toContain('This is web-1.')
  for (const unit of ['nginx.service', 'hello.service', 'plumb.service']) {
    await host.waitForUnit(unit)
    expect([unit, await unitState(host, unit)]).toEqual([unit, 'enabled active'])
  }
  expect(await host.output(['getent', 'passwd', 'hello'])).toContain(':The hello program:/var/lib/hello:')
  expect(await host.output(['stat', '-c', '%U:%G %a', '/var/lib/hello'])).toBe('hello:hello 750\n')
  expect(await answerOf(host, '/healthz')).toBe('in sync\n')
  expect(await answerOf(host, '/')).toMatch(/^Hello from a machine that is in sync\.\nYou are visitor \d+\.\n$/)
}

const packages = ['nginx-light', 'python3-minimal'] as const
