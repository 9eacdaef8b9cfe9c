// `plumb import` on real trees below a sandbox root, into real work trees.

import { execFile } from 'node:child_process'
import { chmod, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, type Ran, type Sandbox } from '../../support/plumb.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

test('a tree becomes a service: content, modes, links and empty directories; lint and plan have nothing to say', async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/web/web.conf', 'listen 80\n')
  await box.write('/etc/web/key.map', 'a b\n')
  await box.write('/etc/web/hooks/run', '#!/bin/sh\n')
  await chmod(join(box.root, 'etc/web/key.map'), 0o640)
  await chmod(join(box.root, 'etc/web/hooks/run'), 0o755)
  await mkdir(join(box.root, 'etc/web/spool'), { mode: 0o755 })
  await mkdir(join(box.root, 'etc/web/sites-enabled'))
  await chmod(join(box.root, 'etc/web/sites-enabled'), 0o750)
  await symlink('../web.conf', join(box.root, 'etc/web/sites-enabled/web'))

  const ran = await run('import', 'web', '/etc/web', '--assign')

  expect(ran).toMatchObject({ code: 0, err: '' })
  expect(ran.out).toContain('plumb.yaml: web-1 has the service')
  const made = join(fleet.directory, 'services/web')
  expect(await readFile(join(made, 'service.yaml'), 'utf8')).toBe(
    [
      'files:',
      '  /etc/web/key.map: { mode: "0640" }',
      'directories:',
      '  /etc/web/sites-enabled: { mode: "0750", purge: true }',
      '  /etc/web/spool: {}',
      '',
    ].join('\n'),
  )
  expect(await readlink(join(made, 'files/etc/web/sites-enabled/web'))).toBe('../web.conf')
  expect((await stat(join(made, 'files/etc/web/hooks/run'))).mode & 0o777).toBe(0o755)
  expect(await readFile(join(made, 'README.md'), 'utf8')).toMatch(/^# web\n[\s\S]*Imported from `web-1` on \d{4}-/)
  expect(await readFile(join(fleet.directory, 'plumb.yaml'), 'utf8')).toBe(
    'version: 1\nhosts:\n  web-1: { services: [ web ] } # the first\n',
  )
  for (const options of [['--assign'], []])
    expect((await run('import', 'web', '/etc/web', '--force', ...options)).out).toContain('web-1 has the service')
  await inSync({ box, fleet, run })
})

test('a likely secret stops it; with --secrets a name takes its place and the value stays on the host', async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/kv/kv.conf', 'port 1\nrequirepass hunter22-of-kv\n')

  const refused = await run('import', 'kv', '/etc/kv', '--assign')

  expect(refused.code).toBe(1)
  expect(refused.out).toContain(
    `likely a secret: /etc/kv/kv.conf:2: the value of "requirepass"; as a name: requirepass ${opening} secrets.kv_requirepass }}\n`,
  )
  expect(refused.out + refused.err).not.toContain('hunter22')
  expect(await readdir(fleet.directory)).toEqual(['.git', 'plumb.yaml'])

  const { code } = await run('import', 'kv', '/etc/kv', '--assign', '--secrets')

  expect(code).toBe(0)
  const secret = join(box.root, 'etc/plumb/secrets/kv_requirepass')
  expect(await readFile(secret, 'utf8')).toBe('hunter22-of-kv\n')
  expect((await stat(secret)).mode & 0o777).toBe(0o600)
  expect((await stat(join(secret, '..'))).mode & 0o777).toBe(0o700)
  expect(await readFile(join(fleet.directory, 'services/kv/files/etc/kv/kv.conf'), 'utf8')).toBe(
    `port 1\nrequirepass ${opening} secrets.kv_requirepass }}\n`,
  )
  await inSync({ box, fleet, run })
  expect(await fleet.git('log', '-p')).not.toContain('hunter22')
})

