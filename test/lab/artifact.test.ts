// The executable that hosts get: what it needs of a host, and what a host's environment can do to it.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { labUnavailable, openLab } from '../../scripts/lab/lab.ts'

const root = resolve(import.meta.dirname, '../..')
const platform = `linux-${process.arch}`

// Makes many functions and some WebAssembly: both take the way through V8 that asked for libatomic.
const program = `
import { createHash } from 'node:crypto'
const make = (n: number): ((a: number) => number) => new Function('a', 'return a + ' + n) as (a: number) => number
let sum = 0
for (let n = 0; n < 2000; n += 1) sum += make(n)(1)
const adder = new Uint8Array([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,0,0,10,9,1,7,0,32,0,32,1,106,11])
const { add } = new WebAssembly.Instance(new WebAssembly.Module(adder)).exports as { add(a: number, b: number): number }
console.log(JSON.stringify({ sum, added: add(2, 3), hash: createHash('sha256').update('x').digest('hex').slice(0, 8), args: process.argv.slice(2) }))
`
const expected = { sum: 2001000, added: 5, hash: '2d711642', args: ['--version'] }

describe('the executable', () => {
  let directory: string
  let executable: string

  const build = () =>
    spawnSync(
      process.execPath,
      ['scripts/build.ts', '--entry', join(directory, 'main.ts'), '--out', join(directory, 'out')],
      {
        cwd: root,
        encoding: 'utf8',
      },
    )

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'plumb-artifact-'))
    await writeFile(join(directory, 'main.ts'), program)
    const { status, stderr } = build()
    if (status !== 0) throw new Error(stderr)
    executable = join(directory, 'out', `plumb-${platform}`)
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('does not run what NODE_OPTIONS names', async () => {
    const injected = join(directory, 'injected.cjs')
    await writeFile(injected, 'console.log("injected")')
    const env = { NODE_OPTIONS: `--require=${injected}` }

    const node = spawnSync(process.execPath, ['--eval', ''], { encoding: 'utf8', env })
    const ours = spawnSync(executable, ['--version'], { encoding: 'utf8', env })

    expect(node.stdout).toBe('injected\n')
    expect(JSON.parse(ours.stdout)).toEqual(expected)
  })

  test('gets its arguments as they are, also those that Node knows', () => {
    const { stdout } = spawnSync(executable, ['--eval', '1', '--node-options=--no-warnings'], { encoding: 'utf8' })

    expect(JSON.parse(stdout)).toMatchObject({ args: ['--eval', '1', '--node-options=--no-warnings'] })
  })

  test('is described, hash for hash, by artifacts.json', () => {
    const { artifacts } = JSON.parse(readFileSync(join(directory, 'out/artifacts.json'), 'utf8'))
    const compressed = readFileSync(`${executable}.gz`)
    const content = readFileSync(executable)

    expect(artifacts).toEqual([
      {
        platform,
        file: `plumb-${platform}`,
        size: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
        gzSha256: createHash('sha256').update(compressed).digest('hex'),
      },
    ])
    expect(gunzipSync(compressed).equals(content)).toBe(true)
  })

  test('is not made again when nothing changed, and is when the source did', async () => {
    const before = await stat(executable)
    expect(build().stdout).toContain('nothing changed')
    expect((await stat(executable)).mtimeMs).toBe(before.mtimeMs)

    await writeFile(join(directory, 'main.ts'), program.replace('sum += make', 'sum -= make'))
    expect(build().stdout).not.toContain('nothing changed')
    const { stdout } = spawnSync(executable, ['--version'], { encoding: 'utf8' })
    expect(JSON.parse(stdout)).toEqual({ ...expected, sum: -2001000 })
  })

  test.skipIf(labUnavailable() !== null)('runs on a bare host, which has no libatomic', async () => {
    const lab = openLab({ say: console.log })
    try {
      const host = await lab.host('bare')
      await host.copyIn(executable, '/usr/local/bin/plumb', '0755')
      await host.copyIn(process.execPath, '/root/node', '0755')

      expect(await host.exec(['/root/node', '--version'])).toMatchObject({ code: 127 })
      expect(JSON.parse(await host.output(['plumb', '--version']))).toMatchObject({ added: 5, hash: '2d711642' })
    } finally {
      lab.close()
    }
  })
})
