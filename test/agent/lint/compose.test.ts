// What lint finds in compose files, on real directories.
import { expect, test } from 'vitest'
import { lintWorkTree } from '../../../agent/commands/lint.ts'
import { problemLine } from '../../../shared/problem.ts'
import { shapes } from '../../lab/compose-shapes.ts'
import { type Files, fleetDirectory } from '../desire/fleet.ts'

async function linted(files: Files) {
  const { problems, warnings } = await lintWorkTree(fleetDirectory(files))
  return {
    problems: problems.map(problemLine),
    warnings: warnings.map(({ code, where: { file, line }, message }) => `${code} ${file}:${line ?? '-'} ${message}`),
  }
}

const clean = { problems: [], warnings: [] }

test.each<[what: string, text: string | Uint8Array, expected: RegExp]>([
  ['a tab', 'services:\n\tdb: {}\n', /:2:1: is not valid YAML: /],
  ['an open bracket', 'services:\n  app:\n   image: x\n  volumes: [\n', /is not valid YAML: /],
  ['a key twice', 'services:\n  a: { image: x }\n  a: { image: y }\n', /:3:3: the key "a" stands here twice\./],
  ['a list', '- a\n', /is no compose file: expected a map/],
  ['no services', 'volumes: { a: {} }\n', /has no `services`/],
  ['empty services', 'services: {}\n', /has no `services`/],
  ['Latin-1', Buffer.from('services: { a: { image: "caf\xe9" } }\n', 'latin1'), /it is not UTF-8/],
])('%s is a problem at its place', async (_, text, expected) => {
  const { problems } = await linted({ 'services/a/compose.yaml': text })
  expect(problems).toEqual([expect.stringMatching(expected)])
})

test.each<[written: string, expected: RegExp]>([
  ['services: { a: }', /:1:\d+: compose refuses the service "a": expected a map/],
  ['services: { a: [x] }', /compose refuses the service "a": expected a map/],
  ['services: { "a b": { image: x } }', /compose refuses the name of the service "a b"/],
  ['services: { a: { command: x } }', /:1:16: the service "a" has neither image nor build/],
  ['services: { a: { image: x, ports: 80 } }', /:1:35: compose refuses "ports": expected a list/],
  ['services: { a: { image: x, user: 1000 } }', /compose refuses "user": expected a text, in quotes/],
  ['services: { a: { image: x, environment: TZ } }', /compose refuses "environment": expected a list or a map/],
  ['services: { a: { image: x, healthcheck: { interval: 10 } } }', /compose refuses "interval": expected a text/],
  ['services: { a: { image: x, restart: allways } }', /compose refuses "allways": expected no, always/],
  ['services: { a: { image: x, links: [b] } }', /the service "b" is not defined/],
  [
    'services: { a: { image: x, volumes: ["conf/x:/x"] } }',
    /volume "conf\/x" is not defined.*begins with \.\/: \.\/conf/,
  ],
  ['services: { a: { extends: { service: b } } }', /extends names the service "b", which compose\.yaml does not have/],
  [
    'services: { a: { extends: { file: e.yaml, service: bb } } }',
    /"bb", which e\.yaml does not have\. Did you mean "b"/,
  ],
  [
    'services: { a: { image: x, depends_on: [b] }, b: { image: x, depends_on: [c] }, c: { image: x, depends_on: [b] } }',
    /services wait for each other: b -> c -> b;/,
  ],
  [
    'services: { a: { image: x, depends_on: { b: { condition: healthy } } }, b: { image: x } }',
    /compose refuses "healthy": expected service_started/,
  ],
  [
    'services: { a: { image: x, depends_on: [b] }, b: { image: x, profiles: [p] } }',
    /a needs "b", which is in a profile that is not active/,
  ],
])('what compose refuses is a problem: %s', async (written, expected) => {
  const { problems } = await linted({
    'services/a/compose.yaml': `${written}\n`,
    'services/a/e.yaml': 'services: { b: { image: x } }\n',
  })
  expect(problems).toEqual([expect.stringMatching(expected)])
})

