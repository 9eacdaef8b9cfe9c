// Warnings of lint: files that arrive on a host and do nothing there. The revision is fine for hosts.
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { lint, lintWorkTree } from '../../../agent/commands/lint.ts'
import { type Files, fleetDirectory } from '../desire/fleet.ts'

async function codesFor(files: Files): Promise<readonly string[]> {
  const { problems, warnings } = await lintWorkTree(fleetDirectory(files))
  expect(problems).toEqual([])
  return warnings.map(({ code, where: { file } }) => `${code} ${file.replace(/^services\/a\/(?:files)?/, '')}`)
}

async function codesOf(path: string, content: Files[string] = 'x\n', settings = ''): Promise<readonly string[]> {
  const said = settings === '' ? {} : { 'services/a/service.yaml': `files: { ${path}: ${settings} }\n` }
  const codes = await codesFor({ [`services/a/files${path}`]: content, ...said })
  return codes.map((line) => line.split(' ')[0] ?? '')
}

const stack = (compose: string, more = '') => ({
  'services/a/compose.yaml': `services:\n  web:\n    image: x\n    cap_add: [NET_ADMIN]\n    volumes: [/var/run/docker.sock:/s, /srv/a:/a]\n${more}`,
  'services/a/service.yaml': `compose: { ${compose} }\n`,
})
const needed = 'allow: [cap:NET_ADMIN], allowMounts: [/var/run/docker.sock]'

test.each([
  ['allow', needed.replace('cap:NET_ADMIN', 'cap:NET_ADMIN, privileged'), 'privileged is allowed'],
  ['allowMounts', needed.replace('docker.sock]', 'docker.sock, /boot]'), '/boot may be mounted'],
  ['moveMounts', `${needed}, moveMounts: [/opt/old, /srv/a]`, '/srv/a may be left behind'],
])('an entry of %s that nothing needs is warned of, at its place', async (key, compose, message) => {
  const { problems, warnings } = await lintWorkTree(fleetDirectory(stack(compose)))
  expect(problems).toEqual([])
  expect(warnings.filter(({ code }) => code === 'compose-allowance-unused')).toMatchObject([
    { message: expect.stringContaining(message), where: { file: 'services/a/service.yaml', line: 1 } },
  ])
  expect(key).toBeTruthy()
})

test.each([
  ['all are used', stack(needed)],
  ['by its other name', stack(needed.replace('/var/run', '/run').replace('[/run', '[/var/run/docker.sock, /run'))],
  ['what is left is mounted no more', stack(`${needed}, moveMounts: [/opt/old]`)],
  [
    'a template may say so',
    {
      ...stack(
        `${needed.replace('cap:NET_ADMIN', 'cap:NET_ADMIN, privileged')}`,
        `    privileged: ${'$'}{{ vars.p }}\n`,
      ),
    },
  ],
])('no entry is warned of: %s', async (_, files) => {
  const { warnings } = await lintWorkTree(fleetDirectory(files))
  expect(warnings.filter(({ code }) => code === 'compose-allowance-unused')).toEqual([])
})

// In two pieces, so that no tool takes this file for a template.
const open = `${'$'}{{`

const script = { executable: '#!/bin/sh\n' }