test('what the agent lives from is not imported, by its name or through a link', async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/plumb/note', 'own\n')
  await box.write('/srv/kept', '')
  await symlink('/etc/plumb', join(box.root, 'srv/way'))

  const through = await run('import', 'own', '/srv/way/note')
  expect(through).toMatchObject({
    code: 1,
    err: expect.stringContaining('/srv/way/note is /etc/plumb/note on this host'),
  })
  const named = await run('import', 'own', '/etc/plumb', '/srv/kept')
  expect(named.out).toContain("/etc/plumb/note: the system's or the agent's own")
  expect(await fleet.git('status', '--porcelain', '-uall')).not.toContain('plumb/note')
})

test('a secret of that name with another value is not overwritten, and nothing is written', async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/kv/kv.conf', 'requirepass hunter22-of-kv\n')
  await box.write('/etc/plumb/secrets/kv_requirepass', 'another\n')
  await chmod(join(box.root, 'etc/plumb/secrets'), 0o700)
  await chmod(join(box.root, 'etc/plumb/secrets/kv_requirepass'), 0o600)

  const { code, err } = await run('import', 'kv', '/etc/kv', '--secrets')

  expect(code).toBe(1)
  expect(err).toContain('The secret kv_requirepass is on this host already, with another value.')
  expect(err).not.toContain('hunter22')
  expect(await box.read('/etc/plumb/secrets/kv_requirepass')).toBe('another\n')
  expect(await readdir(fleet.directory)).toEqual(['.git', 'plumb.yaml'])
})

test('what cannot be a template is said, and may be left out or taken as it is', async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/ci/ci.yaml', `run: ${opening} matrix.x }}\ntoken: hunter22-of-ci\n`)
  await box.write('/etc/ci/many.yaml', 'password: |\n  hunter22\n')

  const stuck = await run('import', 'ci', '/etc/ci', '--secrets')

  expect(stuck.code).toBe(1)
  expect(stuck.out).toContain(`(it cannot be a template: it has ${opening} in it already)`)
  expect(stuck.out).toContain(
    '/etc/ci/many.yaml:1: the value of "password" (line 1: the value of "password" is no single',
  )

  const { code } = await run(
    'import',
    'ci',
    '/etc/ci',
    '--leave',
    '/etc/ci/many.yaml',
    '--not-secret',
    '/etc/ci/ci.yaml',
  )
  expect(code).toBe(0)
  expect(await readdir(join(fleet.directory, 'services/ci/files/etc/ci'))).toEqual(['ci.yaml'])
})

test('a file with a likely secret is left out, and the others are imported; an option takes that one file', async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/kv/kv.conf', 'port 1\n')
  await box.write('/etc/kv/auth.conf', 'requirepass hunter22-of-kv\nmasterauth hunter23-of-kv\n')
  await box.write('/etc/kv/ci.yaml', 'token: hunter22-of-ci\n')
  await box.write('/etc/kv/sites-enabled/one', 'password = hunter24-of-kv\n')

  const first = await run('import', 'kv', '/etc/kv', '--assign')

  expect(first.code).toBe(2)
  expect(first.out).toContain(
    'kv: not taken: 3 files with likely secrets: /etc/kv/auth.conf, /etc/kv/ci.yaml, /etc/kv/sites-enabled/one. Import again with --force and --with-secret PATH[=NAME]',
  )
  expect(first.out).toContain('likely a secret: /etc/kv/ci.yaml:1: the value of "token"')
  expect(first.out + first.err).not.toContain('hunter2')
  const made = join(fleet.directory, 'services/kv')
  expect(await readdir(join(made, 'files/etc/kv'))).toEqual(['kv.conf'])
  expect(await readFile(join(made, 'README.md'), 'utf8')).toContain('`/etc/kv/ci.yaml`: likely holds secrets')
  await inSync({ box, fleet, run })
  expect(await box.read('/etc/kv/sites-enabled/one')).toContain('hunter24')

  const taken = ['--with-secret', '/etc/kv/auth.conf=kv_main', '--not-secret', '/etc/kv/ci.yaml']
  const second = await run('import', 'kv', '/etc/kv', '--force', ...taken)

  expect(second.code).toBe(2)
  expect(second.out).toContain('kv: not taken: 1 file with likely secrets: /etc/kv/sites-enabled/one. ')
  expect(await readFile(join(made, 'files/etc/kv/auth.conf'), 'utf8')).toBe(
    `requirepass ${opening} secrets.kv_main }}\nmasterauth ${opening} secrets.kv_main_2 }}\n`,
  )
  expect(await box.read('/etc/plumb/secrets/kv_main_2')).toBe('hunter23-of-kv\n')
  expect(await readFile(join(made, 'files/etc/kv/ci.yaml'), 'utf8')).toBe('token: hunter22-of-ci\n')

  const last = await run('import', 'kv', '/etc/kv', '--force', ...taken, '--with-secret', '/etc/kv/sites-enabled/one')
  expect(last).toMatchObject({ code: 0, err: '' })
  await inSync({ box, fleet, run })
})

