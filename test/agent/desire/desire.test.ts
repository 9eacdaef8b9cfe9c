// A revision and a host -> resources: what each kind of file in a service becomes.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { desire, desiredService, ofKind, readerOf, refusal, secretsWith } from './fleet.ts'

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

test("files/ mirrors /, with the repository's own mode bits and links", async () => {
  const service = await desiredService({
    'services/a/files/etc/motd': 'hello',
    'services/a/files/usr/local/bin/x': { executable: '#!/bin/sh\n' },
    'services/a/files/etc/link': { link: '../srv/elsewhere' },
  })
  expect(service.resources.toSorted((one, other) => (one.id < other.id ? -1 : 1))).toMatchObject([
    {
      kind: 'file',
      id: 'file:/etc/motd',
      path: '/etc/motd',
      source: 'services/a/files/etc/motd',
      content: { kind: 'blob' },
      sha256: sha256('hello'),
      size: 5,
      mode: 0o644,
      owner: 'root',
      group: 'root',
      secrets: [],
    },
    { kind: 'file', id: 'file:/usr/local/bin/x', mode: 0o755 },
    { kind: 'symlink', id: 'symlink:/etc/link', path: '/etc/link', target: '../srv/elsewhere' },
  ])
  expect(service).toMatchObject({ triggers: [], checks: [], onDrift: 'alert', onRemove: 'delete' })
})

test('service.yaml overrides mode, owner and group, and adds validation, packages and checks', async () => {
  const service = await desiredService({
    'services/a/files/etc/a.conf': '',
    'services/a/service.yaml': `packages: [nginx, curl=7.*, { name: jq, hold: true }]
files:
  /etc/a.conf: { mode: "0640", owner: www-data, group: "33", validate: "test -s {}" }
checks: [ { tcp: 127.0.0.1:80 } ]
onDrift: repair
onRemove: keep
`,
  })
  expect(ofKind('file', service)).toMatchObject([
    { mode: 0o640, owner: 'www-data', group: '33', validate: 'test -s {}' },
  ])
  expect(ofKind('package', service)).toEqual([
    { kind: 'package', id: 'package:nginx', name: 'nginx' },
    { kind: 'package', id: 'package:curl', name: 'curl', version: '7.*' },
    { kind: 'package', id: 'package:jq', name: 'jq', hold: true },
  ])
  expect(service).toMatchObject({
    checks: [{ kind: 'tcp', address: '127.0.0.1:80' }],
    onDrift: 'repair',
    onRemove: 'keep',
  })
})

test('services come in dependency order, and only what is on the host counts', async () => {
  const { desired } = await desire({
    'plumb.yaml': `version: 1
hosts: { web-1: { services: [web, db, base] } }
defaults: { syncEvery: 10s, checkEvery: 2m, onDrift: repair }
`,
    'services/base/README.md': '',
    'services/db/service.yaml': 'after: [base, other]\nonDrift: alert\n',
    'services/other/README.md': '',
    'services/web/service.yaml': 'after: [db]\n',
  })
  expect(desired.services.map(({ name, after, onDrift }) => [name, after, onDrift])).toEqual([
    ['base', [], 'repair'],
    ['db', ['base'], 'alert'],
    ['web', ['db'], 'repair'],
  ])
  expect(desired).toMatchObject({ host: 'web-1', syncEverySeconds: 10, checkEverySeconds: 120 })
})

test('a package that two services need belongs to the first, so that ids are unique on a host', async () => {
  const { desired } = await desire({
    'services/a/service.yaml': 'after: [b]\npackages: [curl, jq]\n',
    'services/b/service.yaml': 'packages: [curl]\n',
  })
  expect(desired.services.map(({ name, resources }) => [name, resources.map(({ id }) => id)])).toEqual([
    ['b', ['package:curl']],
    ['a', ['package:jq']],
  ])
})

test("a file's triggers fire for that file; one action for several files is one trigger", async () => {
  const { triggers } = await desiredService({
    'services/a/files/etc/a': '',
    'services/a/files/etc/b': '',
    'services/a/files/etc/c': '',
    'services/a/service.yaml': `files:
  /etc/a: { triggers: [reload x.service, run "echo hi"] }
  /etc/b: { triggers: [reload x.service] }
`,
  })
  expect(triggers).toEqual([
    { on: ['file:/etc/a', 'file:/etc/b'], action: { kind: 'reload', unit: 'x.service' } },
    { on: ['file:/etc/a'], action: { kind: 'run', command: '"echo hi"' } },
  ])
})

