import { chown, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openClone } from '../../../server/repository/clone.ts'
import { createGit, type Git } from '../../../server/repository/git.ts'
import { type Revision, revisionSchema } from '../../../shared/names.ts'
import { makeRepository, serveRepository } from '../../support/git.ts'

let directory = ''
const closing: (() => Promise<void>)[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-clone-'))
})

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await rm(directory, { recursive: true, force: true })
})

test('the first fetch clones the branch that the remote calls HEAD, later ones say whether it moved', async () => {
  const { fleet, clone } = await cloned({ 'plumb.yaml': 'version: 1\n' })
  expect(await clone.head()).toBeUndefined()

  const first = await clone.fetch()
  const second = await clone.fetch()
  const pushed = await fleet.commit(
    { 'plumb.yaml': 'version: 1\nhosts: {}\n' },
    { message: 'no hosts\n\nnone at all', author: 'Grace' },
  )
  const third = await clone.fetch()

  expect(await clone.branch()).toBe('main')
  expect([first.kind, second.kind, third.kind]).toEqual(['moved', 'unmoved', 'moved'])
  expect(third.head).toEqual({
    revision: pushed,
    author: 'Grace',
    at: '2026-11-01T12:00:00+00:00',
    subject: 'no hosts',
    message: 'no hosts\n\nnone at all',
  })
})

test('a branch that is asked for is followed, and one that is not there is an error that names it', async () => {
  const { fleet } = await cloned({ 'plumb.yaml': 'a' })
  await fleet.git('branch', 'stable')
  await fleet.commit({ 'plumb.yaml': 'b' })

  const stable = await openClone({
    directory: join(directory, 'x'),
    url: fleet.directory,
    branch: 'stable',
    git: createGit(),
  })
  const missing = await openClone({
    directory: join(directory, 'y'),
    url: fleet.directory,
    branch: 'gone',
    git: createGit(),
  })

  expect((await stable.fetch()).head?.subject).toBe('the beginning')
  const outcome = await missing.fetch()
  expect(outcome.kind === 'failed' && outcome.problem.message).toContain('no branch "gone"')
})

test('a remote that went away leaves the last good head and says why', async () => {
  const { fleet, clone } = await cloned({ 'plumb.yaml': 'a' })
  await clone.fetch()
  await fleet.remove()

  const outcome = await clone.fetch()

  expect(outcome.kind).toBe('failed')
  expect(outcome.head?.subject).toBe('the beginning')
  expect(outcome.kind === 'failed' && outcome.problem.code).toBe('repository-unreachable')
  expect((await clone.tree((await clone.head())?.revision as Revision)).entries).toHaveLength(1)
})

test('an empty remote is an error until its first commit', async () => {
  const fleet = await makeRepository()
  closing.push(fleet.remove)
  const clone = await openClone({ directory, url: fleet.directory, git: createGit() })

  const before = await clone.fetch()
  await fleet.commit({ 'plumb.yaml': 'a' })
  const after = await clone.fetch()

  expect(before.kind === 'failed' && before.problem.message).toContain('no commit yet')
  expect(after.kind).toBe('moved')
})

test('calls that arrive during a fetch share one more fetch', async () => {
  let fetches = 0
  const git = createGit()
  const counting: Git = (call) => {
    if (call.args[0] === 'fetch') fetches += 1
    return git(call)
  }
  const { clone } = await cloned({ 'plumb.yaml': 'a' }, counting)

  await Promise.all([clone.fetch(), clone.fetch(), clone.fetch(), clone.fetch()])

  expect(fetches).toBe(2)
})

test('a clone with a truncated pack is quarantined and cloned again', async () => {
  const { fleet, clone } = await cloned({ 'plumb.yaml': 'a', 'services/x/README.md': 'x'.repeat(5000) })
  const before = await clone.fetch()
  const packs = join(clone.gitDirectory, 'objects/pack')
  const pack = (await readdir(packs)).find((name) => name.endsWith('.pack')) ?? ''
  await truncate(join(packs, pack), 40)

  const reopened = await openClone({ directory, url: fleet.directory, git: createGit() })
  const outcome = await reopened.fetch()

  expect(outcome.kind).not.toBe('failed')
  expect(outcome.head).toEqual(before.head)
  expect(await reopened.readText(outcome.head?.revision as Revision, 'services/x/README.md')).toHaveLength(5000)
})

test('a force push moves the head to what the branch is now', async () => {
  const { fleet, clone } = await cloned({ 'plumb.yaml': 'a' })
  const beginning = await fleet.head()
  await fleet.commit({ 'plumb.yaml': 'b' })
  await clone.fetch()
  await fleet.rewind(beginning)

  const outcome = await clone.fetch()

  expect(outcome.head?.revision).toBe(beginning)
})