test('what compose takes is no problem: variables, several files, profiles, services to extend', async () => {
  expect(
    await linted({
      'services/a/compose.yaml': `services:
  a: { image: x, user: "\${ID:-1000}", ports: , depends_on: { b: { condition: service_healthy, required: false } } }
  b: { image: x, profiles: [p], depends_on: [c], restart: on-failure:3 }
  c: { image: x, profiles: [p], links: ["a:other"], restart: "no" }
  d: { extends: { file: e.yaml, service: b }, healthcheck: { interval: 10s }, volumes: ["data:/x"] }
  e: { environment: , restart: "\${R:-always}" }
volumes: { data: }
`,
      'services/a/e.yaml': 'services: { b: { image: x } }\n',
      'services/a/compose.more.yaml': 'services: { e: { image: x } }\n',
      'services/a/service.yaml': 'compose: { files: [compose.yaml, compose.more.yaml] }\n',
    }),
  ).toEqual(clean)
})

test('names that a service uses have to be defined in one of the files that compose reads', async () => {
  const { problems } = await linted({
    'services/a/compose.yaml': `include: [more.yaml]
services:
  a:
    image: x
    networks: [front, fornt, default]
    depends_on: { b: { condition: service_started }, c: {}, d: { required: false } }
    secrets: [one, { source: two }]
    configs: [conf]
    volumes: [data:/data, "dta:/x", ./here:/here, /tmp, { type: volume, source: gone, target: /y }, "\${X:-data}:/z"]
  e: { image: x, network_mode: "service:f", networks: { back: {} } }
networks: { front: {} }
volumes: { data: {} }
secrets: { one: { environment: HOME } }
`,
    'services/a/more.yaml':
      'services: { b: { image: x } }\nnetworks: { back: {} }\nconfigs: { conf: { content: x } }\n',
  })
  expect(problems.map((line) => /the (\w+ "\w+") is not defined/.exec(line)?.[1])).toEqual([
    'network "fornt"',
    'service "c"',
    'secret "two"',
    'volume "dta"',
    'volume "gone"',
    'service "f"',
  ])
  expect(problems[0]).toContain('Did you mean "front"?')
})

test('a key that is nearly one of compose is a slip; extensions and keys of newer versions pass', async () => {
  const { problems } = await linted({
    'services/a/compose.yaml': `servces: {}
x-servces: {}
services:
  a: { image: x, enviroment: { A: b }, port: ["80:80"], x-port: 1, quite_new: true }
`,
  })
  expect(problems.map((line) => /:(\d+:\d+): (.*)$/.exec(line)?.slice(1).join(' '))).toEqual([
    '1:1 unknown key "servces". Did you mean "services"?',
    '4:18 unknown key "enviroment". Did you mean "environment"?',
    '4:40 unknown key "port". Did you mean "ports"?',
  ])
})

test('keys that are for a swarm alone are told: nothing fails, and nothing is done', async () => {
  const { problems, warnings } = await linted({
    'services/a/compose.yaml': `services:
  a:
    image: x
    secrets: [one, { source: two, uid: "1005", mode: 0400 }, { source: three, uid: "1" }, { source: two, target: y }]
    configs: [{ source: conf, gid: "5" }, { source: text, mode: 0444 }]
    deploy: { replicas: 2, resources: { limits: { memory: 1G } }, mode: replicated, restart_policy: { condition: any } }
  b:
    image: x
    deploy: { mode: global, placement: { constraints: [node.role == manager] }, update_config: { order: start-first } }
configs: { conf: { file: ./conf }, text: { content: x } }
secrets: { one: { file: ./one }, two: { file: ./two }, three: { environment: HOME } }
`,
    'services/a/conf': 'x',
    'services/a/one': 'x',
    'services/a/two': 'x',
  })
  expect(problems).toEqual([])
  expect(warnings.map((line) => /^(\S+) \S+:(\d+) (.*) is ignored: /.exec(line)?.slice(1).join(' '))).toEqual([
    'compose-key-ignored 4 uid, mode of secrets two',
    'compose-key-ignored 5 gid of configs conf',
    'compose-key-ignored 9 deploy.mode',
    'compose-key-ignored 9 deploy.placement',
    'compose-key-ignored 9 deploy.update_config',
  ])
})

