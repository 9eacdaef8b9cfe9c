// A clone of another user, read by root: whatever its settings name is not run, by nobody.

import { execFileSync } from 'node:child_process'
import { chmod, lstat, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { whyInClone } from '../../../agent/commands/why-clone.ts'
import { openFiles } from '../../../agent/host/files-open.ts'
import { repositoryOwner } from '../../../agent/host/repository-owner.ts'
import type { Command, Run } from '../../../shared/command.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, runPlumb, type Sandbox } from '../../support/plumb.ts'

const nobody = 65534
const isRoot = process.getuid?.() === 0
if (!isRoot) console.log('clones of other users are not shown here: only root can make them')
const motd = 'services/base/files/etc/motd'

let box: Sandbox
let clone: TestRepository
/** Where any user can leave a mark. */
let marks: string

beforeAll(async () => {
  box = await makeSandbox({})
})
afterAll(() => box.remove())

beforeEach(async () => {
  marks = await mkdtemp(join(tmpdir(), 'plumb-marks-'))
  await chmod(marks, 0o777)
  clone = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [base] }\n',
    'services/base/README.md': '# base\n',
    [motd]: 'hello\n',
    '.gitattributes': '* diff=evil filter=evil\n',
  })
  return async () => {
    await clone.remove()
    await rm(marks, { recursive: true })
  }
})

/** Each leaves a mark when it is run. */
const programs: Readonly<Record<string, (mark: string) => Promise<void>>> = {
  'a partial clone with an ext:: remote': (mark) => partial(`ext::sh -c ${mark.replaceAll(' ', '% ')}`),
  'a partial clone served by a program of its own': async (mark) => {
    await partial(clone.directory)
    await clone.git('config', 'remote.evil.uploadpack', `${mark}; false`)
  },
  'a partial clone over an ssh of its own': async (mark) => {
    await partial('ssh://nowhere.invalid/x')
    await clone.git('config', 'core.sshCommand', `${mark}; false`)
  },
  'a file system monitor': async (mark) => void (await clone.git('config', 'core.fsmonitor', mark)),
  'programs that show differences': async (mark) => {
    await clone.git('config', 'diff.external', mark)
    await clone.git('config', 'diff.evil.textconv', `${mark}; cat`)
    await clone.git('config', 'diff.evil.command', mark)
  },
  'a filter': async (mark) => {
    for (const name of ['clean', 'smudge', 'process']) await clone.git('config', `filter.evil.${name}`, `${mark}; cat`)
  },
  'a checker of signatures': async (mark) => {
    const program = join(clone.gitDirectory, 'gpg')
    await writeFile(program, `#!/bin/sh\n${mark}\n`, { mode: 0o755 })
    await clone.git('config', 'log.showSignature', 'true')
    await clone.git('config', 'gpg.program', program)
  },
  'a pager, and aliases for verbs': async (mark) => {
    await clone.git('config', 'core.pager', mark)
    for (const verb of ['log', 'blame', 'ls-tree']) await clone.git('config', `alias.${verb}`, `!${mark}`)
  },
  hooks: async (mark) => {
    for (const name of ['post-checkout', 'reference-transaction', 'post-index-change'])
      await writeFile(join(clone.gitDirectory, 'hooks', name), `#!/bin/sh\n${mark}\n`, { mode: 0o755 })
  },
}

describe.skipIf(!isRoot).each(Object.keys(programs))('%s', (kind) => {
  test.each([
    ['why', '/etc/motd'],
    ['why', '/etc/motd:1'],
    ['plan', '--host', 'web-1'],
    ['plan', '--host', 'web-1', '--revision', 'HEAD~0'],
    ['lint'],
  ])('is not run by plumb %s %s', async (verb, ...args) => {
    await programs[kind]?.(`touch ${marks}/ran`)
    await give()
    const from = verb === 'lint' ? [clone.directory] : ['--repo', clone.directory, ...places()]
    await runPlumb([verb, ...args, ...from])
    expect(await readdir(marks)).toEqual([])
  })
})

