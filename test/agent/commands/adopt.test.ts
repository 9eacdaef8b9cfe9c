// `plumb adopt` as a process: a sandbox host, a bare repository that takes pushes, and what the agent makes of it once it is merged.
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeRepository, serveRepository, type TestFiles, type TestRepository } from '../../support/git.ts'
import { makeSandbox, type Ran, runPlumb, type Sandbox } from '../../support/plumb.ts'
import { treeOf } from '../apply/world.ts'

const reference = (name: string) => `${'$'}{{ ${name} }}`

const files: TestFiles = {
  'plumb.yaml': `version: 1
hosts:
  web-1: { services: [web, links] }
vars: { port: "8080" }
`,
  'services/web/README.md': '# web\n',
  'services/web/service.yaml': `# What nginx needs.
files:
  /etc/web/site.conf: { template: true } # filled in
directories:
  /etc/web/enabled: { purge: true }
`,
  'services/web/files/etc/web/main.conf': 'workers 1;\nlog off;\n\nlimit 1m;\n',
  'services/web/files/etc/web/site.conf': `server ${reference('host.name')};\nlisten ${reference('vars.port')};\npass ${reference('secrets.db')};\nroot /srv;\n`,
  'services/web/files/etc/web/enabled/a.conf': 'a\n',
  'services/links/README.md': '# links\n',
  'services/links/files/etc/current': { link: 'one' },
}

const secret = 'hunter2-of-the-database'

let fleet: TestRepository
let forge: string
let box: Sandbox

beforeEach(async () => {
  fleet = await makeRepository(files)
  forge = await mkdtemp(join(tmpdir(), 'plumb-forge-'))
  await fleet.git('clone', '--quiet', '--bare', fleet.directory, forge)
  await fleet.git('remote', 'add', 'origin', forge)
  box = await makeSandbox({ repo: forge })
  mkdirSync(join(box.root, 'etc/plumb/secrets'), { recursive: true })
  chmodSync(join(box.root, 'etc/plumb/secrets'), 0o700)
  writeFileSync(join(box.root, 'etc/plumb/secrets/db'), `${secret}\n`, { mode: 0o600 })
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
})

afterEach(async () => {
  await box.remove()
  await fleet.remove()
  await rm(forge, { recursive: true, force: true })
})

test('a live change becomes a commit on a pushed branch, and once it is merged there is nothing to do', async () => {
  await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
  const before = treeOf(box.root)

  const adopted = await adopt(
    '/etc/web/main.conf',
    '-m',
    'Four workers: one was not enough\n\nSeen in the night of the sale.',
  )

  expect(adopted.err).toBe('')
  expect(adopted.code).toBe(0)
  const branch = await onlyBranch()
  expect(branch).toMatch(/^adopt\/web-1-web-\d{8}-\d{6}$/)
  expect(adopted.out).toContain('adopted: /etc/web/main.conf\n  writes services/web/files/etc/web/main.conf\n')
  expect(adopted.out).toContain(`as ${branch}\n`)
  const hold = /To keep it: (plumb hold web .*)/.exec(adopted.out)?.[1] ?? ''
  expect(hold).toContain(` --for 1d --why "..." --repo ${forge}`)
  expect(hold).toContain(` --root ${box.root} --state `)
  expect(treeOf(box.root)).toEqual(before)

  expect(await inForge('show', `${branch}:services/web/files/etc/web/main.conf`)).toBe(
    'workers 4;\nlog off;\n\nlimit 1m;',
  )
  expect(await inForge('log', '-1', '--format=%an <%ae>', branch)).toBe('Anna <anna@example.org>')
  expect(await inForge('diff', '--name-only', 'main', branch)).toBe('services/web/files/etc/web/main.conf')
  const message = await inForge('log', '-1', '--format=%B', branch)
  expect(message).toMatch(
    /^Four workers: one was not enough\n\nSeen in the night of the sale\.\n\nAdopted from web-1, /,
  )
  expect(message).toContain('- /etc/web/main.conf: content differs\n  changed 20')
  expect(await inForge('log', '-1', '--format=%(trailers:key=Adopted-from,valueonly)', branch)).toBe(
    'web-1:/etc/web/main.conf',
  )

  await merge(branch)
  const plan = await box.plumb('plan')
  expect(plan.out).toMatch(/^nothing to do at /)
  expect(await box.plumb('apply')).toMatchObject({ code: 0, out: expect.stringMatching(/^nothing to change/) })
  expect(treeOf(box.root)).toEqual(before)
  expect(await box.plumb('check')).toMatchObject({ code: 0 })
  await box.write('/etc/web/main.conf', 'again\n')
  expect((await box.plumb('check')).out).toContain('-workers 4;')
})