test('of a file that a service extends, the rest is not the project', async () => {
  const { problems } = await linted({
    'services/a/compose.yaml': 'services: { a: { extends: { file: base.yaml, service: b }, container_name: db } }\n',
    'services/a/base.yaml': `services:
  b: { image: x }
  c: { image: x, container_name: db, networks: [elsewhere] }
`,
  })
  expect(problems).toEqual([])
})

test('names are not held against a file from elsewhere', async () => {
  expect(
    await linted({
      'services/a/compose.yaml': 'include: ["oci://example.org/x"]\nservices: { a: { image: x, networks: [there] } }\n',
    }),
  ).toEqual(clean)
})

test("compose's own YAML is read: merge keys, tags, deep extensions, templates", async () => {
  expect(
    await linted({
      'services/a/compose.yaml': `x-log: &log
  logging: { driver: json-file, options: { a: { b: { c: { d: { e: { f: { g: { h: { i: { j: k } } } } } } } } } } }
x-env: &env { A: b }
services:
  a:
    <<: [*log]
    image: x
    environment: { <<: *env, C: d }
    ports: !reset []
    labels: { host: "\${{ host.name }}", price: "5$$" }
    healthcheck: { test: "echo $$HOME" }
`,
      'services/a/service.yaml': 'files: { compose.yaml: { template: true } }\n',
    }),
  ).toEqual(clean)
})

test('files that compose reads have to be in the service', async () => {
  const { problems, warnings } = await linted({
    'services/a/compose.yaml': `services:
  a:
    image: x
    env_file: [there.env, missing.env, { path: optional.env, required: false }, ../b/other.env]
    label_file: missing.labels
    extends: { file: missing.yaml, service: x }
  b: { build: ./missing }
  c: { build: { context: app, dockerfile: Missingfile } }
  d: { build: { context: app, additional_contexts: { base: ./base, image: "docker-image://alpine" } } }
  e: { build: "https://example.org/x.git" }
  f: { image: x, env_file: /etc/host.env }
configs: { one: { file: ./missing.conf }, two: { content: x } }
secrets: { three: { file: files/etc/x }, four: { environment: HOME } }
include: [missing-include.yaml, { path: [part/compose.yaml], env_file: missing-part.env }, "oci://example.org/x"]
`,
    'services/a/there.env': '',
    'services/a/app/Containerfile': '',
    'services/a/files/etc/x': '',
    'services/a/part/compose.yaml': 'services: { p: { image: x, env_file: [p.env, beside.env] } }\n',
    'services/a/part/p.env': '',
  })
  const names = problems.map(
    (line) => /compose\.yaml:\d+:\d+: (\w+ names "[^"]+"|the build of "\w+" has no \w+)/.exec(line)?.[1],
  )
  expect(names).toEqual([
    'env_file names "missing.env"',
    'env_file names "../b/other.env"',
    'label_file names "missing.labels"',
    'extends names "missing.yaml"',
    'build names "missing"',
    expect.stringMatching(/the build of "\w+" has no Missingfile/),
    'additional_contexts names "base"',
    'configs names "missing.conf"',
    'secrets names "files/etc/x"',
    'include names "missing-include.yaml"',
    'env_file names "missing-part.env"',
    'env_file names "part/beside.env"',
  ])
  expect(problems.join('\n')).toContain('"../b/other.env", which is outside of the service')
  expect(problems.join('\n')).toContain('files/ and units/ are not copied beside the compose file')
  expect(warnings).toEqual([])
})