test('a work tree of another user can be read', async () => {
  const { fleet, clone } = await cloned({ 'plumb.yaml': 'a' })
  await fleet.git('status')
  await chown(fleet.directory, 65534, 65534)
  await chown(fleet.gitDirectory, 65534, 65534)

  expect((await clone.fetch()).kind).toBe('moved')
})

test('without a git on the machine the error says what to install', async () => {
  const none: Git = async () => ({ outcome: 'not-installed', stdout: Buffer.alloc(0), stderr: '' })

  await expect(openClone({ directory, url: '/nowhere', git: none })).rejects.toThrow('apt-get install git')
})

test.each(['--upload-pack=touch /tmp/owned', 'ext::sh -c touch% /tmp/owned'])(
  '"%s" is not taken for an address',
  async (url) => {
    await expect(openClone({ directory, url, git: createGit() })).rejects.toMatchObject({ code: 'usage' })
  },
)

test('a user and password in the address reach the forge but no argument list and no error', async () => {
  const fleet = await makeRepository({ 'plumb.yaml': 'a' })
  const served = await serveRepository(fleet, { username: 'bot', password: 'k3y/with:signs' })
  closing.push(fleet.remove, served.close)
  const seen: string[] = []
  const git = createGit()
  const watching: Git = (call) => {
    seen.push(call.args.join(' '))
    return git(call)
  }
  const url = served.url.replace('http://', `http://bot:${encodeURIComponent('k3y/with:signs')}@`)
  const clone = await openClone({ directory, url, git: watching })

  const outcome = await clone.fetch()
  await served.close()
  closing.pop()
  const failed = await clone.fetch()

  expect(outcome.kind).toBe('moved')
  expect(clone.url).toBe(served.url)
  expect(JSON.stringify([seen, failed])).not.toContain('k3y')
})

test('the tree has every file with its kind, and the texts that are parsed', async () => {
  const { clone } = await cloned({
    'plumb.yaml': 'version: 1\n',
    'services/web/README.md': '# web\n',
    'services/web/service.yaml': 'packages: [nginx]\n',
    'services/web/files/usr/bin/warm': { executable: '#!/bin/sh\n' },
    'services/web/files/etc/ä b\nc': 'a name with a line break',
    'services/web/files/etc/link': { link: '/etc/hosts' },
  })
  const head = (await clone.fetch()).head
  const tree = await clone.tree(head?.revision as Revision)

  expect(Object.fromEntries(tree.entries.map((entry) => [entry.path, entry.kind]))).toEqual({
    'plumb.yaml': 'file',
    'services/web/README.md': 'file',
    'services/web/service.yaml': 'file',
    'services/web/files/usr/bin/warm': 'executable',
    'services/web/files/etc/ä b\nc': 'file',
    'services/web/files/etc/link': 'symlink',
  })
  expect(Object.fromEntries(tree.texts)).toEqual({
    'plumb.yaml': 'version: 1\n',
    'services/web/service.yaml': 'packages: [nginx]\n',
    'services/web/files/etc/link': '/etc/hosts',
  })
  expect(await clone.readText(head?.revision as Revision, 'services/web/README.md')).toBe('# web\n')
  expect(await clone.readText(head?.revision as Revision, 'services/web/none')).toBeUndefined()
})

test('a file whose name is not UTF-8 is listed in a form that the parser refuses', async () => {
  const { fleet, clone } = await cloned({ 'plumb.yaml': 'a' })
  await writeFile(Buffer.concat([Buffer.from(`${fleet.directory}/caf`), Buffer.from([0xe9])]), 'latin1')
  await fleet.commit({})
  const head = (await clone.fetch()).head

  const { entries } = await clone.tree(head?.revision as Revision)

  expect(entries.map((entry) => entry.path)).toContain('caf\uFFFD')
})

test('a commit that the clone does not have is undefined, and found once it was fetched', async () => {
  const { fleet, clone } = await cloned({ 'plumb.yaml': 'a' })
  await clone.fetch()
  const pushed = await fleet.commit({ 'plumb.yaml': 'b' }, { message: 'second' })

  expect(await clone.commit(pushed)).toBeUndefined()
  await clone.fetch()
  expect((await clone.commit(pushed))?.subject).toBe('second')
  expect(await clone.commit(revisionSchema.parse('0'.repeat(40)))).toBeUndefined()
})

async function cloned(files: Parameters<typeof makeRepository>[0], git: Git = createGit()) {
  const fleet = await makeRepository(files)
  closing.push(fleet.remove)
  const clone = await openClone({ directory, url: fleet.directory, git })
  return { fleet, clone }
}
