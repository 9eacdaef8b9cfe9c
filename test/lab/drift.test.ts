// Two real hosts and a server: what a person does to a host is an alert, what a person commits is applied.
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { z } from 'zod'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { Revision } from '../../shared/names.ts'
import type { TestRepository } from '../support/git.ts'
import { buildArtifacts } from './agent-artifacts.ts'
import { type Channels, startChannels } from './channels.ts'
import { edited, exampleFleet, now } from './example-fleet.ts'
import { type LabServer, runLine, startLabServer } from './lab-server.ts'
import { answerOf, mainPid, until } from './seen.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`drift on real hosts cannot be shown here: ${reason}`)

const nginxConf = 'services/nginx/files/etc/nginx/nginx.conf'
const silentAfterSeconds = 25

describe.skipIf(reason !== null)('web-1 and box-1', () => {
  let lab: Lab
  let web: LabHost
  let box: LabHost
  let fleet: TestRepository
  let channels: Channels
  let server: LabServer

  beforeAll(async () => {
    await buildArtifacts()
    lab = openLab({ say: console.log })
    channels = await startChannels()
    ;[web, box] = await Promise.all([lab.host('web-1'), lab.host('box-1')])
    // An agent that looks at the remote every hour by itself has a commit at once only because it was asked to look.
    fleet = await exampleFleet((text) => {
      const asked = edited(text, 'syncEvery: 10s', 'syncEvery: 1h')
      return edited(asked, 'checkEvery: 10s', 'checkEvery: 5s') + channels.yaml
    })
    server = await startLabServer(fleet, { silentAfterSeconds, secrets: channels.secrets })
    await Promise.all([web, box].map(bootstrap))
    await inSyncEverywhere(await fleet.head())
  })

  afterAll(async () => {
    await server?.close()
    await channels?.close()
    lab?.close()
    await fleet?.remove()
  })

  test('an edited file is an alert with the exact diff within a minute, told once, and resolved once it is put back', async () => {
    tellMoreOnFailure(web)
    const told = channels.from()
    const start = performance.now()

    await web.output(['sed', '-i', 's/keepalive_timeout 65;/keepalive_timeout 5;/', '/etc/nginx/nginx.conf'])
    const opened = await told.told('opened', { kind: 'drift', host: 'web-1', service: 'nginx' })

    console.log(`the edit was told after ${secondsSince(start)} s`)
    expect(changedLines(opened.diff ?? '')).toEqual(['-    keepalive_timeout 65;', '+    keepalive_timeout 5;'])
    expect(await server.openAlerts()).toMatchObject([{ id: opened.id, diff: opened.diff }])
    expect(told.slack()[0]).toContain('*web-1: nginx has drifted*')
    expect(told.slack()[0]).toContain('-    keepalive_timeout 65;\n+    keepalive_timeout 5;')
    await looksTwice(web)
    expect((await web.exec(['plumb', 'check'])).code).toBe(2)

    const applied = await web.exec(['plumb', 'apply'])

    expect(applied.stdout).toContain('/etc/nginx/nginx.conf')
    expect(applied.code).toBe(0)
    await told.told('resolved', { kind: 'drift', host: 'web-1', service: 'nginx' })
    expect(await web.read('/etc/nginx/nginx.conf')).toBe(await repositoryText(nginxConf))
    expect(await server.openAlerts()).toEqual([])
    expect(told.webhook().map(({ event }) => event)).toEqual(['opened', 'resolved'])
    expect(told.slack()).toHaveLength(2)
  })

  test('a stopped service is an alert, and resolved once it runs again', async () => {
    tellMoreOnFailure(web)
    const told = channels.from()
    const start = performance.now()

    await web.output(['systemctl', 'stop', 'hello.service'])
    const opened = await told.told('opened', { kind: 'drift', host: 'web-1', service: 'hello' })
    console.log(`the stop was told after ${secondsSince(start)} s`)
    expect(opened.text).toMatch(/hello\.service: .*should be running/)
    await web.output(['systemctl', 'start', 'hello.service'])

    await told.told('resolved', { kind: 'drift', host: 'web-1', service: 'hello' })
    expect(told.webhook().map(({ event }) => event)).toEqual(['opened', 'resolved'])
    expect(await answerOf(web, '/')).toContain('You are visitor')
  })

  test('a pushed commit is on every host when CI asks for it; nginx is reloaded, and a request under way is answered', async () => {
    tellMoreOnFailure(web)
    const before = await nginxLife(web)
    const request = await requestUnderWay(web)
    const revision = await commitConf(
      'location = /version { return 200 "two\\n"; }',
      'Visitors can ask for the version',
    )
    const start = performance.now()

    expect(await server.sync()).toBe(2)

    await inSyncEverywhere(revision)
    console.log(`the commit was live everywhere after ${secondsSince(start)} s`)
    await servesVersion('two')
    const after = await nginxLife(web)
    expect({ pid: after.pid, activeSince: after.activeSince }).toEqual({
      pid: before.pid,
      activeSince: before.activeSince,
    })
    expect(after.workers.some((worker) => !before.workers.includes(worker))).toBe(true)
    expect(await request.finish()).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*in sync\n$/)
  })

  test('pages and API show who changed a file, and why, beside the file', async () => {
    const paths = z.object({
      paths: z.array(z.object({ path: z.string(), why: z.object({ author: z.string(), message: z.string() }) })),
    })
    const known = paths.parse(await server.json('/api/v1/services/nginx')).paths
    const why = known.find(({ path }) => path === '/etc/nginx/nginx.conf')?.why
    expect(why).toEqual({ author: 'Grace', message: expect.stringContaining('Visitors can ask for the version') })
    for (const page of ['/services/nginx', '/hosts/web-1']) {
      const line = linesOf(await server.page(page)).find((each) => each.includes('/etc/nginx/nginx.conf'))
      expect([page, line]).toEqual([page, expect.stringContaining('Visitors can ask for the version')])
      expect([page, line]).toEqual([page, expect.stringContaining('Grace')])
    }
  })

  test('a revision that cannot be valid is not applied: the old one serves on, an alert says why, a good commit ends it', async () => {
    tellMoreOnFailure(web)
    const told = channels.from()
    const live = await web.read('/etc/nginx/nginx.conf')
    const before = await nginxLife(web)
    const broken = await commitConf('keepalive_tiemout 5;', 'Shorter keep-alive')

    await server.sync()
    const opened = await told.told('opened', { kind: 'apply-failed', host: 'web-1', service: 'nginx' })

    expect(opened.text).toContain(broken.slice(0, 7))
    expect(opened.text).toContain('unknown directive "keepalive_tiemout"')
    expect(await web.read('/etc/nginx/nginx.conf')).toBe(live)
    expect(await answerOf(web, '/version')).toBe('two\n')
    expect(await nginxLife(web)).toEqual(before)
    await server.inSync('box-1', broken)

    const good = await commitConf('location = /version { return 200 "three\\n"; }', 'Shorter keep-alive, spelt well')
    await server.sync()

    await told.told('resolved', { kind: 'apply-failed', host: 'web-1', service: 'nginx' })
    await inSyncEverywhere(good)
    await servesVersion('three')
    expect(told.webhook().map(({ event }) => event)).toEqual(['opened', 'resolved'])
  })

  test('a host that goes offline is an alert, and resolved when it is back', async () => {
    tellMoreOnFailure(box)
    const told = channels.from()
    const start = performance.now()

    box.cutNetwork()
    try {
      await told.told('opened', { kind: 'host-offline', host: 'box-1' }, (silentAfterSeconds + 15) * 1000)
      console.log(`the silence was told after ${secondsSince(start)} s`)
      expect((await server.fleet()).hosts.find(({ host }) => host === 'box-1')?.state).toBe('offline')
    } finally {
      box.restoreNetwork()
    }

    const back = performance.now()
    await told.told('resolved', { kind: 'host-offline', host: 'box-1' })
    console.log(`its return was told after ${secondsSince(back)} s`)
    await server.inSync('box-1', await fleet.head())
  })

  test('nothing is open at the end, and both channels were told of each alert once when it opened and once when it ended', async () => {
    expect(await server.openAlerts()).toEqual([])
    const byAlert = Map.groupBy(channels.webhook(), ({ alert }) => alert.id)
    for (const [, messages] of byAlert) expect(messages.map(({ event }) => event)).toEqual(['opened', 'resolved'])
    expect([...byAlert.values()].map(([opened]) => opened?.alert.title)).toEqual([
      'web-1: nginx has drifted',
      'web-1: hello has drifted',
      'web-1: nginx could not be applied',
      'box-1 is offline',
    ])
    expect(channels.slack()).toHaveLength(8)
    expect(channels.slack().filter((text) => text.includes(' - resolved'))).toHaveLength(4)
  })

  // Pages of the executable are the machine's to take back, and how many are resident differs by how its cache holds them.
  test('at rest the agent needs less than 60 MiB of its own', async () => {
    const { resident, anonymous, file } = await memoryOf(web, await mainPid(web, 'plumb.service'))
    console.log(`the agent on web-1: ${resident} MiB resident, ${anonymous} of its own, ${file} of its executable`)
    expect(anonymous).toBeLessThan(60)
  })

  async function bootstrap(host: LabHost): Promise<void> {
    const ran = await runLine(await server.installLine(host.name), host)
    if (ran.code !== 0) throw new Error(`${host.name} was not bootstrapped:\n${ran.stdout}${ran.stderr}`)
  }

  async function inSyncEverywhere(revision: Revision): Promise<void> {
    await Promise.all(['web-1', 'box-1'].map((host) => server.inSync(host, revision)))
  }

  /** A reload ends before the new workers answer: the old ones may serve a moment longer. */
  async function servesVersion(version: string): Promise<void> {
    const asked = () => answerOf(web, '/version')
    await until(`nginx serves version ${version}`, asked, (answer) => answer === `${version}\n`)
  }

  /** A directive more in the server block than the first revision had. */
  async function commitConf(directive: string, subject: string): Promise<Revision> {
    const first = await fleet.git('show', `${await fleet.git('rev-list', '--max-parents=0', 'HEAD')}:${nginxConf}`)
    const text = edited(`${first}\n`, 'listen 80 default_server;', `listen 80 default_server;\n        ${directive}`)
    const message = `${subject}\n\nAsked for in the lab.`
    return await fleet.commit({ [nginxConf]: text }, { message, author: 'Grace', at: now() })
  }

  async function repositoryText(path: string): Promise<string> {
    return await readFile(join(fleet.directory, path), 'utf8')
  }

  function tellMoreOnFailure(host: LabHost): void {
    onTestFailed(async () => {
      const journal = await host.exec(['journalctl', '--no-pager', '--lines=60', '--unit=plumb'])
      console.log(`${host.name}, plumb.service:\n${journal.stdout}\nserver:\n${server.log().slice(-6000)}`)
    })
  }
})