test('paths of an included file begin in its project_directory, by default in its own', async () => {
  const { problems, warnings } = await linted({
    'services/a/compose.yaml': `include:
  - { project_directory: ., path: dir/included.yaml }
  - own/compose.yaml
  - { path: [first/compose.yaml, second/compose.yaml] }
`,
    'services/a/dir/included.yaml': 'services: { i: { extends: { file: dir/extended.yaml, service: e } } }\n',
    'services/a/dir/extended.yaml': 'services: { e: { image: x, env_file: [beside.env] } }\n',
    'services/a/dir/beside.env': '',
    'services/a/own/compose.yaml': 'services: { o: { image: x, env_file: own.env } }\n',
    'services/a/own/own.env': '',
    'services/a/first/compose.yaml': 'services: { f: { image: x } }\n',
    'services/a/first/first.env': '',
    'services/a/second/compose.yaml': 'services: { f: { env_file: [first.env, second.env] } }\n',
    'services/a/second/second.env': '',
  })
  expect(problems).toEqual([expect.stringContaining('env_file names "first/second.env"')])
  expect(warnings).toEqual([])
})

test('a mount that is content has to be there; a directory for data does not', async () => {
  const { problems, warnings } = await linted({
    'services/a/compose.yaml': `services:
  a:
    image: x
    volumes:
      - ./data:/var/lib/x
      - ./app.conf:/etc/app.conf:ro
      - ./site:/srv:ro
      - ./acme.json:/acme.json
      - ./caddy/Caddyfile:/etc/caddy/Caddyfile
      - ./there.conf:/etc/there.conf
      - /etc/localtime:/etc/localtime:ro
      - named:/x
      - { type: bind, source: ./long, target: /long, read_only: true }
      - \${DATA:-./other}:/other
      - ../beside:/beside
volumes: { named: {} }
`,
    'services/a/there.conf': '',
  })
  const told = warnings.map((line) => /volumes names "([^"]+)"/.exec(line)?.[1])
  expect(told).toEqual(['app.conf', 'site', 'acme.json', 'caddy/Caddyfile', 'long'])
  expect(problems).toEqual([expect.stringContaining('volumes names "../beside", which is outside of the service')])
})

test('variables without a value and without a default are problems, each once', async () => {
  const { problems } = await linted({
    'services/a/compose.yaml': `services:
  a:
    image: "x:\${TAG}"
    environment: [ "P=\${PASSWORD}", "Q=$PASSWORD", "R=\${NONE:-default}", "S=$$literal", "T=\${GIVEN}", "U=\${FROM_SECRET}" ]
    command: "\${NEEDED:?say it}"
`,
    'services/a/.env': `GIVEN=x\nFROM_SECRET=${'$'}{{ secrets.one }}\n`,
    'services/a/service.yaml': 'files: { .env: { template: true } }\n',
  })
  expect(problems.map((line) => /the variable "(\w+)" has no value/.exec(line)?.[1])).toEqual([
    'TAG',
    'PASSWORD',
    'NEEDED',
  ])
})

