// Lint judges what `git add -A` would commit of a real work tree, and leaves its index and objects alone.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lintDirectory, lintWorkTree } from '../../../agent/commands/lint.ts'
import { readCandidate } from '../../../agent/lint/candidate.ts'
import type { Run } from '../../../shared/command.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { problemLine } from '../../../shared/problem.ts'
import { type Files, fleetDirectory, temporaryDirectory } from '../desire/fleet.ts'

type World = { readonly directory: string; git(...args: readonly string[]): string }

function workTree(files: Files): World {
  const directory = fleetDirectory(files)
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', directory, '-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  git('init', '--quiet', '--initial-branch=main')
  return { directory, git }
}

async function candidateOf(directory: string) {
  const candidate = await readCandidate(directory, createRun())
  onTestFinished(() => candidate.close())
  return candidate
}

async function linesOf(directory: string): Promise<readonly string[]> {
  return (await lintDirectory(directory)).map(problemLine)
}

test('the candidate has the paths, modes and object ids that a commit of everything gets', async () => {
  const { directory, git } = workTree({
    '.gitattributes': '*.bat text eol=crlf\n*.conf text\n*.id ident\n*.utf16 text working-tree-encoding=UTF-16LE\n',
    '.gitignore': '*.swp\n/local/\n',
    'services/a/files/etc/dos.conf': 'a\r\nb\r\n',
    'services/a/files/etc/x.id': '$Id: 1234 $\n',
    'services/a/files/etc/x.utf16': Buffer.from('text\n', 'utf16le'),
    'services/a/files/bin/x': { executable: '#!/bin/sh\n' },
    'services/a/files/etc/link': { link: '../nowhere' },
    'services/a/files/etc/deleted': 'x',
    'local/notes': 'x',
    'services/a/.x.swp': 'x',
  })
  git('add', '--all')
  git('commit', '--quiet', '--message', 'one')
  rmSync(join(directory, 'services/a/files/etc/deleted'))
  writeFileSync(join(directory, 'services/a/files/etc/untracked'), 'new\n')
  const { reader, ignored } = await candidateOf(directory)
  const entries = await reader.entries()
  const contents = await reader.readMany(entries.map(({ oid }) => oid))
  const text = (path: string) => Buffer.from(contents[entries.findIndex((one) => one.path === path)] ?? []).toString()
  expect(text('services/a/files/etc/dos.conf')).toBe('a\nb\n')
  expect(text('services/a/files/etc/x.id')).toBe('$Id$\n')
  expect(text('services/a/files/etc/x.utf16')).toBe('text\n')
  expect([...ignored]).toEqual(['services/a/.x.swp'])

  git('add', '--all')
  const kinds: Readonly<Record<string, string>> = { '100644': 'file', '100755': 'executable', '120000': 'symlink' }
  const listed = git('ls-files', '--stage', '-z')
    .split('\0')
    .filter((line) => line !== '')
  expect(entries).toEqual(
    listed.map((line) => {
      const [mode = '', oid, , path] = line.split(/ |\t/)
      return { path, kind: kinds[mode], oid }
    }),
  )
})

test('neither the index nor the objects of the work tree change, and nothing is left behind', async () => {
  const { directory, git } = workTree({ 'services/a/files/etc/x': 'x' })
  git('add', 'plumb.yaml')
  const before = readFileSync(join(directory, '.git/index'))
  const objects = readdirSync(join(directory, '.git/objects'))
  const candidate = await readCandidate(directory, createRun())
  await candidate.close()
  expect(readFileSync(join(directory, '.git/index'))).toEqual(before)
  expect(readdirSync(join(directory, '.git/objects'))).toEqual(objects)
  expect(git('status', '--porcelain')).toContain('?? services/')
})

