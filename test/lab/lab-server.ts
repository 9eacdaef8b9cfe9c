// A server on the lab's bridge, as an operator runs it: TLS with its own certificate, the repository, the built artifacts.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { pino } from 'pino'
import { z } from 'zod'
import type { LabHost } from '../../scripts/lab/host.ts'
import { machineAddress } from '../../scripts/lab/places.ts'
import { eventually, generousMs } from '../../scripts/lab/waiting.ts'
import { startServer } from '../../server/main.ts'
import { defaultSettings } from '../../server/settings.ts'
import type { Revision } from '../../shared/names.ts'
import type { TestRepository } from '../support/git.ts'
import { artifactsDirectory } from './agent-artifacts.ts'

export type LabServer = {
  readonly url: string
  /** One use, 30 minutes, for that host. */
  installLine(host: string): Promise<string>
  /** As CI asks for it. Returns how many agents were asked. */
  sync(): Promise<number>
  fleet(): Promise<FleetState>
  openAlerts(): Promise<readonly OpenAlert[]>
  /** As the operator; throws when refused. */
  json(path: string): Promise<unknown>
  page(path: string): Promise<string>
  /** Resolves when the agent is connected and has reported the host in sync at the revision. */
  inSync(host: string, revision: Revision, withinMs?: number): Promise<void>
  log(): string
  close(): Promise<void>
}

const hostRowSchema = z.object({
  host: z.string(),
  state: z.string(),
  revision: z.string().optional(),
  connected: z.boolean(),
  lastSeenAt: z.string().optional(),
})
const alertSchema = z.object({
  id: z.number(),
  kind: z.string(),
  host: z.string().optional(),
  service: z.string().optional(),
  title: z.string(),
  text: z.string(),
  diff: z.string().optional(),
  resolvedAt: z.string().optional(),
})
const fleetSchema = z.object({ hosts: z.array(hostRowSchema) })

export type FleetState = z.infer<typeof fleetSchema>
export type OpenAlert = z.infer<typeof alertSchema>

export type LabServerOptions = {
  readonly silentAfterSeconds?: number
  /** The server's own secrets by name. */
  readonly secrets?: Readonly<Record<string, string>>
}

/** The bridge must be there: boot a host first. */
export async function startLabServer(repository: TestRepository, options: LabServerOptions = {}): Promise<LabServer> {
  const data = await mkdtemp(join(tmpdir(), 'plumb-lab-server-'))
  await writeSecrets(join(data, 'secrets'), options.secrets ?? {})
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })
  const settings = {
    ...defaultSettings(data, repository.directory),
    listen: { host: machineAddress, port: 0 },
    tls: { kind: 'self-signed' } as const,
    artifacts: artifactsDirectory,
    // What happens is to happen because somebody asked for it, or because an agent looked.
    fetchEverySeconds: 3600,
    ...(options.silentAfterSeconds === undefined ? {} : { silentAfterSeconds: options.silentAfterSeconds }),
  }
  const running = await startServer(settings, { log })
  setDefaultCACertificates([...getCACertificates('default'), await readFile(join(data, 'tls/certificate.pem'), 'utf8')])
  const token = async (name: string) => `Bearer ${(await readFile(join(data, name), 'utf8')).trim()}`
  const [operator, ci] = [await token('operator-token'), await token('sync-token')]

  const server: LabServer = {
    url: running.url,
    async installLine(host) {
      const answer = await post('/api/v1/enrolment-tokens', operator, { host })
      return z.object({ installLine: z.string() }).parse(answer).installLine
    },
    sync: async () => z.object({ asked: z.number() }).parse(await post('/api/v1/sync', ci, {})).asked,
    fleet: async () => fleetSchema.parse(await server.json('/api/v1/fleet')),
    async openAlerts() {
      const alerts = z.array(alertSchema).parse(await server.json('/api/v1/alerts'))
      return alerts.filter((alert) => alert.resolvedAt === undefined)
    },
    json: async (path) => JSON.parse(await server.page(path)),
    page: (path) => textOf(path, { headers: { authorization: operator } }),
    async inSync(host, revision, withinMs = generousMs) {
      await eventually(
        `the server: ${host} is in sync at ${revision.slice(0, 7)}`,
        async () => {
          const row = (await server.fleet()).hosts.find((each) => each.host === host)
          if (row?.state === 'in-sync' && row.connected && row.revision === revision) return true
          throw new Error(JSON.stringify(row))
        },
        { withinMs },
      )
    },
    log: () => lines.join(''),
    async close() {
      await running.close()
      await rm(data, { recursive: true, force: true })
    },
  }
  return server

  async function post(path: string, authorization: string, body: object): Promise<unknown> {
    return JSON.parse(await textOf(path, { method: 'POST', headers: { authorization }, body: JSON.stringify(body) }))
  }

  async function textOf(path: string, request: RequestInit): Promise<string> {
    const response = await fetch(new URL(path, running.url), { ...request, signal: AbortSignal.timeout(generousMs) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
    return text
  }
}

/** Runs the line as a person does who is root already: a minimal Debian has no sudo. Returns exit code and output. */
export async function runLine(line: string, host: LabHost) {
  return await host.exec(['env', '--unset=DEBIAN_FRONTEND', 'sh', '-c', line], { timeoutMs: 300_000 })
}

async function writeSecrets(directory: string, secrets: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(directory, { mode: 0o700 })
  for (const [name, value] of Object.entries(secrets)) await writeFile(join(directory, name), value, { mode: 0o600 })
}
