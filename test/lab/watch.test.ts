// A real host that checks by itself once an hour: what is told within moments was seen by its events.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { z } from 'zod'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { eventually, generousMs } from '../../scripts/lab/waiting.ts'
import type { TestRepository } from '../support/git.ts'
import { buildArtifacts } from './agent-artifacts.ts'
import { type Channels, startChannels } from './channels.ts'
import { edited, exampleFleet, now } from './example-fleet.ts'
import { type LabServer, runLine, startLabServer } from './lab-server.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`events on a real host cannot be shown here: ${reason}`)

const hostSchema = z.looseObject({
  applies: z.array(z.looseObject({ repaired: z.array(z.unknown()).optional() })),
})

const conf = '/etc/nginx/nginx.conf'
/** Far less than an hour, and enough for a machine that does much else. */
const soonMs = generousMs
/** `npm run bench -- alerts` makes more. */
const edits = Number(process.env['PLUMB_BENCH_EDITS'] ?? 20)

describe.skipIf(reason !== null)('web-1, which looks once an hour', () => {
  let lab: Lab
  let web: LabHost
  let fleet: TestRepository
  let channels: Channels
  let server: LabServer

  beforeAll(async () => {
    await buildArtifacts()
    lab = openLab({ say: console.log })
    channels = await startChannels()
    web = await lab.host('web-1')
    fleet = await exampleFleet((text) => {
      const rarely = edited(edited(text, 'syncEvery: 10s', 'syncEvery: 1h'), 'checkEvery: 10s', 'checkEvery: 1h')
      return rarely + channels.yaml
    })
    server = await startLabServer(fleet, { silentAfterSeconds: 3600, secrets: channels.secrets })
    const ran = await runLine(await server.installLine('web-1'), web)
    if (ran.code !== 0) throw new Error(`web-1 was not bootstrapped:\n${ran.stdout}${ran.stderr}`)
    await server.inSync('web-1', await fleet.head())
  })

  afterAll(async () => {
    await server?.close()
    await channels?.close()
    lab?.close()
    await fleet?.remove()
  })

  test.each([
    ['an edit in place', 'nginx', ['sh', '-c', `echo '# by hand' >> ${conf}`]],
    ['sed -i, which replaces by rename', 'nginx', ['sed', '-i', 's/keepalive_timeout 65/keepalive_timeout 5/', conf]],
    ['chmod', 'nginx', ['chmod', '0666', conf]],
    ['chown', 'nginx', ['chown', 'nobody', conf]],
    ['a removed file', 'nginx', ['rm', conf]],
    ['a directory that was moved away', 'nginx', ['mv', '/etc/nginx', '/etc/nginx.away']],
    ['systemctl stop', 'hello', ['systemctl', 'stop', 'hello.service']],
    ['a killed service', 'nginx', ['systemctl', 'kill', '--signal=KILL', 'nginx.service']],
    ['systemctl disable', 'hello', ['systemctl', 'disable', 'hello.service']],
    ['a link of systemd removed by hand', 'hello', ['rm', '/etc/systemd/system/multi-user.target.wants/hello.service']],
  ] as const)('%s is told at once', async (_, service, command) => {
    onTestFailed(async () => console.log((await web.exec(['journalctl', '--no-pager', '-n40', '-uplumb'])).stdout))
    const told = channels.from()

    await web.output(command)
    await told.told('opened', { kind: 'drift', host: 'web-1', service }, soonMs)
    await web.exec(['mv', '/etc/nginx.away', '/etc/nginx'])
    expect((await web.exec(['plumb', 'apply'])).code).toBe(0)

    await told.told('resolved', { kind: 'drift', host: 'web-1', service }, soonMs)
    expect(told.webhook().map(({ event }) => event)).toEqual(['opened', 'resolved'])
  })

  test('a repair is made at once and reported; one that a program undoes again and again ends in a fight that is told', async () => {
    onTestFailed(async () => console.log((await web.exec(['journalctl', '--no-pager', '-n40', '-uplumb'])).stdout))
    const hello = 'services/hello/service.yaml'
    const settings = await fleet.git('show', `HEAD:${hello}`)
    const contested = 'services/hello/files/etc/contested.conf'
    await fleet.commit({ [contested]: 'ours\n', [hello]: `${settings}\nonDrift: repair\n` }, { at: now() })
    await server.sync()
    await server.inSync('web-1', await fleet.head())
    const told = channels.from()

    await web.output(['sh', '-c', 'echo once > /etc/contested.conf'])
    await eventually('it is put back', async () =>
      (await web.read('/etc/contested.conf')) === 'ours\n' ? true : undefined,
    )
    const applies = await eventually('the server knows', async () => {
      const { applies: all } = hostSchema.parse(await server.json('/api/v1/hosts/web-1'))
      const repaired = all.flatMap((apply) => apply.repaired ?? [])
      return repaired.length > 0 ? repaired : undefined
    })
    expect(applies).toMatchObject([
      {
        service: 'hello',
        finding: { diff: expect.stringContaining('+once'), evidence: { changedAt: expect.any(String) } },
      },
    ])
    expect(told.webhook()).toEqual([])

    // What another configuration manager does; as a unit, so that it ends with the host in any case.
    const rival = 'while sleep 0.5; do grep -q theirs /etc/contested.conf || echo theirs > /etc/contested.conf; done'
    await web.output(['systemd-run', '--unit=rival', 'sh', '-c', rival])
    const alert = await told.told('opened', { kind: 'fight', host: 'web-1', service: 'hello' }, soonMs)
    expect(alert.text).toMatch(
      /\/etc\/contested\.conf: content differs\n {2}repaired 3 times since .* no longer repaired/,
    )
    expect(alert.diff).toContain('+theirs')
    expect(await web.read('/etc/contested.conf')).toBe('theirs\n')

    await web.output(['systemctl', 'stop', 'rival'])
    expect((await web.exec(['plumb', 'apply'])).code).toBe(0)
    await told.told('resolved', { kind: 'fight', host: 'web-1', service: 'hello' }, soonMs)
    expect(told.webhook().map(({ event }) => event)).toEqual(['opened', 'resolved'])
    expect((await web.exec(['plumb', 'restore'])).stdout).toContain('/etc/contested.conf')
  })

  test(`each of ${edits} edits raises an alert, and how soon`, { timeout: 600_000 + edits * 10_000 }, async () => {
    const took: number[] = []
    for (let edit = 0; edit < edits; edit += 1) {
      await pause(1000)
      const told = channels.from()
      const start = performance.now()
      await web.output(['sh', '-c', `echo '# ${edit}' >> ${conf}`])
      await eventually('the webhook is told', () => (told.webhook().length > 0 ? true : undefined), { everyMs: 2 })
      took.push(performance.now() - start)
      await web.output(['sed', '-i', '$d', conf])
      await told.told('resolved', { kind: 'drift', host: 'web-1', service: 'nginx' }, soonMs)
    }
    const sorted = took.toSorted((one, other) => one - other).map(Math.round)
    const at = (part: number) => `${sorted[Math.ceil(edits * part) - 1]} ms`
    console.log(`from edit to webhook: median ${at(0.5)}, p99 ${at(0.99)}, slowest ${at(1)}, of ${edits} edits`)
  })
})
