// What a repository says, and every way it can be wrong: each error with file, line, column, key and the way out.
import { expect, test } from 'vitest'
import { serviceNameSchema } from '../../../shared/names.ts'
import { parseRepository } from '../../../shared/repository/parse.ts'
import type { UnitSettings } from '../../../shared/repository/service.ts'
import { fleetOf, linesOf, problemsIn, treeOf } from './tree.ts'

test('a drift policy is alert, repair, or ignore with a reason; anything else says what is expected', () => {
  const problemsWith = (settings: string) =>
    parseRepository(
      treeOf({
        'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [base] } }\n',
        'services/base/README.md': '',
        'services/base/files/etc/base.conf': '',
        'services/base/service.yaml': settings,
      }),
    ).problems
  for (const policy of ['alert', 'repair', '{ ignore: dhclient writes it }'])
    expect(problemsWith(`onDrift: ${policy}\nfiles: { /etc/base.conf: { onDrift: ${policy} } }\n`)).toEqual([])
  for (const policy of ['ignore', '{ ignore: "" }', '{ ignore: x, repair: y }', 'never'])
    expect(problemsWith(`onDrift: ${policy}\n`)).toMatchObject([
      { code: 'repository-invalid', where: { file: 'services/base/service.yaml', line: 1 } },
    ])
  expect(problemsWith('onDrift: never\n')[0]?.message).toContain('alert, repair, or { ignore: REASON }')
})

test('a directory with a README and a files/ tree is a complete service', () => {
  const { repository, problems } = parseRepository(
    fleetOf({ 'services/motd/files/etc/motd': 'hello', 'services/motd/files/usr/bin/x': { executable: '#!/bin/sh' } }),
  )
  expect(problems).toEqual([])
  const service = repository.services.get(serviceNameSchema.parse('motd'))
  expect(service?.files).toMatchObject([
    { kind: 'file', target: '/etc/motd', source: 'services/motd/files/etc/motd', executable: false },
    { kind: 'file', target: '/usr/bin/x', executable: true },
  ])
})

