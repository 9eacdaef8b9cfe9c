import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FileWriter, SavedPath } from '../../../agent/host/files.ts'
import { openFiles } from '../../../agent/host/files-open.ts'
import { type AbsolutePath, absolutePathSchema } from '../../../shared/names.ts'
import { sha, treeOf } from '../apply/world.ts'

const asRoot = process.geteuid?.() === 0
let base: string
let root: string
let files: FileWriter

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'plumb-write-'))
  root = join(base, 'root')
  mkdirSync(root)
  files = openFiles({ root })
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

const path = (text: string) => absolutePathSchema.parse(text)

async function put(at: AbsolutePath, text: string, mode = 0o644): Promise<SavedPath> {
  const saved = files.undoPoint(at, sha(text))
  await files.stage(at, Buffer.from(text), { mode })
  files.publish(at)
  await files.syncDirectories()
  return saved
}

test('a file is written with its mode whatever the umask, in parents of mode 0755', async () => {
  const before = process.umask(0o077)
  await put(path('/etc/app/conf.d/x'), 'hello', 0o664)
  process.umask(before)
  expect(readFileSync(join(root, 'etc/app/conf.d/x'), 'utf8')).toBe('hello')
  expect(statSync(join(root, 'etc/app/conf.d/x')).mode & 0o7777).toBe(0o664)
  expect(statSync(join(root, 'etc/app')).mode & 0o7777).toBe(0o755)
})

test('a staged file is not visible under its name, and nothing is left after forgetting', async () => {
  await put(path('/f'), 'old')
  await files.forget(path('/f'))
  await files.stage(path('/f'), Buffer.from('new'), { mode: 0o600 })
  expect(readFileSync(join(root, 'f'), 'utf8')).toBe('old')
  expect(readFileSync(files.stagedPath(path('/f')), 'utf8')).toBe('new')
  files.publish(path('/f'))
  await files.forget(path('/f'))
  expect(treeOf(root)).toEqual([expect.stringMatching(/^f 600 .*/)])
  expect(readFileSync(join(root, 'f'), 'utf8')).toBe('new')
})

test('putting back gives the very same file: inode, times, mode and content', async () => {
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc/f'), 'mine', { mode: 0o640 })
  const before = treeOf(root)
  const saved = await put(path('/etc/f'), 'yours')
  await files.rollBack(saved)
  expect(treeOf(root)).toEqual(before)
  await files.rollBack(saved)
  expect(treeOf(root)).toEqual(before)
})

test('putting back what was not there removes it with the directories made for it', async () => {
  mkdirSync(join(root, 'etc'))
  const saved = await put(path('/etc/a/b/f'), 'new')
  await files.rollBack(saved)
  expect(treeOf(root)).toEqual([expect.stringMatching(/^etc /)])
})

test('putting back does not remove what somebody else made meanwhile', async () => {
  const saved = await put(path('/a/f'), 'ours')
  rmSync(join(root, 'a/f'))
  writeFileSync(join(root, 'a/f'), 'theirs')
  await files.rollBack(saved)
  expect(readFileSync(join(root, 'a/f'), 'utf8')).toBe('theirs')
})

test('putting back again removes no empty directory of somebody else that a link leads to by now', async () => {
  mkdirSync(join(root, 'a'))
  const saved = files.undoPoint(path('/a/b/c'))
  files.makeDirectory(path('/a/b/c'), { mode: 0o755 })
  await files.rollBack(saved)
  rmSync(join(root, 'a'), { recursive: true })
  mkdirSync(join(root, 'theirs/b/c'), { recursive: true })
  symlinkSync('/theirs', join(root, 'a'))
  const before = treeOf(root)
  await files.rollBack(saved)
  expect(treeOf(root)).toEqual(before)
})

