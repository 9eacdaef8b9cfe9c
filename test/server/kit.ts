// A whole server in a temporary directory with real sockets, agents that speak the protocol, and a receiver of webhooks. The one
// fake is the clock.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { z } from 'zod'
import type { Clock } from '../../server/app/clock.ts'
import { type RunningServer, startServer } from '../../server/main.ts'
import { defaultSettings, type ServerSettings } from '../../server/settings.ts'
import { type Finding, findingSchema } from '../../shared/finding.ts'
import { hostNameSchema, revisionSchema, serviceNameSchema } from '../../shared/names.ts'
import {
  type AgentMessage,
  agentSocketPath,
  helloText,
  type Machine,
  machineText,
  type ServerMessage,
  serverMessageSchema,
} from '../../shared/protocol.ts'
import { type Report, reportSchema, type ServiceReport } from '../../shared/report.ts'
import { makeRepository, type TestFiles, type TestRepository } from '../support/git.ts'

export class FakeClock implements Clock {
  #milliseconds = 0
  #setBackBy = 0
  readonly #start = Date.parse('2026-11-23T03:00:00Z')

  now(): Date {
    return new Date(this.#start + this.#milliseconds - this.#setBackBy)
  }

  elapsed(): number {
    return this.#milliseconds
  }

  advance(seconds: number): void {
    this.#milliseconds += seconds * 1000
  }

  /** What people read; time itself goes on. */
  setBack(seconds: number): void {
    this.#setBackBy += seconds * 1000
  }
}

export type TestServer = {
  readonly url: string
  readonly data: string
  readonly fleet: TestRepository
  readonly clock: FakeClock
  readonly operatorToken: string
  readonly syncToken: string
  readonly routes: RunningServer['routes']
  /** Method and path of what really answers. */
  readonly registered: readonly string[]
  /** Everything that was logged since the first start, as text. */
  log(): string
  get(path: string): Promise<Response>
  /** As the operator. */
  post(path: string, body?: unknown): Promise<Response>
  delete(path: string): Promise<Response>
  openAlerts(): Promise<readonly TestAlert[]>
  tick(): Promise<void>
  stop(): Promise<void>
  /** The same data directory, another process's worth of memory. */
  restart(change?: Partial<ServerSettings>): Promise<void>
  remove(): Promise<void>
}

const alertSchema = z.object({
  id: z.number(),
  kind: z.string(),
  title: z.string(),
  text: z.string(),
  host: z.string().optional(),
  hosts: z.array(z.string()).optional(),
  diff: z.string().optional(),
  resolvedAt: z.string().optional(),
})
export type TestAlert = z.infer<typeof alertSchema>

export const smallFleet: TestFiles = {
  'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [nginx] }\n  web-2: { services: [nginx] }\n',
  'services/nginx/README.md': '# nginx\n\nServes the site.\n',
  'services/nginx/files/etc/nginx/nginx.conf': 'worker_processes 1;\n',
}

export async function startTestServer(
  change: Partial<ServerSettings> = {},
  { files = smallFleet, secrets = {} }: { readonly files?: TestFiles; readonly secrets?: Record<string, string> } = {},
): Promise<TestServer> {
  const fleet = await makeRepository(files)
  await addEarlierCommit(fleet)
  const data = await mkdtemp(join(tmpdir(), 'plumb-server-'))
  await mkdir(join(data, 'secrets'), { mode: 0o700 })
  for (const [name, value] of Object.entries(secrets))
    await writeFile(join(data, 'secrets', name), value, { mode: 0o600 })
  const clock = new FakeClock()
  const lines: string[] = []
  let logged = () => {}
  const write = (line: string) => {
    lines.push(line)
    logged()
  }
  const log = pino({ level: 'trace' }, { write })
  /** The first fetch goes on while the server already answers. */
  const knowsRepository = async (from: number) => {
    while (!lines.slice(from).some((line) => line.includes('the repository is at a revision'))) {
      await new Promise<void>((resolve) => {
        logged = resolve
      })
    }
  }
  const start = async (more: Partial<ServerSettings> = {}): Promise<RunningServer> => {
    const before = lines.length
    const started = await startServer(
      {
        ...defaultSettings(data, fleet.directory),
        listen: { host: '127.0.0.1', port: 0 },
        fetchEverySeconds: 3600,
        artifacts: join(data, 'artifacts'),
        ...change,
        ...more,
      },
      { clock, log },
    )
    await knowsRepository(before)
    return started
  }
  let running = await start()
  const token = async (name: string) => (await readFile(join(data, name), 'utf8')).trim()
  let operatorToken = await token('operator-token')
  const asOperator = () => ({ authorization: `Bearer ${operatorToken}` })
  const server: TestServer = {
    get url() {
      return running.url
    },
    get routes() {
      return running.routes
    },
    get registered() {
      return running.registered
    },
    get operatorToken() {
      return operatorToken
    },
    ...{ data, fleet, clock, syncToken: await token('sync-token') },
    log: () => lines.join(''),
    get: (path) => fetch(new URL(path, running.url), { headers: asOperator() }),
    post: (path, body) =>
      fetch(new URL(path, running.url), { method: 'POST', headers: asOperator(), body: JSON.stringify(body ?? {}) }),
    delete: (path) => fetch(new URL(path, running.url), { method: 'DELETE', headers: asOperator() }),
    async openAlerts() {
      await running.tick()
      const alerts = z.array(alertSchema).parse(await (await server.get('/api/v1/alerts')).json())
      return alerts.filter((alert) => alert.resolvedAt === undefined)
    },
    tick: () => running.tick(),
    stop: () => running.close(),
    async restart(more) {
      await running.close()
      running = await start(more)
      operatorToken = await token('operator-token')
    },
    async remove() {
      await running.close()
      await fleet.remove()
      await rm(data, { recursive: true, force: true })
    },
  }
  return server
}

export type MachineMarker = Omit<Machine, 'signature'>

export type TestAgent = {
  readonly host: string
  readonly privateKey: KeyObject
  /** Says hello and waits to be let in. */
  connect(machine?: MachineMarker): Promise<AgentLine>
  /** Says hello. */
  call(machine?: MachineMarker): Promise<AgentLine>
}

export async function enrollAgent(server: TestServer, host: string): Promise<TestAgent> {
  const token = await makeToken(server)
  const key = newHostKey()
  const response = await enroll(server, { token, host, publicKey: key.publicKey })
  expect(response.status).toBe(201)
  return agentWith(server, host, key.privateKey)
}

export function agentWith(server: TestServer, host: string, privateKey: KeyObject): TestAgent {
  return {
    host,
    privateKey,
    async connect(machine) {
      const line = await this.call(machine)
      await line.next('welcome')
      return line
    },
    async call(machine) {
      const line = await openLine(server)
      const { nonce } = await line.next('challenge')
      line.send(hello(host, nonce, privateKey, machine))
      return line
    },
  }
}

export function newHostKey(): { readonly publicKey: string; readonly privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), privateKey }
}