test('every key of both files is understood', () => {
  const { repository, problems } = parseRepository(
    treeOf({
      'plumb.yaml': `version: 1
hosts:
  web-1: { services: [base, caddy], vars: { domain: example.org, port: 8080, tls: true } }
groups:
  edge: { hosts: [edge-*], services: [base], vars: { region: north } }
vars: { contact: ops@example.org }
defaults: { syncEvery: 10s, checkEvery: 2m, onDrift: repair, silentAfter: 1h, connectivityGuard: 30s }
trust: { signers: .plumb/allowed_signers }
rollout: [ { hosts: [web-1], soak: 10m }, { hosts: ["*"] } ]
alerts:
  - { to: webhook, url: "\${{ secrets.alert_url }}" }
  - { to: slack, url: https://hooks.example.org/x }
`,
      '.plumb/allowed_signers': '',
      'services/base/README.md': '',
      'services/caddy/README.md': '',
      'services/caddy/files/etc/caddy/Caddyfile': '',
      'services/caddy/service.yaml': `after: [base]
packages:
  - caddy=2.6.*
  - xcaddy
  - { name: "libnss3-tools", version: "2:3.87.*", hold: true }
files:
  /etc/caddy/Caddyfile:
    mode: "0640"
    owner: root
    group: caddy
    template: true
    compare: { yaml: { ignore: [/version, '/a~1b/*'], unordered: [/tags] } }
    validate: caddy validate --adapter caddyfile --config {}
    triggers: [reload caddy.service, restart x.timer, run echo done]
directories:
  /etc/caddy/sites.d: { purge: true, mode: "750" }
units:
  caddy.service: { enabled: true, state: running }
  apt-daily.timer: { masked: true }
validate: [caddy validate]
settle: 0s
checks:
  - http: http://127.0.0.1/healthz
  - tcp: 127.0.0.1:443
  - unit: caddy.service
  - run: caddy version
onDrift: alert
onRemove: restore
`,
    }),
  )
  expect(problems).toEqual([])
  expect(repository.fleet).toEqual({
    version: 1,
    hosts: new Map([
      [
        'web-1',
        {
          services: ['base', 'caddy'],
          vars: new Map([
            ['domain', 'example.org'],
            ['port', '8080'],
            ['tls', 'true'],
          ]),
        },
      ],
    ]),
    groups: new Map([['edge', { hosts: ['edge-*'], services: ['base'], vars: new Map([['region', 'north']]) }]]),
    vars: new Map([['contact', 'ops@example.org']]),
    defaults: { syncEvery: 10, checkEvery: 120, onDrift: 'repair', silentAfter: 3600, connectivityGuard: 30 },
    trust: { signers: '.plumb/allowed_signers' },
    rollout: [
      { hosts: ['web-1'], soak: 600 },
      { hosts: ['*'], soak: 0 },
    ],
    alerts: [
      { to: 'webhook', url: `\${{ secrets.alert_url }}` },
      { to: 'slack', url: 'https://hooks.example.org/x' },
    ],
  })
  expect(repository.services.get(serviceNameSchema.parse('caddy'))?.settings).toEqual({
    after: ['base'],
    quadlets: { allow: [], allowMounts: [], moveMounts: [] },
    packages: [
      { name: 'caddy', version: '2.6.*' },
      { name: 'xcaddy' },
      { name: 'libnss3-tools', version: '2:3.87.*', hold: true },
    ],
    settle: 0,
    validate: ['caddy validate'],
    files: new Map([
      [
        '/etc/caddy/Caddyfile',
        {
          mode: 0o640,
          owner: 'root',
          group: 'caddy',
          template: true,
          compare: { as: 'yaml', ignore: ['/version', '/a~1b/*'], unordered: ['/tags'] },
          validate: 'caddy validate --adapter caddyfile --config {}',
          triggers: [
            { kind: 'reload', unit: 'caddy.service' },
            { kind: 'restart', unit: 'x.timer' },
            { kind: 'run', command: 'echo done' },
          ],
        },
      ],
    ]),
    directories: new Map([['/etc/caddy/sites.d', { purge: true, mode: 0o750, owner: 'root', group: 'root' }]]),
    units: new Map<string, UnitSettings>([
      ['caddy.service', { enabled: true, state: 'running' }],
      ['apt-daily.timer', { masked: true }],
    ]),
    checks: [
      { kind: 'http', url: 'http://127.0.0.1/healthz' },
      { kind: 'tcp', address: '127.0.0.1:443' },
      { kind: 'unit', unit: 'caddy.service' },
      { kind: 'run', command: 'caddy version' },
    ],
    onDrift: 'alert',
    onRemove: 'restore',
  })
})

test('an unknown key is an error at its line and column, with the nearest known key', () => {
  const service = `files:
  /etc/motd:
    tempalte: true
`
  const tree = fleetOf({ 'services/motd/files/etc/motd': '', 'services/motd/service.yaml': service })
  expect(problemsIn(tree)).toEqual([
    {
      code: 'repository-invalid',
      message: 'unknown key "tempalte" in files./etc/motd.',
      where: { file: 'services/motd/service.yaml', line: 3, column: 5, key: 'files./etc/motd.tempalte' },
      remedy: 'Did you mean "template"?',
      service: 'motd',
    },
  ])
})

