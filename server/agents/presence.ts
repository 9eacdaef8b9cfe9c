// When each host was last heard, in memory and to the millisecond; the database learns of it coarsely (`takeUnsaved`).
import type { HostName } from '../../shared/names.ts'
import type { Clock } from '../clock.ts'

export type Presence = {
  heard(host: HostName): void
  lastHeardAt(host: HostName): string | undefined
  /** Since the host was last heard, or since this server began to listen: time it was down counts against nobody. */
  silentForMs(host: HostName): number
  forget(host: HostName): void
  /** Hosts heard since the last call, with the time. */
  takeUnsaved(): ReadonlyMap<HostName, string>
}

export function createPresence(clock: Clock): Presence {
  const startedAt = clock.elapsed()
  const heard = new Map<HostName, { readonly elapsed: number; readonly at: string }>()
  let unsaved = new Map<HostName, string>()
  return {
    heard(host) {
      const at = clock.now().toISOString()
      heard.set(host, { elapsed: clock.elapsed(), at })
      unsaved.set(host, at)
    },
    lastHeardAt: (host) => heard.get(host)?.at,
    silentForMs: (host) => clock.elapsed() - (heard.get(host)?.elapsed ?? startedAt),
    forget(host) {
      heard.delete(host)
      unsaved.delete(host)
    },
    takeUnsaved() {
      const taken = unsaved
      unsaved = new Map()
      return taken
    },
  }
}
