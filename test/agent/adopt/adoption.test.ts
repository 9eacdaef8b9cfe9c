// What a sandbox cannot show: owners, units and files that change them, planned from plain data against a real repository.
import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { adoptionOf } from '../../../agent/adopt/adoption.ts'
import type { Drifted } from '../../../agent/adopt/drifted.ts'
import { appliedSource, openRevision } from '../../../agent/adopt/revision.ts'
import type { HostEntry } from '../../../agent/host/entries-below.ts'
import { maskFor } from '../../../agent/plan/mask.ts'
import { isAdoptable } from '../../../agent/resources/registry.ts'
import { absolutePathSchema, hostNameSchema, resourceIdSchema, serviceNameSchema } from '../../../shared/names.ts'
import { type Files, readerOf, secretsWith } from '../desire/fleet.ts'

const host = hostNameSchema.parse('web-1')
const secretReference = `${'$'}{{ secrets.db }}`

const files: Files = {
  'services/web/service.yaml': 'packages: [nginx]\nfiles:\n  /etc/login: { template: true }\n',
  'services/web/files/etc/main.conf': 'a\n',
  'services/web/files/etc/login': `pass ${secretReference}\n`,
}

async function adoption(...drifted: readonly Partial<Drifted>[]) {
  const head = await openRevision(await readerOf(files), host)
  const secrets = await secretsWith({ db: 'p4ss-of-the-database' })
  const all = drifted.map((one): Drifted => ({ ...nothingOf, ...one }))
  const { changes, adopted, refused } = await adoptionOf(all, {
    head,
    appliedOf: (source, sha256) => appliedSource({ source, sha256 }, [head], { host, secrets }),
    mask: maskFor(['p4ss-of-the-database']),
    notSecret: new Set(),
  })
  return {
    adopted: adopted.map(({ id }) => id),
    refused: refused.flatMap(({ problems }) => problems.map(({ message }) => message)),
    files: Object.fromEntries(
      [...changes].map(([path, change]) => [
        path,
        change.kind === 'write' ? `${change.mode} ${Buffer.from(change.content).toString()}` : 'removed',
      ]),
    ),
  }
}

const nothingOf: Drifted = {
  id: resourceIdSchema.parse('file:/etc/main.conf'),
  service: serviceNameSchema.parse('web'),
  source: undefined,
  summary: '',
  differences: [],
  live: undefined,
  extras: [],
  isNamed: false,
  evidence: {},
}

const differs = (name: string, expected: string, live: string) => ({ name, expected, live })

test('a unit that was disabled and stopped is so in service.yaml; one that failed is nothing to keep', async () => {
  const id = resourceIdSchema.parse('unit:nginx.service')
  expect(
    await adoption({ id, differences: [differs('enabled', 'yes', 'no'), differs('state', 'running', 'stopped')] }),
  ).toEqual({
    adopted: [id],
    refused: [],
    files: {
      'services/web/service.yaml': `100644 ${files['services/web/service.yaml']}units:\n  nginx.service: { enabled: false, state: stopped }\n`,
    },
  })
  expect(await adoption({ id, differences: [differs('state', 'running', 'failed')] })).toEqual({
    adopted: [],
    refused: ['state: failed cannot be adopted'],
    files: {},
  })
})

test('an owner and a mode are said in service.yaml, an executable by git', async () => {
  const source = 'services/web/files/etc/main.conf'
  const owned = await adoption({
    source,
    differences: [differs('owner', 'root', 'www-data'), differs('mode', '0644', '0755')],
  })
  expect(owned.files).toEqual({
    [source]: '100755 a\n',
    'services/web/service.yaml': `100644 ${files['services/web/service.yaml']}  /etc/main.conf: { owner: www-data }\n`,
  })
})

test('a difference that adoption knows nothing of is refused, not passed over', async () => {
  const source = 'services/web/files/etc/main.conf'
  const { refused, adopted } = await adoption({
    source,
    differences: [differs('mode', '0644', '0755'), differs('acl', '', 'user:anna:r')],
  })
  expect(refused).toEqual(['acl: not adopted'])
  expect(adopted).toEqual([])
})

test.each([
  ['file:/etc/main.conf', 'type', 'missing'],
  ['file:/etc/main.conf', 'type', 'directory'],
  ['file:/etc/main.conf', 'mode', '0640'],
  ['file:/etc/main.conf', 'capabilities', 'cap_net_raw=ep'],
  ['symlink:/etc/main.conf', 'type', 'file'],
  ['directory:/etc/on', 'owner', 'www-data'],
  ['directory:/etc/on', 'type', 'missing'],
  ['directory:/etc/on', 'leave', '2 entries'],
  ['unit:nginx.service', 'enabled', 'no'],
  ['unit:nginx.service', 'enabled', 'masked'],
  ['unit:nginx.service', 'state', 'failed'],
  ['unit:nginx.service', 'loaded', 'stale'],
  ['package:nginx', 'version', '2'],
  ['compose:web', 'containers', 'web: missing'],
])(
  '%s with another %s (%s) is adopted exactly when pages and alerts say that it can be',
  async (resource, name, live) => {
    const id = resourceIdSchema.parse(resource)
    const expected = name === 'mode' ? '0644' : name === 'owner' ? 'root' : 'as it was'
    const source = 'services/web/files/etc/main.conf'
    const { adopted } = await adoption({ id, source, isNamed: true, differences: [differs(name, expected, live)] })
    expect(adopted.length === 1).toBe(isAdoptable(id, { name, live }))
  },
)