test('all errors of all files are reported at once', () => {
  const lines = linesOf(
    treeOf({
      'plumb.yaml': `version: 1
hosts:
  web-1: { services: [base, wbe] }
  Web_2: { services: [base] }
  web-3: { servces: [base] }
defaults: { syncEvery: 1x, onDrift: repiar }
alerts:
  - { to: webhok, url: https://x.example.org }
  - { to: slack, uri: https://x.example.org }
`,
      'services/base/README.md': '',
      'services/base/service.yaml': 'after: [web]\n',
      'services/web/service.yaml': `after: [base]
files:
  /etc/web.conf: { mode: 0640 }
checks:
  - htp: http://127.0.0.1/
  - { http: http://127.0.0.1/, tcp: 127.0.0.1:80 }
`,
    }),
  )
  expect(lines).toEqual([
    'plumb.yaml:4:3: hosts: expected a host name: lower-case letters, digits, dots and hyphens, at most 63 characters, found the key "Web_2".',
    'plumb.yaml:5:12: unknown key "servces" in hosts.web-3. Did you mean "services"?',
    'plumb.yaml:6:24: defaults.syncEvery: expected a duration such as 30s, 5m, 2h or 1d, found "1x".',
    'plumb.yaml:6:37: defaults.onDrift: expected alert or repair, found "repiar". Did you mean "repair"?',
    'plumb.yaml:8:11: alerts[0].to: expected webhook or slack, found "webhok". Did you mean "webhook"?',
    `plumb.yaml:9:5: alerts[1]: the key "url" is missing. Expected a http(s) address or \${{ secrets.NAME }}.`,
    'plumb.yaml:9:18: unknown key "uri" in alerts[1]. Did you mean "url"?',
    'plumb.yaml:3:29: host web-1 has the service "wbe", but there is no services/wbe/. Did you mean "web"?',
    'services/web/README.md: the service "web" has no README.md. Write in it what the service does and how it is deployed.',
    'services/web/service.yaml:3:26: files./etc/web.conf.mode: expected permissions in octal and in quotes, such as "0640", found the number 640. Put it in quotes: mode: "0640".',
    'services/web/service.yaml:5:5: unknown key "htp" in checks[0]. Did you mean "http"?',
    'services/web/service.yaml:6:5: checks[1]: expected one of http, tcp, unit or run in each list item, found a map.',
    'services/web/service.yaml:3:18: missing source: the repository has no file for "/etc/web.conf". Expected it at services/web/files/etc/web.conf.',
    'services/base/service.yaml:1:9: services wait for each other: base after web after base. Take one of these out of its `after`.',
  ])
})

test('a revision without plumb.yaml says so, and names the file that was meant', () => {
  expect(linesOf(treeOf({ 'services/base/README.md': '' }))).toEqual([
    'plumb.yaml: the repository has no plumb.yaml, so no host has any service. Add it at the root: `version: 1` and the hosts.',
  ])
  expect(linesOf(treeOf({ 'plumb.yml': 'version: 1' }))[0]).toContain('Rename plumb.yml.')
})

test('an empty plumb.yaml and one of another version are clear errors', () => {
  expect(linesOf(treeOf({ 'plumb.yaml': '' }))).toEqual([
    'plumb.yaml: expected a map of keys and values, found nothing.',
  ])
  expect(linesOf(treeOf({ 'plumb.yaml': 'hosts: { web-1: { services: [nope] } }' }))).toEqual([
    'plumb.yaml:1:1: the key "version" is missing. Expected 1.',
    'plumb.yaml:1:30: host web-1 has the service "nope", but there is no services/nope/.',
  ])
  expect(linesOf(treeOf({ 'plumb.yaml': 'version: 2' }))[0]).toBe(
    'plumb.yaml:1:10: version: expected 1, found the number 2.',
  )
})

test('text that is not YAML is an error at its place, and the other files are still looked at', () => {
  const lines = linesOf(
    fleetOf({ 'services/a/service.yaml': 'after: [b\nx: }\n', 'services/b/service.yaml': 'aftr: [a]\n' }),
  )
  expect(lines[0]).toMatch(/^services\/a\/service\.yaml:2:\d+: is not valid YAML: /)
  expect(lines.at(-1)).toBe('services/b/service.yaml:1:1: unknown key "aftr". Did you mean "after"?')
})

test.each([
  ['packagess', 'packages'],
  ['aftr', 'after'],
  ['chekcs', 'checks'],
])('an unknown key %s beside the one that was meant says so', (typed, meant) => {
  const lines = linesOf(fleetOf({ 'services/a/service.yaml': `${meant}: []\n${typed}: []\n` }))
  expect(lines).toContain(
    `services/a/service.yaml:2:1: unknown key "${typed}". Did you mean "${meant}", which is set already? Merge the two.`,
  )
})

