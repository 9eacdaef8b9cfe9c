// What the agent remembers, damaged in every file: it says so or can do without, applies all the same, and is well after that.
import { execFileSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exampleFleet } from '../lab/example-fleet.ts'
import type { TestRepository } from '../support/git.ts'
import { makeSandbox, type Sandbox } from '../support/plumb.ts'
import { type BundledPlumb, bundlePlumb } from './bundled-plumb.ts'

let plumb: BundledPlumb
let fleet: TestRepository

beforeAll(async () => {
  plumb = await bundlePlumb()
  fleet = await exampleFleet()
})
afterAll(async () => {
  plumb.remove()
  await fleet.remove()
})

const poisons: Readonly<Record<string, (path: string) => void>> = {
  'is garbage': (path) =>
    writeFileSync(path, Buffer.from('{"\u0000\u00ff garbage ]]\n{"kind":"committed"}\n', 'latin1')),
  'is cut short': (path) => truncateSync(path, Math.floor(lstatSync(path).size / 2)),
  'is empty': (path) => truncateSync(path, 0),
  'is JSON of another shape': (path) => writeFileSync(path, '{"version":99,"of":["another","shape"]}'),
  'is a directory': (path) => {
    rmSync(path)
    mkdirSync(path)
  },
  // For root there is no file without permission; what cannot be opened is a link to itself.
  'cannot be read': (path) => {
    rmSync(path)
    symlinkSync(path, path)
  },
}

test.each(Object.keys(poisons))(
  'where a file of the state directory %s, the agent applies all the same',
  async (how) => {
    const box = await makeSandbox({ repo: fleet.directory })
    try {
      await prepare(box)
      const names = filesIn(box.state).filter((name) => name !== mark)
      expect(names.length).toBeGreaterThan(9)
      expect((await Promise.all(names.map((name) => faultsOf(name, how, box)))).flat()).toEqual([])
    } finally {
      await box.remove()
    }
  },
)

test('a record of the last accepted revision that cannot be read is never taken for none', async () => {
  const box = await makeSandbox({ repo: fleet.directory })
  try {
    await prepare(box)
    for (const [how, poison] of Object.entries(poisons)) {
      const copy = copyOf(box, how.replaceAll(' ', '-'))
      poison(join(copy.state, mark))
      const { code, err } = await plumb.run(verb('apply', copy))
      expect({ how, code, err }).toEqual({ how, code: 1, err: expect.stringContaining(mark) })
      expect(err).not.toMatch(stackTrace)
    }
  } finally {
    await box.remove()
  }
})

const mark = 'repository/mark.json'
const stackTrace = /\n\s+at .*\(/

type Places = Pick<Sandbox, 'root' | 'state'>

async function faultsOf(name: string, how: string, box: Sandbox): Promise<readonly string[]> {
  const copy = copyOf(box, name.replaceAll('/', '-'))
  poisons[how]?.(join(copy.state, name))
  const first = await plumb.run(verb('apply', copy))
  const second = await plumb.run(verb('apply', copy))
  const told = `${first.out}${first.err}`
  const isApplied = readFileSync(join(copy.root, 'etc/motd'), 'utf8').includes('This is web-1.')
  const isStrange = how === 'is a directory' || how === 'cannot be read'
  return [
    ...(isStrange && !told.includes('quarantined as') ? [`${name}: not told: ${told}`] : []),
    ...(stackTrace.test(told) ? [`${name}: a stack trace: ${told}`] : []),
    ...(isApplied ? [] : [`${name}: not applied: ${told}`]),
    ...(second.code === 0 ? [] : [`${name}: not well afterwards: ${second.out}${second.err} after ${told}`]),
  ]
}

function copyOf({ directory, root, state }: Sandbox, name: string): Places {
  const copy = { root: join(directory, name, 'root'), state: join(directory, name, 'state') }
  mkdirSync(join(directory, name))
  execFileSync('cp', ['-a', root, copy.root])
  execFileSync('cp', ['-a', state, copy.state])
  return copy
}

function verb(name: string, { root, state }: Places): readonly string[] {
  return [name, '--repo', fleet.directory, '--host', 'web-1', '--root', root, '--state', state]
}

/** An apply, an edit by hand that another one displaces, and one that fails: whatever can be in the directory is. */
async function prepare(box: Sandbox): Promise<void> {
  await plumb.run(verb('apply', box))
  await box.write('/etc/motd', 'typed\n')
  await plumb.run(verb('apply', box))
  rmSync(join(box.root, 'etc/motd'))
  mkdirSync(join(box.root, 'etc/motd'))
  await plumb.run(verb('apply', box))
  rmSync(join(box.root, 'etc/motd'), { recursive: true })
  writeFileSync(join(box.state, 'journal'), '{"kind":"saved"}\n')
  await box.write('/etc/motd', 'typed\n')
}

/** Without the clone, which is checked and fetched again by sync. */
function filesIn(directory: string): readonly string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((name) => !/^repository\/(?!mark)/.test(name))
}
