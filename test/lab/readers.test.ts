// On a booted host: a changed file reaches the containers and units of other services that read it, in the same apply; jobs that
// fail behind a timer are seen; an undone apply leaves no failed unit.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { TestFiles } from '../support/git.ts'
import { type ComposeHost, composeHost } from './compose-host.ts'
import { mainPid } from './seen.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`readers cannot be shown here: ${reason}`)

const shared = (value: string): TestFiles => ({
  'files/etc/shared/common.env': `DOMAIN=${value}\n`,
  'files/etc/shared/app.conf': value,
})
const app: TestFiles = {
  'compose.yaml': `services:
  app:
    image: localhost/box:1
    command: [sleep, "100000"]
    env_file: [/etc/shared/common.env]
  other:
    image: localhost/box:1
    command: [sleep, "100000"]
    volumes: ["/etc/shared/app.conf:/etc/app.conf:ro"]
  stranger:
    image: localhost/box:1
    command: [sleep, "100000"]
`,
}
const daemon: TestFiles = {
  'units/daemon.service':
    '[Service]\nEnvironmentFile=/etc/shared/common.env\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n',
}
const job = (code: number): TestFiles => ({
  'units/job.service': `[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo the disk is gone; exit ${code}"\n`,
  'units/job.timer': '[Timer]\nOnCalendar=2099-01-01\n[Install]\nWantedBy=timers.target\n',
})

describe.skipIf(reason !== null)('on a booted Debian 13 with docker', () => {
  let lab: Lab
  let box: ComposeHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await composeHost(lab, 'readers', 'trixie-docker')
  })
  afterAll(async () => {
    await box?.close()
    lab?.close()
  })

  const applied = async (services: Readonly<Record<string, TestFiles>>) => {
    await box.commit(services)
    const { code, text } = await box.plumb('apply')
    expect([code, text]).toEqual([0, expect.stringContaining('in sync at')])
    expect((await box.plumb('check')).code).toBe(0)
    return text.split('\n')
  }
  const environment = () => box.engine('inspect', 'app-app-1', '--format', '{{.Config.Env}}')

  test('a changed file reaches the containers and units that read it, after the file, and no others', async () => {
    await applied({ app, daemon, common: shared('one') })
    const before = await box.containers('app')
    const pid = await mainPid(box.host, 'daemon.service')

    const lines = await applied({ app, daemon, common: shared('two') })

    const after = await box.containers('app')
    expect(await environment()).toContain('DOMAIN=two')
    expect(await box.seen('app-other-1', '/etc/app.conf')).toBe('two')
    expect(after.get('stranger')).toBe(before.get('stranger'))
    expect(await mainPid(box.host, 'daemon.service')).not.toBe(pid)
    const order = lines.filter((line) => /wrote \/etc\/shared\/common|restarted daemon|brought up app/.test(line))
    expect(order.map((line) => line.split(':')[0])).toEqual(['common', 'common', 'app'])
  })

  test('what is put back after an edit by hand reaches the container that has it mounted', async () => {
    await applied({ app, common: shared('three') })
    await box.host.output(['sed', '-i', 's/three/typed/', '/etc/shared/app.conf'])
    const before = await box.containers('app')

    await applied({ app, common: shared('three') })

    const after = await box.containers('app')
    expect(await box.seen('app-other-1', '/etc/app.conf')).toBe('three')
    expect(after.get('app')).toBe(before.get('app'))
  })

  test('a job that fails behind its timer is drift with the end of its journal, until a run succeeds', async () => {
    await applied({ job: job(3) })
    expect((await box.host.exec(['systemctl', 'start', 'job.service'])).code).not.toBe(0)

    const { code, text } = await box.plumb('check')
    expect(code).toBe(2)
    expect(text).toContain('job: drift: job.service: its last run failed (exit code 3)')
    expect(text).toContain('  | the disk is gone')

    await box.commit({ job: job(0) })
    await box.plumb('apply')
    expect((await box.plumb('check')).code).toBe(2)
    await box.host.output(['systemctl', 'start', 'job.service'])
    expect((await box.plumb('check')).code).toBe(0)
  })

  test('an undone apply leaves no failed unit behind', async () => {
    await applied({ common: shared('four') })
    const failed = () =>
      box.host.output(['systemctl', 'list-units', '--all', '--plain', '--no-legend', 'broken.service'])
    await box.commit({
      common: shared('four'),
      broken: { 'units/broken.service': '[Service]\nExecStart=/bin/false\n' },
    })

    expect((await box.plumb('apply')).code).toBe(1)

    expect(await failed()).toBe('')
  })
})