test('what files of environment variables refer to has a value, too, and compose can read them', async () => {
  const { problems } = await linted({
    'services/a/compose.yaml': `services:
  a:
    image: x
    env_file: [one.env, { path: two.env }, { path: plain.env, format: raw }, { path: none.env, required: false }]
    environment: { OWN: "1" }
  b: { image: x, env_file: broken.env }
`,
    'services/a/.env': 'GIVEN=1\nDERIVED=$GIVEN-$MISSING\nEARLY=$LATE$HOME\nLATE=1\n',
    'services/a/one.env': `A=\${UNDEFINED}\nB=pa$word\nC='pa$word'\nD=$GIVEN$OWN\nE=\${NONE:-x}\nF=\${HARD:?needed}\n`,
    'services/a/two.env': `G=$C\nH=${'$'}{{ vars.h }}\n`,
    'services/a/plain.env': 'A=$UNDEFINED\n',
    'services/a/broken.env': 'A=1\nB="open\n',
    'services/a/service.yaml': 'files: { two.env: { template: true } }\n',
    'plumb.yaml': 'version: 1\nvars: { h: x }\nhosts: { web-1: { services: [a] } }\n',
  })
  expect(problems).toEqual([
    expect.stringMatching(/^services\/a\/\.env:2: the variable "MISSING" has no value/),
    expect.stringMatching(/^services\/a\/\.env:3: the variable "LATE" has no value/),
    expect.stringMatching(/^services\/a\/broken\.env:2: is refused by compose: its quote is not closed/),
    expect.stringMatching(/^services\/a\/one\.env:1: the variable "UNDEFINED" has no value/),
    expect.stringMatching(/^services\/a\/one\.env:2: the variable "word" has no value/),
    expect.stringMatching(/^services\/a\/one\.env:6: the variable "HARD" has no value/),
  ])
})

test('a secret or config that is a variable has a value; a variable that is handed on without one is told', async () => {
  const { problems, warnings } = await linted({
    'services/a/compose.yaml': `services:
  a:
    image: x
    secrets: [one, two]
    environment: [TZ, GIVEN, "EMPTY="]
  b: { image: x, configs: [three], environment: { LEVEL: } }
secrets: { one: { environment: PASSWORD }, two: { environment: GIVEN } }
configs: { three: { environment: BLANK } }
`,
    'services/a/.env': 'GIVEN=x\nBLANK=\n',
  })
  expect(problems).toEqual([
    expect.stringMatching(/:7:32: the secret "one" is the variable "PASSWORD", which has no value here/),
    expect.stringMatching(/:8:34: the config "three" is the variable "BLANK", which has no value here/),
  ])
  expect(warnings.map((line) => /handed the variable "(\w+)"/.exec(line)?.[1])).toEqual(['TZ', 'LEVEL'])
})

test('links beside a compose file stay within it', async () => {
  const { problems } = await linted({
    'services/a/compose.yaml': 'services: { a: { image: x } }\n',
    'services/a/.env': { link: '../../common/shared.env' },
    'services/a/sub/deep': { link: '../../b/x' },
    'services/a/own': { link: 'sub/../compose.yaml' },
    'services/a/absolute': { link: '/etc/hosts' },
    'services/a/mirror': { link: './files/etc/x' },
    'services/a/files/etc/x': { link: '../../elsewhere' },
  })
  expect(problems).toEqual([
    expect.stringContaining('services/a/.env: is a symlink to "../../common/shared.env", out of the service'),
    expect.stringContaining('services/a/mirror: is a symlink to "./files/etc/x", and files is not copied'),
    expect.stringContaining('services/a/sub/deep: is a symlink to "../../b/x", out of the service'),
  ])
})

test('override files and variants that nothing reads are told', async () => {
  const { problems, warnings } = await linted({
    'services/a/compose.yaml': 'include: [compose.part.yaml]\nservices: { a: { image: x } }\n',
    'services/a/compose.part.yaml': 'services: { b: { image: x } }\n',
    'services/a/compose.override.yaml': 'services: { a: { ports: ["80:80"] } }\n',
    'services/a/docker-compose.prod.yml': 'services: { a: { image: y } }\n',
    'services/a/compose-notes.md': '',
  })
  expect(problems).toEqual([])
  expect(warnings).toEqual([
    expect.stringMatching(/^compose-override-unread services\/a\/compose\.override\.yaml/),
    expect.stringMatching(/^compose-variant-unread services\/a\/docker-compose\.prod\.yml/),
  ])
})