test('a purged directory keeps what any service of the host has in it, and nothing else', async () => {
  const { desired } = await desire({
    'services/a/service.yaml': `directories:
  /etc/app.d: { purge: true, mode: "0750", group: adm }
  /etc/plain: {}
`,
    'services/a/files/etc/app.d/one': '',
    'services/b/files/etc/app.d/deep/er/two': '',
    'services/b/files/etc/app.d/link': { link: 'one' },
    'services/b/files/etc/app.d-not': '',
    'services/b/files/etc/plain/x': '',
    'services/c/service.yaml': 'directories: { /etc/app.d/empty: {} }\n',
  })
  const directories = desired.services.flatMap((service) => ofKind('directory', service))
  expect(directories).toMatchObject([
    { id: 'directory:/etc/app.d', purge: true, mode: 0o750, group: 'adm', keep: ['deep', 'empty', 'link', 'one'] },
    { id: 'directory:/etc/plain', purge: false, mode: 0o755, keep: [] },
    { id: 'directory:/etc/app.d/empty' },
  ])
})

test('beside a compose file everything travels into the project, except what is placed elsewhere', async () => {
  const files = {
    'services/Grafana/compose.yaml': 'services: {}\n',
    'services/Grafana/dashboards/fleet.json': '{}',
    'services/Grafana/link': { link: 'dashboards' },
    'services/Grafana/files/etc/motd': 'x',
    'services/Grafana/service.yaml': 'files: { dashboards/fleet.json: { mode: "0600", triggers: [run true] } }\n',
  }
  const service = await desiredService(files)
  const root = '/srv/compose/Grafana'
  expect(service.resources.map(({ id }) => id)).toEqual([
    'file:/etc/motd',
    `file:${root}/compose.yaml`,
    `file:${root}/dashboards/fleet.json`,
    `symlink:${root}/link`,
    'compose:grafana',
  ])
  const [compose] = ofKind('compose', service)
  expect(compose).toMatchObject({
    project: 'grafana',
    directory: root,
    file: `${root}/compose.yaml`,
    state: 'running',
    files: [{ path: '/etc/motd' }, { path: `${root}/compose.yaml` }, { path: `${root}/dashboards/fleet.json` }],
    registries: [],
    allowMounts: [],
  })
  expect(ofKind('file', service).find(({ path }) => path.endsWith('.json'))?.mode).toBe(0o600)
  expect(service.triggers).toEqual([
    { on: [`file:${root}/dashboards/fleet.json`], action: { kind: 'run', command: 'true' } },
  ])
})

test('the digest of a compose project changes with content, path and link of the files of its service, and with nothing else', async () => {
  const base = { 'services/a/compose.yml': 'x', 'services/a/data/one': '1', 'services/a/l': { link: 'data' } }
  const digestOf = async (files: Parameters<typeof desiredService>[0]) => {
    const [compose] = ofKind('compose', await desiredService(files))
    return compose?.sha256
  }
  const digest = await digestOf(base)
  const settings = 'compose: { state: stopped }\nfiles: { data/one: { mode: "0600" } }\n'
  expect(await digestOf({ ...base, 'services/a/service.yaml': settings, 'services/a/README.md': 'new' })).toBe(digest)
  const others = [
    { ...base, 'services/a/data/one': '2' },
    { ...base, 'services/a/data/two': '' },
    { ...base, 'services/a/l': { link: 'dat' } },
    // A container may mount it.
    { ...base, 'services/a/files/etc/motd': 'x' },
  ]
  for (const other of others) expect(await digestOf(other)).not.toBe(digest)
})

test('a compose project has the state, the mounts and the logins that service.yaml says, with values of the host', async () => {
  const files = {
    'services/a/compose.yaml': 'services: {}\n',
    'services/a/service.yaml': `compose:
  state: stopped
  registries: { "registry.example.org:5000": { username: deploy, password: registry_token } }
  allowMounts: [/var/run/docker.sock]
`,
  }
  const secrets = await secretsWith({ registry_token: 'swordfish\n' })
  const [compose] = ofKind('compose', await desiredService(files, { secrets }))
  expect(compose).toMatchObject({
    state: 'stopped',
    registries: [
      { host: 'registry.example.org:5000', username: 'deploy', secret: 'registry_token', password: 'swordfish' },
    ],
    allowMounts: ['/var/run/docker.sock'],
  })
  const lacking = await desiredService(files, { secrets: await secretsWith({ registry_tokens: 'x' }) })
  expect(lacking.withheld?.problems).toEqual([
    {
      code: 'secret-missing',
      service: 'a',
      message: 'the secret "registry_token" is not set on this host.',
      where: expect.objectContaining({ file: 'services/a/service.yaml', line: 3 }),
      remedy: expect.stringMatching(/^Did you mean "registry_tokens"\? Write its value to /),
    },
  ])
})

test('blobs whose digest is remembered are not read again, and what is gone is forgotten', async () => {
  const before = await desire({ 'services/a/files/etc/one': 'one', 'services/a/files/etc/gone': 'gone' })
  expect(before.digests.size).toBe(2)
  const real = await readerOf({ 'services/a/files/etc/one': 'one', 'services/a/files/etc/two': 'two' })
  const read: string[] = []
  const reader = {
    ...real,
    readMany: (oids: readonly string[]) => {
      read.push(...oids)
      return real.readMany(oids)
    },
  }
  const after = await desire({}, { reader, digests: before.digests })
  const entries = await real.entries()
  const oidOf = (path: string) => entries.find((entry) => entry.path === path)?.oid
  expect(read).toEqual([oidOf('plumb.yaml'), oidOf('services/a/files/etc/two')])
  expect([...after.digests.keys()]).toEqual([oidOf('services/a/files/etc/one'), oidOf('services/a/files/etc/two')])
})

