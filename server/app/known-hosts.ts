// Removes hosts, or forgets the machine of a host, on request of an operator.
import type { Logger } from 'pino'
import type { HostName } from '../../shared/names.ts'
import { forgetRefusalsOf } from '../store/enrollment.ts'
import { deleteHost, findHost } from '../store/hosts.ts'
import { forgetMachine } from '../store/machines.ts'
import type { Db } from '../store/tables.ts'
import type { EventFeed } from './events.ts'

export type KnownHosts = {
  /** False when there is no such host. */
  remove(host: HostName): Promise<boolean>
  /** The next machine that presents the host's key becomes the known one. False when there is no such host. */
  forgetMachine(host: HostName): Promise<boolean>
}

export type KnownHostsParts = { readonly db: Db; readonly log: Logger; readonly events: EventFeed }

export function createKnownHosts({ db, log, events }: KnownHostsParts): KnownHosts {
  return {
    async remove(host) {
      if (!(await deleteHost(db, host))) return false
      await forgetRefusalsOf(db, host)
      log.warn({ host }, 'host removed')
      events.emit({ kind: 'host-removed', host })
      return true
    },
    async forgetMachine(host) {
      if ((await findHost(db, host)) === undefined) return false
      await forgetMachine(db, host)
      log.warn({ host }, 'machine forgotten')
      events.emit({ kind: 'machines-forgotten', host })
      return true
    },
  }
}