test('a service is adopted whole: content, modes, a link, and what is new in a purged directory', async () => {
  await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
  chmodSync(join(box.root, 'etc/web/main.conf'), 0o640)
  chmodSync(join(box.root, 'etc/web/enabled/a.conf'), 0o755)
  await box.write('/etc/web/enabled/b.conf', 'b\n')

  expect(await adopt('web', '-m', 'As it runs')).toMatchObject({ code: 0, err: '' })

  const branch = await onlyBranch()
  expect(await inForge('show', `${branch}:services/web/service.yaml`)).toBe(`# What nginx needs.
files:
  /etc/web/site.conf: { template: true } # filled in
  /etc/web/main.conf: { mode: "0640" }
directories:
  /etc/web/enabled: { purge: true }`)
  expect(await inForge('ls-tree', '-r', branch, '--', 'services/web/files/etc/web/enabled')).toMatch(
    /^100755 blob .*a\.conf\n100644 blob .*b\.conf$/,
  )
  await merge(branch)
  expect(await box.plumb('apply')).toMatchObject({ code: 0, out: expect.stringMatching(/^nothing to change/) })
  expect(await box.plumb('check')).toMatchObject({ code: 0 })
})

test('a link leads where it was led', async () => {
  rmSync(join(box.root, 'etc/current'))
  symlinkSync('two', join(box.root, 'etc/current'))
  expect(await adopt('links', '-m', 'The second one')).toMatchObject({ code: 0, err: '' })
  const branch = await onlyBranch()
  expect(await inForge('show', `${branch}:services/links/files/etc/current`)).toBe('two')
  await merge(branch)
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  expect(await box.plumb('check')).toMatchObject({ code: 0 })
})

test('a template takes what lies outside its substituted parts, and no value of a secret', async () => {
  const live = await box.read('/etc/web/site.conf')
  await box.write(
    '/etc/web/site.conf',
    live.replace('listen 8080;', 'listen 8080 default;').replace('/srv', '/srv/www'),
  )
  expect(await adopt('/etc/web/site.conf', '-m', 'The default site')).toMatchObject({ code: 0, err: '' })
  const branch = await onlyBranch()
  expect(await inForge('show', `${branch}:services/web/files/etc/web/site.conf`)).toBe(
    `server ${reference('host.name')};\nlisten ${reference('vars.port')} default;\npass ${reference('secrets.db')};\nroot /srv/www;`,
  )
  await merge(branch)
  expect(await box.plumb('apply')).toMatchObject({ code: 0, out: expect.stringMatching(/^nothing to change/) })
})

test('a change within a substituted part is refused with its line, and nothing of the file is adopted', async () => {
  const live = await box.read('/etc/web/site.conf')
  await box.write(
    '/etc/web/site.conf',
    live.replace('listen 8080', 'listen 8081').replace(secret, 'another').replace('/srv', '/www'),
  )
  const { code, out } = await adopt('/etc/web/site.conf', '-m', 'Another port')
  expect(code).toBe(1)
  const at = 'not adopted: /etc/web/site.conf: services/web/files/etc/web/site.conf'
  expect(out.split('\n')).toEqual([
    `${at}:2:8: the change touches ${reference('vars.port')}. Set vars.port in plumb.yaml instead, or edit the template by hand.`,
    `${at}:3:6: the change touches ${reference('secrets.db')}. Write the new value to the secret db on the hosts instead.`,
    '',
  ])
  expect(await branches()).toEqual([])
})