export async function makeToken(server: TestServer, request: object = {}): Promise<string> {
  const response = await server.post('/api/v1/enrolment-tokens', request)
  return z.object({ token: z.string() }).parse(await response.json()).token
}

export function enroll(
  server: TestServer,
  body: { readonly token: string; readonly host: string; readonly publicKey: string },
): Promise<Response> {
  return fetch(new URL('/api/v1/agents/enrol', server.url), { method: 'POST', body: JSON.stringify(body) })
}

export function hello(host: string, nonce: string, privateKey: KeyObject, marker?: MachineMarker): AgentMessage {
  const signed = (text: string) => sign(null, Buffer.from(text), privateKey).toString('base64')
  const machine = marker === undefined ? {} : { machine: { ...marker, signature: signed(machineText(nonce, marker)) } }
  const signature = signed(helloText(nonce, host))
  return { type: 'hello', protocol: 1, host: hostNameSchema.parse(host), agentVersion: '0.1.0', signature, ...machine }
}

/** A connection as an agent has it. */
export type AgentLine = {
  readonly socket: WebSocket
  send(message: AgentMessage): void
  sendText(text: string): void
  /** The next message of that type; those before it are dropped. Fails when the connection ends first. */
  next<Type extends ServerMessage['type']>(type: Type): Promise<Extract<ServerMessage, { type: Type }>>
  /** Sends it and waits until it is acknowledged. */
  report(report: Report): Promise<void>
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  close(): Promise<void>
}