test('what the repository says otherwise by now is not overruled', async () => {
  const source = 'services/web/files/etc/main.conf'
  const { refused, adopted } = await adoption({ source, differences: [differs('mode', '0600', '0640')] })
  expect(refused).toEqual(['mode: the repository says 0644 by now, 0600 was applied, 0640 is live'])
  expect(adopted).toEqual([])
})

test('no mode lets everybody read the secrets of a template; a group may', async () => {
  const source = 'services/web/files/etc/login'
  const id = resourceIdSchema.parse('file:/etc/login')
  const open = await adoption({ id, source, differences: [differs('mode', '0600', '0644')] })
  expect(open.refused).toEqual(['mode 0644: everybody on the host could read the secrets in it'])
  const group = await adoption({ id, source, differences: [differs('mode', '0600', '0640')] })
  expect(group.files['services/web/service.yaml']).toContain('/etc/login: { template: true, mode: "0640" }')
})

test('a file that changed between two looks is left for another try', async () => {
  const source = 'services/web/files/etc/main.conf'
  const content = differs('content', hash('sha256', 'a\n', 'hex'), hash('sha256', 'b\n', 'hex'))
  expect((await adoption({ source, differences: [content], live: Buffer.from('c\n') })).refused).toEqual([
    'it is being changed right now',
  ])
  expect((await adoption({ source, differences: [content], live: Buffer.from('b\n') })).files).toEqual({
    [source]: '100644 b\n',
  })
})

test('a drop-in of systemctl edit becomes one of units/, what set-property wrote a file, what is in /run nothing', async () => {
  const override = (path: string): Partial<Drifted> => ({
    id: resourceIdSchema.parse(`file:${path}`),
    differences: [differs('override', 'none', 'nginx.service')],
    extras: [entry(path, '[Service]\n')],
  })
  const [edit, property, runtime] = [
    '/etc/systemd/system/',
    '/etc/systemd/system.control/',
    '/run/systemd/system/',
  ].map((directory) => override(`${directory}nginx.service.d/override.conf`))
  expect(await adoption(edit ?? {}, property ?? {}, runtime ?? {})).toMatchObject({
    files: {
      'services/web/units/nginx.service.d/override.conf': '100644 [Service]\n',
      'services/web/files/etc/systemd/system.control/nginx.service.d/override.conf': '100644 [Service]\n',
    },
    refused: ['/run/systemd/system/nginx.service.d/override.conf is gone with the next boot'],
  })
})

test('packages and containers are told apart from what can be adopted', async () => {
  const { refused, adopted } = await adoption(
    { id: resourceIdSchema.parse('package:nginx'), differences: [differs('installed', 'yes', 'no')] },
    { id: resourceIdSchema.parse('compose:shop'), differences: [differs('containers', 'up', 'web: stopped')] },
  )
  expect(refused).toEqual(['packages are not adopted', 'containers are not adopted'])
  expect(adopted).toEqual([])
})

test('a secret is not adopted by way of a link, a name or an owner', async () => {
  const path = '/etc/enabled'
  const id = resourceIdSchema.parse(`directory:${path}`)
  const extra = (one: HostEntry): Partial<Drifted> => ({
    id,
    differences: [differs('extra', 'none', 'x')],
    extras: [one],
  })
  const link: HostEntry = {
    kind: 'symlink',
    path: absolutePathSchema.parse(`${path}/x`),
    link: '/p4ss-of-the-database',
  }
  const { refused, files: written } = await adoption(
    extra(link),
    extra(entry(`${path}/p4ss-of-the-database`, 'a\n')),
    extra(entry(`${path}/y`, 'a\n', 'p4ss-of-the-database')),
  )
  expect(written).toEqual({})
  expect(refused).toEqual([
    'the value of a secret would be written to the repository',
    'the path of a file holds the value of a secret, and would be written to the repository',
    'the value of a secret would be written to the repository',
  ])
})

function entry(path: string, text: string, owner = 'root'): HostEntry {
  const content = Buffer.from(text)
  const at = absolutePathSchema.parse(path)
  return { kind: 'file', path: at, mode: 0o644, owner, group: 'root', size: content.length, content, md5: undefined }
}