test.skipIf(!isRoot)('a sound clone of another user is read as that user', async () => {
  await give()
  const commands: Command[] = []
  const real = createRun()
  const run: Run = (command) => {
    commands.push(command)
    return real(command)
  }
  const output = { print: () => {}, progress: () => {} }
  const asker = await whyInClone(clone.directory, run, { output, files: openFiles({ root: '/' }) })
  expect(await asker.ask({ path: motd, lines: undefined })).toMatchObject([{ why: { author: 'Ada' } }])
  const gits = commands.filter(({ args }) => args[0] === 'git')
  expect(gits.length).toBeGreaterThan(3)
  for (const { user } of gits) expect(user).toEqual({ uid: nobody, gid: nobody })

  const planned = await runPlumb(['plan', '--host', 'web-1', '--repo', clone.directory, ...places()])
  expect(planned).toMatchObject({ code: 2, err: '' })
  expect(planned.out).toContain('/etc/motd')
})

test.skipIf(!isRoot)('whoever is not root leaves a clone of another user alone, and is told the way out', async () => {
  const effective = process.geteuid?.() ?? 0
  process.seteuid?.(nobody)
  const refused = repositoryOwner(import.meta.dirname, createRun())
  await expect(refused.finally(() => process.seteuid?.(effective))).rejects.toMatchObject({
    problems: [{ code: 'usage', remedy: expect.stringContaining('a clone of your own') }],
  })
})

/** What root would write through, were it root that writes. */
const links: Readonly<Record<string, (outside: string) => Promise<void>>> = {
  'services is a link': async (outside) => {
    await rm(join(clone.directory, 'services'), { recursive: true })
    await symlink(outside, join(clone.directory, 'services'))
  },
  'the file beside plumb.yaml is a link': (outside) =>
    symlink(join(outside, 'taken'), join(clone.directory, 'plumb.yaml.plumb-import')),
  'the service is a link': (outside) => symlink(outside, join(clone.directory, 'services/notes')),
  'plumb.yaml is a link': async (outside) => {
    await rename(join(clone.directory, 'plumb.yaml'), join(outside, 'plumb.yaml'))
    await symlink(join(outside, 'plumb.yaml'), join(clone.directory, 'plumb.yaml'))
  },
}

describe.skipIf(!isRoot).each(Object.keys(links))('%s', (kind) => {
  test('an import writes nothing outside of the clone', async () => {
    await mkdir(join(box.root, 'etc'), { recursive: true })
    await writeFile(join(box.root, 'etc/notes.conf'), 'x = 1\n')
    const outside = await mkdtemp(join(tmpdir(), 'plumb-outside-'))
    await links[kind]?.(outside)
    await give()
    const before = await namesAndOwners(outside)
    await runPlumb(['import', 'notes', '/etc/notes.conf', ...intoClone(), '--assign', '--force'])
    expect(await namesAndOwners(outside)).toEqual(before)
    await rm(outside, { recursive: true })
  })
})

test.skipIf(!isRoot)('an import into a clone of another user is theirs', async () => {
  await mkdir(join(box.root, 'etc'), { recursive: true })
  await writeFile(join(box.root, 'etc/notes.conf'), 'x = 1\n')
  await give()
  const imported = await runPlumb(['import', 'notes', '/etc/notes.conf', ...intoClone(), '--assign'])
  expect(imported.out).toContain('plumb.yaml: web-1 has the service')
  const made = ['plumb.yaml', 'services/notes', 'services/notes/files/etc/notes.conf']
  for (const path of made) expect((await stat(join(clone.directory, path))).uid, path).toBe(nobody)
  expect(process.geteuid?.()).toBe(0)
})

test.skipIf(!isRoot)('a clone that its owner may not write in is not written in as root', async () => {
  await give()
  await createRun()({ args: ['chown', '0:0', join(clone.directory, 'services')] })
  await mkdir(join(box.root, 'etc'), { recursive: true })
  await writeFile(join(box.root, 'etc/notes.conf'), 'x = 1\n')
  const refused = await runPlumb(['import', 'notes', '/etc/notes.conf', ...intoClone()])
  expect(refused.code).toBe(1)
  expect(refused.err).toContain(`belongs to uid ${nobody}`)
})