test('another process puts back from the mark alone, whatever part was done', async () => {
  for (const done of ['nothing', 'staged', 'published'] as const) {
    writeFileSync(join(root, 'f'), 'old')
    const before = treeOf(root)
    const saved = files.undoPoint(path('/f'), sha('new'))
    if (done !== 'nothing') await files.stage(path('/f'), Buffer.from('new'), { mode: 0o644 })
    if (done === 'published') files.publish(path('/f'))
    await openFiles({ root }).marked(files.mark).rollBack(saved)
    expect(treeOf(root), done).toEqual(before)
  }
})

test('a link, a FIFO and a hard link are replaced and come back; what they lead to is untouched', async () => {
  writeFileSync(join(base, 'outside'), 'precious')
  symlinkSync(join(base, 'outside'), join(root, 'link'))
  linkSync(join(base, 'outside'), join(root, 'hard'))
  execFileSync('mkfifo', [join(root, 'fifo')])
  const before = treeOf(root)
  const saved = []
  for (const name of ['link', 'hard', 'fifo']) saved.push(await put(path(`/${name}`), 'ours'))
  for (const name of ['link', 'hard', 'fifo']) expect(readFileSync(join(root, name), 'utf8')).toBe('ours')
  expect(readFileSync(join(base, 'outside'), 'utf8')).toBe('precious')
  for (const one of saved) await files.rollBack(one)
  expect(treeOf(root)).toEqual(before)
})

test('links are staged and published as files are', async () => {
  writeFileSync(join(root, 'l'), 'a file')
  const saved = files.undoPoint(path('/l'), 'target')
  files.stageLink(path('/l'), 'target')
  files.publish(path('/l'))
  expect(readlinkSync(join(root, 'l'))).toBe('target')
  await files.rollBack(saved)
  expect(readFileSync(join(root, 'l'), 'utf8')).toBe('a file')
})

test('a directory in the way of a file is an error and stays', async () => {
  mkdirSync(join(root, 'd'))
  writeFileSync(join(root, 'd/f'), 'x')
  await expect(put(path('/d'), 'x')).rejects.toThrow('a directory is in the way')
  expect(readFileSync(join(root, 'd/f'), 'utf8')).toBe('x')
})

test('an empty directory is set aside and comes back; one with something in it stays', async () => {
  mkdirSync(join(root, 'empty'), { mode: 0o711 })
  mkdirSync(join(root, 'full/below'), { recursive: true })
  const before = treeOf(root)
  const saved = files.undoPoint(path('/empty'))
  expect(files.removeDirectory(path('/empty'))).toBe(true)
  expect(files.removeDirectory(path('/full'))).toBe(false)
  expect(existsSync(join(root, 'empty'))).toBe(false)
  await files.rollBack(saved)
  expect(treeOf(root)).toEqual(before)
  files.removeDirectory(path('/empty'))
  await files.forget(path('/empty'))
  expect(readdirSync(root)).toEqual(['full'])
})

test('entries taken out of a directory come back under their names, UTF-8 or not', async () => {
  mkdirSync(join(root, 'd/sub'), { recursive: true })
  writeFileSync(join(root, 'd/sub/x'), 'x')
  writeFileSync(Buffer.concat([Buffer.from(`${root}/d/`), Buffer.from([0xff])]), 'odd')
  symlinkSync('/nowhere', join(root, 'd/link'))
  const before = treeOf(root)
  const saved = files.undoPoint(path('/d'))
  files.moveEntriesAway(path('/d'), files.list(path('/d')))
  expect(files.list(path('/d')).filter((name) => !name.startsWith(files.mark))).toEqual([])
  await files.rollBack(saved)
  expect(treeOf(root)).toEqual(before)
})

test('forgetting removes a taken out tree without following its links', async () => {
  writeFileSync(join(base, 'outside'), 'precious')
  mkdirSync(join(root, 'd/sub'), { recursive: true })
  symlinkSync(base, join(root, 'd/sub/link'))
  symlinkSync(base, join(root, 'd/link'))
  files.moveEntriesAway(path('/d'), ['sub', 'link'])
  await files.forget(path('/d'))
  expect(readdirSync(join(root, 'd'))).toEqual([])
  expect(readFileSync(join(base, 'outside'), 'utf8')).toBe('precious')
})

