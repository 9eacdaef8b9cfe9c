// What the kernel recorded of a change, told with the finding: a real auditd, a real kernel, a real login by ssh.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { rootOf } from '../../scripts/lab/container.ts'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, openLab } from '../../scripts/lab/lab.ts'
import { type AuditRecord, evidenceSchema } from '../../shared/evidence.ts'
import { type FollowedHost, followedHost } from './followed-host.ts'
import { auditUnavailable, type MachineAudit, startAudit } from './machine-audit.ts'

const reason = auditUnavailable()
if (reason !== null) console.log(`the kernel's audit cannot be shown here: ${reason}`)

// auditd 3 and 4.
describe.skipIf(reason !== null).each([
  { image: 'bookworm', name: 'audit-1' },
  { image: 'trixie-docker', name: 'audit-2' },
] as const)('audit on $image', ({ image, name }) => {
  let lab: Lab
  let followed: FollowedHost
  let host: LabHost
  let keys: string
  let audit: MachineAudit

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    followed = await followedHost(lab, name, { image })
    host = followed.host
    // Its own auditd would fail again and again: what runs instead is this machine's.
    await host.output(['systemctl', 'mask', 'auditd.service'])
    const packages = ['openssh-server', 'sudo', 'libpam-systemd', 'vim-tiny', 'auditd']
    await host.output(['apt-get', 'install', '--yes', '--no-install-recommends', ...packages], { timeoutMs: 300_000 })
    await host.output(['useradd', '--create-home', '--shell', '/bin/bash', 'anna'])
    await host.write('/etc/sudoers.d/anna', 'anna ALL=(ALL) NOPASSWD: ALL\n', '0440')
    keys = await mkdtemp(join(tmpdir(), 'plumb-audit-'))
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(keys, 'key')])
    await host.write('/home/anna/.ssh/authorized_keys', await readFile(join(keys, 'key.pub')))
    await host.output(['chown', '-R', 'anna:', '/home/anna/.ssh'])
    // The two things that a machine has by itself and a container has not: auditd writes its log, here from outside ...
    const root = rootOf(host.record.number)
    audit = await startAudit({ log: join(root, 'var/log/audit/audit.log'), watched: join(root, 'etc') })
    // ... and its pid file.
    await host.write('/run/auditd.pid', '1\n')
    await followed.commit({
      'plumb.yaml': `version: 1\nhosts:\n  ${name}:\n    services: [base]\ndefaults:\n  syncEvery: 1h\n  checkEvery: 1m\n`,
      'services/base/README.md': 'What every host has.\n',
      'services/base/files/etc/motd': 'in sync\n',
      'services/base/files/etc/app/conf.d/limits.conf': 'limit 10\n',
    })
    await followed.install()
  })

  afterAll(async () => {
    await audit?.close()
    await followed?.close()
    lab?.close()
    if (keys !== undefined) await rm(keys, { recursive: true })
  })

  test('an edit by sudo in a login by ssh names who logged in, the program, the system call and the time', async () => {
    const before = Date.now()
    await anna('sudo sed -i "s/in sync/by anna/" /etc/motd')

    const record = await lastRecordOf('file:/etc/motd')

    expect(record).toEqual({
      at: expect.any(String),
      user: 'anna',
      executable: '/usr/bin/sed',
      command: 'sed',
      systemCall: 'rename',
      pid: expect.any(Number),
    })
    const at = Date.parse(record?.at ?? '')
    // The kernel's clock of files and audit is some ms behind.
    expect(at).toBeGreaterThanOrEqual(before - 10)
    expect(at).toBeLessThanOrEqual(Date.now())
    expect((await host.exec(['plumb', 'check'])).stdout).toMatch(
      /audit: .*anna by \/usr\/bin\/sed \(pid \d+, rename, 20/,
    )
    await putRight()
  })

  test('so does an editor that works in the directory and names the file alone', async () => {
    await host.write('/tmp/keys', 'Goby vim\u001b:wq\n')
    await anna('cd /etc && sudo vim.tiny -u NONE -s /tmp/keys motd', { terminal: true })

    expect(await lastRecordOf('file:/etc/motd')).toMatchObject({
      user: 'anna',
      executable: '/usr/bin/vim.tiny',
      command: 'vim.tiny',
      systemCall: 'openat',
    })
    await putRight()
  })

  test('of a file that vanished with its directories, who removed those', async () => {
    await anna('cd /etc && sudo rm -r app')

    expect(await lastRecordOf('file:/etc/app/conf.d/limits.conf')).toMatchObject({
      user: 'anna',
      executable: '/usr/bin/rm',
      systemCall: 'unlinkat',
    })
    await putRight()
  })

  test('what nobody logged in to start has no user', async () => {
    const edit = ['sed', '--in-place', 's/in sync/by a program/', '/etc/motd'] as const
    await host.output(['systemd-run', '--wait', '--quiet', ...edit])

    const record = await lastRecordOf('file:/etc/motd')

    expect(record).toMatchObject({ executable: '/usr/bin/sed', systemCall: 'rename' })
    expect(record).not.toHaveProperty('user')
    await putRight()
  })

  /** Others of the same minute, of the tests before, come first; what our own applies wrote is not among them. */
  async function lastRecordOf(resource: string): Promise<AuditRecord | undefined> {
    followed.tellMoreOnFailure()
    const has = (found: z.infer<typeof checkSchema>) =>
      found.services.flatMap(({ findings }) => findings).find((finding) => finding.resource === resource)
    // The agent sees it by itself, and gathers the evidence then.
    await followed.reportWith((report) => has(checkSchema.parse(report)) !== undefined)
    const { stdout } = await host.exec(['plumb', 'check', '--json'])
    const records = has(checkSchema.parse(JSON.parse(stdout)))?.evidence.audit ?? []
    expect(records.map(({ executable }) => executable)).not.toContain('/usr/local/bin/plumb')
    return records.at(-1)
  }

  async function putRight(): Promise<void> {
    await host.output(['plumb', 'apply'])
    await followed.inSyncAt(await followed.fleet.head())
  }

  async function anna(command: string, { terminal = false } = {}): Promise<void> {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes', 'LogLevel=ERROR']
    const given = options.flatMap((option) => ['-o', option])
    const args = [...(terminal ? ['-tt'] : []), ...given, '-i', join(keys, 'key'), `anna@${host.address}`, command]
    await promisify(execFile)('ssh', args, { timeout: 600_000 })
  }
})

const findingSchema = z.object({ resource: z.string(), evidence: evidenceSchema })
const checkSchema = z.object({ services: z.array(z.object({ findings: z.array(findingSchema) })) })
