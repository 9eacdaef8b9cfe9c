// Receives reports of agents: records them and emits the events for the other parts.
import type { Logger } from 'pino'
import type { Report } from '../../shared/report.ts'
import { recordReport } from '../record/record.ts'
import type { Db } from '../store/tables.ts'
import type { Clock } from './clock.ts'
import type { EventFeed } from './events.ts'

export type ReportParts = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Logger
  readonly events: EventFeed
}

/**
 * A report from its own host; undefined: the host was removed. Resolves when it is stored for good, to the number of
 * rows that it has cost.
 */
export type ReceiveReport = (report: Report) => Promise<number | undefined>

export function createReceiver({ db, clock, log, events }: ReportParts): ReceiveReport {
  return async (report) => {
    const { host, revision, dropped } = report
    const recorded = await recordReport(db, report, clock.now().toISOString())
    if (recorded.kind === 'host-unknown') return undefined
    if (dropped > 0) log.warn({ host, dropped }, 'reports dropped by the host')
    if (recorded.kind === 'nothing-new') return 0
    log.info({ host, revision, changed: recorded.services }, 'report recorded')
    events.emit({ kind: 'report-recorded', host, services: recorded.services, revision })
    return recorded.rows
  }
}