test('permissions are corrected in place, and put back', async () => {
  writeFileSync(join(root, 'f'), 'x', { mode: 0o600 })
  const before = treeOf(root)
  const saved = files.undoPoint(path('/f'))
  await files.setPermissions(path('/f'), 'file', { mode: 0o4755 })
  expect(statSync(join(root, 'f')).mode & 0o7777).toBe(0o4755)
  await files.rollBack(saved)
  expect(treeOf(root)).toEqual(before)
})

test('permissions of a file with a second name are not touched', async () => {
  writeFileSync(join(base, 'other'), 'x', { mode: 0o600 })
  linkSync(join(base, 'other'), join(root, 'f'))
  await expect(files.setPermissions(path('/f'), 'file', { mode: 0o666 })).rejects.toMatchObject({ code: 'unsafe-path' })
  expect(statSync(join(base, 'other')).mode & 0o777).toBe(0o600)
})

test.runIf(asRoot)('an owner is set, and setuid with it', async () => {
  await files.stage(path('/f'), Buffer.from('x'), { mode: 0o4750, uid: 1000, gid: 1001 })
  files.publish(path('/f'))
  const stat = statSync(join(root, 'f'))
  expect([stat.uid, stat.gid, stat.mode & 0o7777]).toEqual([1000, 1001, 0o4750])
})

test.runIf(asRoot)('a full disk is told as such, and what was there stays', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', root])
  try {
    writeFileSync(join(root, 'f'), 'old')
    const before = treeOf(root)
    const saved = files.undoPoint(path('/f'))
    const big = Buffer.alloc(400 * 1024)
    await expect(files.stage(path('/f'), big, { mode: 0o644 })).rejects.toMatchObject({ code: 'disk-full' })
    await files.rollBack(saved)
    expect(treeOf(root)).toEqual(before)
  } finally {
    execFileSync('umount', [root])
  }
})

test.runIf(asRoot)('a read-only file system and an immutable file are told as such', async () => {
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', root])
  try {
    writeFileSync(join(root, 'f'), 'old')
    execFileSync('mount', ['-o', 'remount,ro', root])
    await expect(files.stage(path('/f'), Buffer.from('x'), { mode: 0o644 })).rejects.toMatchObject({
      code: 'read-only',
      problems: [{ where: { file: '/f' }, remedy: expect.stringContaining('remount') }],
    })
  } finally {
    execFileSync('umount', [root])
  }
  writeFileSync(join(root, 'f'), 'old')
  execFileSync('chattr', ['+i', join(root, 'f')])
  try {
    await expect(put(path('/f'), 'new')).rejects.toMatchObject({ code: 'read-only' })
    await files.rollBack(files.undoPoint(path('/f')))
    expect(readdirSync(root)).toEqual(['f'])
    expect(readFileSync(join(root, 'f'), 'utf8')).toBe('old')
  } finally {
    execFileSync('chattr', ['-i', join(root, 'f')])
  }
})

test.runIf(asRoot).each([
  ['a file that is immutable', '+i', 'f'],
  ['a file that is append-only', '+a', 'f'],
  ['a directory that is immutable', '+i', '.'],
])('%s is told as what it may be, whatever is done to it', async (_, attribute, at) => {
  writeFileSync(join(root, 'f'), 'old')
  execFileSync('chattr', [attribute, join(root, at)])
  const told = {
    code: 'read-only',
    problems: [
      { message: expect.stringContaining('immutable or append-only'), remedy: expect.stringContaining('lsattr') },
    ],
  }
  try {
    const saved = files.undoPoint(path('/f'))
    await expect(put(path('/f'), 'new')).rejects.toMatchObject(told)
    expect(() => files.moveAway(path('/f'))).toThrow(expect.objectContaining({ code: 'read-only' }))
    if (at === 'f') await expect(files.setPermissions(path('/f'), 'file', { mode: 0o600 })).rejects.toMatchObject(told)
    await files.rollBack(saved)
    expect(readdirSync(root)).toEqual(['f'])
    expect(readFileSync(join(root, 'f'), 'utf8')).toBe('old')
  } finally {
    execFileSync('chattr', [attribute.replace('+', '-'), join(root, at)])
  }
})