test('two documents, a key twice, a merge key, __proto__ and an unknown tag are errors', () => {
  const linesFor = (yaml: string) => linesOf(fleetOf({ 'services/a/service.yaml': yaml })).join('\n')
  expect(linesFor('after: []\n---\nafter: []\n')).toContain('service.yaml:2:1: is not valid YAML')
  expect(linesFor('after: []\nafter: []\n')).toContain('service.yaml:2:1: the key "after" stands here twice.')
  expect(linesFor('<<: { after: [] }\n')).toContain('unknown key "<<"')
  expect(linesFor('__proto__: { after: [] }\n')).toContain('unknown key "__proto__"')
  expect(linesFor('packages: !shell [x]\n')).toContain('service.yaml:1:11: is not valid YAML: unresolved tag')
})

test('numbers that YAML would change are errors that show how to keep them', () => {
  const plumb = 'version: 1\nhosts: { web-1: { vars: { release: 1.10, zip: 01234, port: 8080 } } }\n'
  expect(linesOf(treeOf({ 'plumb.yaml': plumb }))).toEqual([
    'plumb.yaml:2:36: hosts.web-1.vars.release: "1.10" is read as the number 1.1. Put it in quotes: release: "1.10".',
    'plumb.yaml:2:47: hosts.web-1.vars.zip: "01234" is read as the number 1234. Put it in quotes: zip: "01234".',
  ])
})

test('aliases work and are bounded; a bomb and deep nesting are errors, not a full memory', () => {
  const shared = 'version: 1\nhosts:\n  a: { vars: &v { x: y } }\n  b: { vars: *v }\n'
  expect(problemsIn(treeOf({ 'plumb.yaml': shared }))).toEqual([])
  const letters = [...'abcdefghi']
  const bomb = letters.map((key, n) => `${key}: &${key} [${Array(9).fill(n === 0 ? 'x' : `*${letters[n - 1]}`)}]`)
  expect(linesOf(treeOf({ 'plumb.yaml': bomb.join('\n') })).join('\n')).toContain('uses more than 100 aliases.')
  expect(linesOf(treeOf({ 'plumb.yaml': '['.repeat(100_000) })).join('\n')).toContain('nested too deeply')
  expect(linesOf(treeOf({ 'plumb.yaml': 'a: &a { b: *a }' })).join('\n')).toContain('nested too deeply')
  expect(linesOf(treeOf({ 'plumb.yaml': `# ${'x'.repeat(5_000_000)}` })).join('\n')).toContain(
    'at most 4194304 are read',
  )
})

test('after: an unknown service, a service that waits for itself, and a longer cycle', () => {
  const lines = linesOf(
    fleetOf({
      'services/a/service.yaml': 'after: [b]\n',
      'services/b/service.yaml': 'after: [c]\n',
      'services/base/service.yaml': '',
      'services/c/service.yaml': 'after: [bse, a]\n',
      'services/self/service.yaml': 'after: [self]\n',
    }),
  )
  expect(lines).toEqual([
    'services/c/service.yaml:1:9: after names the service "bse", which the repository does not have. Did you mean "base"?',
    'services/a/service.yaml:1:9: services wait for each other: a after b after c after a. Take one of these out of its `after`.',
    'services/self/service.yaml:1:9: services wait for each other: self after self. Take one of these out of its `after`.',
  ])
})

test('a path claimed by two services of one host is an error with both places', () => {
  const files = {
    'services/a/files/etc/motd': '',
    'services/b/files/etc/motd': '',
    'services/c/files/etc/app': '',
    'services/d/service.yaml': 'directories: { /etc/app: {} }\nunits: { ssh.service: {} }\n',
    'services/e/files/etc/app/x': '',
    'services/e/service.yaml': 'units: { ssh.service: {} }\n',
  }
  const problems = problemsIn(fleetOf(files))
  expect(problems.map(({ code }) => code)).toEqual(Array(4).fill('path-claimed-twice'))
  expect(problems.map(({ message }) => message)).toEqual([
    '/etc/motd is claimed by the services "a" and "b", both on host web-1; the other place is services/a/files/etc/motd.',
    '/etc/app is claimed by the services "c" and "d", both on host web-1; the other place is services/c/files/etc/app.',
    '/etc/app/x is below /etc/app, which is a file, claimed by the services "c" and "e", both on host web-1; the other place is services/c/files/etc/app.',
    'unit ssh.service is claimed by the services "d" and "e", both on host web-1; the other place is services/d/service.yaml:2:23.',
  ])
})