test('a file that is judged by what it says has its meaning, which is not worked out again', async () => {
  const files = (json: string) => ({
    'services/a/service.yaml': 'files: { /etc/a.json: { compare: json } }\n',
    'services/a/files/etc/a.json': json,
  })
  const judgedIn = async ({ desired }: Awaited<ReturnType<typeof desire>>) =>
    desired.services.flatMap((service) => ofKind('file', service)).map(({ judged }) => judged)
  const before = await desire(files('{"a": 1, "b": 2}'))
  const [judged] = await judgedIn(before)
  expect(judged).toEqual({
    rules: { as: 'json', ignore: [], unordered: [] },
    meaning: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  expect(await judgedIn(await desire(files('{"b": 2.0, "a": 1}')))).toEqual([judged])

  const real = await readerOf(files('{"a": 1, "b": 2}'))
  const read: string[] = []
  const reader = {
    ...real,
    read: (oid: string) => {
      read.push(oid)
      return real.read(oid)
    },
  }
  expect(await judgedIn(await desire({}, { reader, digests: before.digests }))).toEqual([judged])
  expect(read).toEqual([])
})

test('a template is judged once it is filled in, and refused when it is then no JSON', async () => {
  const files = {
    'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [a], vars: { word: hunter2 } } }\n',
    'services/a/service.yaml': 'files: { /etc/a.json: { compare: json, template: true } }\n',
    'services/a/files/etc/a.json': `{ "port": \${{ secrets.port }} }\n`,
  }
  const service = await desiredService(files, { secrets: await secretsWith({ port: '8080' }) })
  expect(ofKind('file', service)[0]?.judged?.meaning).toMatch(/^[0-9a-f]{64}$/)
  const broken = { ...files, 'services/a/files/etc/a.json': `{ "port": \${{ vars.word }} }\n` }
  expect(await refusal(desiredService(broken))).toEqual([
    {
      code: 'repository-invalid',
      service: 'a',
      message: 'is compared as JSON, but, once it is filled in, is no JSON that can be judged: expected a value.',
      where: { file: 'services/a/files/etc/a.json', line: 1, column: 11 },
      remedy: 'Correct it, or take `compare` out of services/a/service.yaml.',
    },
  ])
})

test('a repository with problems gives no desired host, and names all of them with those of the templates', async () => {
  const problems = await refusal(
    desire({
      'services/a/service.yaml': 'files: { /etc/t: { template: true } }\npackges: [x]\n',
      'services/a/files/etc/t': `\${{ vars.nope }}`,
      'services/b/service.yaml': 'after: [c]\n',
    }),
  )
  expect(problems.map(({ code, where }) => `${code} ${where?.file}:${where?.line}`)).toEqual([
    'repository-invalid services/a/service.yaml:2',
    'repository-invalid services/b/service.yaml:1',
    'variable-unknown services/a/files/etc/t:1',
  ])
})

test('a host that plumb.yaml does not name is refused; of a plumb.yaml that cannot be read, that is the problem', async () => {
  const unknown = await refusal(desire({ 'services/a/README.md': '' }, { host: 'wbe-1' }))
  expect(unknown).toMatchObject([{ code: 'host-unknown', remedy: 'Did you mean "web-1"?' }])
  const broken = await refusal(desire({ 'plumb.yaml': 'version: [' }, { host: 'web-1' }))
  expect(broken.map(({ code }) => code)).toEqual(['repository-invalid'])
})

test('two services that only a host of two patterns has together cannot claim one path there', async () => {
  const files = {
    'plumb.yaml': `version: 1
groups:
  east: { hosts: ["*-east-1"], services: [a] }
  two: { hosts: ["edge-*-1"], services: [b] }
`,
    'services/a/files/etc/motd': 'a',
    'services/b/files/etc/motd': 'b',
  }
  expect((await desire(files, { host: 'edge-west-1' })).desired.services).toHaveLength(1)
  const problems = await refusal(desire(files, { host: 'edge-east-1' }))
  expect(problems).toMatchObject([{ code: 'path-claimed-twice' }])
})

test('a pointer of Git LFS is refused instead of being put on a host', async () => {
  const pointer = 'version https://git-lfs.example/spec/v1\noid sha256:0\nsize 5\n'
  const problems = await refusal(desire({ 'services/a/files/etc/big': pointer }))
  expect(problems).toMatchObject([{ where: { file: 'services/a/files/etc/big' } }])
  expect(problems[0]?.message).toContain('pointer of Git LFS')
})
