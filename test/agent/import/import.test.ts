// `plumb import` on real trees below a sandbox root, into real work trees.
import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
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
  expect(ran.out).toContain('plumb.yaml: web-1 has it now')
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
  await inPlumb({ box, fleet, run })
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
  await inPlumb({ box, fleet, run })
  expect(await fleet.git('log', '-p')).not.toContain('hunter22')
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
async function inPlumb({ box, fleet }: World): Promise<void> {
  await fleet.commit({})
  const plan = await box.plumb('plan')
  expect(plan.out).toMatch(/^nothing to do at /)
  expect((await box.plumb('apply')).code).toBe(0)
  expect((await box.plumb('check')).out).toMatch(/^in plumb: 1 service/)
}
