// The `plumb` command as one file, so that many of it can be started: fifty from the checkout would take a minute to load.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundleOf } from '../../scripts/build-bundle.ts'
import { memoryDirectory } from './arena.ts'

export type Ended = {
  readonly pid: number
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export type BundledPlumb = {
  /** Started at once; `ended` resolves when it did. */
  start(
    args: readonly string[],
    env?: NodeJS.ProcessEnv,
  ): { readonly child: ChildProcess; readonly ended: Promise<Ended> }
  run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended>
  remove(): void
}

export async function bundlePlumb(): Promise<BundledPlumb> {
  const directory = mkdtempSync(join(memoryDirectory(), 'plumb-bundle-'))
  const repository = join(import.meta.dirname, '../..')
  writeFileSync(join(directory, 'plumb.cjs'), await bundleOf(join(repository, 'agent/main.ts')))
  writeFileSync(join(directory, 'kill-at.cjs'), await bundleOf(join(import.meta.dirname, 'kill-at.ts')))
  const start: BundledPlumb['start'] = (args, env = {}) => {
    const preload = env['PLUMB_CLOCK_DAYS'] === undefined ? [] : ['--require', join(directory, 'kill-at.cjs')]
    const cached = { ...process.env, NODE_COMPILE_CACHE: join(directory, 'compiled'), ...env }
    const child = spawn(process.execPath, [...preload, join(directory, 'plumb.cjs'), ...args], { env: cached })
    return { child, ended: endOf(child) }
  }
  return {
    start,
    run: (args, env) => start(args, env).ended,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

function endOf(child: ChildProcess): Promise<Ended> {
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ pid: child.pid ?? 0, code, out, err })))
}