test.each([
  ['DATABASE_URL=postgres://@{DB_USER:-app}:@{DB_PASSWORD}@db:5432/app'],
  ['export DB_PASSWORD=$$(cat /run/secrets/db_password); exec app'],
  ['deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart app'],
  ['proxy_pass http://127.0.0.1:8080;'],
  ['password = os.environ["DB_PASSWORD"]'],
])('ordinary text is imported without a question: %s', async (line) => {
  const { box, fleet, run } = await world()
  const text = `${line.replaceAll('@{', `${'$'}{`)}\n`
  await box.write('/etc/web/web.conf', text)
  expect(await run('import', 'web', '/etc/web')).toMatchObject({ code: 0, err: '' })
  expect(await readFile(join(fleet.directory, 'services/web/files/etc/web/web.conf'), 'utf8')).toBe(text)
})

test.each([
  ['.gitignore', '*.log\n', 'app.log', 'x\n', 'would not be committed'],
  ['.gitignore', '.env\n', '.env', 'A=b\n', 'would not be committed'],
  ['.git/info/exclude', 'conf.d/\n', 'conf.d/own.conf', 'x\n', 'would not be committed'],
  ['.gitattributes', '* text=auto\n', 'dos.ini', 'a\r\nb\r\n', 'would be committed with other content'],
  ['.gitattributes', '*.reg text working-tree-encoding=UTF-16LE\n', 'app.reg', 'a\0b\0', 'with other content'],
])('what git would not commit as it is, is a problem: %s with %j', async (settings, rule, name, content, message) => {
  const { box, fleet, run } = await world()
  await writeFile(join(fleet.directory, settings), rule)
  await box.write('/etc/app/app.conf', 'x\n')
  await box.write(`/etc/app/${name}`, content)

  const { code, out } = await run('import', 'app', '/etc/app')

  expect(code).toBe(1)
  const told = out.split('\n').filter((line) => line.startsWith('services/'))
  expect(told).toEqual([expect.stringContaining(`services/app/files/etc/app/${name}: would`)])
  expect(told[0]).toContain(message)
})

test('a script that git would commit without its permission is a problem, with the command that keeps it', async () => {
  const { box, fleet, run } = await world()
  await fleet.git('config', 'core.fileMode', 'false')
  await box.write('/etc/app/hook', '#!/bin/sh\n')
  await chmod(join(box.root, 'etc/app/hook'), 0o755)
  await box.write('/etc/app/plain', 'x\n')

  const { code, out } = await run('import', 'app', '/etc/app', '--assign')

  expect(code).toBe(1)
  const path = 'services/app/files/etc/app/hook'
  expect(out).toContain(`${path}: would be committed without permission to execute it`)
  expect(out).not.toContain('etc/app/plain:')
  await fleet.git('update-index', '--add', '--chmod=+x', path)
  await inSync({ box, fleet, run })
})

test("a repository below the paths, and git's settings in it, are left out: git would obey them", async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/app/app.conf', 'x\n')
  await box.write('/etc/app/.gitignore', '*\n')
  await box.write('/etc/app/sub/.gitattributes', '* binary\n')
  await box.write('/etc/app/sub/one.conf', 'y\n')
  await promisify(execFile)('git', ['init', '-q', join(box.root, 'etc/app')])
  await box.write('/etc/app/vendor/.git', 'gitdir: elsewhere\n')

  const { out } = await run('import', 'app', '/etc/app', '--assign', '--json')

  const obeyed = 'git would obey it in this repository as well'
  const { left, files } = JSON.parse(out)
  expect(left).toEqual([
    { path: '/etc/app/.git', why: 'of another git repository' },
    { path: '/etc/app/.gitignore', why: obeyed },
    { path: '/etc/app/sub/.gitattributes', why: obeyed },
    { path: '/etc/app/vendor/.git', why: 'of another git repository' },
  ])
  expect(files).toEqual(['README.md', 'files/etc/app/app.conf', 'files/etc/app/sub/one.conf'])
  await inSync({ box, fleet, run })
})

