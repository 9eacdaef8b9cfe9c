// A minimal server of the agents' protocol over a real WebSocket, and reports to send to it.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { type ConnectionParts, ServerConnection } from '../../../agent/report/connection.ts'
import { ensureIdentity } from '../../../agent/report/identity.ts'
import { openSpool, type Spool } from '../../../agent/report/spool.ts'
import type { ServerHold } from '../../../shared/hold.ts'
import { hostNameSchema, revisionSchema, serviceNameSchema } from '../../../shared/names.ts'
import { type AgentMessage, agentMessageSchema, type ServerMessage } from '../../../shared/protocol.ts'
import type { Report } from '../../../shared/report.ts'

const leaving: (() => unknown)[] = []

afterEach(async () => {
  for (const leave of leaving.splice(0).reverse()) await leave()
})

export function afterwards(leave: () => unknown): void {
  leaving.push(leave)
}

export async function stateDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plumb-report-'))
  afterwards(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export const web1 = hostNameSchema.parse('web-1')
export const revision = revisionSchema.parse('a'.repeat(40))

export function report(id: string, changed: Partial<Report> = {}): Report {
  return {
    id,
    host: web1,
    at: '2026-11-23T12:00:00Z',
    agentVersion: '0.1.0',
    platform: 'linux',
    revision,
    services: [],
    problems: [],
    dropped: 0,
    ...changed,
  }
}

export const anApply = { revision, at: '2026-11-23T12:00:00Z', changes: [], failed: [] }
export const web = serviceNameSchema.parse('web')

/** One agent's side of a conversation, from the server's point of view. */
export type Caller = {
  readonly socket: WebSocket
  readonly nonce: string
  say(message: ServerMessage | Record<string, unknown>): void
  /** The next message, whenever it comes. */
  hear(): Promise<AgentMessage>
}

export type TestServer = {
  readonly url: string
  readonly port: number
  readonly path: string[]
  /** The next agent that dials; the challenge has been sent. */
  caller(): Promise<Caller>
  close(): Promise<void>
}

export async function startServer(
  options: { tls?: { key: string; cert: string }; port?: number } = {},
): Promise<TestServer> {
  const server: Server = options.tls === undefined ? createServer() : createTlsServer(options.tls)
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  const callers = queue<Caller>()
  const path: string[] = []
  sockets.on('connection', (socket, request) => {
    path.push(request.url ?? '')
    const heard = queue<AgentMessage>()
    socket.on('message', (frame) => heard.put(agentMessageSchema.parse(JSON.parse(String(frame)))))
    socket.on('error', () => {})
    const nonce = randomBytes(32).toString('base64url')
    const say: Caller['say'] = (message) => socket.send(JSON.stringify(message))
    say({ type: 'challenge', nonce, protocol: 1 })
    callers.put({ socket, nonce, say, hear: heard.take })
  })
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = async () => {
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  afterwards(close)
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    path,
    caller: callers.take,
    close,
  }
}

export type TestAgent = {
  readonly connection: ServerConnection
  readonly spool: Spool
  readonly noted: readonly string[]
  readonly asked: readonly string[]
  readonly held: readonly (readonly ServerHold[])[]
  /** What the server took this machine for, in order. */
  readonly copies: readonly boolean[]
}

/** An agent that tries again within milliseconds. */
export async function startAgent(
  server: string,
  changed: Partial<ConnectionParts> & { readonly state?: string } = {},
): Promise<TestAgent> {
  const { state = await stateDirectory(), ...parts } = changed
  const spool = parts.spool ?? openSpool(state)
  const noted: string[] = []
  const asked: string[] = []
  const held: (readonly ServerHold[])[] = []
  const copies: boolean[] = []
  const connection = new ServerConnection({
    server,
    host: web1,
    identity: await ensureIdentity(state),
    machine: { id: 'a'.repeat(64), boot: 'boot-1', run: 'run-1' },
    takenForCopy: (isCopy) => copies.push(isCopy),
    agentVersion: '0.1.0',
    spool,
    asked: (what) => asked.push(what),
    held: (holds) => held.push(holds),
    noted: (event) => noted.push(event),
    random: () => 0.5,
    delays: { firstMs: 5, mostMs: 40, refusedMs: 20 },
    ...parts,
  })
  afterwards(() => connection.close())
  return { connection, spool, noted, asked, held, copies }
}

/** The first caller, past hello and welcome. */
export async function welcomed(server: TestServer): Promise<Caller> {
  const caller = await server.caller()
  await caller.hear()
  caller.say({ type: 'welcome', serverVersion: '0.1.0' })
  return caller
}

function queue<Item>(): { put(item: Item): void; take(): Promise<Item> } {
  const items: Item[] = []
  const waiting: ((item: Item) => void)[] = []
  return {
    put: (item) => {
      const taker = waiting.shift()
      if (taker === undefined) items.push(item)
      else taker(item)
    },
    take: () => {
      const item = items.shift()
      return item === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(item)
    },
  }
}