test('the value of a secret is not adopted, in whichever file and form', async () => {
  const encoded = Buffer.from(`web:${secret}`).toString('base64')
  await box.write('/etc/web/main.conf', `workers 1;\nauth ${encoded}\n`)
  await box.write('/etc/web/enabled/b.conf', `pass ${secret}\n`)
  const { code, out } = await adopt('web', '-m', 'The login')
  expect(code).toBe(1)
  expect(out).toContain(
    'services/web/files/etc/web/main.conf:2: the value of a secret would be written to the repository.',
  )
  expect(out).toContain('services/web/files/etc/web/enabled/b.conf:1: the value of a secret would be')
  expect(out).not.toContain(secret)
  await box.write('/etc/web/main.conf', 'workers 9;\n')
  expect(await adopt('/etc/web/main.conf', '-m', `Because of ${secret}`)).toMatchObject({ code: 1, out: '' })
  expect(await branches()).toEqual([])
})

test('what looks like a secret is refused, unless somebody says that it is none', async () => {
  await box.write('/etc/web/main.conf', 'workers 1;\npassword = xk29dkw0s\n')
  const refused = await adopt('/etc/web/main.conf', '-m', 'The login')
  expect(refused.code).toBe(1)
  expect(refused.out).toContain('services/web/files/etc/web/main.conf:2: the value of "password" would be written')
  const said = await adopt('/etc/web/main.conf', '-m', 'A test', '--not-secret', '/etc/web/main.conf')
  expect(said).toMatchObject({ code: 0, err: '' })
})

test("what was changed on the host and in the repository is merged; the same lines are a person's to choose", async () => {
  await fleet.commit({ 'services/web/files/etc/web/main.conf': 'workers 1;\nlog off;\n\nlimit 9m;\n' })
  await fleet.git('push', '--quiet', 'origin', 'main')
  await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
  expect(await adopt('/etc/web/main.conf', '-m', 'Four')).toMatchObject({ code: 0, err: '' })
  expect(await inForge('show', `${await onlyBranch()}:services/web/files/etc/web/main.conf`)).toBe(
    'workers 4;\nlog off;\n\nlimit 9m;',
  )

  await box.write('/etc/web/main.conf', 'workers 1;\nlog off;\n\nlimit 2m;\n')
  const { code, out } = await adopt('/etc/web/main.conf', '-m', 'Two')
  expect(code).toBe(1)
  expect(out).toContain(
    'services/web/files/etc/web/main.conf:4: the repository has since changed what was changed on the host.',
  )
})

test('a file that was removed is removed from the repository when its path is given, not with its service', async () => {
  rmSync(join(box.root, 'etc/web/site.conf'))
  const whole = await adopt('web', '-m', 'Gone')
  expect(whole.code).toBe(1)
  expect(whole.out).toContain('not adopted: /etc/web/site.conf: it was removed on the host. To remove it everywhere')
  expect(await adopt('/etc/web/site.conf', '-m', 'Gone')).toMatchObject({ code: 0, err: '' })
  const branch = await onlyBranch()
  expect(await inForge('diff', '--name-status', 'main', branch)).toBe(
    'D\tservices/web/files/etc/web/site.conf\nM\tservices/web/service.yaml',
  )
  expect(await inForge('show', `${branch}:services/web/service.yaml`)).toBe(
    '# What nginx needs.\ndirectories:\n  /etc/web/enabled: { purge: true }',
  )
})

test('a dry run shows the diff and leaves nothing behind', async () => {
  await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
  const before = scratches()
  const { code, out } = await adopt('/etc/web/main.conf', '--dry-run')
  expect(code).toBe(0)
  expect(out).toContain('-workers 1;\n+workers 4;\n')
  expect(out).toContain('would be adopted: /etc/web/main.conf\n')
  expect(await branches()).toEqual([])
  expect(scratches()).toEqual(before)
})