test('names that two projects of one host share are problems, on different hosts they are not', async () => {
  const files = {
    'services/a/compose.yaml':
      'name: shop\nservices: { db: { image: x, container_name: db }, e: { image: x, container_name: db } }\n',
    'services/b/compose.yaml': 'services: { db: { image: x, container_name: db } }\n',
    'services/shop/compose.yaml': 'services: { x: { image: x, container_name: "@{NAME:-db}" } }\n'.replace('@', '$'),
  }
  const together = await linted(files)
  expect(together.problems.map((line) => line.slice(0, 120))).toEqual([
    expect.stringContaining('a/compose.yaml:2:'),
    expect.stringContaining('b/compose.yaml:1:'),
    expect.stringContaining('shop/compose.yaml: compose project shop is claimed by the services "a" and "shop"'),
    expect.stringContaining('shop/compose.yaml:1:'),
  ])
  const apart = await linted({
    ...files,
    'plumb.yaml': 'version: 1\nhosts: { w: { services: [a] }, x: { services: [b] }, y: { services: [shop] } }\n',
  })
  expect(apart.problems).toHaveLength(1)
})

test('an external network or volume that nothing on the host makes is told', async () => {
  const files: Files = {
    'plumb.yaml': `version: 1
hosts:
  one: { services: [proxy, app, base] }
  two: { services: [app] }
`,
    'services/proxy/compose.yaml':
      'services: { p: { image: x } }\nnetworks: { web: { name: web }, inner: {} }\nvolumes: { certificates: {} }\n',
    'services/app/compose.yaml': `services: { a: { image: x } }
networks: { web: { external: true }, b: { external: true, name: proxy_inner }, c: { external: true, name: by-hand } }
volumes: { certificates: { external: true, name: proxy_certificates }, d: { external: { name: nowhere } } }
`,
    'services/base/units/networks.service': '[Service]\nExecStart=/usr/bin/docker network create by-hand\n',
  }
  const { problems, warnings } = await linted(files)
  expect(problems).toEqual([])
  expect(warnings.map((line) => /external (.*): compose/.exec(line)?.[1])).toEqual([
    'network "web" on two',
    'network "proxy_inner" on two',
    'network "by-hand" on two',
    'volume "proxy_certificates" on two',
    'volume "nowhere" on one, two',
  ])
})

test('a program that a unit starts has to be executable', async () => {
  const { problems } = await linted({
    'services/a/units/a.service': `[Service]
ExecStartPre=-/usr/local/bin/prepare --now
ExecStart=@/usr/local/bin/run run
ExecReload=/bin/sh /usr/local/bin/reload
ExecStop="/usr/local/bin/stop"
`,
    'services/a/units/b.service.d/x.conf': '[Service]\nExecStart=\nExecStart=/opt/tool\n',
    'services/a/files/usr/local/bin/prepare': '#!/bin/sh\n',
    'services/a/files/usr/local/bin/run': { executable: '#!/bin/sh\n' },
    'services/a/files/usr/local/bin/reload': '#!/bin/sh\n',
    'services/a/files/usr/local/bin/stop': '#!/bin/sh\n',
    'services/b/files/opt/tool': { executable: '#!/bin/sh\n' },
    'services/a/service.yaml': 'files: { /usr/local/bin/stop: { mode: "0750" } }\n',
    'services/b/service.yaml': 'files: { /opt/tool: { mode: "0640" } }\n',
  })
  expect(problems.map((line) => /^(\S+): (\w+ starts \S+),/.exec(line)?.slice(1).join(' '))).toEqual([
    'services/a/units/a.service:2 ExecStartPre starts /usr/local/bin/prepare',
    'services/a/units/b.service.d/x.conf:3 ExecStart starts /opt/tool',
  ])
})