async function namesAndOwners(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true })
  return await Promise.all(names.map(async (name) => `${name} ${(await lstat(join(directory, name))).uid}`))
}

function intoClone(): readonly string[] {
  return ['--into', clone.directory, '--host', 'web-1', '--root', box.root]
}

function places(): readonly string[] {
  return ['--root', box.root, '--state', box.state]
}

/** One that lacks the contents of `services`, which git fetches by itself when it needs them. */
async function partial(url: string): Promise<void> {
  await clone.git('config', 'core.repositoryFormatVersion', '1')
  await clone.git('config', 'extensions.partialClone', 'evil')
  await clone.git('config', 'remote.evil.promisor', 'true')
  await clone.git('config', 'protocol.allow', 'always')
  await clone.git('config', 'protocol.ext.allow', 'always')
  await clone.git('config', 'remote.evil.url', url)
  const tree = await clone.git('rev-parse', 'HEAD:services')
  await rm(join(clone.gitDirectory, 'objects', tree.slice(0, 2), tree.slice(2)))
}

async function give(): Promise<void> {
  await createRun()({ args: ['chown', '-R', `${nobody}:${nobody}`, clone.directory] })
}

describe('what git would wait for', () => {
  const kinds = { FIFO: (path: string) => execFileSync('mkfifo', [path]), socket: listen } as const
  const places = [
    '.git/index',
    '.git/config',
    '.git/packed-refs',
    '.git/objects/info/alternates',
    '.git/refs/heads/other',
    '.gitattributes',
  ]

  test.each(places)('%s: lint and why name it instead', async (place) => {
    const path = join(clone.directory, place)
    await mkdir(dirname(path), { recursive: true })
    for (const [kind, make] of Object.entries(kinds)) {
      await rm(path, { force: true })
      const close = make(path)
      for (const args of [
        ['lint', clone.directory],
        ['why', '/etc/motd', '--repo', clone.directory, '--root', box.root, '--state', box.state],
      ]) {
        const { code, out, err } = await runPlumb(args)
        expect(code).not.toBe(0)
        expect(out + err).toContain(`${path} is a ${kind}: git would wait for it`)
      }
      if (typeof close === 'function') await close()
    }
  })

  test('the directory of a linked work tree is looked at, too, and a link to a FIFO is one', async () => {
    const linked = join(marks, 'linked')
    await clone.git('worktree', 'add', '--quiet', linked)
    execFileSync('mkfifo', [join(marks, 'fifo')])
    await rm(join(clone.gitDirectory, 'packed-refs'), { force: true })
    await symlink(join(marks, 'fifo'), join(clone.gitDirectory, 'packed-refs'))

    const { code, err } = await runPlumb(['why', motd, '--repo', linked, '--root', box.root, '--state', box.state])

    expect(code).not.toBe(0)
    expect(err).toContain('packed-refs is a FIFO')
  })
})

test.each(['nowhere', '/nowhere/at/all', '.git/HEAD', '.git'])(
  'a list of commits to ignore that is none, %s, leaves every line with its commit',
  async (file) => {
    await clone.git('config', 'blame.ignoreRevsFile', file)
    const asked = ['why', '/etc/motd:1', '--repo', clone.directory, '--root', box.root, '--state', box.state]
    const { code, out } = await runPlumb(asked)
    expect(code).toBe(0)
    expect(out).toContain((await clone.head()).slice(0, 12))
  },
)

test('commits of such a list are looked behind, by a path from the top', async () => {
  const first = await clone.head()
  const formatted = await clone.commit({ [motd]: 'hello  \n' })
  await clone.commit({ '.ignore-revs': `${formatted}\n` })
  await clone.git('config', 'blame.ignoreRevsFile', '.ignore-revs')
  const asked = [
    'why',
    `${motd}:1`,
    '--repo',
    join(clone.directory, 'services'),
    '--root',
    box.root,
    '--state',
    box.state,
  ]

  expect((await runPlumb(asked)).out).toContain(first.slice(0, 12))
})

function listen(path: string): () => Promise<void> {
  const server = createServer().listen(path)
  return () => new Promise((resolve) => server.close(() => resolve()))
}
