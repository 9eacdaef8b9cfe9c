// Revisions of a shape that no host is meant to take - too deep, too many files, paths too long -, over every kind of remote: refused
// with little memory, before the rest is read.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { revisionShape } from '../../../agent/sync/entries.ts'
import { runtimeFlags } from '../../../scripts/build-executable.ts'
import type { TestRepository } from '../../support/git.ts'
import { type MadeObject, madePack } from '../../support/packs.ts'
import { host, kinds, stateDirectory } from './fixture.ts'

const run = promisify(execFile)
/** Beside the 65 MiB that an agent has before it reads anything, less than 150. */
const memoryMiB = 80

type Line = { readonly mode: '40000' | '100644'; readonly name: string; readonly oid: string }
type Made = { readonly objects: readonly MadeObject[]; readonly root: string }

const blob: MadeObject = { type: 'blob', content: Buffer.from('x') }

const shapes: readonly { readonly what: string; readonly says: RegExp; readonly made: () => Made }[] = [
  { what: 'many directories in each other', says: /directories in each other/, made: () => nested(5000) },
  {
    what: 'directories that are deep only by being named again',
    says: /directories in each other/,
    made: () => namedAgain(2000),
  },
  {
    what: 'many files in one directory',
    says: /more than 200000 files|a tree in it has 9 MiB/,
    made: () => wide(250_000),
  },
  {
    what: 'a few directories that are named many times',
    says: /more than 200000 files/,
    made: () => doubled(40),
  },
  { what: 'long paths of many files', says: /paths are too long/, made: () => longPaths() },
]

describe.each(kinds)('over %s', (kind) => {
  test.each(shapes)('$what: refused', { timeout: 300_000 }, async ({ says, made }) => {
    const { fleet, url } = await host(kind)
    await commitTree(fleet, made())

    const { problems, takenMiB } = await shapeOf(url)

    expect(problems).toEqual([{ code: 'repository-invalid', message: expect.stringMatching(says) }])
    expect(Math.min(takenMiB, ...(takenMiB < memoryMiB ? [] : await takenAgain(url)))).toBeLessThan(memoryMiB)
  })

  test('as deep as it may be, and with a directory named twice, it is read', { timeout: 300_000 }, async () => {
    const { fleet, url } = await host(kind)
    await commitTree(fleet, nested(revisionShape.depth - 1))
    expect(await shapeOf(url)).toMatchObject({ files: 1 })

    await commitTree(fleet, doubled(10))
    expect(await shapeOf(url)).toMatchObject({ files: 1024 })
  })
})

/** How soon V8 collects depends on what else the machine does: the least of three is what the reading needs. */
async function takenAgain(url: string): Promise<readonly number[]> {
  return [(await shapeOf(url)).takenMiB, (await shapeOf(url)).takenMiB]
}

type Outcome = { readonly files?: number; readonly problems?: readonly unknown[]; readonly takenMiB: number }

async function shapeOf(url: string): Promise<Outcome> {
  const script = join(import.meta.dirname, 'read-shape.ts')
  const { stdout } = await run(process.execPath, [...runtimeFlags, script, url, await stateDirectory()])
  return JSON.parse(stdout)
}

function nested(levels: number): Made {
  const objects = [blob, tree([{ mode: '100644', name: 'f', oid: idOf(blob) }])]
  for (let level = 1; level < levels; level += 1) objects.push(tree([directory('d', objects.at(-1))]))
  return { objects, root: idOf(objects.at(-1)) }
}

/** All of the chain are in the first directory, too: none of them lies deep where it is met first. */
function namedAgain(levels: number): Made {
  const { objects } = nested(levels)
  const lines = objects.slice(1).map((one, index) => directory(`d${String(index).padStart(5, '0')}`, one))
  const root = tree(lines)
  return { objects: [...objects, root], root: idOf(root) }
}

function wide(count: number): Made {
  const lines = Array.from({ length: count }, (_, index): Line => {
    return { mode: '100644', name: String(index).padStart(6, '0'), oid: idOf(blob) }
  })
  const root = tree(lines)
  return { objects: [blob, root], root: idOf(root) }
}

/** Two to the power of `levels` files. */
function doubled(levels: number): Made {
  const objects = [blob, tree([{ mode: '100644', name: 'f', oid: idOf(blob) }])]
  for (let level = 0; level < levels; level += 1)
    objects.push(tree([directory('a', objects.at(-1)), directory('b', objects.at(-1))]))
  return { objects, root: idOf(objects.at(-1)) }
}

function longPaths(): Made {
  const files = Array.from({ length: 1000 }, (_, index): Line => {
    return { mode: '100644', name: `${'n'.repeat(200)}${String(index).padStart(4, '0')}`, oid: idOf(blob) }
  })
  const leaf = tree(files)
  const lines = Array.from({ length: 100 }, (_, index) =>
    directory(`${'d'.repeat(200)}${String(index).padStart(3, '0')}`, leaf),
  )
  const root = tree(lines)
  return { objects: [blob, leaf, root], root: idOf(root) }
}

function directory(name: string, object: MadeObject | undefined): Line {
  return { mode: '40000', name, oid: idOf(object) }
}

function tree(lines: readonly Line[]): MadeObject {
  const content = lines.flatMap(({ mode, name, oid }) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')])
  return { type: 'tree', content: Buffer.concat(content) }
}

const ids = new WeakMap<MadeObject, string>()

function idOf(object: MadeObject | undefined): string {
  if (object === undefined) throw new Error('there is no such object')
  const id =
    ids.get(object) ??
    createHash('sha1').update(`${object.type} ${object.content.length}\0`).update(object.content).digest('hex')
  ids.set(object, id)
  return id
}

async function commitTree(fleet: TestRepository, { objects, root }: Made): Promise<void> {
  const child = run('git', ['-C', fleet.gitDirectory, 'index-pack', '--stdin'])
  child.child.stdin?.end(madePack(objects))
  await child
  const commit = await fleet.git('commit-tree', '-p', 'HEAD', '-m', 'a shape', root)
  await fleet.git('update-ref', 'refs/heads/main', commit.trim())
}
