// The `plumb` command as a person runs it, on a sandbox: a root and a state directory of its own.
//   const box = await makeSandbox(fleet); const { code, out } = await box.plumb('apply')
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const command = join(import.meta.dirname, '../../scripts/plumb')

/** Of a person whom git knows, on every machine. */
const home = join(import.meta.dirname, 'home')

export type Ran = { readonly code: number; readonly out: string; readonly err: string }

export type RunOptions = { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string }

export function runPlumb(args: readonly string[], { env = {}, cwd }: RunOptions = {}): Promise<Ran> {
  const options = {
    env: { ...process.env, HOME: home, ...env },
    maxBuffer: 64 * 1024 * 1024,
    ...(cwd === undefined ? {} : { cwd }),
  }
  return new Promise((resolve, reject) => {
    const child = execFile(command, [...args], options, (error, out, err) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ code: child.exitCode ?? -1, out, err })
    })
  })
}

export type Sandbox = {
  readonly directory: string
  readonly root: string
  readonly state: string
  /** A verb of this host, run in the sandbox's directory: `box.plumb('check', '--json')`. */
  plumb(verb: string, ...options: readonly string[]): Promise<Ran>
  /** `plumb agent`, running. */
  agent(...options: readonly string[]): RunningAgent
  /** Paths as on the host: `/etc/motd`. */
  read(path: string): Promise<string>
  write(path: string, text: string): Promise<void>
  /** Ends what still runs. */
  remove(): Promise<void>
}

export type SandboxOptions = {
  /** Directory or URL; left out: what the sandbox's own configuration says. */
  readonly repo?: string
  readonly host?: string
  /** Of an existing directory that is not to be removed. */
  readonly directory?: string
}

export async function makeSandbox({ repo, host = 'web-1', directory }: SandboxOptions): Promise<Sandbox> {
  const home = directory ?? (await mkdtemp(join(tmpdir(), 'plumb-sandbox-')))
  const [root, state] = [join(home, 'root'), join(home, 'state')]
  await mkdir(root, { recursive: true })
  const places = ['--root', root, '--state', state]
  const shared = repo === undefined ? places : ['--repo', repo, '--host', host, ...places]
  const agents: RunningAgent[] = []
  return {
    ...{ directory: home, root, state },
    plumb: (verb, ...options) => runPlumb([verb, ...shared, ...options], { cwd: home }),
    agent: (...options) => {
      const agent = startAgent([...shared, ...options])
      agents.push(agent)
      return agent
    },
    read: (path) => readFile(join(root, path), 'utf8'),
    write: async (path, text) => {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), text)
    },
    remove: async () => {
      for (const agent of agents) await agent.kill()
      if (directory === undefined) await rm(home, { recursive: true, force: true })
    },
  }
}

export type RunningAgent = {
  readonly child: ChildProcessWithoutNullStreams
  /** Its log so far. */
  log(): string
  /** The log from the last mark on, once `text` is in it. Fails when the agent ends first. */
  said(text: string): Promise<string>
  /** What `said` looks at begins here. */
  mark(): void
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  kill(): Promise<void>
}

/** The process itself, not its shell: scripts/plumb replaces itself. */
function startAgent(args: readonly string[]): RunningAgent {
  const child = spawn(command, ['agent', ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let text = ''
  let from = 0
  let hasEnded = false
  const wake: (() => void)[] = []
  const wakeAll = () => {
    for (const resolve of wake.splice(0)) resolve()
  }
  const hear = (chunk: Buffer) => {
    text += chunk.toString('utf8')
    wakeAll()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = once(child, 'close').then(([code, signal]) => {
    hasEnded = true
    wakeAll()
    return { code, signal }
  })
  return {
    ...{ child, ended },
    log: () => text,
    said: async (wanted) => {
      while (!text.slice(from).includes(wanted)) {
        if (hasEnded) throw new Error(`the agent ended without saying ${JSON.stringify(wanted)}:\n${text}`)
        await new Promise<void>((resolve) => wake.push(resolve))
      }
      return text.slice(from)
    },
    mark: () => {
      from = text.length
    },
    kill: async () => {
      if (!hasEnded) child.kill('SIGKILL')
      await ended
    },
  }
}
