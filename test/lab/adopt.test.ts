// The fix of the night on a real host that follows its repository over ssh, kept by the commands that the product names: by a person with sudo,
// on a terminal, with a key of their own. The agent's key may only read.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Arguments } from '../../scripts/lab/command.ts'
import { initOf } from '../../scripts/lab/container.ts'
import { entering, environment, type LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { controlC, onTerminal } from '../support/terminal.ts'
import { artifactsDirectory, buildArtifacts } from './agent-artifacts.ts'

const files: Readonly<Record<string, string>> = {
  'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [web] } }\ndefaults: { checkEvery: 1h, syncEvery: 1h }\n',
  'services/web/README.md': '# web\n',
  'services/web/files/etc/web/main.conf': 'workers 1;\n',
  'services/web/units/tick.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
  'services/web/units/tick.timer': '[Timer]\nOnCalendar=hourly\n[Install]\nWantedBy=timers.target\n',
}

describe.skipIf(labUnavailable() !== null)('a fix of the night, over ssh', () => {
  let lab: Lab
  let host: LabHost

  beforeAll(async () => {
    await buildArtifacts()
    lab = openLab({ say: console.log })
    host = await lab.host('web-1')
    await host.copyIn(`${artifactsDirectory}/plumb-linux-x64`, '/root/plumb', '0755')
    const packages = ['openssh-server', 'openssh-client', 'git', 'sudo']
    await host.output(['apt-get', 'update', '-q'], { timeoutMs: 300_000 })
    await host.output(['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages], {
      timeoutMs: 900_000,
    })
    for (const [path, text] of Object.entries(files)) await host.write(`/root/fleet/${path}`, text)
    await host.output(['sh', '-c', makeForgeAndAnna])
    const install: Arguments = [
      '/root/plumb',
      'install',
      '--repo',
      'ssh://git@127.0.0.1/srv/fleet.git',
      '--host',
      'web-1',
    ]
    await host.output(install, { timeoutMs: 300_000 })
  }, 1_200_000)
  afterAll(() => lab?.close())

  test('what a check says is kept by just that, under sudo, on a terminal; pushed with the key of whoever called', async () => {
    await host.write('/etc/web/main.conf', 'workers 4;\n')
    const { keep } = await waysOut()
    expect(keep).toBe('plumb adopt /etc/web/main.conf')

    const { code, shown } = await anna(`sudo ${keep}`, 'one ran out in the sale\r')

    expect(shown).toMatch(/^pushed [0-9a-f]{12} as adopt\/web-1-web-/m)
    expect(code).toBe(0)
    const branch = await onlyBranch()
    expect(await inForge('log', '-1', '--format=%an: %s', branch)).toBe('Anna: one ran out in the sale')
    expect(await inForge('log', '-1', '--format=%B', branch)).toMatch(
      /logged in then: |sudo within a minute: |changed 20/,
    )
    expect(await left()).toBe('')
    await merged(branch)
    const apply = await host.output(['plumb', 'apply'])
    expect(apply).toMatch(/^nothing to change: in sync at /)
  }, 900_000)

  test('Control-C at the question leaves nothing behind, also what was made as somebody else', async () => {
    await host.write('/etc/web/main.conf', 'workers 5;\n')
    const { code, shown } = await anna('sudo plumb adopt /etc/web/main.conf', controlC)
    expect(code).toBe(130)
    expect(shown).not.toContain('Error')
    expect(await left()).toBe('')
    expect(await branches()).toEqual([])
    await host.output([...asAnna, 'sudo', 'plumb', 'apply'])
  }, 900_000)

  test('a timer that was switched off is kept by its own name', async () => {
    await host.output(['systemctl', 'disable', '--now', '--quiet', 'tick.timer'])
    const { keep } = await waysOut()
    expect(keep).toBe('plumb adopt unit:tick.timer')
    const { shown } = await anna(`sudo ${keep}`, 'nobody reads the ticks\r')
    expect(shown).toContain('adopted: unit:tick.timer\n')
    const branch = await onlyBranch()
    expect(await inForge('show', `${branch}:services/web/service.yaml`)).toBe(
      'units:\n  tick.timer: { enabled: false, state: stopped }',
    )
    await merged(branch)
    expect((await host.exec(['plumb', 'apply'])).code).toBe(0)
    expect((await host.exec(['plumb', 'check'])).stdout).toMatch(/^in sync: /)
  }, 900_000)

  test('in a clone of hers on the host it is pushed from there; nothing of it becomes root’s', async () => {
    await host.output([...asAnna, 'git', 'clone', '--quiet', 'git@127.0.0.1:/srv/fleet.git', '/home/anna/fleet'])
    await host.write('/etc/web/main.conf', 'workers 9;\n')
    const { shown } = await anna('sudo plumb adopt web --clone /home/anna/fleet', 'nine\r')
    expect(shown).toMatch(/^pushed /m)
    expect(await inForge('show', `${await onlyBranch()}:services/web/files/etc/web/main.conf`)).toBe('workers 9;')
    expect(await host.output(['find', '/home/anna/fleet', '-user', 'root'])).toBe('')
    expect(await host.output([...asAnna, 'git', '-C', '/home/anna/fleet', 'status', '--porcelain'])).toBe('')
  }, 900_000)

  /** As she types it, and answers the question why. */
  async function anna(line: string, keys: string) {
    const { supervisor } = host.record
    const init = supervisor === null ? null : initOf(supervisor)
    if (init === null) throw new Error('the host is off')
    return await onTerminal(line, {
      through: [...entering(init), ...asAnna],
      answers: [{ to: 'changed? ', keys }],
      env: { ...environment, HOME: '/home/anna' },
    })
  }

  async function waysOut(): Promise<{ readonly keep: string | undefined }> {
    const { stdout } = await host.exec(['plumb', 'check'])
    return { keep: /^to keep it: (.*)$/m.exec(stdout)?.[1] }
  }

  async function left(): Promise<string> {
    return (await host.exec(['sh', '-c', 'ls -d /tmp/plumb-adopt-*'])).stdout
  }

  async function inForge(...args: readonly string[]): Promise<string> {
    return (await host.output(['runuser', '-u', 'git', '--', 'git', '-C', '/srv/fleet.git', ...args])).trim()
  }

  async function branches(): Promise<readonly string[]> {
    const names = (await inForge('for-each-ref', '--format=%(refname:short)', 'refs/heads')).split('\n')
    return names.filter((name) => name !== 'main')
  }

  async function onlyBranch(): Promise<string> {
    const [branch, ...others] = await branches()
    if (branch === undefined || others.length > 0) throw new Error('expected one branch')
    return branch
  }

  async function merged(branch: string): Promise<void> {
    await inForge('update-ref', 'refs/heads/main', `refs/heads/${branch}`)
    await inForge('update-ref', '-d', `refs/heads/${branch}`)
  }
})

const asAnna = ['runuser', '-u', 'anna', '--', 'env', 'HOME=/home/anna', '--chdir=/home/anna'] as const

/** A bare repository behind the host's own sshd: root's key reads it, anna's writes it. */
const makeForgeAndAnna = `
  set -e
  useradd --create-home --shell /bin/sh git
  useradd --create-home anna
  printf 'anna ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/anna
  git init -q --bare --initial-branch=main /srv/fleet.git
  cd /root/fleet
  git init -q --initial-branch=main .
  git add -A
  git -c user.name=Ada -c user.email=ada@example.org commit -q -m 'the beginning'
  git push -q /srv/fleet.git main
  chown -R git: /srv/fleet.git
  install -d -o git -m 0700 /home/git/.ssh
  ssh-keyscan -t ed25519 127.0.0.1 > /tmp/known
  for user in root anna; do
    home=$(getent passwd $user | cut -d: -f6)
    install -d -o $user -m 0700 $home/.ssh
    ssh-keygen -q -t ed25519 -N '' -f $home/.ssh/id_ed25519
    cp /tmp/known $home/.ssh/known_hosts
    chown -R $user: $home/.ssh
  done
  printf 'restrict,command="git-upload-pack /srv/fleet.git" ' > /home/git/.ssh/authorized_keys
  cat /root/.ssh/id_ed25519.pub >> /home/git/.ssh/authorized_keys
  printf 'restrict ' >> /home/git/.ssh/authorized_keys
  cat /home/anna/.ssh/id_ed25519.pub >> /home/git/.ssh/authorized_keys
  chown git: /home/git/.ssh/authorized_keys
  printf '[user]\\n\\tname = Anna\\n\\temail = anna@example.org\\n' > /home/anna/.gitconfig
`
