// Who was logged in, what sudo and apt did: told with a finding, on a real host with a real login by ssh.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { machineAddress } from '../../scripts/lab/places.ts'
import { type Evidence, evidenceSchema } from '../../shared/evidence.ts'
import { type FollowedHost, followedHost } from './followed-host.ts'
import { until } from './seen.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`evidence on real hosts cannot be shown here: ${reason}`)

const motd = 'in sync\n'

// Debian 12 has wtmp and a logind that prints in one way, Debian 13 has no wtmp and one that prints in another.
describe.skipIf(reason !== null).each([
  { image: 'bookworm', name: 'evidence-1' },
  { image: 'trixie-docker', name: 'evidence-2' },
] as const)('evidence on $image', ({ image, name }) => {
  let lab: Lab
  let followed: FollowedHost
  let host: LabHost
  let keys: string

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    followed = await followedHost(lab, name, { image })
    host = followed.host
    keys = await mkdtemp(join(tmpdir(), 'plumb-evidence-'))
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(keys, 'key')])
    const packages = ['openssh-server', 'sudo', 'libpam-systemd', 'cron']
    await host.output(['apt-get', 'install', '--yes', '--no-install-recommends', ...packages], { timeoutMs: 300_000 })
    await host.output(['useradd', '--create-home', '--shell', '/bin/bash', 'anna'])
    await host.write('/home/anna/.ssh/authorized_keys', await readFile(join(keys, 'key.pub')))
    await host.output(['chown', '-R', 'anna:', '/home/anna/.ssh'])
    await host.write('/etc/sudoers.d/anna', 'anna ALL=(ALL) NOPASSWD: ALL\n', '0440')
    const cron = await host.read('/usr/share/doc/cron/copyright')
    await followed.commit({
      'plumb.yaml': `version: 1\nhosts:\n  ${name}:\n    services: [base]\ndefaults:\n  syncEvery: 1h\n  checkEvery: 5s\n`,
      'services/base/service.yaml': 'units:\n  cron.service: { enabled: true, state: running }\n',
      'services/base/README.md': 'What every host has.\n',
      'services/base/files/etc/motd': motd,
      'services/base/files/usr/share/doc/cron/copyright': `${cron}\nKept by hand.\n`,
    })
    await followed.install()
  })

  afterAll(async () => {
    await followed?.close()
    lab?.close()
    if (keys !== undefined) await rm(keys, { recursive: true })
  })

  test('where nobody was logged in, that is told', async () => {
    followed.tellMoreOnFailure()
    await host.output(['sed', '-i', 's/in sync/by a program/', '/etc/motd'])

    const evidence = await evidenceOf('file:/etc/motd')

    expect(evidence).toMatchObject({ sessions: [], owner: 'root', group: 'root', mode: '0644' })
    expect(Math.abs(Date.parse(evidence.changedAt ?? '') - Date.now())).toBeLessThan(60_000)
    await putRight()
  })

  test('an edit by sudo in a login by ssh names the user, where from, and the command; it is told the same after they left', async () => {
    followed.tellMoreOnFailure()
    // Anybody can write in sudo's name, and under it: from a program that is called so.
    const forged = 'root : TTY=pts/9 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/forged'
    await host.output(['runuser', '-u', 'anna', '--', 'logger', '-t', 'sudo', forged])
    await host.output(['runuser', '-u', 'anna', '--', 'cp', '/usr/bin/logger', '/home/anna/sudo'])
    await host.output(['runuser', '-u', 'anna', '--', '/home/anna/sudo', '-t', 'sudo', forged])
    const login = loggedIn('sudo sed -i "s/in sync/by anna/" /etc/motd; sleep 300')
    await until(
      'anna edits',
      () => host.read('/etc/motd'),
      (text) => text === 'by anna\n',
    )

    const evidence = await evidenceOf('file:/etc/motd')

    expect(evidence.sessions).toEqual([
      {
        user: 'anna',
        from: machineAddress,
        service: 'ssh',
        since: expect.stringMatching(/^20.*Z$/),
        // Only wtmp brings the terminal to logind.
        ...(image === 'bookworm' ? { tty: 'pts/0' } : {}),
      },
    ])
    expect(evidence.sudo).toMatchObject([
      { user: 'anna', as: 'root', command: "/usr/bin/sed -i 's/in sync/by anna/' /etc/motd" },
    ])
    const checked = await host.exec(['plumb', 'check'])
    expect(checked.stdout).toContain(`logged in then: anna from ${machineAddress} (ssh, `)

    await login.end()
    await looksTwice()
    expect(await evidenceOf('file:/etc/motd')).toEqual(evidence)
    await host.output(['systemctl', 'restart', 'plumb'])
    await looksTwice()
    expect(await evidenceOf('file:/etc/motd')).toEqual(evidence)
    await putRight()
  })

  test('a login without a terminal that has ended before anybody looked is told with its end', async () => {
    followed.tellMoreOnFailure()
    await host.output(['systemctl', 'stop', 'plumb'])
    const login = loggedIn('sudo rm /etc/motd', { terminal: false })
    await login.ended
    await host.output(['sleep', '3'])
    await host.output(['systemctl', 'start', 'plumb'])

    const { sessions, sudo, directoryChangedAt } = await evidenceOf('file:/etc/motd')

    expect(directoryChangedAt).toMatch(/^20/)
    expect(sessions).toMatchObject([{ user: 'anna', from: machineAddress, service: 'ssh', until: expect.any(String) }])
    expect(sudo?.map(({ command }) => command)).toContain('/usr/bin/rm /etc/motd')
    await putRight()
  })

  test('a file that dpkg unpacked again names the package, what was done, and by which command', async () => {
    followed.tellMoreOnFailure()
    await host.output(['apt-get', 'install', '--yes', '--reinstall', 'cron'], { timeoutMs: 900_000 })

    const { packageAction } = await evidenceOf('file:/usr/share/doc/cron/copyright')

    expect(packageAction).toMatchObject({
      package: 'cron',
      action: 'upgrade',
      commandLine: 'apt-get install --yes --reinstall cron',
    })
    await putRight()
  })

  test('a unit tells since when it is stopped', async () => {
    followed.tellMoreOnFailure()
    await host.output(['systemctl', 'stop', 'cron.service'])
    const { stateChangedAt, sessions } = await evidenceOf('unit:cron.service')
    expect(Math.abs(Date.parse(stateChangedAt ?? '') - Date.now())).toBeLessThan(60_000)
    expect(sessions).toEqual([])
    await putRight()
  })

  async function evidenceOf(resource: string): Promise<Evidence> {
    const finding = z.object({ resource: z.string(), evidence: evidenceSchema })
    const found = (report: Awaited<ReturnType<FollowedHost['reportWith']>>) =>
      report.services
        .flatMap(({ findings }) => z.array(finding).parse(findings))
        .find((each) => each.resource === resource)?.evidence
    const evidence = found(await followed.reportWith((report) => found(report) !== undefined))
    if (evidence === undefined) throw new Error(`${resource} is not drifted`)
    return evidence
  }

  async function putRight(): Promise<void> {
    await host.output(['plumb', 'apply'])
    await followed.inSyncAt(await followed.fleet.head())
  }

  async function looksTwice(): Promise<void> {
    const lookedAt = async () =>
      z.object({ at: z.string() }).parse(JSON.parse((await host.exec(['plumb', 'status', '--json'])).stdout)).at
    for (let look = 0; look < 2; look += 1) {
      const last = await lookedAt()
      await until('the agent looks again', lookedAt, (at) => at !== last)
    }
  }

  /** As a person at a terminal would, from this machine. */
  function loggedIn(command: string, { terminal = true } = {}) {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes', 'LogLevel=ERROR']
    const args = [
      ...(terminal ? ['-tt'] : []),
      ...options.flatMap((option) => ['-o', option]),
      ...['-i', join(keys, 'key'), `anna@${host.address}`, command],
    ]
    const child = spawn('ssh', args, { stdio: 'ignore' })
    const ended = once(child, 'exit')
    const end = async () => {
      child.kill()
      await ended
    }
    onTestFinished(end)
    return { ended, end }
  }
})