/** bindfs, as vfat: one mode and owner for all, and any other is refused, or ignored without a word. */
function withModeless(options: readonly string[], work: () => Promise<void>): Promise<void> {
  const below = join(base, 'below')
  mkdirSync(below)
  execFileSync('bindfs', ['--perms=0755', '--force-user=root', '--force-group=root', ...options, below, root])
  files = openFiles({ root })
  return work().finally(() => execFileSync('umount', [root]))
}

const hasBindfs = asRoot && existsSync('/usr/bin/bindfs') && existsSync('/dev/fuse')

test.runIf(hasBindfs).each([
  ['refuses', '--chmod-deny', '--chown-deny'],
  ['ignores', '--chmod-ignore', '--chown-ignore'],
])(
  'on a file system that %s modes its own mode is right, and any other is a problem that says which it has',
  async (_, ...options) => {
    const told = {
      code: 'apply-failed',
      message: expect.stringContaining('has the mode 0755, uid 0 and gid 0'),
      problems: [{ where: { file: '/boot/f' }, remedy: expect.stringContaining('mode: "0755"') }],
    }
    await withModeless(options, async () => {
      await put(path('/boot/f'), 'x', 0o755)
      expect(readFileSync(join(root, 'boot/f'), 'utf8')).toBe('x')
      await files.stage(path('/boot/owned'), Buffer.from('x'), { mode: 0o755, uid: 0, gid: 0 })
      files.makeDirectory(path('/boot/d'), { mode: 0o755 })
      await files.setPermissions(path('/boot/f'), 'file', { mode: 0o755 })
      await expect(files.setPermissions(path('/boot/f'), 'file', { mode: 0o644 })).rejects.toMatchObject(told)
      const saved = files.undoPoint(path('/boot/f'))
      await expect(files.stage(path('/boot/f'), Buffer.from('y'), { mode: 0o644 })).rejects.toMatchObject(told)
      await files.rollBack(saved)
      expect(readFileSync(join(root, 'boot/f'), 'utf8')).toBe('x')
    })
  },
)

test.runIf(asRoot)(
  'an ordinary user replaces, by a copy, a file of root that may not be linked, and puts it back',
  () => {
    writeFileSync(join(root, 'f'), 'of root', { mode: 0o644 })
    mkdirSync(join(root, 'own'))
    symlinkSync('own', join(root, 'link'))
    chmodSync(base, 0o755)
    chownSync(root, 65534, 65534)
    lchownSync(join(root, 'link'), 65534, 65534)
    chownSync(join(root, 'own'), 65534, 65534)
    const script = join(import.meta.dirname, 'as-nobody.ts')
    const told = execFileSync(process.execPath, [script, root], { uid: 65534, gid: 65534, encoding: 'utf8' })
    expect(JSON.parse(told)).toEqual({ written: 'ours', throughOwnLink: 'ours', putBack: 'of root' })
    expect(readdirSync(root)).toEqual(['f', 'link', 'own'])
  },
)

test.runIf(asRoot)('a mount in a purged directory stays where it is', async () => {
  mkdirSync(join(root, 'd/mounted'), { recursive: true })
  mkdirSync(join(root, 'd/plain'))
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(root, 'd/mounted')])
  try {
    writeFileSync(join(root, 'd/mounted/f'), 'precious')
    expect([...files.mounts()]).toEqual(['/d/mounted'])
    files.moveEntriesAway(path('/d'), ['mounted', 'plain'])
    await files.forget(path('/d'))
    expect(readdirSync(join(root, 'd'))).toEqual(['mounted'])
    expect(readFileSync(join(root, 'd/mounted/f'), 'utf8')).toBe('precious')
  } finally {
    execFileSync('umount', [join(root, 'd/mounted')])
  }
})

