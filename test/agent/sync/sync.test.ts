import { execFile } from 'node:child_process'
import { readdir, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  afterwards,
  copyOf,
  fleetWith,
  host,
  kinds,
  markOf,
  openWith,
  packFiles,
  served,
  stateDirectory,
  texts,
} from './fixture.ts'

const noRewind = { allowRewind: false }

describe.each(kinds)('over %s', (kind) => {
  test('the first sync brings every file of the default branch, byte for byte', async () => {
    const binary = Uint8Array.from({ length: 300 }, (_, index) => index % 256)
    const { fleet, open } = await host(kind, {
      'plumb.yaml': 'version: 1\n',
      'services/web/files/usr/bin/warm': { executable: '#!/bin/sh\n' },
      'services/web/files/etc/link': { link: '/nowhere' },
      'services/web/files/etc/ä b\nc': binary,
      'services/web/units/mnt-a\\x2db.mount': '[Mount]\n',
      'services/web/files/etc/empty': '',
    })

    const reader = await open().sync(noRewind)
    const entries = await reader.entries()
    const odd = entries.find((entry) => entry.path.endsWith('\nc'))

    expect(reader.revision).toBe(await fleet.head())
    expect(Object.fromEntries(entries.map((entry) => [entry.path, entry.kind]))).toEqual({
      'plumb.yaml': 'file',
      'services/web/files/usr/bin/warm': 'executable',
      'services/web/files/etc/link': 'symlink',
      'services/web/files/etc/ä b\nc': 'file',
      'services/web/units/mnt-a\\x2db.mount': 'file',
      'services/web/files/etc/empty': 'file',
    })
    expect(await reader.read(odd?.oid ?? '')).toEqual(binary)
    expect((await texts(reader))['services/web/files/etc/link']).toBe('/nowhere')
    expect((await texts(reader))['services/web/files/etc/empty']).toBe('')
  })

  test('a later sync brings what was pushed since, and only that', async () => {
    const { fleet, open, state } = await host(kind, { 'plumb.yaml': 'a', big: randomText(400_000) })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    const before = await packFiles(state)
    const pushed = await fleet.commit({ 'plumb.yaml': 'b' })

    const reader = await repository.sync(noRewind)
    const added = (await packFiles(state)).filter((file) => !before.includes(file) && file.endsWith('.pack'))

    expect(reader.revision).toBe(pushed)
    expect((await texts(reader))['plumb.yaml']).toBe('b')
    expect(added).toHaveLength(1)
    expect(await sizeOf(added[0])).toBeLessThan(20_000)
  })

  test('a branch that was asked for is followed', async () => {
    const { fleet, open } = await host(kind)
    await fleet.git('checkout', '--quiet', '-b', 'release/1')
    const release = await fleet.commit({ 'plumb.yaml': 'release' })
    await fleet.git('checkout', '--quiet', 'main')
    await fleet.git('tag', 'release/1', 'main')

    expect((await open({ branch: 'release/1' }).sync(noRewind)).revision).toBe(release)
    await expect(open({ branch: 'gone' }).sync(noRewind)).rejects.toThrow('there is no branch "gone"')
  })

  test('a rewound branch is refused, names both commits, and leaves the last good revision', async () => {
    const { fleet, open, state } = await host(kind)
    const beginning = await fleet.head()
    const accepted = await fleet.commit({ 'plumb.yaml': 'good' })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await fleet.rewind(beginning)
    const evil = await fleet.commit({ 'plumb.yaml': 'evil' })

    const refused = repository.sync(noRewind)
    await expect(refused).rejects.toMatchObject({ code: 'repository-rewound' })
    await expect(refused).rejects.toThrow(new RegExp(`${evil}.*${accepted}.*--allow-rewind`, 's'))
    await expect(open().sync(noRewind)).rejects.toMatchObject({ code: 'repository-rewound' })

    expect(await texts(await open().lastGood())).toEqual({ 'plumb.yaml': 'good' })
    expect(await markOf(state)).toBe(accepted)
  })

  test('a person may allow the rewind; from then on the new history counts', async () => {
    const { fleet, open } = await host(kind)
    const beginning = await fleet.head()
    const lost = await fleet.commit({ 'plumb.yaml': 'lost' })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await fleet.rewind(beginning)
    const meant = await fleet.commit({ 'plumb.yaml': 'meant' })

    const reader = await repository.sync({ allowRewind: true })
    await repository.accept(reader.revision)
    const next = await fleet.commit({ 'plumb.yaml': 'next' })

    expect(reader.revision).toBe(meant)
    expect((await repository.sync(noRewind)).revision).toBe(next)
    await fleet.rewind(lost)
    await expect(repository.sync(noRewind)).rejects.toMatchObject({ code: 'repository-rewound' })
  })

  test('another default branch of the remote is a problem, and is not followed', async () => {
    const { fleet, open, state } = await host(kind, { 'plumb.yaml': 'reviewed' })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await fleet.git('checkout', '--quiet', '-b', 'unfinished')
    await fleet.commit({ 'plumb.yaml': 'not reviewed' })

    for (const again of [repository, open()]) {
      const refused = again.sync(noRewind)
      await expect(refused).rejects.toMatchObject({ code: 'branch-changed' })
      await expect(refused).rejects.toThrow(/HEAD names unfinished.*followed main.*--allow-branch-change/s)
      expect(await texts(await again.lastGood())).toEqual({ 'plumb.yaml': 'reviewed' })
    }
    // A mark of an agent that did not note it apart.
    const mark = join(state, 'repository/mark.json')
    const { head: _, ...older } = JSON.parse(await readFile(mark, 'utf8'))
    await writeFile(mark, JSON.stringify(older))
    await expect(open().sync(noRewind)).rejects.toMatchObject({ code: 'branch-changed' })

    await fleet.git('checkout', '--quiet', 'main')
    expect(await texts(await repository.sync(noRewind))).toEqual({ 'plumb.yaml': 'reviewed' })
  })

  test('a person may allow the other branch; from then on it is the one', async () => {
    const { fleet, open } = await host(kind, { 'plumb.yaml': 'on main' })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await fleet.git('checkout', '--quiet', '-b', 'trunk')
    const meant = await fleet.commit({ 'plumb.yaml': 'on trunk' })

    await repository.accept((await repository.sync({ ...noRewind, allowBranchChange: true })).revision)

    expect((await open().sync(noRewind)).revision).toBe(meant)
    await fleet.git('checkout', '--quiet', 'main')
    await expect(open().sync(noRewind)).rejects.toMatchObject({ code: 'branch-changed' })
  })

  test('a branch that was given is followed wherever HEAD is, and given once it pins nothing', async () => {
    const { fleet, open } = await host(kind, { 'plumb.yaml': 'a' })
    const main = await fleet.head()
    await open().accept((await open().sync(noRewind)).revision)
    await fleet.git('checkout', '--quiet', '-b', 'next')
    const next = await fleet.commit({ 'plumb.yaml': 'b' })
    const given = open({ branch: 'main' })
    expect((await given.sync(noRewind)).revision).toBe(main)

    await fleet.git('checkout', '--quiet', 'main')
    await fleet.git('merge', '--quiet', 'next')
    const once = open({ branch: 'next' })
    await once.accept((await once.sync(noRewind)).revision)
    expect((await open().sync(noRewind)).revision).toBe(next)
  })

  test('a branch set back to an older commit is a rewind too', async () => {
    const { fleet, open } = await host(kind)
    const beginning = await fleet.head()
    await fleet.commit({ 'plumb.yaml': 'b' })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await fleet.rewind(beginning)

    await expect(repository.sync(noRewind)).rejects.toMatchObject({ code: 'repository-rewound' })
  })

  test('a merge of an old branch descends from what was accepted', async () => {
    const { fleet, open } = await host(kind)
    await fleet.git('checkout', '--quiet', '-b', 'side')
    await fleet.commit({ 'services/a/README.md': 'side' })
    await fleet.git('checkout', '--quiet', 'main')
    await fleet.commit({ 'plumb.yaml': 'b' })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await fleet.git('merge', '--quiet', '--no-ff', '-m', 'merge', 'side')

    expect((await repository.sync(noRewind)).revision).toBe(await fleet.head())
  })

  test('only an accepted revision is the last good one', async () => {
    const { fleet, open } = await host(kind)
    const repository = open()
    expect(await repository.lastGood()).toBeUndefined()
    const first = await repository.sync(noRewind)
    expect(await repository.lastGood()).toBeUndefined()
    await repository.accept(first.revision)
    await fleet.commit({ 'plumb.yaml': 'not desired yet' })
    await repository.sync(noRewind)

    expect((await open().lastGood())?.revision).toBe(first.revision)
  })

  test('a remote that went away is told in plain words, and the last good revision stays readable in a new process', async () => {
    const { open, goAway, url } = await host(kind)
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await goAway()

    const failed = open().sync(noRewind)
    await expect(failed).rejects.toMatchObject({ code: 'repository-unreachable' })
    await expect(failed).rejects.toThrow(url)
    expect(await texts(await open().lastGood())).toEqual({ 'plumb.yaml': 'version: 1\n' })
  })

  test('a repository without a commit is an error until its first one', async () => {
    const { fleet, open } = await emptyHost(kind)

    await expect(open().sync(noRewind)).rejects.toThrow('no commit yet')
    const first = await fleet.commit({ 'plumb.yaml': 'a' })
    expect((await open().sync(noRewind)).revision).toBe(first)
  })

  test.each(['.pack', '.idx'])(
    'a truncated %s is set aside and cloned again, with the mark kept',
    async (extension) => {
      const { fleet, open, state } = await host(kind, { 'plumb.yaml': 'a', big: randomText(50_000) })
      const first = open()
      await first.accept((await first.sync(noRewind)).revision)
      const before = await copyOf(state)
      for (const file of (await packFiles(state)).filter((name) => name.endsWith(extension))) await truncate(file, 1000)
      const pushed = await fleet.commit({ 'plumb.yaml': 'b' })

      const reader = await open().sync(noRewind)

      expect(reader.revision).toBe(pushed)
      expect((await texts(reader))['plumb.yaml']).toBe('b')
      expect(await copyOf(state)).not.toBe(before)
      expect(await markOf(state)).not.toBe(pushed)
    },
  )

  test('an emptied index is cloned again also when nothing was pushed', async () => {
    const { open, state } = await host(kind)
    const first = open()
    await first.accept((await first.sync(noRewind)).revision)
    for (const file of (await packFiles(state)).filter((name) => name.endsWith('.idx'))) await truncate(file, 0)

    expect(await texts(await open().sync(noRewind))).toEqual({ 'plumb.yaml': 'version: 1\n' })
  })

  test('damage that keeps the size is found by the first read and healed by the next sync', async () => {
    const { open, state } = await host(kind, { 'plumb.yaml': 'a', big: randomText(50_000) })
    const first = open()
    await first.accept((await first.sync(noRewind)).revision)
    for (const file of (await packFiles(state)).filter((name) => name.endsWith('.pack')))
      await writeFile(file, Buffer.alloc(3000, 7), { flag: 'r+' })
    const damaged = await open().sync(noRewind)

    await expect(texts(damaged)).rejects.toMatchObject({ code: 'repository-corrupt' })
    expect(Object.keys(await texts(await open().sync(noRewind)))).toEqual(['big', 'plumb.yaml'])
  })

  test('a lost copy cannot be used to slip a rewind in', async () => {
    const { fleet, open, state } = await host(kind)
    await fleet.commitMany(60)
    const first = open()
    await first.accept((await first.sync(noRewind)).revision)
    for (const file of await packFiles(state)) await unlink(file)
    await fleet.rewind('HEAD~3')
    await fleet.commit({ 'plumb.yaml': 'evil' })

    await expect(open().sync(noRewind)).rejects.toMatchObject({ code: 'repository-rewound' })
  })

  test('a lost copy is cloned again over a long history that leads to the mark', async () => {
    const { fleet, open, state } = await host(kind)
    const first = open()
    await first.accept((await first.sync(noRewind)).revision)
    for (const file of await packFiles(state)) await unlink(file)
    await fleet.commitMany(60)

    expect((await open().sync(noRewind)).revision).toBe(await fleet.head())
  })

  test('a damaged mark is an error, not a blank one', async () => {
    const { open, state } = await host(kind)
    const first = open()
    await first.accept((await first.sync(noRewind)).revision)
    await truncate(join(state, 'repository/mark.json'), 10)

    await expect(open().sync(noRewind)).rejects.toMatchObject({ code: 'state-corrupt' })
  })

  test('packs do not pile up: the copy is made anew beside itself and the old one goes', async () => {
    const { fleet, open, state } = await host(kind)
    const repository = open({ packsAtMost: 3 })
    for (let n = 0; n < 8; n += 1) {
      await fleet.commit({ 'plumb.yaml': `${n}` })
      await repository.accept((await repository.sync(noRewind)).revision)
      await repository.sync(noRewind)
    }
    const packs = (await packFiles(state)).filter((file) => file.endsWith('.pack'))
    const copies = (await readdir(join(state, 'repository'))).filter((name) => name.startsWith('copy-'))

    expect(packs.length).toBeLessThanOrEqual(3)
    expect(copies.length).toBeLessThanOrEqual(2)
    expect(await texts(await open().lastGood())).toEqual({ 'plumb.yaml': '7' })
    const next = await fleet.commit({ 'plumb.yaml': 'next' })
    expect((await open().sync(noRewind)).revision).toBe(next)
  })

  test('a revision can be named by its id, its beginning, a branch or a tag', async () => {
    const { fleet, open } = await host(kind)
    const repository = open()
    const first = await repository.sync(noRewind)
    await fleet.commit({ 'plumb.yaml': 'b' })
    await repository.sync(noRewind)
    await fleet.git('tag', '-m', 'with a message', 'v1')
    await fleet.git('checkout', '--quiet', '-b', 'try')
    const tried = await fleet.commit({ 'plumb.yaml': 'tried' })
    await fleet.git('checkout', '--quiet', 'main')

    const revisions = await Promise.all(
      [first.revision, first.revision.slice(0, 8), 'main'].map(
        async (name) => (await repository.readerAt(name)).revision,
      ),
    )
    expect(revisions).toEqual([first.revision, first.revision, await fleet.head()])
    expect((await repository.readerAt('v1')).revision).toBe(await fleet.head())
    const reader = await repository.readerAt('try')
    expect(reader.revision).toBe(tried)
    expect(await texts(reader)).toEqual({ 'plumb.yaml': 'tried' })
  })

  test('a revision that was looked at once does not make a later history look rewound', async () => {
    const { fleet, open } = await host(kind)
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await fleet.git('checkout', '--quiet', '-b', 'try')
    await fleet.commit({ 'plumb.yaml': 'one' })
    await fleet.commit({ 'plumb.yaml': 'two' })
    await fleet.git('checkout', '--quiet', 'main')
    await repository.readerAt('try')
    await fleet.git('merge', '--quiet', '--ff-only', 'try')

    expect((await repository.sync(noRewind)).revision).toBe(await fleet.head())
  })

  test.each(['nothing', '0123456', '--upload-pack=touch', 'main..try', 'a b'])(
    '"%s" is no revision, and the error says so',
    async (name) => {
      const { open } = await host(kind)
      const repository = open()
      await repository.sync(noRewind)

      await expect(repository.readerAt(name)).rejects.toMatchObject({ code: 'usage' })
    },
  )

  test.each([
    ['files', 1],
    ['directories alone', 0],
  ])('a tree that unfolds into billions of %s is refused', async (_, files) => {
    const { fleet, open } = await host(kind)
    const blob = await fleet.git('rev-parse', 'HEAD:plumb.yaml')
    let lines = [`100644 blob ${blob}\tplumb.yaml`].slice(0, files)
    for (let level = 0; level < 12; level += 1) {
      const tree = await fleet.input(lines.map((line) => `${line}\n`).join(''), 'mktree')
      lines = Array.from({ length: 10 }, (_unused, n) => `040000 tree ${tree}\td${n}`)
    }
    const tree = await fleet.input(`${lines.join('\n')}\n`, 'mktree')
    await fleet.git('reset', '--quiet', '--soft', await fleet.git('commit-tree', '-m', 'bomb', tree))

    await expect((await open().sync(noRewind)).entries()).rejects.toMatchObject({ code: 'repository-invalid' })
  })

  test('an object that is not there is an error of the repository', async () => {
    const { open } = await host(kind)
    const reader = await open().sync(noRewind)

    await expect(reader.read('0'.repeat(40))).rejects.toMatchObject({ code: 'repository-corrupt' })
  })

  test('a fleet that moves to another address with its history is followed, another history is not', async () => {
    const { fleet, open, state } = await host(kind)
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    const moved = await served(fleet)
    const other = await fleetWith({ 'plumb.yaml': 'other' })

    expect((await openWith(state, { url: moved.url }).sync(noRewind)).revision).toBe(await fleet.head())
    await expect(openWith(state, { url: other.directory }).sync(noRewind)).rejects.toMatchObject({
      code: 'repository-rewound',
    })
  })

  test.skipIf(process.getuid?.() !== 0)('a full disk is told as such, and keeps the last good revision', async () => {
    const { fleet, url } = await host(kind, { 'plumb.yaml': 'a' })
    const state = await smallDisk('6m')
    const first = openWith(state, { url })
    await first.accept((await first.sync(noRewind)).revision)
    await fleet.commit({ big: randomText(9_000_000) })

    await expect(openWith(state, { url }).sync(noRewind)).rejects.toMatchObject({ code: 'disk-full' })

    expect(await texts(await openWith(state, { url }).lastGood())).toEqual({ 'plumb.yaml': 'a' })
    await fleet.commit({ big: null, 'plumb.yaml': 'b' })
    await fleet.git('rebase', '--quiet', '--onto', 'HEAD~2', 'HEAD~1')
    expect(await texts(await openWith(state, { url }).sync(noRewind))).toEqual({ 'plumb.yaml': 'b' })
  })

  test('several processes may sync at the same time', async () => {
    const { fleet, open } = await host(kind, { 'plumb.yaml': 'a', big: randomText(200_000) })

    const readers = await Promise.all([open(), open(), open(), open()].map((repository) => repository.sync(noRewind)))

    expect(readers.map((reader) => reader.revision)).toEqual(Array(4).fill(await fleet.head()))
    for (const reader of readers) expect(Object.keys(await texts(reader))).toEqual(['big', 'plumb.yaml'])
  })
})

async function smallDisk(size: string): Promise<string> {
  const directory = await stateDirectory()
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'plumb-test', directory])
  afterwards(async () => void (await promisify(execFile)('umount', ['--lazy', directory])))
  return directory
}

async function emptyHost(kind: 'http' | 'local') {
  const fleet = await fleetWith()
  const remote = kind === 'http' ? await served(fleet) : undefined
  const state = await stateDirectory()
  return { fleet, open: () => openWith(state, { url: remote?.url ?? fleet.directory }) }
}

function randomText(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(32 + Math.floor(Math.random() * 90))).join('')
}

async function sizeOf(path: string | undefined): Promise<number> {
  return (await stat(path ?? '')).size
}
