// ACLs and capabilities of what is imported; what getfacl and getcap print is of Debian 12 and, for capabilities, of an older libcap too.
import { realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { extendedBelow } from '../../../agent/host/file-attributes.ts'
import { openHost, readerOf } from '../../../agent/host/host.ts'
import { draftOf } from '../../../agent/import/draft.ts'
import type { Run } from '../../../shared/command.ts'
import { absolutePathSchema, hostNameSchema } from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'

const acls = `# file: ROOT/etc/app/conf
# owner: root
# group: root
user::rw-
user:anna:rw-\t\t\t#effective:r--
group::r--
group:adm:r--
mask::r--
other::---

# file: ROOT/etc/app/with\\040blank
# owner: root
# group: root
user::rw-
user:4711:r--
group::r--
mask::r--
other::r--

# file: ROOT/etc/app/dir
# owner: root
# group: root
user::rwx
user:anna:r-x
group::r-x
mask::r-x
other::r-x
default:user::rwx
default:user:anna:r-x

`

const capabilities = [
  'ROOT/etc/app/new cap_net_bind_service=ep',
  'ROOT/etc/app/old = cap_net_raw,cap_net_admin+pe',
  'ROOT/etc/app/with blank cap_chown=p',
].join('\n')

test.each(['', realpathSync(tmpdir())])(
  'named entries and capabilities are found by path, below the root %j',
  async (root) => {
    const found = await below(root)

    expect([...found]).toEqual([
      ['/etc/app/conf', { acl: ['user:anna:rw-', 'group:adm:r--'] }],
      ['/etc/app/with blank', { acl: ['user:4711:r--'], capabilities: 'cap_chown=p' }],
      ['/etc/app/dir', { acl: ['user:anna:r-x'] }],
      ['/etc/app/new', { capabilities: 'cap_net_bind_service=ep' }],
      ['/etc/app/old', { capabilities: 'cap_net_admin,cap_net_raw=ep' }],
    ])
  },
)

test('where neither tool is installed there is nothing to take', async () => {
  const missing: Run = () => Promise.resolve({ code: 127, stdout: '', stderr: '' })
  expect((await extendedBelow([app], { ...host(''), query: missing })).size).toBe(0)
})

test('they stand in service.yaml beside mode and owner; the ACL of a directory is told', async () => {
  const owned = { owner: 'root', group: 'root' }
  const file = (name: string, mode = 0o644) => ({
    ...{ kind: 'file' as const, path: absolutePathSchema.parse(`/etc/app/${name}`), ...owned, mode },
    ...{ size: 2, content: Buffer.from('x\n'), md5: undefined },
  })
  const draft = draftOf({
    service: 'app',
    host: hostNameSchema.parse('web-1'),
    at: new Date(0),
    paths: ['/etc/app'],
    entries: [
      { kind: 'directory', path: absolutePathSchema.parse('/etc/app/dir'), ...owned, mode: 0o755, isEmpty: false },
      ...[file('conf', 0o640), file('new', 0o755), file('plain')],
    ],
    circumstances: { originals: new Map(), owners: new Map(), named: new Set(), all: false, leave: new Set() },
    extended: await below(''),
    packages: [],
    units: [],
    listeners: [],
    hide: false,
    hideIn: new Map(),
    notSecret: new Set(),
  })

  const settings = draft.files.get('service.yaml')
  expect(settings?.kind === 'file' && Buffer.from(settings.content).toString().split('\n')).toEqual([
    'files:',
    '  /etc/app/conf: { mode: "0640", acl: [ user:anna:rw-, group:adm:r-- ] }',
    '  /etc/app/new: { capabilities: cap_net_bind_service=ep }',
    '',
  ])
  expect(draft.left).toEqual([{ path: '/etc/app/dir', why: 'its ACL: only files can have one here' }])
})

const app = absolutePathSchema.parse('/etc/app')

function host(root: string) {
  return readerOf(openHost({ root: root === '' ? '/' : root, run: createRun() }))
}

async function below(root: string) {
  const query: Run = ({ args }) => {
    expect(args.at(-1)).toBe(`${root}/etc/app`)
    const text = args[0] === 'getfacl' ? acls : capabilities
    return Promise.resolve({ code: 0, stdout: text.replaceAll('ROOT', root), stderr: '' })
  }
  return await extendedBelow([app], { ...host(root), query })
}
