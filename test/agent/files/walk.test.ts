import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FileWriter } from '../../../agent/host/files.ts'
import { openFiles } from '../../../agent/host/files-open.ts'
import { absolutePathSchema } from '../../../shared/names.ts'

const asRoot = process.geteuid?.() === 0
let base: string
let root: string
let files: FileWriter

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'plumb-walk-'))
  root = join(base, 'root')
  mkdirSync(join(root, 'usr/lib/app'), { recursive: true })
  files = openFiles({ root })
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

const path = (text: string) => absolutePathSchema.parse(text)
const textAt = async (text: string) => Buffer.from((await files.read(path(text), 1000)) ?? 'nothing').toString()

test('a link in a parent that root placed is followed, relative or absolute, inside the root', async () => {
  writeFileSync(join(root, 'usr/lib/app/conf'), 'inside')
  symlinkSync('usr/lib', join(root, 'lib'))
  symlinkSync('/usr/lib', join(root, 'lib64'))
  symlinkSync('../../usr/./lib/app', join(root, 'usr/lib/deep'))
  expect(await textAt('/lib/app/conf')).toBe('inside')
  expect(await textAt('/lib64/app/conf')).toBe('inside')
  expect(await textAt('/usr/lib/deep/conf')).toBe('inside')
})

test('a link never leads out of the root', async () => {
  mkdirSync(join(base, 'etc'))
  writeFileSync(join(base, 'etc/conf'), 'outside')
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc/conf'), 'inside')
  symlinkSync('../../../../etc', join(root, 'usr/up'))
  expect(await textAt('/usr/up/conf')).toBe('inside')
})

test('a dangling link of root leads to where a directory is then made', async () => {
  symlinkSync('/run', join(root, 'var-run'))
  await files.stage(path('/var-run/app/pid'), Buffer.from('1'), { mode: 0o644 })
  files.publish(path('/var-run/app/pid'))
  expect(readFileSync(join(root, 'run/app/pid'), 'utf8')).toBe('1')
})

test('links in a circle are refused', () => {
  symlinkSync('b', join(root, 'a'))
  symlinkSync('a', join(root, 'b'))
  expect(() => files.stat(path('/a/conf'))).toThrow(/more than 40 links/)
})

test.runIf(asRoot)('a link that another user placed is refused, for reading and for writing', async () => {
  symlinkSync('/usr/lib', join(root, 'planted'))
  lchownSync(join(root, 'planted'), 1000, 1000)
  expect(() => files.stat(path('/planted/app'))).toThrow(expect.objectContaining({ code: 'unsafe-path' }))
  await expect(files.stage(path('/planted/app/x'), Buffer.from('x'), { mode: 0o644 })).rejects.toMatchObject({
    code: 'unsafe-path',
  })
  expect(files.list(path('/usr/lib/app'))).toEqual([])
})

test.runIf(asRoot)('a link in a directory that others can write is refused, although root owns it', () => {
  for (const [name, mode, uid] of [
    ['group', 0o775, 0],
    ['world', 0o1777, 0],
    ['theirs', 0o755, 1000],
  ] as const) {
    mkdirSync(join(root, name))
    symlinkSync('/usr/lib', join(root, name, 'link'))
    chmodSync(join(root, name), mode)
    chownSync(join(root, name), uid, 1000)
    expect(() => files.stat(path(`/${name}/link/app`)), name).toThrow(expect.objectContaining({ code: 'unsafe-path' }))
  }
})

test('a file where a directory should be is missing for a reader and named to a writer', async () => {
  writeFileSync(join(root, 'usr/file'), '')
  expect(files.stat(path('/usr/file/conf'))).toBeUndefined()
  await expect(files.stage(path('/usr/file/conf'), Buffer.from(''), { mode: 0o644 })).rejects.toThrow(
    '/usr/file is in the way',
  )
})

test('a path that is not normal is refused, whoever made it', () => {
  for (const text of ['/usr/../etc/passwd', '/usr//lib', '/usr/./lib', 'usr', '/usr/lib/'])
    expect(() => files.stat(text as ReturnType<typeof path>)).toThrow(expect.objectContaining({ code: 'unsafe-path' }))
})

test('thousands of directories in one pass need no more than a few hundred descriptors', async () => {
  for (let index = 0; index < 2000; index += 1) mkdirSync(join(root, 'many', `d${index}`), { recursive: true })
  await files.pass(async () => {
    for (let index = 0; index < 2000; index += 1) expect(files.stat(path(`/many/d${index}/f`))).toBeUndefined()
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(400)
  })
})