test('a package may be named by two services of one host as the same, and not as two things', () => {
  const files = {
    'services/a/service.yaml': 'packages: [curl, caddy=2.6.*, { name: jq, hold: true }, vim]\n',
    'services/b/service.yaml': 'packages: [curl, { name: caddy, version: 2.6.* }, { name: jq, hold: true }, vim=9.*]\n',
    'services/c/service.yaml': 'packages: [{ name: caddy, version: "2.7.*", hold: false }, tree, tree=1.*]\n',
  }
  expect(linesOf(fleetOf(files))).toEqual([
    'services/b/service.yaml:1:77: package vim is wanted as any version and as 9.* by the services "a" and "b", both on host web-1; the other place is services/a/service.yaml:1:57. Say the same in both, or name it in one only.',
    'services/c/service.yaml:1:12: package caddy is wanted as 2.6.* and as 2.7.*, not held by the services "a" and "c", both on host web-1; the other place is services/a/service.yaml:1:18. Say the same in both, or name it in one only.',
    'services/c/service.yaml:1:12: package caddy is wanted as 2.6.* and as 2.7.*, not held by the services "b" and "c", both on host web-1; the other place is services/b/service.yaml:1:18. Say the same in both, or name it in one only.',
    'services/c/service.yaml:1:66: package tree is wanted as any version and as 1.* twice by the service "c"; the other place is services/c/service.yaml:1:60. Say the same in both, or name it in one only.',
  ])
})

test('a package that is written wrongly is told with what was expected, in its map key by key', () => {
  const linesFor = (item: string) => linesOf(fleetOf({ 'services/a/service.yaml': `packages: [${item}]\n` }))
  const expected = 'expected a package such as caddy, caddy=2.6.* or { name: caddy, version: "2.6.*", hold: true }'
  const place = 'services/a/service.yaml:1'
  expect(linesFor('caddy==2.6')).toEqual([`${place}:12: packages[0]: ${expected}, found "caddy==2.6".`])
  expect(linesFor('"caddy 2.6"')).toEqual([`${place}:12: packages[0]: ${expected}, found "caddy 2.6".`])
  expect(linesFor('[caddy]')).toEqual([`${place}:12: packages[0]: ${expected}, found a list.`])
  expect(linesFor('{ name: caddy, verison: "2" }')).toEqual([
    `${place}:27: unknown key "verison" in packages[0]. Did you mean "version"?`,
  ])
  expect(linesFor('{ name: caddy, version: 2.6 }')).toEqual([
    `${place}:36: packages[0].version: expected a version in quotes, whole or with *, such as "2.6.2-5" or "2.6.*", found the number 2.6. Put it in quotes: version: "2.6".`,
  ])
  expect(linesFor('{ name: caddy, hold: yes please }')).toEqual([
    `${place}:33: packages[0].hold: expected true or false, found "yes please".`,
  ])
  expect(linesFor('{ version: "2" }')).toEqual([
    `${place}:12: packages[0]: the key "name" is missing. Expected the name of a package.`,
  ])
})

test('services that share no host may claim the same path; a pattern of a group counts as a host', () => {
  const services = {
    'services/a/README.md': '',
    'services/b/README.md': '',
    'services/a/files/etc/motd': '',
    'services/b/files/etc/motd': '',
  }
  const apart = 'version: 1\nhosts: { x: { services: [a] }, y: { services: [b] } }\n'
  const together = `${apart}groups: { all: { hosts: [edge-*], services: [a, b] } }\n`
  expect(problemsIn(treeOf({ 'plumb.yaml': apart, ...services }))).toEqual([])
  expect(linesOf(treeOf({ 'plumb.yaml': together, ...services }))[0]).toContain('both on host edge-*')
})

test('one service cannot have a unit and a file at one path', () => {
  const lines = linesOf(
    fleetOf({ 'services/a/units/x.service': '', 'services/a/files/etc/systemd/system/x.service': '' }),
  )
  expect(lines[0]).toContain('/etc/systemd/system/x.service is claimed twice by the service "a"')
})

