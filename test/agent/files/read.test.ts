import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FileWriter } from '../../../agent/host/files.ts'
import { openFiles } from '../../../agent/host/files-open.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { sha } from '../apply/world.ts'

let root: string
let files: FileWriter

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'plumb-read-'))
  files = openFiles({ root })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const path = (text: string) => absolutePathSchema.parse(text)

test('a regular file is hashed, small and large alike', async () => {
  const sizes = [0, 1, 5120, 1024 * 1024 - 1, 1024 * 1024, 5 * 1024 * 1024 + 3]
  for (const size of sizes) {
    const bytes = Buffer.alloc(size, `${size} `)
    writeFileSync(join(root, 'f'), bytes)
    expect((await files.inspect(path('/f')))?.content, `${size} bytes`).toBe(sha(bytes))
  }
})

test('a FIFO, a socket, a device, a directory and a link are told by type and never block', async () => {
  execFileSync('mkfifo', [join(root, 'fifo')])
  mkdirSync(join(root, 'directory'))
  symlinkSync('fifo', join(root, 'symlink'))
  const server = createServer().listen(join(root, 'socket'))
  await new Promise((resolve) => server.once('listening', resolve))
  const made = ['fifo', 'directory', 'symlink', 'socket']
  if (process.geteuid?.() === 0) {
    execFileSync('mknod', [join(root, 'device'), 'c', '1', '5'])
    made.push('device')
  }
  for (const type of made) {
    expect(await files.inspect(path(`/${type}`)), type).toMatchObject({ stat: { type } })
    expect(await files.inspect(path(`/${type}`))).not.toHaveProperty('content')
    expect(await files.read(path(`/${type}`), 100), type).toBeUndefined()
  }
  server.close()
})

test.runIf(process.geteuid?.() === 0)('a device that may not even be opened is told by type', async () => {
  const mounted = join(root, 'mounted')
  mkdirSync(mounted)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,nodev', 'tmpfs', mounted])
  try {
    execFileSync('mknod', [join(mounted, 'null'), 'c', '1', '3'])
    expect(() => readFileSync(join(mounted, 'null'))).toThrow('EACCES')
    expect(await files.inspect(path('/mounted/null'))).toEqual({ stat: expect.objectContaining({ type: 'device' }) })
  } finally {
    execFileSync('umount', [mounted])
  }
})

test('a hundred FIFOs leave the event loop and other file access free', async () => {
  const names = Array.from({ length: 100 }, (_, index) => `fifo${index}`)
  execFileSync('mkfifo', names, { cwd: root })
  writeFileSync(join(root, 'large'), Buffer.alloc(3 * 1024 * 1024))
  const all = await Promise.all([...names, 'large'].map((name) => files.inspect(path(`/${name}`))))
  expect(all.at(-1)?.content).toBe(sha(Buffer.alloc(3 * 1024 * 1024)))
})

test('a file that changes while it is hashed is unstable, and hashed once it rests', async () => {
  const file = join(root, 'busy')
  writeFileSync(file, Buffer.alloc(64 * 1024 * 1024))
  let writing = true
  const writer = (async () => {
    while (writing) {
      appendFileSync(file, 'x')
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const inspected = await files.inspect(path('/busy'))
  writing = false
  await writer
  expect(inspected?.content).toBe('unstable')
  truncateSync(file, 3)
  expect((await files.inspect(path('/busy')))?.content).toBe(sha(Buffer.alloc(3)))
})

test.each([257 * 1024 ** 2, 1024 ** 4])('a file of %i bytes is told by its size and not read', async (size) => {
  const sha256 = sha(Buffer.alloc(0))
  const memory = { get: () => undefined, set: vi.fn() }
  files = openFiles({ root, memory })
  writeFileSync(join(root, 'sparse'), '')
  expect((await files.inspect(path('/sparse')))?.content).toBe(sha256)
  truncateSync(join(root, 'sparse'), size)
  const inspected = await files.inspect(path('/sparse'))
  expect(inspected).toMatchObject({ stat: { size }, content: `size ${size}` })
  expect(memory.set).toHaveBeenCalledTimes(1)
})

test('a large file is streamed: memory stays small', async () => {
  writeFileSync(join(root, 'sparse'), '')
  truncateSync(join(root, 'sparse'), 200 * 1024 ** 2)
  const before = process.memoryUsage().rss
  const inspected = await files.inspect(path('/sparse'))
  expect(inspected?.content).toMatch(/^[0-9a-f]{64}$/)
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 ** 2)
  expect(await files.read(path('/sparse'), 1024)).toBeUndefined()
})

test('names are listed as text where they are UTF-8 and escaped where not', () => {
  writeFileSync(join(root, 'grün'), '')
  writeFileSync(Buffer.concat([Buffer.from(`${root}/b`), Buffer.from([0xff, 0xfe])]), '')
  expect(files.list(path('/'))).toEqual(['b\\xff\\xfe', 'grün'])
})

test('a name that would move a cursor is escaped, and no two names are shown alike', () => {
  for (const name of ['a\nb', 'a\\x0ab', 'c\x1b[2J']) writeFileSync(join(root, name), '')
  expect(files.list(path('/'))).toEqual(['a\\x0ab', 'a\\x5cx0ab', 'c\\x1b[2J'])
})

test('what is not there is undefined, also below what is not there', async () => {
  expect(files.stat(path('/none'))).toBeUndefined()
  expect(await files.inspect(path('/none/below'))).toBeUndefined()
  expect(files.readLink(path('/none'))).toBeUndefined()
  expect(files.list(path('/none'))).toEqual([])
})

test('owners are named by the passwd and group files of the root itself', async () => {
  mkdirSync(join(root, 'etc'))
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/sh\n',
  )
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nwww:x:33:\n')
  const { accounts } = files
  expect(await accounts.userName(33, 'web')).toBe('web')
  expect(await accounts.userName(0, 'toor')).toBe('toor')
  expect(await accounts.userName(0)).toBe('root')
  expect(await accounts.userName(4242, 'web')).toBe('4242')
  expect(await accounts.userName(33, 'nobody-here')).toBeUndefined()
  expect(await accounts.groupId('www')).toBe(33)
  expect(await accounts.userId('4242')).toBe(4242)
  expect(await accounts.userId('nobody-here')).toBeUndefined()
  appendFileSync(join(root, 'etc/passwd'), 'nobody-here:x:99:99::/:/bin/sh\n')
  expect(await accounts.userId('nobody-here')).toBe(99)
})

test('on a whole host getent knows users that its files do not', async () => {
  writeFileSync(
    join(root, 'getent'),
    '#!/bin/sh\n[ "$1 $2" = "passwd ldap-user" ] && echo "ldap-user:x:70001:70001::/:/bin/sh"\n',
    {
      mode: 0o755,
    },
  )
  const { accounts } = openFiles({ root, getent: createRun({ path: `${root}:/usr/bin:/bin` }) })
  expect(await accounts.userId('ldap-user')).toBe(70001)
  expect(await accounts.userName(70001)).toBe('ldap-user')
  expect(await accounts.userId('stranger')).toBeUndefined()
})

test('reading leaves times and content as they are', async () => {
  writeFileSync(join(root, 'f'), 'x')
  utimesSync(join(root, 'f'), 1000, 1000)
  await files.inspect(path('/f'))
  expect(statSync(join(root, 'f')).mtimeMs).toBe(1_000_000)
})