test.runIf(asRoot)('on an overlay, what lies in the lower layer is replaced, set aside and put back', async () => {
  const layers = ['lower', 'upper', 'work'].map((name) => join(base, 'layers', name))
  for (const layer of layers) mkdirSync(layer, { recursive: true })
  const [lower = '', upper = '', work = ''] = layers
  mkdirSync(join(lower, 'd/sub/deep'), { recursive: true })
  mkdirSync(join(lower, 'empty'), { mode: 0o711 })
  for (const name of ['f', 'd/sub/deep/x', 'd/y']) writeFileSync(join(lower, name), name)
  execFileSync('mount', [
    '-t',
    'overlay',
    '-o',
    `lowerdir=${lower},upperdir=${upper},workdir=${work},redirect_dir=off`,
    'overlay',
    root,
  ])
  try {
    const shown = () => treeOf(root).map((line) => line.replace(/ \d+ [\d.]+ (?=[0-9a-f]{64})/, ' '))
    const before = shown()
    const saved = [files.undoPoint(path('/d')), files.undoPoint(path('/empty')), await put(path('/f'), 'new')]
    files.moveEntriesAway(path('/d'), ['sub', 'y'])
    expect(files.removeDirectory(path('/empty'))).toBe(true)
    expect(readdirSync(root)).toEqual(expect.not.arrayContaining(['empty']))
    expect(existsSync(join(root, 'd/sub'))).toBe(false)
    for (const one of saved) await files.rollBack(one)
    expect(shown()).toEqual(before)
    files.moveEntriesAway(path('/d'), ['sub', 'y'])
    await files.forget(path('/d'))
    expect(readdirSync(join(root, 'd'))).toEqual([])
  } finally {
    execFileSync('umount', [root])
  }
})

const swapper = `
const { renameSync, symlinkSync, mkdirSync, unlinkSync } = require('node:fs')
const [, home, outside] = process.argv
mkdirSync(home + '/real'); symlinkSync(outside, home + '/trap')
process.stdout.write('ready')
for (;;) {
  try { renameSync(home + '/app', home + '/spare') } catch {}
  try { renameSync(home + '/trap', home + '/app') } catch {}
  try { renameSync(home + '/app', home + '/trap') } catch {}
  try { renameSync(home + '/spare', home + '/app') } catch {}
}`

test.runIf(asRoot)('a parent swapped with a link while files are written leads not one byte outside', async () => {
  const home = join(root, 'home')
  const outside = join(base, 'outside')
  mkdirSync(join(home, 'app'), { recursive: true })
  mkdirSync(outside)
  writeFileSync(join(outside, 'f'), 'precious', { mode: 0o600 })
  chmodSync(base, 0o755)
  for (const owned of [home, join(home, 'app')]) chownSync(owned, 65534, 65534)
  const before = treeOf(outside)
  const attacker = spawn(process.execPath, ['-e', swapper, home, outside], {
    uid: 65534,
    gid: 65534,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve) => attacker.stdout.once('data', resolve))
  const outcomes = { written: 0, refused: 0 }
  try {
    for (let round = 0; round < 4000; round += 1) {
      try {
        const saved = files.undoPoint(path('/home/app/f'))
        await files.stage(path('/home/app/f'), Buffer.from('secret'), { mode: 0o600 })
        files.publish(path('/home/app/f'))
        await files.setPermissions(path('/home/app/f'), 'file', { mode: 0o777, uid: 65534, gid: 65534 })
        outcomes.written += 1
        await files.rollBack(saved)
      } catch {
        outcomes.refused += 1
      }
    }
  } finally {
    attacker.kill('SIGKILL')
  }
  expect(treeOf(outside)).toEqual(before)
  expect(outcomes.written).toBeGreaterThan(0)
  expect(outcomes.refused).toBeGreaterThan(0)
  expect(lstatSync(outside).uid).toBe(0)
})