test('a file in a wrong place is an error, with the place that was meant when there is one', () => {
  const lines = linesOf(
    fleetOf({
      'services/README.md': '',
      'services/stray.txt': '',
      'services/a/.gitkeep': '',
      'services/a/files/proc/x': '',
      'services/a/files/var/lib/plumb/x': '',
      'services/a/notes.md': '',
      'services/a/service.yml': '',
      'services/a/unit/x.service': '',
      'services/a/unit/y.service': '',
      'services/a/units/l.service': { link: '/dev/null' },
      'services/a/units/x.sevice': '',
      'services/b/files': '',
    }),
  )
  expect(lines).toEqual([
    'services/a/service.yml: must be called service.yaml. Rename it.',
    "services/a/files/proc/x: would go to /proc/x: no repository writes in /proc, which is the system's or the agent's own.",
    "services/a/files/var/lib/plumb/x: would go to /var/lib/plumb/x: no repository writes in /var/lib/plumb, which is the system's or the agent's own.",
    'services/a/units/l.service: a symlink is not a unit: put it under files/etc/systemd/system/ if it is wanted.',
    'services/a/units/x.sevice: units/ holds NAME.service, .socket, .timer, ... and NAME.service.d/SOMETHING.conf only.',
    'services/a/unit/x.service: nothing says where this file goes (nor 1 more in "unit"). Did you mean "units"?',
    'services/b/files: must be a directory.',
    'services/stray.txt: is not in a service: everything under services/ belongs to services/NAME/. Move it into the directory of its service, or out of services/.',
  ])
})

test('a README is a plain file called README.md', () => {
  const lines = linesOf(
    treeOf({
      'plumb.yaml': 'version: 1\n',
      'services/a/readme.md': '',
      'services/b/README.md': { link: '../a/readme.md' },
      'services/c/files/x': '',
    }),
  )
  expect(lines).toEqual([
    'services/a/README.md: the service "a" has no README.md. Rename readme.md.',
    'services/b/README.md: the service "b" has no README.md that is a plain file. Write in it what the service does and how it is deployed.',
    'services/c/README.md: the service "c" has no README.md. Write in it what the service does and how it is deployed.',
  ])
})

test('what service.yaml says of a compose project needs a compose file, and is checked in every value', () => {
  const settings = 'compose: { state: paused, allowMounts: [etc], registries: { "https://r": { username: a } } }\n'
  expect(linesOf(fleetOf({ 'services/a/compose.yaml': '', 'services/a/service.yaml': settings }))).toEqual([
    expect.stringContaining('compose.state'),
    expect.stringContaining('compose.registries'),
    expect.stringContaining('compose.allowMounts'),
  ])
  const alone = { 'services/a/service.yaml': 'after: []\ncompose: { state: stopped }\n' }
  expect(linesOf(fleetOf(alone))).toEqual([
    'services/a/service.yaml:2:10: compose is for a service with a compose file, and services/a has none. Add services/a/compose.yaml, or take the key away.',
  ])
})

test('a compose file makes everything beside it travel along; two of them are an error', () => {
  const files = {
    'services/Grafana/compose.yaml': '',
    'services/Grafana/dashboards/fleet.json': '',
    'services/Grafana/service.yaml': 'files: { dashboards/fleet.json: { mode: "0600" } }\n',
    'services/Grafana/files/etc/motd': '',
  }
  const { repository, problems } = parseRepository(fleetOf(files))
  expect(problems).toEqual([])
  expect(repository.services.get(serviceNameSchema.parse('Grafana'))?.compose).toMatchObject({
    file: 'compose.yaml',
    files: [{ target: 'compose.yaml' }, { target: 'dashboards/fleet.json' }],
  })
  expect(linesOf(fleetOf({ ...files, 'services/Grafana/docker-compose.yml': '' }))).toEqual([
    'services/Grafana/docker-compose.yml: a service has one compose file, and there is compose.yaml already.',
  ])
  expect(linesOf(fleetOf({ 'services/a.b/compose.yaml': '' }))[0]).toContain(
    '"a.b" as the name of a compose project has',
  )
})