test.each<[code: string, path: string, content?: Files[string], said?: string]>([
  ['cron-name', '/etc/cron.d/backup.nightly'],
  ['cron-name', '/etc/cron.d/my+job'],
  ['run-parts-name', '/etc/cron.daily/clean.sh', script],
  ['run-parts-name', '/etc/network/if-up.d/routes.sh', script],
  ['run-parts-name', '/etc/kernel/postinst.d/zz.sh', script],
  ['sudoers-name', '/etc/sudoers.d/anna.rules', 'x\n', '{ mode: "0440" }'],
  ['conf-name', '/etc/sysctl.d/90-swap'],
  ['conf-name', '/etc/tmpfiles.d/app.config'],
  ['conf-name', '/etc/modprobe.d/blacklist'],
  ['conf-name', '/etc/systemd/journald.conf.d/size'],
  ['conf-name', '/etc/ssh/sshd_config.d/10-root'],
  ['drop-in-name', '/etc/systemd/system/nginx.service.d/override'],
  ['unit-name', '/etc/systemd/system/backup'],
  ['networkd-name', '/etc/systemd/network/10-lan.conf'],
  ['quadlet-name', '/etc/containers/systemd/app.yaml'],
  ['apt-sources-name', '/etc/apt/sources.list.d/docker'],
  ['apt-name', '/etc/apt/preferences.d/pin.txt'],
  ['apt-key-name', '/etc/apt/trusted.gpg.d/docker.key'],
  ['udev-name', '/etc/udev/rules.d/99-disk.conf'],
  ['polkit-name', '/etc/polkit-1/rules.d/50-anna.conf'],
  ['profile-name', '/etc/profile.d/path'],
  ['conf-name', '/etc/nginx/conf.d/site'],
  ['conf-name', '/etc/chrony/conf.d/pool'],
  ['conf-name', '/etc/php/8.2/fpm/pool.d/www'],
  ['conf-name', '/etc/apache2/sites-available/shop'],
  ['php-name', '/etc/php/8.2/fpm/conf.d/99-size'],
  ['audit-name', '/etc/audit/rules.d/own.conf'],
  ['yum-repository-name', '/etc/yum.repos.d/own'],
  ['cfg-name', '/etc/default/grub.d/serial'],
  ['not-executable', '/etc/rc.local', '#!/bin/sh\n'],
  ['not-executable', '/etc/letsencrypt/renewal-hooks/deploy/reload', '#!/bin/sh\n'],
  ['crontab-mode', '/var/spool/cron/crontabs/anna', '0 3 * * * /bin/true\n'],
  ['certificate-name', '/usr/local/share/ca-certificates/own.pem'],
  ['no-final-newline', '/etc/cron.d/job', '0 3 * * * root /bin/true'],
  ['no-final-newline', '/etc/crontab', '0 3 * * * root /bin/true'],
  ['no-final-newline', '/etc/fstab', '/dev/sda1 / ext4'],
  ['shebang-crlf', '/usr/local/bin/tool', { executable: '#!/bin/sh\r\necho\r\n' }],
  ['shebang-crlf', '/srv/run', { executable: '#!/usr/bin/env python3\r\n' }],
  ['crlf', '/etc/cron.d/job', '0 3 * * * root /bin/true\r\n'],
  ['crlf', '/etc/default/app', 'A=b\r\n'],
  ['byte-order-mark', '/etc/app.conf', '\ufeffa = b\n'],
  ['byte-order-mark', '/usr/local/bin/tool', { executable: '\ufeff#!/bin/sh\n' }],
  ['not-executable', '/etc/cron.daily/clean', '#!/bin/sh\n'],
  ['not-executable', '/usr/local/bin/tool', '#!/bin/sh\n'],
  ['not-executable', '/etc/cron.weekly/clean', script, '{ mode: "0644" }'],
  ['sudoers-mode', '/etc/sudoers.d/anna'],
  ['cron-owner', '/etc/cron.d/job', 'x\n', '{ owner: anna }'],
  ['cron-owner', '/etc/cron.d/job', 'x\n', '{ mode: "0664" }'],
  ['ssh-mode', '/root/.ssh/authorized_keys', 'x\n', '{ mode: "0664" }'],
  ['connection-mode', '/etc/NetworkManager/system-connections/lan.nmconnection'],
  ['timer-without-start', '/etc/systemd/system/a.timer', '[Timer]\nOnUnitActiveSec=1h\n'],
  ['timer-without-start', '/etc/systemd/system/a.timer', '[Timer]\nOnBootSec=\nOnUnitInactiveSec=1h\n'],
  ['timer-without-start', '/etc/systemd/user/a.timer', '[Timer]\n# OnCalendar=daily\nOnUnitActiveSec = 1h\n'],
  ['placeholder-deployed', '/etc/app/conf.d/.gitkeep', ''],
  ['placeholder-not-filled-in', '/etc/app/app.conf', `password=${open} secrets.db_password }}\n`],
  ['placeholder-not-filled-in', '/etc/app/app.conf', `a\nb=${open}vars.port}}\n`],
  ['placeholder-not-filled-in', '/srv/app/.env', `NAME=${open} host.name }}\n`],
  ['placeholder-not-filled-in', '/etc/systemd/system/app.service', `Environment=PW=${open} secrets.pw }}\n`],
  ['leftover-deployed', '/etc/app/app.conf~'],
  ['leftover-deployed', '/etc/app/app.conf.orig'],
  ['home-directory-owner', '/home/anna/.ssh/authorized_keys'],
  ['link-above-root', '/etc/x', { link: '../../../common/x' }],
])('%s: %s', async (code, path, content, said) => {
  expect(await codesOf(path, content ?? 'x\n', said ?? '')).toEqual([code])
})

