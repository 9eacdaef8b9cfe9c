import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openClone } from '../../../server/repository/clone.ts'
import { createGit, type Git } from '../../../server/repository/git.ts'
import type { Revision } from '../../../shared/names.ts'
import { makeRepository, type TestFiles, type TestRepository } from '../../support/git.ts'

let directory = ''
let fleet: TestRepository

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-why-'))
  fleet = await makeRepository({ 'plumb.yaml': 'a', 'services/web/README.md': 'web', 'services/web/a b': '1' })
})

afterEach(async () => {
  await fleet.remove()
  await rm(directory, { recursive: true, force: true })
})

test('each file is given the newest commit that changed it', async () => {
  await fleet.commit({ 'services/web/a b': '2', 'services/db/README.md': 'db' }, { message: 'two' })
  await fleet.commit({ 'plumb.yaml': 'b' }, { message: 'three' })

  expect(await subjects('')).toEqual({
    'plumb.yaml': 'three',
    'services/web/README.md': 'the beginning',
    'services/web/a b': 'two',
    'services/db/README.md': 'two',
  })
  expect(await subjects('services/web')).toEqual({
    'services/web/README.md': 'the beginning',
    'services/web/a b': 'two',
  })
})

test('a change of mode alone is a change', async () => {
  await fleet.commit({ 'services/web/a b': { executable: '1' } }, { message: 'may be run' })

  expect((await subjects('services/web'))['services/web/a b']).toBe('may be run')
})

test('a content that came back is owed to the commit that brought it back', async () => {
  await fleet.commit({ 'plumb.yaml': 'b' }, { message: 'away' })
  await fleet.commit({ 'plumb.yaml': 'a' }, { message: 'back' })

  expect((await subjects(''))['plumb.yaml']).toBe('back')
})

test('after a merge the commit on the branch is named, not the merge', async () => {
  await fleet.git('checkout', '--quiet', '-b', 'side')
  await fleet.commit({ 'services/web/a b': 'side' }, { message: 'on the side' })
  await fleet.git('checkout', '--quiet', 'main')
  await fleet.commit({ 'plumb.yaml': 'b' }, { message: 'on main' })
  await fleet.git('merge', '--quiet', '--no-ff', '-m', 'merge side', 'side')

  expect(await subjects('')).toEqual({
    'plumb.yaml': 'on main',
    'services/web/README.md': 'the beginning',
    'services/web/a b': 'on the side',
  })
})

test('a conflict settled by a new content names the merge, one settled for a side names that side', async () => {
  await fleet.git('checkout', '--quiet', '-b', 'side')
  await fleet.commit(
    { 'services/web/a b': 'side', 'plumb.yaml': 'side' },
    { message: 'on the side', at: '2026-11-03T00:00:00Z' },
  )
  await fleet.git('checkout', '--quiet', 'main')
  await fleet.commit(
    { 'services/web/a b': 'main', 'plumb.yaml': 'main' },
    { message: 'on main', at: '2026-11-02T00:00:00Z' },
  )
  await fleet.git('merge', '--quiet', '--no-commit', 'side').catch(() => undefined)
  await fleet.commit(
    { 'services/web/a b': 'both', 'plumb.yaml': 'main' },
    { message: 'merge side', at: '2026-11-04T00:00:00Z' },
  )

  expect(await subjects('')).toEqual({
    'plumb.yaml': 'on main',
    'services/web/README.md': 'the beginning',
    'services/web/a b': 'merge side',
  })
})

test('a thousand files take one walk through the history, and none the second time', async () => {
  const many: TestFiles = Object.fromEntries(
    Array.from({ length: 1000 }, (_, n) => [`services/s${n % 100}/files/f${n}`, `${n}`]),
  )
  await fleet.commit(many, { message: 'a thousand' })
  let walks = 0
  const git = createGit()
  const counting: Git = (call) => {
    if (call.args[0] === 'log') walks += 1
    return git(call)
  }
  const clone = await openClone({ directory, url: fleet.directory, git: counting })
  const revision = (await clone.fetch()).head?.revision as Revision
  walks = 0

  const first = await clone.lastCommits(revision, 'services')
  await clone.lastCommits(revision, 'services')

  expect(first.size).toBe(1002)
  expect(first.get('services/s7/files/f7')?.subject).toBe('a thousand')
  expect(walks).toBe(1)
})

test('the history of a path is newest first and as long as asked for', async () => {
  for (const n of [1, 2, 3]) await fleet.commit({ 'services/web/a b': `v${n}` }, { message: `v${n}` })
  await fleet.commit({ 'plumb.yaml': 'b' }, { message: 'elsewhere' })
  const clone = await openClone({ directory, url: fleet.directory, git: createGit() })
  const revision = (await clone.fetch()).head?.revision as Revision

  const history = await clone.history(revision, 'services/web', 3)

  expect(history.map((commit) => commit.subject)).toEqual(['v3', 'v2', 'v1'])
})

test('a path that looks like an option or a pattern is only a path', async () => {
  await fleet.commit({ '--all': 'x', '*': 'y' }, { message: 'odd names' })
  const clone = await openClone({ directory, url: fleet.directory, git: createGit() })
  const revision = (await clone.fetch()).head?.revision as Revision

  expect((await clone.history(revision, '--all', 10)).map((commit) => commit.subject)).toEqual(['odd names'])
  expect([...(await clone.lastCommits(revision, '*')).keys()]).toEqual(['*'])
})

async function subjects(path: string): Promise<Record<string, string>> {
  const clone = await openClone({ directory, url: fleet.directory, git: createGit() })
  const revision = (await clone.fetch()).head?.revision as Revision
  const commits = await clone.lastCommits(revision, path)
  return Object.fromEntries([...commits].map(([file, commit]) => [file, commit.subject]))
}
