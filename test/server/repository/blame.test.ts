import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openClone } from '../../../server/repository/clone.ts'
import { createGit, type Git } from '../../../server/repository/git.ts'
import type { Revision } from '../../../shared/names.ts'
import type { Blame } from '../../../shared/why.ts'
import { makeRepository, type TestRepository } from '../../support/git.ts'

const conf = 'services/web/files/etc/web.conf'

let directory = ''
let fleet: TestRepository

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-blame-'))
  fleet = await makeRepository({ [conf]: 'one\ntwo\nthree\n' })
})

afterEach(async () => {
  await fleet.remove()
  await rm(directory, { recursive: true, force: true })
})

test('each run of lines has its commit, with author and full message', async () => {
  const message = 'Two is too few\n\nThe phones of visitors\nhold too many connections.'
  const revision = await fleet.commit({ [conf]: 'one\n2\nthree\n' }, { message, author: 'Grace' })

  const blame = await blameOf(conf)

  expect(texts(blame)).toEqual(['1 the beginning: one', '2 Two is too few: 2', '3 the beginning: three'])
  expect(blame.commits).toHaveLength(2)
  expect(blame.commits).toContainEqual({
    revision,
    author: 'Grace',
    at: '2026-11-01T12:00:00+00:00',
    subject: 'Two is too few',
    message,
  })
})

test('after a merge the lines are owed to the commits of both sides, and to the merge what it settled itself', async () => {
  await fleet.git('checkout', '--quiet', '-b', 'side')
  await fleet.commit({ [conf]: 'ONE\ntwo\nside\n' }, { message: 'on the side' })
  await fleet.git('checkout', '--quiet', 'main')
  await fleet.commit({ [conf]: 'one\ntwo\nmain\n' }, { message: 'on main' })
  await fleet.git('merge', '--quiet', '--no-commit', 'side').catch(() => undefined)
  await fleet.commit({ [conf]: 'ONE\ntwo\nboth\n' }, { message: 'merge side' })

  expect(texts(await blameOf(conf))).toEqual(['1 on the side: ONE', '2 the beginning: two', '3 merge side: both'])
})

test('lines from before a rename are owed to their own commits, with the name the file had then', async () => {
  const old = 'services/web/files/etc/an "old" näme\n.conf'
  await fleet.commit({ [conf]: null, [old]: 'one\ntwo\nthree\n' }, { message: 'renamed' })
  await fleet.commit({ [old]: 'one\ntwo\nthree\nfour\n' }, { message: 'added' })
  await fleet.git('mv', old, conf)
  await fleet.commit({}, { message: 'renamed back' })
  await fleet.commit({ [conf]: 'one\ntwo\nthree\nfour\nfive\n' }, { message: 'added again' })

  const blame = await blameOf(conf)

  expect(texts(blame)).toEqual(['1 the beginning: one|two|three', '4 added: four', '5 added again: five'])
  expect(blame.runs.map((run) => run.formerly)).toEqual([undefined, old, undefined])
})

test('a last line without its end is a line like any other, and keeps a carriage return', async () => {
  await fleet.commit({ [conf]: 'one\ntwo\nthree\nfour\r\nfive' }, { message: 'no end' })

  expect(texts(await blameOf(conf))).toEqual(['1 the beginning: one|two|three', '4 no end: four\r|five'])
})

test('lines that look like what git writes around them are only lines', async () => {
  const tricky = `${'a'.repeat(40)} 1 1 1\nfilename elsewhere\n\tindented\n`
  await fleet.commit({ [conf]: tricky }, { message: 'tricky' })

  expect(texts(await blameOf(conf))).toEqual([`1 tricky: ${'a'.repeat(40)} 1 1 1|filename elsewhere|\tindented`])
})

test('names with odd bytes, and names that look like options or patterns, are only names', async () => {
  const odd = ['services/web/files/a\nb', 'services/web/files/"ü" \\x', '--reverse', '*', ':(top)x']
  await fleet.commit(Object.fromEntries(odd.map((name) => [name, `of ${name.length}\n`])), { message: 'odd' })

  for (const name of odd) expect(texts(await blameOf(name))).toEqual([`1 odd: of ${name.length}`])
})

test('an empty file has no lines; bytes that are not UTF-8 are replaced', async () => {
  await fleet.commit({ empty: '', latin: Uint8Array.from([0x63, 0xe9, 0x0a]) }, { message: 'both' })

  expect(await blameOf('empty')).toEqual({ kind: 'lines', runs: [], commits: [] })
  expect(texts(await blameOf('latin'))).toEqual(['1 both: c\u{FFFD}'])
})

test('what is no text or too large says so, and what is not there is nothing', async () => {
  await fleet.commit({
    binary: Uint8Array.from([1, 0, 2]),
    wide: 'x'.repeat(1024 * 1024 + 1),
    long: 'x\n'.repeat(20_001),
    longest: 'x\n'.repeat(20_000),
  })

  expect(await asked('binary')).toEqual({ kind: 'not-text' })
  expect(await asked('wide')).toEqual({ kind: 'too-large' })
  expect(await asked('long')).toEqual({ kind: 'too-large' })
  expect((await blameOf('longest')).runs).toHaveLength(1)
  expect(await asked('missing')).toBeUndefined()
  expect(await asked('services/web')).toBeUndefined()
})

test('a program that attributes name to convert a file is not run', async () => {
  const clone = await openClone({ directory, url: fleet.directory, git: createGit() })
  const head = (await clone.fetch()).head?.revision as Revision
  await writeFile(join(clone.gitDirectory, 'info/attributes'), '*.conf diff=shout\n')
  const git = createGit()
  await git({ gitDirectory: clone.gitDirectory, args: ['config', 'diff.shout.textconv', 'tr a-z A-Z <'] })

  expect(texts((await clone.blame(head, conf)) as Lines)).toEqual(['1 the beginning: one|two|three'])
})

test('a file at a revision is blamed once', async () => {
  let blames = 0
  const git = createGit()
  const counting: Git = (call) => {
    if (call.args.includes('blame')) blames += 1
    return git(call)
  }
  const clone = await openClone({ directory, url: fleet.directory, git: counting })
  const head = (await clone.fetch()).head?.revision as Revision

  const [one, other] = await Promise.all([clone.blame(head, conf), clone.blame(head, conf)])

  expect(one).toEqual(other)
  expect(blames).toBe(1)
})

type Lines = Extract<Blame, { kind: 'lines' }>

async function asked(path: string): Promise<Blame | undefined> {
  const clone = await openClone({ directory, url: fleet.directory, git: createGit() })
  return await clone.blame((await clone.fetch()).head?.revision as Revision, path)
}

async function blameOf(path: string): Promise<Lines> {
  const blame = await asked(path)
  if (blame?.kind !== 'lines') throw new Error(`${path}: ${blame?.kind}`)
  return blame
}

function texts({ runs, commits }: Lines): readonly string[] {
  const subjects = new Map(commits.map(({ revision, subject }) => [revision, subject]))
  return runs.map(({ first, revision, lines }) => `${first} ${subjects.get(revision)}: ${lines.join('|')}`)
}