test.each<[path: string, content?: Files[string], said?: string]>([
  ['/etc/cron.d/backup_nightly-2'],
  ['/etc/cron.d/README.md'],
  ['/etc/cron.daily/clean', script],
  ['/etc/sudoers.d/anna', 'x\n', '{ mode: "0440" }'],
  ['/etc/sysctl.d/90-swap.conf'],
  ['/etc/systemd/system/nginx.service.d/override.conf'],
  ['/etc/apt/sources.list.d/docker.sources'],
  ['/etc/apt/preferences.d/pin'],
  ['/etc/apt/apt.conf.d/50unattended-upgrades'],
  ['/etc/logrotate.d/app.conf'],
  ['/etc/systemd/system/a.timer', '[Timer]\nOnBootSec=5m\nOnUnitActiveSec=1h\n'],
  ['/etc/systemd/system/a.timer', '[Timer]\nOnUnitActiveSec=1h\nOnActiveSec=0\n'],
  ['/etc/systemd/system/a.timer', '[Timer]\nOnCalendar=daily\n'],
  ['/etc/app/dos.ini', 'a=b\r\n'],
  ['/etc/app/no-newline', 'x'],
  ['/usr/local/bin/data', 'no program\n'],
  ['/home/anna/.bashrc'],
  ['/etc/x', { link: '../usr/share/x' }],
  ['/etc/app/app.conf', `name=${open} host.name }}\n`, '{ template: true }'],
  ['/srv/runner/workflows/ci.yaml', `token: ${open} secrets.TOKEN }}\n`],
  ['/etc/app/ci.yaml', `run: ${open} matrix.version }} and ${open} other }}\n`],
])('no warning: %s', async (path, content, said) => {
  expect(await codesOf(path, content ?? 'x\n', said ?? '')).toEqual([])
})

test.each([
  ['app.yaml', 'app.kube', '[Kube]\nYaml=app.yaml\n'],
  ['map.yml', 'app.kube', '[Kube]\nYaml=/srv/x.yaml\nConfigMap=./map.yml\n'],
  ['app.env', 'app.container', '[Container]\nImage=x\nEnvironmentFile=app.env\n'],
  ['Containerfile', 'app.build', '[Build]\nImageTag=localhost/x\nFile=Containerfile\n'],
])('%s is not skipped where %s names it', async (name, quadlet, text) => {
  const at = (file: string) => `services/a/files/etc/containers/systemd/${file}`
  const codes = async (named: string) => await codesFor({ [at(name)]: 'x\n', [at(quadlet)]: named })
  expect(await codes(text)).toEqual([])
  expect(await codes(text.replace(name, 'other'))).toEqual([`quadlet-name /etc/containers/systemd/${name}`])
})