test('a link to something that was not named is told; one to a program of the system is not', async () => {
  const { box, run } = await world()
  await box.write('/opt/real/app.conf', 'x\n')
  await box.write('/srv/site.conf', 'x\n')
  await mkdir(join(box.root, 'etc/app'), { recursive: true })
  await box.write('/etc/app/here.conf', 'x\n')
  for (const [link, target] of [
    ['etc/whole', '../opt/real'],
    ['etc/app/site', '/srv/site.conf'],
    ['etc/app/gone', '../lost/file'],
    ['etc/app/here', 'here.conf'],
    ['etc/app/editor', '/usr/bin/vi'],
  ] as const)
    await symlink(target, join(box.root, link))

  const { out } = await run('import', 'app', '/etc/whole', '/etc/app', '--json')

  expect(JSON.parse(out).left).toEqual([
    { path: '/etc/lost/file', why: '/etc/app/gone links to it: name it too' },
    { path: '/srv/site.conf', why: '/etc/app/site links to it: name it too' },
    { path: '/opt/real', why: '/etc/whole links to it: name it too' },
  ])
})

test("this host's own, keys, backups, pipes and what is too large stay behind, each with its reason", async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/ssh/sshd_config', 'Port 2222\n')
  await box.write('/etc/ssh/sshd_config~', 'Port 22\n')
  await box.write('/etc/ssh/ssh_host_ed25519_key', 'x\n')
  await box.write('/etc/ssh/deploy', ['-----BEGIN OPENSSH ', 'PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n'].join(''))
  await writeFile(join(box.root, 'etc/ssh/large'), Buffer.alloc((1 << 20) + 1, 'x'))
  await writeFile(join(box.root, 'etc/ssh/binary'), Buffer.alloc(70_000))
  await promisify(execFile)('mkfifo', [join(box.root, 'etc/ssh/pipe')])

  const { code, out } = await run('import', 'ssh', '/etc/ssh', '--json')

  expect(code).toBe(0)
  const { refused, left, files } = JSON.parse(out)
  expect(refused).toEqual([
    { path: '/etc/ssh/binary', why: 'binary, of more than 64 KiB' },
    { path: '/etc/ssh/deploy', why: 'a private key' },
    { path: '/etc/ssh/large', why: '1025 KiB, more than the 1 MiB of a file here' },
    { path: '/etc/ssh/pipe', why: 'a FIFO' },
    { path: '/etc/ssh/ssh_host_ed25519_key', why: "this host's own key" },
  ])
  expect(left).toEqual([{ path: '/etc/ssh/sshd_config~', why: 'a backup copy' }])
  expect(files).toEqual(['README.md', 'files/etc/ssh/sshd_config'])
  expect(await readFile(join(fleet.directory, 'services/ssh/README.md'), 'utf8')).toContain('`/etc/ssh/pipe`: a FIFO')
})

test('a service that is there is replaced with --force alone, whole; --dry-run writes nothing', async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/web/a', 'a\n')
  await run('import', 'web', '/etc/web')
  await box.write('/etc/web/b', 'b\n')
  const [place] = [join(fleet.directory, 'services/web/files/etc/web')]

  const again = await run('import', 'web', '/etc/web/b')
  expect(again.code).toBe(1)
  expect(again.err).toContain('The repository has a service web already.')
  const dry = await run('import', 'web', '/etc/web/b', '--force', '--dry-run')
  expect(dry.out).toContain('would be written')
  expect(await readdir(place)).toEqual(['a'])

  expect((await run('import', 'web', '/etc/web/b', '--force')).code).toBe(0)
  expect(await readdir(place)).toEqual(['b'])
  expect(await readdir(fleet.directory)).toEqual(['.git', 'plumb.yaml', 'services'])
})

