// One executable out of a bundle and a Node runtime, for a host that has nothing but Debian's base system.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
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
 * Kept small at rest: 28 MB of its own memory on 1,000 files, against 51 MB with V8's own settings, and no slower for work that
 * is mostly system calls. The rest of what is resident is the executable's pages, which the page cache shares and can take back.
 */
export const runtimeFlags: readonly string[] = ['--lite-mode', '--max-semi-space-size=1']

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
  writeFileSync(output, image, { mode: 0o755 })
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
