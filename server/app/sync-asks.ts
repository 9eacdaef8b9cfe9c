// Which agents were asked to sync, and when: an ask that has nothing new for them is not repeated within some seconds, the caller repeats it.
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
}

const askedAgainAfterMs = 3000

export function createSyncAsks(agents: Agents, clock: Pick<Clock, 'elapsed'>): SyncAsks {
  const askedAt = new Map<HostName, number>()
  const askHost = (host: HostName, isNew: boolean): AskedHost => {
    const now = clock.elapsed()
    const before = askedAt.get(host)
    if (!isNew && before !== undefined && now - before < askedAgainAfterMs && agents.connectedHosts().includes(host))
      return 'already-asked'
    if (!agents.send(host, { type: 'sync' })) {
      askedAt.delete(host)
      return 'not-connected'
    }
    askedAt.set(host, now)
    return 'asked'
  }
  return {
    askHost,
    askAll(isNew) {
      const connected = new Set(agents.connectedHosts())
      for (const host of askedAt.keys()) if (!connected.has(host)) askedAt.delete(host)
      const now = clock.elapsed()
      const due = [...connected].filter((host) => isNew || now - (askedAt.get(host) ?? -Infinity) >= askedAgainAfterMs)
      for (const host of due) {
        agents.send(host, { type: 'sync' })
        askedAt.set(host, now)
      }
      return { asked: due.length, alreadyAsked: connected.size - due.length }
    },
  }
}