test.runIf(process.getuid?.() === 0).each<[what: string, link: (outside: string) => string]>([
  ['a directory', (outside) => outside],
  ['a directory below', (outside) => join(outside, 'deep')],
  ['a file', (outside) => join(outside, 'deep/file')],
])(
  "what is written belongs to the work tree's owner; %s that a link leads to on this host does not",
  async (_, link) => {
    const { box, fleet, run } = await world()
    const outside = join(box.directory, 'outside')
    await mkdir(join(outside, 'deep'), { recursive: true })
    await writeFile(join(outside, 'deep/file'), 'x\n')
    await box.write('/etc/app/app.conf', 'x\n')
    await symlink(link(outside), join(box.root, 'etc/app/way'))
    const own = { uid: 4711 }
    await promisify(execFile)('chown', ['-R', String(own.uid), fleet.directory])

    await run('import', 'app', '/etc/app')

    expect(await lstat(join(fleet.directory, 'services/app/files/etc/app/way'))).toMatchObject(own)
    expect(await stat(join(fleet.directory, 'services/app/files/etc/app/app.conf'))).toMatchObject(own)
    for (const path of ['.', 'deep', 'deep/file'])
      expect(await stat(join(outside, path))).toMatchObject({ uid: process.getuid?.() })
  },
)

test('links are never followed, and what is not there or no fleet is refused', async () => {
  const { box, fleet, run } = await world()
  await box.write('/root/.pgpass', 'hunter22\n')
  await mkdir(join(box.root, 'etc/web'), { recursive: true })
  await symlink('/root', join(box.root, 'etc/web/home'))
  expect((await run('import', 'web', '/etc/web')).code).toBe(0)
  expect(await readlink(join(fleet.directory, 'services/web/files/etc/web/home'))).toBe('/root')

  expect((await run('import', 'x', '/etc/nothing')).err).toContain('There is nothing at /etc/nothing')
  expect((await run('import', 'x', 'etc/web')).err).toContain('"etc/web" is not a path on the host')
  const elsewhere = await box.plumb('import', 'x', '/etc/web', '--into', box.state)
  expect(elsewhere.err).toContain('no work tree of a fleet repository')
})

test('a scan counts what the repository has and proposes an import for the rest', async () => {
  const { box, fleet, run } = await world()
  await box.write('/etc/web/a', 'a\n')
  await box.write('/etc/web/b', 'b\n')
  await box.write('/etc/sysctl.d/10-mine.conf', 'x = 1\n')
  await box.write('/etc/machine-id', 'x\n')
  await run('import', 'web', '/etc/web/a', '--assign')
  await fleet.commit({})
  await box.plumb('apply')

  const { code, out } = await box.plumb('import', '--scan')

  expect(code).toBe(2)
  expect(out).toBe(
    [
      '10-mine: 1 thing not in the repository (1 of no package)',
      '  plumb import 10-mine /etc/sysctl.d/10-mine.conf',
      'web: 1 thing not in the repository (1 of no package)',
      '  plumb import web /etc/web',
      'managed 1 of 3 things configured by hand',
      '',
    ].join('\n'),
  )
})

const opening = `${'$'}{{`

type World = {
  readonly box: Sandbox
  readonly fleet: TestRepository
  readonly run: (...args: readonly string[]) => Promise<Ran>
}

async function world(): Promise<World> {
  const fleet = await makeRepository({ 'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [] } # the first\n' })
  const box = await makeSandbox({ repo: fleet.directory })
  ends.push(fleet.remove, box.remove)
  const run = (verb: string, ...args: readonly string[]) => box.plumb(verb, ...args, '--into', fleet.directory)
  return { box, fleet, run: (verb = '', ...args) => run(verb, ...args) }
}

/** Nothing is to be done by the apply that follows, and nothing is done. */
async function inSync({ box, fleet }: World): Promise<void> {
  await fleet.commit({})
  const plan = await box.plumb('plan')
  expect(plan.out).toMatch(/^nothing to do at /)
  expect((await box.plumb('apply')).code).toBe(0)
  expect((await box.plumb('check')).out).toMatch(/^in sync: 1 service/)
}