test('where nothing can be pushed the commit is kept as a patch that git am takes', async () => {
  await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
  const { code, out } = await adopt('/etc/web/main.conf', '-m', 'Four workers', '--remote', '/nowhere/at/all')
  expect(code).toBe(0)
  expect(out).toContain('it could not be pushed from here: ')
  const patch = /git am (\S+\.patch)/.exec(out)?.[1] ?? ''
  expect(statSync(patch).mode & 0o777).toBe(0o600)
  await fleet.git('am', '--quiet', patch)
  expect(await fleet.git('show', 'HEAD:services/web/files/etc/web/main.conf')).toBe('workers 4;\nlog off;\n\nlimit 1m;')
  expect(await fleet.git('log', '-1', '--format=%an: %s')).toBe('Anna: Four workers')
  expect(scratches()).toEqual([])
})

test("in a clone of one's own the work tree, the index and the branch stay as they are", async () => {
  await writeFile(join(fleet.directory, 'half-done'), 'mine\n')
  await fleet.git('add', 'half-done')
  const status = await fleet.git('status', '--porcelain')
  await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
  const { code, err } = await adopt('web', '-m', 'Four', '--clone', fleet.directory, '--to', 'four-workers')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(await fleet.git('status', '--porcelain')).toBe(status)
  expect(await fleet.git('rev-parse', '--abbrev-ref', 'HEAD')).toBe('main')
  expect(await fleet.git('rev-parse', 'four-workers')).toBe(await inForge('rev-parse', 'four-workers'))
  const again = await adopt('web', '-m', 'Four', '--clone', fleet.directory, '--to', 'four-workers')
  expect(again.code).toBe(1)
  expect(again.err).toContain('has a branch four-workers already')
})

test("a host that follows the server's mirror has no way to push, and says so", async () => {
  const served = await serveRepository({ gitDirectory: forge })
  const own = await makeSandbox({})
  try {
    const agent = `host: web-1\nrepository: ${served.url}\nserver: ${new URL(served.url).origin}\n`
    await own.write('/etc/plumb/agent.yaml', agent)
    mkdirSync(join(own.root, 'etc/plumb/secrets'), { mode: 0o700 })
    writeFileSync(join(own.root, 'etc/plumb/secrets/db'), secret, { mode: 0o600 })
    expect(await own.plumb('apply')).toMatchObject({ code: 0 })
    await own.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
    const places = ['--root', own.root, '--state', own.state]
    const nobody = await runPlumb(['check', ...places], { env: { GIT_CONFIG_GLOBAL: '/dev/null', HOME: patches } })
    expect(nobody.out.split('\n')).toEqual(
      expect.arrayContaining([
        `to keep it: plumb adopt /etc/web/main.conf --remote URL ${places.join(' ')}`,
        expect.stringMatching(/^ {2}URL is the repository that people push to/),
        expect.stringMatching(/^ {2}git does not know who you are here/),
      ]),
    )
    const options = { env: { TMPDIR: patches }, cwd: patches }
    const author = ['--author', 'Bert <bert@example.org>']
    const kept = await runPlumb(['adopt', 'web', ...places, ...author, '-m', 'Four'], options)
    expect(kept.out).toContain("it could not be pushed from here: this host follows the server's copy of it")
    expect(readdirSync(patches)).toEqual([expect.stringMatching(/^adopt-web-1-web-.*\.patch$/)])
    const pushed = await runPlumb(
      ['adopt', 'web', ...places, ...author, '-m', 'Four', '--remote', relative(patches, forge)],
      options,
    )
    expect(pushed).toMatchObject({ code: 0, out: expect.stringContaining('\npushed ') })
  } finally {
    await own.remove()
    await served.close()
  }
})

