// `npm start` in a folder of its own: what it prints is done as printed, and it leaves nothing but its folder.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'

const checkout = join(import.meta.dirname, '../..')

let directory: string
const running: Started[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-start-'))
  for (const name of ['tmp', 'home']) await mkdir(join(directory, name))
})

afterEach(async () => {
  for (const { child } of running.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

test('npm start: the three things work as printed; Ctrl-C leaves only the folder; started again it goes on', async () => {
  const first = start({ PORT: '0' })
  const text = await first.said('Ctrl-C stops it all.')
  const url = /The dashboard: {2}(\S+)/.exec(text)?.[1] ?? ''
  expect((await fetch(url)).status).toBe(200)
  const [edit, check, repair, change, commit, why, ...more] = commandsIn(text)
  expect(more).toEqual([])

  await typed(edit)
  expect(await typed(check)).toMatchObject({ code: 2, out: expect.stringContaining('\n+typed by hand\n') })
  expect(await typed(change)).toMatchObject({ code: 0 })
  expect(await typed(commit)).toMatchObject({ code: 0 })
  const events = await eventsOf(url)
  await events.until(async () => {
    const drift = (await alertsAt(url)).find(({ kind }) => kind === 'drift')
    return drift?.host === 'web-1' && drift.diff?.includes('+typed by hand') === true
  })
  await events.until(async () => (await nginxConf()).includes('keepalive_timeout 30'))
  await events.close()
  expect(await typed(why)).toMatchObject({
    code: 0,
    out: expect.stringMatching(
      /^services\/nginx\/files\/etc\/nginx\/nginx.conf\n.* by A new operator on .*\n\n.*Shorter keep-alive/,
    ),
  })
  expect(await typed(repair)).toMatchObject({
    code: 0,
    out: expect.stringContaining('base: wrote /etc/motd (content)'),
  })
  await typed(edit)

  const processes = await first.processes()
  expect(processes.length).toBeGreaterThanOrEqual(3)
  first.child.kill('SIGINT')
  expect(await once(first.child, 'close')).toEqual([0, null])
  while (processes.some(isRunning)) await sleep(20)
  expect(await isListening(url)).toBe(false)
  expect(first.text()).toContain('stopped. Everything is in')
  expect(await readdir(join(directory, 'tmp'))).toEqual([])
  expect(await readdir(join(directory, 'home'))).toEqual([])

  const second = start({ PORT: new URL(url).port })
  expect(await second.said('Ctrl-C stops it all.')).toContain('web-1: picking up where it was')
  expect(await enrollments()).toBe(2)
  expect(await readFile(join(directory, 'plumb/hosts/web-1/root/etc/motd'), 'utf8')).toContain('typed by hand')
  expect(await nginxConf()).toContain('keepalive_timeout 30')

  const left = await second.processes()
  second.child.kill('SIGKILL')
  await once(second.child, 'close')
  while (left.some(isRunning)) await sleep(20)
})

test('started again at another port, after a power cut, it is the same fleet; a taken port is said', async () => {
  const first = start({ PORT: '0' })
  const url = /The dashboard: {2}(\S+)/.exec(await first.said('Ctrl-C stops it all.'))?.[1] ?? ''

  const other = start({ PORT: new URL(url).port, PLUMB_HOME: join(directory, 'another') })
  expect(await other.said('is taken')).toContain('Stop what uses it, or: PORT=')
  expect((await once(other.child, 'close'))[0]).toBe(1)
  const second = start({ PORT: '0' })
  expect(await second.said('already')).toContain(
    ' already. Stop it, or start a second instance: PORT=0 PLUMB_HOME=DIR npm start',
  )
  expect((await once(second.child, 'close'))[0]).toBe(1)

  for (const pid of await first.processes()) killIfThere(pid)
  await once(first.child, 'close')
  const again = start({ PORT: '0' })
  const moved = /The dashboard: {2}(\S+)/.exec(await again.said('Ctrl-C stops it all.'))?.[1] ?? ''
  expect(moved).not.toBe(url)
  const events = await eventsOf(moved)
  await events.until(async () => {
    const { hosts } = fleetSchema.parse(await (await fetch(new URL('/api/v1/fleet', moved))).json())
    return hosts.length === 2 && hosts.every(({ connected, state }) => connected && state === 'in-sync')
  })
  await events.close()
  expect(await enrollments()).toBe(2)

  again.child.kill('SIGTERM')
  expect(await once(again.child, 'close')).toEqual([0, null])
})

const fleetSchema = z.object({ hosts: z.array(z.object({ connected: z.boolean(), state: z.string() })) })
const alertsSchema = z.array(z.object({ kind: z.string(), host: z.string().optional(), diff: z.string().optional() }))

type Started = {
  readonly child: ChildProcess
  text(): string
  /** All it said, once that was in it. Fails when it ends first. */
  said(wanted: string): Promise<string>
  /** Its own id and those of all it started that still run. */
  processes(): Promise<readonly number[]>
}

/** What `npm start` does once the checkout is set up. */
function start(env: NodeJS.ProcessEnv): Started {
  const child = spawn('sh', ['-c', startCommand], {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: `${join(checkout, 'node_modules/.bin')}:${process.env['PATH']}`,
      HOME: join(directory, 'home'),
      TMPDIR: join(directory, 'tmp'),
      PLUMB_HOME: join(directory, 'plumb'),
      ...env,
    },
  })
  let text = ''
  let hasEnded = false
  const wake: (() => void)[] = []
  const tell = () => {
    for (const resolve of wake.splice(0)) resolve()
  }
  const hear = (chunk: Buffer) => {
    text += chunk.toString('utf8')
    tell()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  child.on('close', () => {
    hasEnded = true
    tell()
  })
  const started: Started = {
    child,
    text: () => text,
    said: async (wanted) => {
      while (!text.includes(wanted)) {
        if (hasEnded) throw new Error(`it ended without saying ${JSON.stringify(wanted)}:\n${text}`)
        await new Promise<void>((resolve) => wake.push(resolve))
      }
      return text
    },
    processes: () => withDescendants(child.pid ?? 0),
  }
  running.push(started)
  return started
}

const packageSchema = z.object({ scripts: z.object({ start: z.string() }) })
const { scripts } = packageSchema.parse(JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')))
const startCommand = scripts.start.replace('sh scripts/setup && ', '')

/** The indented lines of the printed text, without the dashboard's. */
function commandsIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => (line.startsWith('       ') ? [line.trim()] : []))
}

/** As a person does in another terminal: the line as it was printed, in the checkout. */
function typed(line = ''): Promise<{ readonly code: number | null; readonly out: string }> {
  return new Promise((resolve) => {
    const child = execFile('sh', ['-c', line], { cwd: checkout }, (_, out, err) =>
      resolve({ code: child.exitCode, out: out + err }),
    )
  })
}

async function alertsAt(url: string) {
  return alertsSchema.parse(await (await fetch(new URL('/api/v1/alerts', url))).json())
}

/** What the server tells open pages: the moment to look again. */
async function eventsOf(url: string) {
  const response = await fetch(new URL('/api/v1/events', url))
  const reader = response.body?.getReader()
  return {
    until: async (isSo: () => Promise<boolean>) => {
      while (!(await isSo())) if ((await reader?.read())?.done !== false) throw new Error('the event stream ended')
    },
    close: async () => void (await reader?.cancel()),
  }
}

function nginxConf(): Promise<string> {
  return readFile(join(directory, 'plumb/hosts/web-1/root/etc/nginx/nginx.conf'), 'utf8')
}

async function enrollments(): Promise<number> {
  const log = await readFile(join(directory, 'plumb/server.log'), 'utf8')
  return log.split('\n').filter((line) => line.includes('"host enrolled"')).length
}

async function withDescendants(pid: number): Promise<readonly number[]> {
  const stats = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((name) => readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')),
  )
  const parents = new Map(stats.map((stat) => [Number.parseInt(stat, 10), parentIn(stat)]))
  const isBelow = (one: number | undefined): boolean =>
    one === pid || (one !== undefined && one > 1 && isBelow(parents.get(one)))
  return [...parents.keys()].filter(isBelow)
}

/** Behind the program's name, which may hold anything. */
function parentIn(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

/** One that ended counts as such, also while nobody has asked for its exit code. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}

function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}

/** A program that one of them had just started may have ended meanwhile. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
