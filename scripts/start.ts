// `npm start`: the whole product on one machine, for a newcomer who has nothing yet. A server, an example fleet served over
// smart HTTP, and two agents that apply into sandbox roots. Everything lives in .plumb/ (or PLUMB_HOME); the next start picks
// up from there. PORT: where the server listens, default 7420; 0: on a free one.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { destination, pino } from 'pino'
import { z } from 'zod'
import { noteEnrolled, readEnrolled } from '../agent/report/enrolled.ts'
import { type RunningServer, startServer } from '../server/main.ts'
import { defaultSettings } from '../server/settings.ts'
import { PlumbError } from '../shared/problem.ts'

const execute = promisify(execFile)
const checkout = resolve(import.meta.dirname, '..')
const home = resolve(process.env['PLUMB_HOME'] ?? join(checkout, '.plumb'))
const fleet = join(home, 'fleet')
const serverData = join(home, 'server')
const hosts = ['web-1', 'box-1']
const port = Number(process.env['PORT'] ?? 7420)

const server = await start()
const agents: ChildProcess[] = []
let stopping = false
const started = startAgents()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())

try {
  await started
  if (!stopping) console.log(whatToTry())
} catch (error) {
  // Ctrl-C also reached whatever was being started.
  if (!stopping) {
    console.error(`start: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
  await stop()
}

async function start(): Promise<RunningServer> {
  makeFleet()
  say('starting the server ...')
  const log = openSync(join(home, 'server.log'), 'a')
  return await startServer(
    {
      ...defaultSettings(serverData, fleet),
      listen: { host: '127.0.0.1', port },
      fetchEverySeconds: 3,
      alertsToThisMachine: true,
      sandboxes: new Map(hosts.map((host) => [host, { ...placesOf(host), plumb: plumb(), remote: fleet }])),
    },
    { log: pino({ level: 'info' }, destination({ dest: log, sync: true })) },
  ).catch((error: Error) => {
    const cause = error.cause as NodeJS.ErrnoException | undefined
    const isTaken = cause?.code === 'EADDRINUSE'
    const taken = `port ${port} of 127.0.0.1 is taken. Stop what uses it, or: PORT=${port + 1} npm start`
    const isRunning = error instanceof PlumbError && error.code === 'locked'
    const another = `npm start runs in ${shown(home)} already. Stop it, or start a second instance: PORT=0 PLUMB_HOME=DIR npm start`
    console.error(`start: ${isTaken ? taken : isRunning ? another : error.message}`)
    process.exit(1)
  })
}

/** A copy of examples/fleet as a repository of its own, to be edited and committed to. */
function makeFleet(): void {
  mkdirSync(home, { recursive: true })
  if (existsSync(join(fleet, '.git'))) return
  say(`making an example fleet in ${shown(fleet)}`)
  cpSync(join(checkout, 'examples/fleet'), fleet, { recursive: true })
  git(['init', '-q', '-b', 'main'])
  if (!hasIdentity()) {
    git(['config', 'user.name', 'A new operator'])
    git(['config', 'user.email', 'operator@example.org'])
  }
  git(['add', '-A'])
  git(['commit', '-q', '-m', 'An example fleet\n\nCopied from examples/fleet by npm start.'])
}

function hasIdentity(): boolean {
  try {
    git(['var', 'GIT_COMMITTER_IDENT'])
    git(['config', 'user.email'])
    return true
  } catch {
    return false
  }
}

async function startAgents(): Promise<void> {
  for (const host of hosts) {
    if (stopping) return
    await enroll(host)
    if (!stopping) agents.push(startAgent(host))
  }
}

/** A host that is enrolled here keeps changes by hand: its agent reports them, and changes nothing. */
async function enroll(host: string): Promise<void> {
  const { root, state } = placesOf(host)
  mkdirSync(root, { recursive: true })
  mkdirSync(state, { recursive: true })
  const known = readEnrolled(state)
  say(known === undefined ? `${host}: enrolling, first apply into ${shown(root)}` : `${host}: picking up where it was`)
  if (known === server.url && existsSync(join(root, 'etc/plumb/agent.yaml'))) return
  // The same server, which has another address this time.
  if (known !== undefined) await noteEnrolled(state, server.url)
  const args = ['--host', host, '--server', server.url, '--repo', new URL('git/fleet.git', server.url).href]
  const token = known === undefined ? { PLUMB_TOKEN: await enrollmentToken(host) } : {}
  // Not synchronously: the server that it enrolls at runs in this very process.
  await execute(plumb(), ['install', ...args, '--root', root, '--state', state], { env: { ...process.env, ...token } })
}

async function enrollmentToken(host: string): Promise<string> {
  const response = await fetch(new URL('api/v1/enrolment-tokens', server.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorToken()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ host }),
  })
  if (!response.ok) throw new Error(`the server made no enrollment token: ${await response.text()}`)
  return z.object({ token: z.string() }).parse(await response.json()).token
}

/** `--attached`: the agent ends with this process, also when that is killed. */
function startAgent(host: string): ChildProcess {
  const { root, state, log } = placesOf(host)
  const out = openSync(log, 'a')
  const agent = spawn(plumb(), ['agent', '--attached', '--root', root, '--state', state], { stdio: ['pipe', out, out] })
  agent.on('exit', (code) => {
    if (!stopping) console.error(`start: the agent of ${host} ended (${code}); its log is ${shown(log)}`)
  })
  return agent
}

async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  say('stopping ...')
  await started.catch(() => undefined)
  await Promise.all(
    agents.map((agent) => {
      if (agent.exitCode !== null) return undefined
      const ended = new Promise((resolve) => agent.once('exit', resolve))
      agent.kill('SIGTERM')
      return ended
    }),
  )
  await server.close()
  say(`stopped. Everything is in ${shown(home)}: npm start picks up from there, rm -r ${shown(home)} forgets it.`)
}

function whatToTry(): string {
  const { root, state } = placesOf('web-1')
  const places = `--root ${shown(root)} --state ${shown(state)}`
  return `
  The dashboard:  ${server.url}      (to change things, sign in with the token in ${shown(join(serverData, 'operator-token'))})

  Three things to try, in another terminal:

  1. Change a live file by hand, and see the alert with its diff:
       echo 'typed by hand' >> ${shown(join(root, 'etc/motd'))}
       ./scripts/plumb check ${places}
       ./scripts/plumb apply ${places}   # repairs it

  2. Commit a change, and see it applied, with your message beside the file:
       sed -i 's/keepalive_timeout 65/keepalive_timeout 30/' ${shown(join(fleet, 'services/nginx/files/etc/nginx/nginx.conf'))}
       git -C ${shown(fleet)} commit -am 'Shorter keep-alive: the phones of visitors hold too many connections'

  3. Ask why a file is as it is:
       ./scripts/plumb why /etc/nginx/nginx.conf --server ${server.url}

  Ctrl-C stops it all.
`
}

function placesOf(host: string) {
  const directory = join(home, 'hosts', host)
  return { root: join(directory, 'root'), state: join(directory, 'state'), log: join(directory, 'agent.log') }
}

function plumb(): string {
  return join(checkout, 'scripts/plumb')
}

function operatorToken(): string {
  return readFileSync(join(serverData, 'operator-token'), 'utf8').trim()
}

function git(args: readonly string[]): void {
  execFileSync('git', ['-C', fleet, ...args], { stdio: 'ignore' })
}

function shown(path: string): string {
  return path.startsWith(`${process.cwd()}/`) ? path.slice(process.cwd().length + 1) : path
}

function say(text: string): void {
  console.log(`start: ${text}`)
}
