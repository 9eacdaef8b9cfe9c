// A whole server in this process, in real time, for real agents: what they sign says when.
//   const server = await startServerFor(fleet.directory); await server.logged('report recorded')
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { z } from 'zod'
import { type RunningServer, startServer } from '../../server/main.ts'
import { defaultSettings, type ServerSettings } from '../../server/settings.ts'

export type ServerForAgents = {
  readonly url: string
  readonly data: string
  /** A one-time token for this host. */
  token(host: string): Promise<string>
  /** As the operator; what the API answers. */
  get(path: string): Promise<unknown>
  /** As CI does: every connected agent looks at its remote. */
  sync(): Promise<void>
  /** Resolves once `text` is in a line of the log after the last mark. */
  logged(text: string): Promise<void>
  mark(): void
  /** The same data directory with other settings. */
  restart(change: Partial<ServerSettings>): Promise<void>
  remove(): Promise<void>
}

export async function startServerFor(repository: string): Promise<ServerForAgents> {
  const data = await mkdtemp(join(tmpdir(), 'plumb-server-'))
  const lines: string[] = []
  let from = 0
  const wake: (() => void)[] = []
  const write = (line: string) => {
    lines.push(line)
    for (const resolve of wake.splice(0)) resolve()
  }
  const logged = async (text: string) => {
    while (!lines.slice(from).some((line) => line.includes(text)))
      await new Promise<void>((resolve) => wake.push(resolve))
  }
  const start = async (change: Partial<ServerSettings>): Promise<RunningServer> => {
    const settings = { ...defaultSettings(data, repository), listen: { host: '127.0.0.1', port: 0 }, ...change }
    const started = await startServer({ ...settings, fetchEverySeconds: 3600 }, { log: pino({}, { write }) })
    await logged('the repository is at a revision')
    return started
  }
  let running = await start({})
  const secret = async (name: string) => (await readFile(join(data, name), 'utf8')).trim()
  const asked = async (path: string, request: RequestInit, token: string) => {
    const headers = { authorization: `Bearer ${await secret(token)}` }
    const response = await fetch(new URL(path, running.url), { ...request, headers })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return await response.json()
  }
  return {
    get url() {
      return running.url
    },
    ...{ data, logged },
    token: async (host) => {
      const request = { method: 'POST', body: JSON.stringify({ host }) }
      const answer = await asked('/api/v1/enrolment-tokens', request, 'operator-token')
      return z.object({ token: z.string() }).parse(answer).token
    },
    get: (path) => asked(path, {}, 'operator-token'),
    sync: async () => void (await asked('/api/v1/sync', { method: 'POST' }, 'sync-token')),
    mark: () => {
      from = lines.length
    },
    restart: async (change) => {
      await running.close()
      from = lines.length
      running = await start(change)
    },
    remove: async () => {
      await running.close()
      await rm(data, { recursive: true, force: true })
    },
  }
}
