import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Run } from '../../../shared/command.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { afterwards, copyOf, fleetWith, host, openWith, stateDirectory, texts } from './fixture.ts'

const noRewind = { allowRewind: false }

test('what is not committed does not count', async () => {
  const { fleet, open } = await host('local', { 'plumb.yaml': 'committed' })
  await writeFile(join(fleet.directory, 'plumb.yaml'), 'edited')
  await writeFile(join(fleet.directory, 'new'), 'new')
  await fleet.git('add', 'new')

  expect(await texts(await open().sync(noRewind))).toEqual({ 'plumb.yaml': 'committed' })
})

test('a host that has not moved is checked without starting a process', async () => {
  const { open } = await host('local', { 'plumb.yaml': 'a', 'services/web/service.yaml': 'packages: [nginx]\n' })
  const first = open()
  const accepted = await first.sync(noRewind)
  await accepted.entries()
  await first.accept(accepted.revision)
  const commands: string[] = []
  const run = createRun()
  const watching: Run = (command) => {
    commands.push(command.args.join(' '))
    return run(command)
  }

  const reader = await open({ run: watching }).sync(noRewind)

  expect(await texts(reader)).toEqual({ 'plumb.yaml': 'a', 'services/web/service.yaml': 'packages: [nginx]\n' })
  expect(commands).toEqual([])
})

test('the same with the refs packed away', async () => {
  const { fleet, open } = await host('local')
  await fleet.git('pack-refs', '--all')
  const first = open()
  await first.accept((await first.sync(noRewind)).revision)

  const reader = await open({ run: noRun }).sync(noRewind)

  expect(reader.revision).toBe(await fleet.head())
})

test('a linked work tree, a bare repository, a file:// address and a detached HEAD are all remotes', async () => {
  const fleet = await fleetWith({ 'plumb.yaml': 'a' })
  const beside = await mkdtemp(join(tmpdir(), 'plumb-beside-'))
  afterwards(() => rm(beside, { recursive: true, force: true }))
  await fleet.git('worktree', 'add', '--quiet', '-b', 'linked', join(beside, 'linked'))
  await fleet.git('clone', '--quiet', '--bare', '.', join(beside, 'bare.git'))
  const head = await fleet.head()
  await fleet.commit({ 'plumb.yaml': 'b' })
  const next = await fleet.commit({ 'plumb.yaml': 'c' })
  await fleet.git('checkout', '--quiet', '--detach', 'HEAD~1')
  const detached = await fleet.head()

  const revisionOf = async (url: string) => (await openWith(await stateDirectory(), { url }).sync(noRewind)).revision
  expect(await revisionOf(join(beside, 'linked'))).toBe(head)
  expect(await revisionOf(join(beside, 'bare.git'))).toBe(head)
  expect(await revisionOf(fleet.directory)).toBe(detached)
  await fleet.git('checkout', '--quiet', 'main')
  expect(await revisionOf(`file://${fleet.directory}`)).toBe(next)
})

test('a shallow clone, as CI makes them, is a remote', async () => {
  const fleet = await fleetWith({ 'plumb.yaml': 'a' })
  await fleet.commit({ 'plumb.yaml': 'b' })
  const beside = await mkdtemp(join(tmpdir(), 'plumb-beside-'))
  afterwards(() => rm(beside, { recursive: true, force: true }))
  await fleet.git('clone', '--quiet', '--depth=1', `file://${fleet.directory}`, join(beside, 'shallow'))
  const repository = openWith(await stateDirectory(), { url: join(beside, 'shallow') })
  await repository.accept((await repository.sync(noRewind)).revision)

  const next = await fleet.commit({ 'plumb.yaml': 'c' })
  await fleet.git('-C', join(beside, 'shallow'), 'pull', '--quiet')

  expect((await repository.sync(noRewind)).revision).toBe(next)
})

test("somebody else's repository is read, and runs nothing of theirs", async () => {
  const { fleet, open, state } = await host('local')
  const hook = join(state, 'ran')
  await writeFile(join(fleet.gitDirectory, 'hooks/post-checkout'), `#!/bin/sh\ntouch ${hook}\n`)
  await chmod(join(fleet.gitDirectory, 'hooks/post-checkout'), 0o755)
  await fleet.git('config', 'core.fsmonitor', `touch ${hook}`)
  await fleet.git('config', 'uploadpack.packObjectsHook', `touch ${hook}; exec`)
  await chown(fleet.directory, 65534, 65534)
  await chown(fleet.gitDirectory, 65534, 65534)

  expect((await open().sync(noRewind)).revision).toMatch(/^[0-9a-f]{40}$/)
  await expect(writeFile(hook, '', { flag: 'wx' })).resolves.toBeUndefined()
})

