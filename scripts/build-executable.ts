// One executable out of a bundle and a Node runtime, for a host that has nothing but Debian's base system.
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { withoutLibatomic } from './build-libatomic.ts'

export type Architecture = 'x64' | 'arm64'
export type Runtime = { readonly architecture: Architecture; readonly executable: string }

/** The Node to build on, of this Node's very version; null when its npm package is not installed. */
export function runtimeFor(architecture: Architecture, root: string): Runtime | null {
  const fromNode = createRequire(join(root, 'node_modules/node/package.json'))
  const found = resolvePackage(fromNode, `node-linux-${architecture}`)
  if (found === null) return null
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(found, 'utf8')))
  const executable = join(dirname(found), 'bin/node')
  if (!existsSync(executable)) return null
  if (`v${version}` === process.version) return { architecture, executable }
  throw new Error(`node-linux-${architecture} is ${version} but this is ${process.version}. Install the same version.`)
}

/**
 * Kept small at rest. Measured on an agent that had just applied 1,000 files, MB resident after a minute: 122 with V8's
 * own settings, 94 with the first flag, 88 with the next two, 83 with the fourth, 76 when `gc()` is called at rest.
 * A check takes as long as before, a first apply and a clone 10 to 30 % longer. Without Maglev, the compiler that stays,
 * a clone takes 2.4 times as long for 10 MB less. V8's own idle collections took half of the processor time of an agent at rest
 * with 10,000 files, and found nothing. Decision: docs/decisions/2026-11-23-v8-is-kept-small.md
 *
 * Nothing compiles on another thread: a compiler's thread that waits for a collection while the main thread exits waits for ever,
 * and so does the exit (https://github.com/nodejs/node/issues/54918). Of 392 agents that ended soon after a sync, 32 hung.
 */
export const runtimeFlags: readonly string[] = [
  '--optimize-for-size',
  '--no-opt',
  '--no-concurrent-recompilation',
  '--no-concurrent-sparkplug',
  '--invocation-count-for-maglev=10000',
  '--expose-gc',
  '--no-memory-reducer',
]

/** Writes the executable to `output`; `work` is a directory for the steps between. */
export function buildExecutable(runtime: Runtime, bundle: string, { output, work }: BuildPlaces): void {
  const bare = join(work, `node-${runtime.architecture}`)
  writeFileSync(bare, withoutSymbols(readFileSync(runtime.executable)), { mode: 0o755 })
  const injected = join(work, `injected-${runtime.architecture}`)
  const configuration = join(work, `sea-${runtime.architecture}.json`)
  writeFileSync(configuration, JSON.stringify(seaConfiguration(runtime, { bundle, bare, injected })))
  // V8 refuses a code cache that was made under other flags than those it is read under.
  run([process.execPath, ...runtimeFlags, '--build-sea', configuration])
  const image = readFileSync(injected)
  withoutLibatomic(image)
  writeInPieces(output, image)
  // A V8 that misses a function it was linked with does not get this far.
  if (canRunHere(runtime)) run([output, '--version'])
}

type BuildPlaces = { readonly output: string; readonly work: string }
type SeaPlaces = { readonly bundle: string; readonly bare: string; readonly injected: string }

function seaConfiguration(runtime: Runtime, { bundle, bare, injected }: SeaPlaces): object {
  return {
    main: bundle,
    mainFormat: 'commonjs',
    executable: bare,
    output: injected,
    disableExperimentalSEAWarning: true,
    useCodeCache: canRunHere(runtime),
    execArgv: runtimeFlags,
    // NODE_OPTIONS=--require=... would put foreign code into a program that runs as root.
    execArgvExtension: 'none',
  }
}

/** What no segment holds is not loaded: symbols, debugging information, and the section headers that describe them. */
function withoutSymbols(image: Buffer): Buffer {
  const headers = Number(image.readBigUInt64LE(32))
  const ends = Array.from({ length: image.readUInt16LE(56) }, (_, index) => {
    const at = headers + index * image.readUInt16LE(54)
    return Number(image.readBigUInt64LE(at + 8) + image.readBigUInt64LE(at + 32))
  })
  image.writeBigUInt64LE(0n, 40)
  image.writeUInt32LE(0, 60)
  return image.subarray(0, Math.max(...ends))
}

/**
 * Written at once, a file lies in the page cache in large folios, of which Linux maps all when a part is touched: an
 * executable that was written this way and runs before it was read again from disk has 30 MB more resident.
 */
function writeInPieces(file: string, image: Buffer): void {
  const size = 32 * 1024
  const descriptor = openSync(file, 'w', 0o755)
  for (let at = 0; at < image.length; at += size) writeSync(descriptor, image, at, Math.min(size, image.length - at))
  closeSync(descriptor)
}

function canRunHere({ architecture }: Runtime): boolean {
  return process.arch === architecture
}

function resolvePackage(from: NodeJS.Require, name: string): string | null {
  try {
    return from.resolve(`${name}/package.json`)
  } catch {
    return null
  }
}

function run([program, ...args]: readonly [string, ...string[]]): void {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'] },
  })
  if (status === 0) return
  const reason = error?.message ?? `exit ${status ?? signal}`
  throw new Error(`${[program, ...args].join(' ')}: ${reason}\n${stdout}${stderr}`)
}