export async function openLine(server: TestServer, headers: Record<string, string> = {}): Promise<AgentLine> {
  const socket = new WebSocket(new URL(agentSocketPath, server.url.replace(/^http/, 'ws')), { headers })
  const waiting: ServerMessage[] = []
  let wake = () => {}
  let ended = false
  socket.on('message', (message) => {
    waiting.push(serverMessageSchema.parse(JSON.parse(String(message))))
    wake()
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      ended = true
      wake()
      resolve({ code, reason: reason.toString() })
    })
  })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  const line: AgentLine = {
    socket,
    closed,
    send: (message) => socket.send(JSON.stringify(message)),
    sendText: (text) => socket.send(text),
    async next(type) {
      for (;;) {
        const message = waiting.shift()
        if (message !== undefined && isOfType(message, type)) return message
        if (message !== undefined) continue
        if (ended) throw new Error(`the connection ended before a message "${type}" came`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    async report(report) {
      line.send({ type: 'report', report })
      expect((await line.next('ack')).report).toBe(report.id)
    },
    async close() {
      socket.close()
      await closed
    },
  }
  return line
}

function isOfType<Type extends ServerMessage['type']>(
  message: ServerMessage,
  type: Type,
): message is Extract<ServerMessage, { type: Type }> {
  return message.type === type
}

const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
const earlierCommit = `tree ${emptyTree}
author Ada <ada@example.org> 1764500000 +0000
committer Ada <ada@example.org> 1764500000 +0000

earlier
`
/** A commit that every test fleet has, on a branch beside the followed one. */
export const someRevision = revisionSchema.parse(
  createHash('sha1').update(`commit ${earlierCommit.length}\0${earlierCommit}`).digest('hex'),
)

async function addEarlierCommit(fleet: TestRepository): Promise<void> {
  await fleet.input('', 'hash-object', '-t', 'tree', '-w', '--stdin')
  await fleet.input(earlierCommit, 'hash-object', '-t', 'commit', '-w', '--stdin')
  await fleet.git('update-ref', 'refs/heads/earlier', someRevision)
}

let reports = 0

/** A host that is in sync, unless told otherwise. */
export function reportOf(host: string, change: Partial<Report> = {}): Report {
  reports += 1
  return reportSchema.parse({
    id: `report-${reports}`,
    host,
    at: '2026-11-23T03:00:00.000Z',
    agentVersion: '0.1.0',
    platform: 'Debian 12 x64',
    revision: someRevision,
    services: [serviceOf('nginx')],
    problems: [],
    dropped: 0,
    ...change,
  })
}

export function serviceOf(service: string, change: Partial<ServiceReport> = {}): ServiceReport {
  const name = serviceNameSchema.parse(service)
  return {
    service: name,
    applied: someRevision,
    appliedAt: '2026-11-23T02:00:00.000Z',
    findings: [],
    pending: [],
    ...change,
  }
}

export function findingOf(path: string, line: string): Finding {
  return findingSchema.parse({
    resource: `file:${path}`,
    summary: `${path}: content differs`,
    differences: [{ name: 'content', expected: 'a', live: 'b', codes: ['content'], adoptable: true }],
    diff: `--- ${path}\n+++ ${path} (live)\n@@ -1 +1 @@\n-worker_processes 1;\n+${line}\n`,
    diffCut: false,
    source: `services/nginx/files${path}`,
    evidence: { modifiedAt: '2026-11-23T02:59:00.000Z', owner: 'root' },
  })
}

export function drifted(host: string, line = 'worker_processes 9;'): Report {
  return reportOf(host, { services: [serviceOf('nginx', { findings: [findingOf('/etc/nginx/nginx.conf', line)] })] })
}

export type Receiver = {
  readonly url: string
  readonly bodies: readonly string[]
  readonly requests: readonly IncomingMessage[]
  /** What it answers from now on. */
  answerWith(status: number, headers?: Record<string, string>): void
  /** Resolves once so many requests have come in all. */
  count(requests: number): Promise<void>
  close(): Promise<void>
}

/** A real HTTP server that takes webhooks. */
export async function startReceiver(): Promise<Receiver> {
  const bodies: string[] = []
  const requests: IncomingMessage[] = []
  let status = 200
  let headers: Record<string, string> = {}
  let wake: (() => void)[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString('utf8'))
      requests.push(request)
      response.writeHead(status, headers).end('ok')
      for (const resolve of wake) resolve()
      wake = []
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address: AddressInfo | string | null = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/hook`,
    bodies,
    requests,
    answerWith(next, nextHeaders = {}) {
      status = next
      headers = nextHeaders
    },
    async count(wanted) {
      while (bodies.length < wanted) await new Promise<void>((resolve) => wake.push(resolve))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