test("purging a directory that is not the repository's alone is refused", () => {
  const refused = ['/', '/etc', '/var/lib', '/usr/bin', '/etc/systemd/system', '/dev/shm']
  for (const path of refused) {
    const lines = linesOf(fleetOf({ 'services/a/service.yaml': `directories: { ${path}: { purge: true } }\n` }))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain(`service.yaml:1:${16 + path.length + 2}: ${path} is`)
  }
  expect(linesOf(fleetOf({ 'services/a/service.yaml': 'directories: { /etc/app: { purge: true } }\n' }))).toEqual([])
})

test('units: a slip beside an own unit and a template without instance are errors; a unit of the system is not', () => {
  const linesFor = (units: string) =>
    linesOf(fleetOf({ 'services/a/units/warm.timer': '', 'services/a/service.yaml': `units: { ${units} }\n` }))
  expect(linesFor('wram.timer: {}')[0]).toContain('missing source: the repository has no unit "wram.timer"')
  expect(linesFor('wram.timer: {}')[0]).toContain('Did you mean "warm.timer"?')
  expect(linesFor('worker@.service: {}')[0]).toContain('Name an instance: worker@NAME.service.')
  expect(linesFor('apt-daily.timer: { enabled: false, state: stopped }')).toEqual([])
})

test('a mask says all there is to say of a unit: it goes with nothing that would run it, nor with its file', () => {
  const linesFor = (units: string) =>
    linesOf(fleetOf({ 'services/a/units/warm.timer': '', 'services/a/service.yaml': `units: { ${units} }\n` }))
  expect(linesFor('apt-daily.timer: { masked: true }')).toEqual([])
  expect(linesFor('apt-daily.timer: { masked: true, enabled: false, state: stopped }')).toEqual([])
  expect(linesFor('x.service: { masked: true, enabled: true }')[0]).toContain(
    'x.service is masked, and so cannot be enabled',
  )
  expect(linesFor('x.service: { masked: true, state: running }')[0]).toContain('and so cannot be running')
  expect(linesFor('warm.timer: { masked: true }')[0]).toContain('a mask takes the place of that file')
  expect(linesFor('x.service: { masked: false }')[0]).toContain('true, or nothing')
})

test.each(['{}', '{ enabled: true }', '{ state: stopped }', '{ masked: true }'])(
  'a mask that is deployed as a link does not go with a unit that is %s',
  (said) => {
    const files = {
      'services/a/files/etc/systemd/system/x.service': { link: '/dev/null' },
      'services/a/service.yaml': `units: { x.service: ${said} }\n`,
    }
    expect(linesOf(fleetOf(files))[0]).toContain('x.service is a link to /dev/null in this service, which is a mask')
    expect(linesOf(fleetOf({ ...files, 'services/a/service.yaml': '' }))).toEqual([])
  },
)

test('a settle time is short, or none', () => {
  const linesFor = (settle: string) => linesOf(fleetOf({ 'services/a/service.yaml': `settle: ${settle}\n` }))
  for (const settle of ['0s', '10s', '10m']) expect(linesFor(settle)).toEqual([])
  expect(linesFor('1h')[0]).toContain('expected a duration such as 10s, or 0s for none')
  expect(linesFor('11m')[0]).toContain('at most 10m')
})

test('trust that names a file the repository does not have is an error', () => {
  expect(linesOf(treeOf({ 'plumb.yaml': 'version: 1\ntrust: { signers: keys }\n' }))).toEqual([
    'plumb.yaml:2:19: missing source: the repository has no file "keys". Expected it at keys.',
  ])
})

test('a text that was read before gives the same settings, and places when another file makes it wrong', () => {
  const yaml = 'units: { known-before.service: {} }\n'
  expect(linesOf(fleetOf({ 'services/a/service.yaml': yaml }))).toEqual([])
  const lines = linesOf(fleetOf({ 'services/a/service.yaml': yaml, 'services/b/service.yaml': yaml }))
  expect(lines).toEqual([
    'services/b/service.yaml:1:32: unit known-before.service is claimed by the services "a" and "b", both on host web-1; the other place is services/a/service.yaml:1:32. Keep one of them.',
  ])
})
