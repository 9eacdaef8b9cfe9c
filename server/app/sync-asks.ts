// Which agents were asked to sync, and when. An ask within some seconds of the last one, and with nothing new that this server knows of, waits
// until they are over: what a host follows may be a branch or a repository that the server does not.
import type { HostName } from '../../shared/names.ts'
import type { AgentRequest } from '../agents/gate.ts'
import type { Clock } from './clock.ts'

export type Agents = {
  /** False: it is not connected. */
  send(host: HostName, message: AgentRequest): boolean
  connectedHosts(): readonly HostName[]
}

export type AskedAll = { readonly asked: number; readonly alreadyAsked: number }
export type AskedHost = 'asked' | 'already-asked' | 'not-connected'

/** `isNew`: they have not been asked since what they would find changed, or that is not known. */
export type SyncAsks = {
  askAll(isNew: boolean): AskedAll
  askHost(host: HostName, isNew: boolean): AskedHost
  /** Sends what has waited long enough. To be called each second. */
  askDue(): void
  /** An ask may be lost with the connection that it went over. */
  forget(host: HostName): void
}

const askedAgainAfterMs = 3000

export function createSyncAsks(agents: Agents, clock: Pick<Clock, 'elapsed'>): SyncAsks {
  const askedAt = new Map<HostName, number>()
  const waiting = new Set<HostName>()
  const forget = (host: HostName): void => {
    askedAt.delete(host)
    waiting.delete(host)
  }
  const isRecent = (host: HostName): boolean =>
    clock.elapsed() - (askedAt.get(host) ?? Number.NEGATIVE_INFINITY) < askedAgainAfterMs
  const ask = (host: HostName): AskedHost => {
    forget(host)
    if (!agents.send(host, { type: 'sync' })) return 'not-connected'
    askedAt.set(host, clock.elapsed())
    return 'asked'
  }
  const askOrWait = (host: HostName, isNew: boolean): AskedHost => {
    if (isNew || !isRecent(host)) return ask(host)
    waiting.add(host)
    return 'already-asked'
  }
  return {
    forget,
    askHost: (host, isNew) => {
      if (agents.connectedHosts().includes(host)) return askOrWait(host, isNew)
      forget(host)
      return 'not-connected'
    },
    askAll(isNew) {
      const answers = agents.connectedHosts().map((host) => askOrWait(host, isNew))
      const alreadyAsked = answers.filter((answer) => answer === 'already-asked').length
      return { asked: answers.length - alreadyAsked, alreadyAsked }
    },
    askDue() {
      for (const host of [...waiting]) if (!isRecent(host)) ask(host)
    },
  }
}