test('power over the host is a problem until service.yaml allows it by name, as on a host', async () => {
  const compose = `services:
  proxy:
    image: x
    cap_add: [NET_ADMIN]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro", "./data:/data"]
  node:
    image: x
    pid: host
    volumes: [{ type: bind, source: /, target: /host }]
`
  const lines = async (settings: string) =>
    (await linted({ 'services/a/compose.yaml': compose, 'services/a/service.yaml': settings })).problems

  expect(await lines('after: []\n')).toEqual([
    expect.stringContaining('compose: { allow: [cap:NET_ADMIN], allowMounts: [/var/run/docker.sock] }'),
    expect.stringContaining('compose: { allow: [pid-host], allowMounts: [/] }'),
  ])
  expect(
    await lines('compose: { allow: [cap:NET_ADMIN, pid-host], allowMounts: [/var/run/docker.sock, /] }\n'),
  ).toEqual([])
  expect(await lines('compose: { allow: [everything] }\n')).toContainEqual(
    expect.stringContaining('expected privileged, '),
  )
})

test.each<[string, string, string]>([
  [
    'a secret',
    'secrets: [k] } }\nsecrets: { k: { file: /etc/plumb/secrets/tok } }',
    'allowMounts: [/etc/plumb/secrets/tok]',
  ],
  ['a config', 'configs: [{ source: k }] } }\nconfigs: { k: { file: /etc/shadow } }', 'allowMounts: [/etc/shadow]'],
  ['env_file', 'env_file: [/etc/plumb/secrets/tok] } }', 'allowMounts: [/etc/plumb/secrets/tok]'],
  ['env_file that need not be there', 'env_file: { path: /root/x, required: false } } }', 'allowMounts: [/root/x]'],
  ['a build', 'build: { context: /root } } }', 'allowMounts: [/root]'],
  ['the socket of the engine', 'use_api_socket: true } }', 'allowMounts: [/var/run/docker.sock]'],
  [
    'a volume that is a directory',
    'volumes: ["v:/v"] } }\nvolumes: { v: { driver_opts: { type: none, o: bind, device: /etc } } }',
    'allowMounts: [/etc]',
  ],
  [
    'a volume of layers',
    'volumes: ["v:/v:ro"] } }\nvolumes: { v: { driver_opts: { type: overlay, o: "lowerdir=/:/srv/b", device: overlay } } }',
    'allow: [volume-type:overlay], allowMounts: [/]',
  ],
  [
    'a volume of the kernel',
    'volumes: [{ type: volume, source: v, target: /v }] } }\nvolumes: { v: { driver_opts: { type: proc, device: proc } } }',
    'allow: [volume-type:proc]',
  ],
  ['a word for yes', 'privileged: "true" } }', 'allow: [privileged]'],
  ["root's home", 'volumes: ["~/data:/data"] } }', 'allowMounts: [/root/data]'],
  [
    "root's home, in the long form",
    'volumes: [{ type: bind, source: ~/.ssh, target: /x }] } }',
    'allowMounts: [/root/.ssh]',
  ],
  ["root's home, by its variable", 'volumes: ["$HOME/.docker:/x"] } }', 'allowMounts: [/root/.docker]'],
  [
    "a secret in root's home",
    'secrets: [s] } }\nsecrets: { s: { file: ~/.ssh/id_ed25519 } }',
    'allowMounts: [/root/.ssh/id_ed25519]',
  ],
])('lint refuses what hosts refuse: %s', async (_, rest, allowed) => {
  const compose = `services: { web: { image: x, ${rest}\n`
  const problems = async (settings: string) =>
    (await linted({ 'services/a/compose.yaml': compose, 'services/a/service.yaml': settings })).problems

  expect(await problems('after: []\n')).toEqual([expect.stringContaining(`compose: { ${allowed} }`)])
  expect(
    await linted({ 'services/a/compose.yaml': compose, 'services/a/service.yaml': `compose: { ${allowed} }\n` }),
  ).toEqual(clean)
})

