// Drop-ins of the agent's own unit, under a real systemd: applied and recorded, then the agent restarts itself, once.
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import { type FollowedHost, followedHost } from './followed-host.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`the agent's own unit cannot be changed here: ${reason}`)

const dropIn = 'services/base/units/plumb.service.d/place.conf'
const saying = (place: string) => `[Service]\nEnvironment=PLACE=${place}\n`

describe.skipIf(reason !== null)('a drop-in of plumb.service', () => {
  let lab: Lab
  let followed: FollowedHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    followed = await followedHost(lab, 'own-unit', {})
    await followed.commit({
      'plumb.yaml':
        'version: 1\nhosts: { own-unit: { services: [base] } }\ndefaults: { syncEvery: 2s, checkEvery: 1h }\n',
      'services/base/README.md': '# base\n',
      'services/base/service.yaml': 'settle: 1s\n',
      'services/base/files/etc/base.conf': 'one\n',
    })
    await followed.install()
  })

  afterAll(async () => {
    await followed?.close()
    lab?.close()
  })

  test.each([
    ['that comes', { [dropIn]: saying('cellar') }, 'cellar'],
    ['that changes', { [dropIn]: saying('attic') }, 'attic'],
  ] as const)('%s is applied by the agent, which then runs with it', async (_, files, place) => {
    onTestFailed(async () => console.log(await followed.host.journal('plumb', 60)))
    const before = await agentProcess()

    const revision = await followed.commit(files)
    await followed.inSyncAt(revision)

    const after = await eventually('the agent is another process', async () => {
      const process = await agentProcess()
      expect(process).not.toBe(before)
      return process
    })
    const environment = await followed.host.output(['cat', `/proc/${after}/environ`])
    expect(environment).toContain(`PLACE=${place}`)
    expect((await followed.host.exec(['plumb', 'check'])).code).toBe(0)
    expect(await agentProcess()).toBe(after)
  })

  test.each([
    ['of its own, over a reboot', 'plumb.service.d', 'EnvironmentFile=/etc/none', true],
    ['of all services', 'service.d', 'EnvironmentFile=/etc/none', false],
    ['of all services, with which nothing can be read', 'service.d', 'LimitNOFILE=12', false],
  ] as const)(
    'one %s that keeps the agent from coming up is taken back',
    { timeout: 500_000 },
    async (_, directory, line, reboots) => {
      onTestFailed(async () => console.log(await followed.host.journal('plumb*', 60)))
      const name = `units/${directory}/broken.conf`
      await followed.commit({ [`services/base/${name}`]: `[Service]\n${line}\n` })
      const guard = ['systemctl', 'is-enabled', 'plumb-restart-guard.timer']
      await eventually('the guard is set', async () =>
        expect((await followed.host.exec(guard)).stdout.trim()).toBe('enabled'),
      )
      if (reboots) await followed.host.reboot()
      const path = `/etc/systemd/system/${directory}/broken.conf`
      const left = ['sh', '-c', `ls -d ${path} /etc/systemd/system/plumb-restart-guard*`]
      const look = async () => expect((await followed.host.exec(left)).stdout).toBe('')
      await eventually('the change is taken back, and nothing of the guard is left', look, { withinMs: 300_000 })
      await eventually('the agent runs', agentProcess)
      const status = async () => (await followed.host.exec(['plumb', 'status'])).stdout
      await eventually('its first check says what failed', async () =>
        expect(await status()).toContain('restart plumb.service'),
      )
      await followed.inSyncAt(await followed.commit({ [`services/base/${name}`]: null }))
    },
  )

  async function agentProcess(): Promise<string> {
    const pid = (await followed.host.output(['systemctl', 'show', '-P', 'MainPID', 'plumb.service'])).trim()
    expect(pid).not.toBe('0')
    return pid
  }
})