test('a file that git ignores is missing where service.yaml or a compose file needs it, and no problem elsewhere', async () => {
  const { directory } = workTree({
    '.gitignore': 'local.conf\n*.swp\n.env\n*.timer\nservices/c/*.md\n',
    'services/c/files/etc/x': 'x',
    'services/a/files/etc/local.conf': 'x',
    'services/a/units/a.timer': '[Timer]\n',
    'services/a/.x.swp': 'x',
    'services/a/service.yaml':
      'files:\n  /etc/local.conf: { mode: "0600" }\n  /etc/systemd/system/a.timer: { mode: "0600" }\n',
    'services/b/.env': 'A=b\n',
    'services/b/compose.yaml': 'services: { b: { image: "x:$A", env_file: .env } }\n',
  })
  const ignoredFor = (source: string) => expect.stringContaining(`${source} is there, but git ignores it`)
  expect(await linesOf(directory)).toEqual([
    ignoredFor('services/a/files/etc/local.conf'),
    ignoredFor('services/a/units/a.timer'),
    expect.stringContaining('the variable "A" has no value'),
    expect.stringContaining('env_file names ".env"'),
    expect.stringMatching(/has no README\.md. It is there, but git ignores it/),
  ])
})

test('a file that git ignores and that was added by force is committed', async () => {
  const { directory, git } = workTree({
    '.gitignore': 'local.conf\n',
    'services/a/files/etc/local.conf': 'x',
    'services/a/service.yaml': 'files: { /etc/local.conf: { mode: "0600" } }\n',
  })
  git('add', '--force', 'services/a/files/etc/local.conf')
  expect(await linesOf(directory)).toEqual([])
})

test('a filter of .gitattributes is a problem by what it commits, and none of its programs is run', async () => {
  const { directory, git } = workTree({
    '.gitattributes': '*.bin filter=lfs\n*.key filter=git-crypt\n*.x filter=own=odd\nservices/a/README.md filter=lfs\n',
    'services/a/files/etc/a.bin': 'whole',
    'services/a/files/etc/a.key': 'plain',
    'services/a/files/etc/a.x': 'x',
  })
  const witness = join(temporaryDirectory(), 'run')
  for (const name of ['lfs', 'git-crypt', 'own=odd'])
    for (const kind of ['clean', 'process']) git('config', `filter.${name}.${kind}`, `touch ${witness}`)
  git('config', 'core.fsmonitor', `touch ${witness}`)
  expect(await linesOf(directory)).toEqual([
    expect.stringContaining('a.bin: would be committed as a pointer of Git LFS'),
    expect.stringContaining('a.key: would be committed as ciphertext of git-crypt'),
    expect.stringContaining('a.x: goes through the filter "own=odd"'),
  ])
  expect(existsSync(witness)).toBe(false)
})

test('a merge that is under way is judged by the files, with their conflict markers', async () => {
  const { directory, git } = workTree({ 'services/a/files/etc/x': 'one\n' })
  const change = (text: string) => {
    writeFileSync(join(directory, 'services/a/files/etc/x'), text)
    git('commit', '--quiet', '--all', '--message', 'x')
  }
  git('add', '--all')
  git('commit', '--quiet', '--message', 'x')
  git('switch', '--quiet', '--create', 'side')
  change('two\n')
  git('switch', '--quiet', 'main')
  change('three\n')
  expect(() => git('merge', 'side')).toThrow()
  expect(await linesOf(directory)).toEqual([expect.stringContaining('markers of an unresolved merge conflict')])
})

test('a fleet below the top of a repository is judged by its own paths; one that is ignored there, as it is', async () => {
  const { directory, git } = workTree({ '.gitignore': '/scratch/\n*.tmp\n' })
  for (const name of ['fleet', 'scratch']) {
    execFileSync('mkdir', ['-p', join(directory, name, 'services/a/files/etc')])
    writeFileSync(join(directory, name, 'plumb.yaml'), 'version: 1\nhosts: { web-1: { services: [a] } }\n')
    writeFileSync(join(directory, name, 'services/a/README.md'), '')
    writeFileSync(join(directory, name, 'services/a/x.tmp'), '')
  }
  git('add', '--all')
  expect(await linesOf(join(directory, 'fleet'))).toEqual([])
  expect(await linesOf(join(directory, 'scratch'))).toEqual([
    expect.stringContaining('nothing says where this file goes'),
  ])
})

