// Packages, units and triggers as an import judges them; what dpkg and ss print is from a Debian 12.
import { expect, test } from 'vitest'
import { assigned } from '../../../agent/commands/write-service.ts'
import { parseGroups, parseListeners } from '../../../agent/host/listening.ts'
import { parseInventory, parseOwners } from '../../../agent/host/packages/inventory.ts'
import { parseShow } from '../../../agent/host/systemd.ts'
import { packagesFor } from '../../../agent/import/packages.ts'
import { type FoundUnit, triggersFor, unitSaid } from '../../../agent/import/units.ts'

const row = (...fields: readonly string[]) => `${fields.join('\u001f')}\u001e`
const sum = 'd41d8cd98f00b204e9800998ecf8427e'
const inventory = parseInventory({
  installed: [
    row('nginx', 'installed', 'install', '1.22', 'optional', 'small web server', 'nginx-common (= 1), libc6 | x', ''),
    row(
      'nginx-common',
      'installed',
      'install',
      '1.22',
      'optional',
      'common files',
      '',
      `\n /etc/nginx/nginx.conf ${sum}\n /etc/nginx/old ${sum} obsolete\n`,
    ),
    row('openssh-server', 'installed', 'hold', '1:9', 'standard', 'secure shell', 'libc6', ''),
    row('libc6', 'installed', 'install', '2', 'optional', 'library', '', ''),
    row('gone', 'config-files', 'deinstall', '1', 'optional', 'gone', '', `\n /etc/gone ${sum}\n`),
  ].join(''),
  manual: 'nginx\nopenssh-server:amd64\n',
  hashes: `${sum}  /etc/ssh/sshd_config\n`,
  registry: 'openssh-server               /etc/ssh/sshd_config\n',
})

test('configuration files of dpkg and of ucf have their originals, removed packages none', () => {
  expect([...inventory.originals].map(([path, { package: name }]) => `${path} ${name}`)).toEqual([
    '/etc/nginx/nginx.conf nginx-common',
    '/etc/nginx/old nginx-common',
    '/etc/ssh/sshd_config openssh-server',
  ])
  expect(inventory.packages.get('openssh-server')).toMatchObject({ manual: true, held: true, basic: true })
  expect([...inventory.packages.keys()]).not.toContain('gone')
})

test('owners by path; diversions are no owners', () => {
  const text = 'nginx-common, libc6:amd64: /etc/nginx\nlibc6:amd64: /etc/ld.so.conf\ndiversion by dash from: /bin/sh\n'
  expect([...parseOwners(text)]).toEqual([
    ['/etc/nginx', ['nginx-common', 'libc6']],
    ['/etc/ld.so.conf', ['libc6']],
  ])
})

test.each([
  ['nginx', ['nginx-common'], ['nginx']],
  ['web', ['nginx-common'], ['nginx']],
  ['ssh', ['openssh-server'], ['openssh-server']],
  ['nginx', [], ['nginx']],
  ['shop', [], []],
  ['shop', ['unheard-of'], []],
])('%s with files of %j needs %j', (service, owners, expected) => {
  expect(packagesFor({ service, named: [], owners }, inventory)).toEqual(expected)
})

test.each<[string, string, Partial<FoundUnit>, object | undefined]>([
  ['an own unit that is enabled and runs: nothing to say', 'enabled active', { isOwn: true }, undefined],
  ['an own unit that is off', 'disabled inactive', { isOwn: true }, { enabled: false, state: 'stopped' }],
  ['an own unit that failed: not for us to say', 'enabled failed', { isOwn: true }, { enabled: true }],
  ['a static job that has run', 'static inactive', { isOwn: true }, { state: 'stopped' }],
  ["a package's that runs", 'enabled active', {}, { enabled: true, state: 'running' }],
  ["a package's that nobody wants", 'disabled inactive', {}, undefined],
  ["a package's main one, switched off", 'disabled inactive', { isMain: true }, { enabled: false, state: 'stopped' }],
  ['a masked one', 'masked inactive', {}, { masked: true }],
])('%s', (_, state, given, expected) => {
  expect(unitSaid(unit('x.service', state, given))).toEqual(expected)
})

test('a changed file reloads the unit of its package, or restarts it where reading again would not do', () => {
  const nginx = unit('nginx.service', 'enabled active', { package: 'nginx-common' }, 'yes')
  const other = unit('other.service', 'enabled active', { package: 'other' })
  const asked = (path: string, owners: readonly string[], units = [nginx, other]) =>
    triggersFor(path, { owners, units })
  expect(asked('/etc/nginx/nginx.conf', ['nginx-common'])).toEqual(['reload nginx.service'])
  expect(asked('/etc/default/nginx', ['nginx-common'])).toEqual(['restart nginx.service'])
  expect(asked('/etc/nginx/sites/mine', [], [nginx])).toEqual(['reload nginx.service'])
  expect(asked('/x', ['other'])).toEqual(['restart other.service'])
  expect(asked('/x', [], [])).toEqual([])
})

test('ports with the unit of who listens', () => {
  const ss =
    'LISTEN 0      511          0.0.0.0:80        0.0.0.0:*    users:(("nginx",pid=12,fd=5),("nginx",pid=11,fd=5))\n'
  expect(parseListeners(ss)).toEqual([{ address: '0.0.0.0:80', program: 'nginx', pid: '12' }])
  const groups = '/proc/12/cgroup:0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n'
  expect(parseGroups(groups).get('12')).toBe('postgresql@15-main.service')
})

test('a service is added to its host in plumb.yaml, and everything else stays as it is written', () => {
  const text =
    '# ours\nversion: 1\nhosts:\n  a: { services: [base] } # first\n  b:\n    services:\n      - base # for all\n'
  expect(assigned(text, { host: 'b', service: 'web' })).toContain('      - base # for all\n      - web\n')
  expect(assigned(text, { host: 'a', service: 'base' })).toBe(text)
  expect(assigned(text, { host: 'c', service: 'web' })).toContain('  c:\n    services: [ web ]\n')
  const flow =
    'hosts:\n  a: { services: [base, "app",], vars: {x: 1} }\n  b:\n    services: [\n      base, # for all\n    ]\n'
  expect(assigned(flow, { host: 'a', service: 'web' })).toBe(flow.replace('"app"', '"app", web'))
  expect(assigned(flow, { host: 'b', service: 'web' })).toBe(flow.replace('base, # for', 'base, web, # for'))
  expect(() => assigned('- x\n', { host: 'a', service: 'web' })).toThrow(/is not a fleet file/)
})

function unit(name: string, state: string, given: Partial<FoundUnit> = {}, canReload = 'no'): FoundUnit {
  const [enablement = '', activeState = ''] = state.split(' ')
  const show = [`Id=${name}`, 'LoadState=loaded', `ActiveState=${activeState}`, `CanReload=${canReload}`].join('\n')
  const status = parseShow([name], show).get(name)
  if (status === undefined) throw new Error('not parsed')
  return { status: { ...status, enablement }, isOwn: false, isMain: false, ...given }
}