test('placeholders are told in what is beside a compose file and in units, at their line', async () => {
  const { warnings } = await lintWorkTree(
    fleetDirectory({
      'services/a/compose.yaml': `services:\n  app:\n    image: x\n    environment: { PW: "${open} secrets.pw }}" }\n`,
      'services/a/app.env': `TOKEN=${open} secrets.token }}\n`,
      'services/a/units/app.service': `[Service]\nExecStart=/bin/app --password ${open} secrets.pw }}\n`,
      'services/a/real.env': `TOKEN=${open} secrets.token }}\n`,
      'services/a/service.yaml': 'files: { real.env: { template: true } }\n',
    }),
  )
  expect(warnings.map(({ code, where }) => `${code} ${where.file}:${where.line}`)).toEqual([
    'placeholder-not-filled-in services/a/app.env:1',
    'placeholder-not-filled-in services/a/compose.yaml:4',
    'placeholder-not-filled-in services/a/units/app.service:2',
  ])
})

test('directories below a home are told once each, and not when any service names them', async () => {
  const files: Files = {
    'services/a/files/home/anna/.config/app/one.conf': 'x\n',
    'services/a/files/home/anna/.config/app/two.conf': 'x\n',
  }
  expect(await codesFor(files)).toEqual([
    'home-directory-owner /home/anna/.config/app/one.conf',
    'home-directory-owner /home/anna/.config/app/one.conf',
  ])
  const directories = 'directories: { /home/anna/.config: { owner: anna }, /home/anna/.config/app: { owner: anna } }\n'
  expect(await codesFor({ ...files, 'services/b/service.yaml': directories })).toEqual([])
})

test('a name in a group that is nearly the name of a host is told; members of a series and patterns are not', async () => {
  const { warnings } = await lintWorkTree(
    fleetDirectory({
      'plumb.yaml': `version: 1
hosts: { web-1: {}, database: {} }
groups:
  one: { hosts: [web1, web-2, "web-?", databse, mail] }
  two: { hosts: [mial, web-3] }
  three: { hosts: [web-3] }
`,
    }),
  )
  expect(warnings.map(({ message, remedy }) => `${message} ${remedy}`)).toEqual([
    expect.stringMatching(/"one" names the host "web1", .* "web-1"\?/),
    expect.stringMatching(/"one" names the host "databse", .* "database"\?/),
    expect.stringMatching(/"one" names the host "mail", .* "mial"\?/),
    expect.stringMatching(/"two" names the host "mial", .* "mail"\?/),
  ])
})

test('warnings exit with 0, with --strict 1, and JSON has their severity', async () => {
  const directory = fleetDirectory({ 'services/a/files/etc/cron.d/a.b': 'x\n' })
  const written: string[] = []
  const write = (text: string) => written.push(text)
  expect(await lint(directory, { json: false, write })).toBe(0)
  expect(await lint(directory, { json: false, strict: true, write })).toBe(1)
  expect(await lint(directory, { json: true, write })).toBe(0)
  expect(written[0]).toBe(
    `services/a/files/etc/cron.d/a.b: warning: is skipped by cron, which reads names of letters, digits, - and _ (no dot) only. Rename it.
1 service on 1 host: no problems, 1 warning
`,
  )
  expect(JSON.parse(written[2] ?? '')).toMatchObject({
    problems: [],
    warnings: [{ severity: 'warning', code: 'cron-name', service: 'a' }],
  })
})

test.each(['/etc/cron.daily/clean', '/usr/local/bin/tool', '/etc/init.d/app'])(
  'the remedy for %s works as typed',
  async (path) => {
    const directory = fleetDirectory({ [`services/a/files${path}`]: '#!/bin/sh\n' })
    const [warning] = (await lintWorkTree(directory)).warnings
    const command = /(chmod \+x \S+),/.exec(warning?.remedy ?? '')?.[1]?.split(' ') ?? []
    execFileSync(command[0] ?? '', command.slice(1), { cwd: directory })
    expect((await lintWorkTree(directory)).warnings).toEqual([])
  },
)