test.runIf(process.getuid?.() === 0)("root reads another user's work tree as its owner", async () => {
  const { directory, git } = workTree({
    '.gitignore': '*.swp\n',
    'services/a/files/etc/x': 'x',
    'services/a/.x.swp': '',
  })
  const witness = join(temporaryDirectory(), 'run')
  git('config', 'core.fsmonitor', `touch ${witness}`)
  execFileSync('chown', ['-R', '65534:65534', directory])
  chmodSync(directory, 0o755)
  chownSync(directory, 65534, 65534)
  expect(await linesOf(directory)).toEqual([])
  expect(existsSync(witness)).toBe(false)
})

test('JSON tells problems from warnings', async () => {
  const { directory } = workTree({
    'services/a/compose.yaml': 'name: shop\nservices: { a: { image: x, env_file: [no.env] } }\n',
  })
  const { problems, warnings } = await lintWorkTree(directory)
  expect(problems).toMatchObject([{ where: { file: 'services/a/compose.yaml', line: 2 }, service: 'a' }])
  expect(warnings).toMatchObject([{ code: 'compose-project-name', service: 'a', where: { line: 1 } }])
})

const nobody = 65534

/** Of another user's clone: what lies in the directory that its git works in while root lints it. */
async function seenByOwner(give: (index: string) => void) {
  const { directory, git } = workTree({ 'services/a/README.md': 'a' })
  git('add', '--all')
  const index = join(directory, '.git/index')
  give(index)
  execFileSync('chown', ['-R', '-h', `${nobody}:${nobody}`, directory])
  chmodSync(directory, 0o755)
  const real = createRun()
  const seen: { readonly uid: number; readonly text: string }[] = []
  const candidate = await readCandidate(directory, (command) => {
    const path = command.environment?.['GIT_INDEX_FILE']
    if (path !== undefined)
      for (const one of [dirname(path), path].filter((each) => existsSync(each)))
        seen.push({ uid: statSync(one).uid, text: one === path ? readFileSync(one, 'latin1') : '' })
    return real(command)
  })
  onTestFinished(() => candidate.close())
  return { seen, paths: (await candidate.reader.entries()).map(({ path }) => path) }
}

test.skipIf(process.getuid?.() !== 0).each<readonly [string, (index: string) => void]>([
  ['an index', () => {}],
  ['no index', (index) => rmSync(index)],
  [
    'a link to a file of root as its index',
    (index) => {
      const secret = join(temporaryDirectory(), 'secret')
      writeFileSync(secret, 'of root alone', { mode: 0o600 })
      rmSync(index)
      symlinkSync(secret, index)
    },
  ],
])('root gives a clone of another user with %s nothing of its own', async (_, give) => {
  const { seen, paths } = await seenByOwner(give)
  expect(seen.length).toBeGreaterThan(0)
  for (const { uid, text } of seen) {
    expect(uid).toBe(nobody)
    expect(text).not.toContain('of root')
  }
  expect(paths).toContain('services/a/README.md')
})

test('a file that no host takes is told of without a copy of it, and what hosts do not get is not copied either', async () => {
  const { directory } = workTree({ 'services/a/files/etc/x': 'x', 'notes/large': '', 'services/a/files/etc/b': '' })
  const commands: string[] = []
  const run: Run = (command) => {
    commands.push(command.args.join(' '))
    return createRun()(command)
  }
  truncateSync(join(directory, 'notes/large'), 1024 ** 4)
  const candidate = await readCandidate(directory, run)
  onTestFinished(() => candidate.close())
  expect((await candidate.reader.entries()).map(({ path }) => path)).not.toContain('notes/large')
  commands.length = 0
  truncateSync(join(directory, 'services/a/files/etc/b'), 1024 ** 4)
  await expect(readCandidate(directory, run)).rejects.toMatchObject({
    problems: [{ where: { file: 'services/a/files/etc/b' }, message: expect.stringContaining('at most 32 MiB') }],
  })
  expect(commands.filter((command) => command.includes(' add '))).toEqual([])
  expect(commands.at(-1)).toContain('rm -rf')
  expect(await linesOf(directory)).toEqual([expect.stringContaining('at most 32 MiB')])
})

test('a repository in another object format than agents read is told so', async () => {
  const directory = fleetDirectory({})
  execFileSync('git', ['-C', directory, 'init', '--quiet', '--object-format=sha256'])
  const { problems } = await lintWorkTree(directory)
  expect(problems.map(problemLine)).toEqual([expect.stringContaining('the repository uses SHA-256 ids')])
})