test('lint looks for power in the services of other files that are extended, and at networks of all files', async () => {
  const { problems } = await linted({
    'services/a/compose.yaml':
      'services: { web: { extends: { file: base.yaml, service: shared } }, db: { image: x, networks: [back] } }\n',
    'services/a/base.yaml':
      'services: { shared: { image: x, cap_add: [SYS_ADMIN] }, unused: { image: x, privileged: true } }\n',
    'services/a/compose.prod.yaml': 'networks: { back: { external: true, name: host } }\n',
    'services/a/service.yaml': 'compose: { files: [compose.yaml, compose.prod.yaml] }\n',
  })
  expect(problems).toEqual([
    expect.stringMatching(/services\/a\/base\.yaml:1:21: shared has cap_add: SYS_ADMIN: /),
    expect.stringMatching(/services\/a\/compose\.yaml:1:\d+: db has networks: back, which is the host's: /),
  ])
})

test.each<[string, string, string, boolean]>([
  ['none active', '{ a: { image: x, profiles: [one] }, b: { image: x, profiles: [two] } }', '', true],
  ['another one active', '{ a: { image: x, profiles: [one] } }', 'COMPOSE_PROFILES=two\n', true],
  ['none, with a file for it', '{ a: { image: x, profiles: [one] } }', 'COMPOSE_PROFILES=\n', true],
  ['one active', '{ a: { image: x, profiles: [one] } }', 'COMPOSE_PROFILES=two,one\n', false],
  ['all active', '{ a: { image: x, profiles: [one] } }', 'COMPOSE_PROFILES="*"\n', false],
  ['a service in none', '{ a: { image: x, profiles: [one] }, b: { image: x } }', '', false],
  ['a service in an empty list of them', '{ a: { image: x, profiles: [] } }', '', false],
])('services in profiles: %s', async (_, services, environment, isTold) => {
  const { problems, warnings } = await linted({
    'services/a/compose.yaml': `services: ${services}\n`,
    ...(environment === '' ? {} : { 'services/a/.env': environment }),
  })
  expect(problems).toEqual([])
  const expected = expect.stringContaining('compose-nothing-selected services/a/compose.yaml:1 no service is selected')
  expect(warnings).toEqual(isTold ? [expected] : [])
})

test.each<[string, string, readonly string[], string | undefined]>([
  [
    'none in the service itself',
    '{ context: . }',
    [],
    'has no services/a/Dockerfile. Add it to the context, services/a,',
  ],
  ['none, by the short form', '.', [], 'has no Dockerfile: the repository has no services/a/Dockerfile.'],
  ['none in a directory', '{ context: ./app/ }', ['app/x'], 'the repository has no services/a/app/Dockerfile.'],
  [
    'another name',
    '{ context: ., dockerfile: web.docker }',
    ['Dockerfile'],
    'has no web.docker: the repository has no',
  ],
  ['one outside', '{ context: ., dockerfile: ../b/D }', [], 'build.dockerfile names "../b/D", which is outside of the'],
  ['one among what is not copied', '{ context: ., dockerfile: files/etc/D }', ['files/etc/D'], 'are not copied'],
  ['no context', '{ context: app }', [], 'build names "app", but the repository has no services/a/app.'],
  ['one of the host', '{ context: ., dockerfile: /opt/Dockerfile }', [], undefined],
  ['one for podman', '{ context: . }', ['Containerfile'], undefined],
  ['one in the compose file', '{ context: ., dockerfile_inline: FROM x }', [], undefined],
])('the Dockerfile of a build: %s', async (_, build, files, expected) => {
  const { problems } = await linted({
    'services/a/compose.yaml': `services: { web: { build: ${build} } }\n`,
    ...Object.fromEntries(files.map((file) => [`services/a/${file}`, 'FROM x\n'])),
  })
  expect(problems).toEqual(expected === undefined ? [] : [expect.stringContaining(expected)])
})

test('the shapes that most projects have lint without a problem', async () => {
  const files = Object.entries(shapes).flatMap(([service, own]) =>
    Object.entries(own).map(([path, text]) => [`services/${service}/${path}`, text as string] as const),
  )
  const { problems, warnings } = await linted(Object.fromEntries(files))
  expect(problems).toEqual([])
  expect(warnings).toEqual([])
})