test('a remote that does not have the revision is said to be another repository, and the commit is kept', async () => {
  const other = await makeRepository({ ...files, 'services/web/README.md': '# another\n' })
  try {
    await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
    const { code, out } = await adopt('web', '-m', 'Four', '--remote', other.directory)
    expect(code).toBe(0)
    expect(out).toMatch(
      /^it could not be pushed from here: the remote does not give [0-9a-f]{12}, which this host is at/m,
    )
    expect(readdirSync(patches)).toHaveLength(1)
  } finally {
    await other.remove()
  }
})

test('a branch that the forge has is not moved', async () => {
  await fleet.git('push', '--quiet', 'origin', 'main:refs/heads/taken')
  await box.write('/etc/web/main.conf', 'workers 4;\nlog off;\n\nlimit 1m;\n')
  const { out } = await adopt('web', '-m', 'Four', '--to', 'taken')
  expect(out).toContain('the commit is kept as')
  expect(await inForge('rev-parse', 'taken')).toBe(await fleet.head())
})

test('a reason and an author are asked for, and what did not drift is not adopted', async () => {
  expect(await adopt('web', '-m', 'why')).toMatchObject({
    code: 1,
    out: 'nothing to adopt: what is live is what was applied\n',
  })
  expect((await adopt('/etc/fstab', '-m', 'why')).err).toContain('plumb import NAME /etc/fstab')
  expect((await adopt('wbe', '-m', 'why')).err).toContain('web-1 has no service "wbe"')
  expect((await adopt('unit:web.service', '-m', 'why')).err).toContain('web.service is in no service of web-1')
  await box.write('/etc/web/main.conf', 'workers 4;\n')
  expect((await adopt('web')).err).toContain('Add -m "the reason".')
  const nobody = await runAs({}, 'web', '-m', 'why')
  expect(nobody.err).toContain('git does not know who you are')
  await inForge('config', 'user.name', 'The fleet')
  await inForge('config', 'user.email', 'fleet@example.org')
  expect(await runAs({}, 'web', '-m', 'why', '--to', 'by-remote')).toMatchObject({ code: 0, err: '' })
  expect(await inForge('log', '-1', '--format=%an <%ae>', 'by-remote')).toBe('The fleet <fleet@example.org>')
  expect(await runAs({}, 'web', '-m', 'why', '--author', 'Bert <bert@example.org>')).toMatchObject({ code: 0, err: '' })
})

let patches: string

beforeEach(async () => {
  patches = await mkdtemp(join(tmpdir(), 'plumb-patches-'))
  return () => rm(patches, { recursive: true, force: true })
})

function adopt(...args: readonly string[]): Promise<Ran> {
  const identity = { GIT_AUTHOR_NAME: 'Anna', GIT_AUTHOR_EMAIL: 'anna@example.org' }
  return runAs({ ...identity, GIT_COMMITTER_NAME: 'Anna', GIT_COMMITTER_EMAIL: 'anna@example.org' }, ...args)
}

function runAs(identity: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Ran> {
  const env = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', TMPDIR: patches, ...identity }
  const places = ['--repo', forge, '--host', 'web-1', '--root', box.root, '--state', box.state]
  return runPlumb(['adopt', ...places, ...args], { env, cwd: patches })
}

function inForge(...args: readonly string[]): Promise<string> {
  return fleet.git(`--git-dir=${forge}`, ...args)
}

async function branches(): Promise<readonly string[]> {
  const all = (await inForge('for-each-ref', '--format=%(refname:short)', 'refs/heads')).split('\n')
  return all.filter((name) => name !== 'main')
}

async function onlyBranch(): Promise<string> {
  const [branch, ...others] = await branches()
  if (branch === undefined || others.length > 0) throw new Error('expected one branch')
  return branch
}

/** As a forge does it, by its button. */
async function merge(branch: string): Promise<void> {
  await fleet.git('fetch', '--quiet', 'origin')
  await fleet.git('merge', '--quiet', '--no-ff', '-m', `Merge ${branch}`, `origin/${branch}`)
  await fleet.git('push', '--quiet', 'origin', 'main')
}

function scratches(): readonly string[] {
  return readdirSync(patches).filter((name) => name.startsWith('plumb-adopt-'))
}