function secondsSince(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1)
}

function changedLines(diff: string): readonly string[] {
  return diff.split('\n').filter((line) => /^[-+](?![-+]{2} )/.test(line))
}

/** The items of a page's lists, as text with their markup. */
function linesOf(page: string): readonly string[] {
  return page.split('<li>').map((item) => item.split('</li>')[0] ?? '')
}

/** Resolves when the agent has looked at the host twice more, so that it had the chance to tell a thing again. */
async function looksTwice(host: LabHost): Promise<void> {
  const lookedAt = async () => {
    const status = await host.exec(['plumb', 'status', '--json'])
    return z.object({ at: z.string() }).parse(JSON.parse(status.stdout)).at
  }
  for (let look = 0; look < 2; look += 1) {
    const last = await lookedAt()
    await until('the agent looks again', lookedAt, (at) => at !== last)
  }
}

/** What a restart would change. */
async function nginxLife(host: LabHost) {
  const pid = await mainPid(host, 'nginx.service')
  const activeSince = await host.output(['systemctl', 'show', '-P', 'ActiveEnterTimestampMonotonic', 'nginx.service'])
  const children = (await host.read(`/proc/${pid}/task/${pid}/children`)).trim().split(' ')
  const titles = await Promise.all(children.map((child) => host.read(`/proc/${child}/cmdline`).catch(() => 'ended')))
  const workers = children.filter((_, index) => /^nginx: worker process(?! is shutting down)/.test(titles[index] ?? ''))
  return { pid, activeSince, workers }
}

/** In MiB. */
async function memoryOf(host: LabHost, pid: number) {
  const status = await host.read(`/proc/${pid}/status`)
  const mebibytes = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024)
  return { resident: mebibytes('VmRSS'), anonymous: mebibytes('RssAnon'), file: mebibytes('RssFile') }
}

/** Half a request over a connection that is open until `finish` sends the rest. */
async function requestUnderWay(host: LabHost): Promise<{ finish(): Promise<string> }> {
  const socket = connect({ host: host.address, port: 80, timeout: 60_000 })
  socket.once('timeout', () => socket.destroy(new Error(`${host.name} neither answers nor ends the connection`)))
  const answered = new Promise<string>((resolve, reject) => {
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.once('end', () => resolve(answer))
    socket.once('error', reject)
  })
  // It may fail before `finish` is there to hear of it.
  answered.catch(() => {})
  await new Promise<void>((resolve) => socket.write('GET /healthz HTTP/1.1\r\nHost: web-1\r\n', () => resolve()))
  return {
    finish: async () => {
      socket.write('Connection: close\r\n\r\n')
      return await answered
    },
  }
}