test.each(['.git/packed-refs', '.git/config', '.git/objects/info/alternates', '.git/shallow'])(
  'a FIFO as %s is named, and not waited for; without it the next sync goes on',
  async (place) => {
    const { fleet, open } = await host('local', { 'plumb.yaml': 'a' })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await fleet.commit({ 'plumb.yaml': 'b' })
    const path = join(fleet.directory, place)
    const before = await readFile(path).catch(() => undefined)
    await rm(path, { force: true })
    execFileSync('mkfifo', [path])

    await expect(repository.sync(noRewind)).rejects.toMatchObject({
      code: 'repository-unreachable',
      message: expect.stringContaining(`${place} is a FIFO: git would wait for it`),
    })

    await rm(path)
    if (before !== undefined) await writeFile(path, before)
    expect(await texts(await repository.sync(noRewind))).toEqual({ 'plumb.yaml': 'b' })
  },
)

test('without git on the host the error says so, and names the way without it', async () => {
  const { open } = await host('local')

  const failed = open({ run: noRun }).sync(noRewind)
  await expect(failed).rejects.toMatchObject({ code: 'git-missing' })
  await expect(failed).rejects.toThrow(/apt-get install git.*https:/)
})

test.each([
  ['a directory that is none', '/nonexistent/fleet', 'there is no such directory'],
  ['a file', '/etc/hostname', 'it is not a directory'],
  ['a directory without a repository', '/usr/share', 'git says:'],
])('%s is told as it is', async (_, url, words) => {
  const failed = openWith(await stateDirectory(), { url }).sync(noRewind)

  await expect(failed).rejects.toMatchObject({ code: 'repository-unreachable' })
  await expect(failed).rejects.toThrow(words)
})

test.each(['', '--upload-pack=x', 'ext::sh -c x', 'ftp://example.org/x', 'git://example.org/x'])(
  '"%s" is no address',
  async (url) => {
    const state = await stateDirectory()

    expect(() => openWith(state, { url })).toThrow('not the address of a repository')
  },
)

test('many objects, large and small, come through one git in the order asked', async () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`f${n}`, `${n}`.repeat(n * 3)]))
  const { open } = await host('local', { ...many, large: 'x'.repeat(9_000_000) })
  const reader = await open().sync(noRewind)
  const entries = [...(await reader.entries())].reverse()

  const [all, one] = await Promise.all([
    reader.readMany(entries.map(({ oid }) => oid)),
    reader.read(entries.find(({ path }) => path === 'f7')?.oid ?? ''),
  ])

  expect(all.map((bytes) => bytes.byteLength)).toEqual(
    entries.map(({ path }) => (path === 'large' ? 9_000_000 : lengthOf(path))),
  )
  expect(Buffer.from(one).toString()).toBe('7'.repeat(21))
})

test.each(['shallow.lock', 'refs/plumb/fetched.lock'])(
  'a %s that a killed git left behind does not stop the host',
  async (lock) => {
    const { fleet, open, state } = await host('local')
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await writeFile(join(await copyOf(state), lock), '')
    const next = await fleet.commit({ 'plumb.yaml': 'next' })
    await fleet.git('checkout', '--quiet', '--orphan', 'other')

    expect((await open({ branch: 'main' }).sync(noRewind)).revision).toBe(next)
  },
)

test('a remote that was away and came back is followed again', async () => {
  const { fleet, open } = await host('local')
  const repository = open()
  await repository.accept((await repository.sync(noRewind)).revision)
  await rename(fleet.gitDirectory, `${fleet.gitDirectory}.away`)
  await expect(repository.sync(noRewind)).rejects.toMatchObject({ code: 'repository-unreachable' })
  await rename(`${fleet.gitDirectory}.away`, fleet.gitDirectory)
  const next = await fleet.commit({ 'plumb.yaml': 'back' })

  expect((await repository.sync(noRewind)).revision).toBe(next)
})

/** As on a host without git. */
const noRun: Run = async () => ({ code: 127, stdout: '', stderr: 'git: not installed' })

function lengthOf(path: string): number {
  const n = Number(path.slice(1))
  return String(n).length * n * 3
}
