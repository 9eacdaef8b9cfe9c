// The server as an operator starts it: a process of its own, from the command line.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeRepository, type TestFiles, type TestRepository } from '../support/git.ts'
import { smallFleet } from './kit.ts'

const root = join(import.meta.dirname, '../..')

export type ServerProcess = {
  readonly url: URL
  readonly data: string
  readonly fleet: TestRepository
  readonly child: ChildProcess
  operatorToken(): Promise<string>
  /** Everything it wrote so far. */
  log(): string
  /** Resolves once it has written `text`; rejects when it ends before. */
  said(text: string): Promise<void>
  /** Open sockets, its listener and those of epoll and pipes included. */
  sockets(): number
  stop(): Promise<void>
}

export type ProcessChange = {
  readonly options?: readonly string[]
  readonly files?: TestFiles
  /** Default: a new one, removed by `stop`. */
  readonly data?: string
}

/** Resolves when it listens. */
export async function startServerProcess(change: ProcessChange = {}): Promise<ServerProcess> {
  const fleet = await makeRepository(change.files ?? smallFleet)
  const data = change.data ?? (await mkdtemp(join(tmpdir(), 'plumb-process-')))
  const options = [
    '--data',
    data,
    '--repository',
    fleet.directory,
    '--listen',
    '127.0.0.1:0',
    ...(change.options ?? []),
  ]
  const { child, log, said } = spawnServer(options)
  const stop = async () => {
    await endProcess(child)
    await fleet.remove()
    if (change.data === undefined) await rm(data, { recursive: true, force: true })
  }
  try {
    await said('Sign in with the token')
    await said('the repository is at a revision')
  } catch (thrown) {
    await stop()
    throw thrown
  }
  return {
    url: new URL(/Plumbline is at (\S+)/.exec(log())?.[1] ?? ''),
    ...{ data, fleet, child, log, said, stop },
    operatorToken: async () => (await readFile(join(data, 'operator-token'), 'utf8')).trim(),
    sockets: () => openFiles(child.pid ?? 0).filter((target) => target.startsWith('socket:')).length,
  }
}

/** `stdout`: a file descriptor, in place of a pipe that `log` and `said` read. */
export function spawnServer(
  options: readonly string[],
  stdout: number | 'pipe' = 'pipe',
): Pick<ServerProcess, 'child' | 'log' | 'said'> {
  const args = ['--import', 'tsx', join(root, 'server/main.ts'), ...options]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', stdout, 'pipe'] })
  let heard = ''
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      heard += chunk.toString('utf8')
      for (const look of waiting) look()
    })
  }
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!heard.includes(text)) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
      child.once('close', () => reject(new Error(`it ended without saying "${text}":\n${heard}`)))
    })
  return { child, log: () => heard, said }
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function openFiles(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch {
      return [] // Closed meanwhile.
    }
  })
}
