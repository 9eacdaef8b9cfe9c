// Reports that the server has not acknowledged yet, on disk. Each has the host's full state, so that an older one is
// needed only for its apply. Bounded; dropped reports are counted in the next one.
import { join } from 'node:path'
import { z } from 'zod'
import { readIfThere, replaceFile } from '../../shared/platform/durable.ts'
import { appliesIn, type Report, reportSchema } from '../../shared/report.ts'
import { fitted } from './fit.ts'

export type Spool = {
  /** Never throws on a full disk: the report is then kept in memory only. */
  add(report: Report): void
  /** The oldest queued report. It counts as in flight, and is not replaced by a newer one until it is acknowledged. */
  next(): Report | undefined
  acknowledge(id: string): void
  /** The server rejects the report for good. */
  giveUp(id: string): void
}

export type SpoolLimits = { readonly reports: number; readonly bytes: number }

const defaultLimits: SpoolLimits = { reports: 200, bytes: 8 * 1024 * 1024 }

export function openSpool(stateDirectory: string, limits: SpoolLimits = defaultLimits): Spool {
  const path = join(stateDirectory, 'spool.json')
  let waiting = read(path)
  let onItsWay: string | undefined
  const keep = (next: Waiting) => {
    waiting = next
    try {
      replaceFile({ path, content: JSON.stringify(waiting) })
    } catch {
      // A full disk has its own alert; reports are still sent from memory.
    }
  }
  return {
    add: (report) => {
      const isSuperseded = (report: Report) => appliesIn(report).length === 0 && report.id !== onItsWay
      const rest = without(waiting, isSuperseded)
      const added = {
        reports: [...rest.reports, { ...fitted(report), dropped: report.dropped + rest.dropped }],
        dropped: 0,
      }
      keep(bounded(added, limits, onItsWay))
    },
    next: () => {
      onItsWay = waiting.reports[0]?.id
      return waiting.reports[0]
    },
    acknowledge: (id) => {
      const reports = waiting.reports.filter((report) => report.id !== id)
      if (reports.length < waiting.reports.length) keep({ ...waiting, reports })
    },
    giveUp: (id) => keep(without(waiting, (report) => report.id === id)),
  }
}

type Waiting = {
  /** Oldest first. */
  readonly reports: readonly Report[]
  /** Dropped after the last of them; counted in the next report. */
  readonly dropped: number
}

/** A left-out report is counted by the one after it. */
function without({ reports, dropped }: Waiting, isLeftOut: (report: Report) => boolean): Waiting {
  const kept: Report[] = []
  let missing = 0
  for (const report of reports) {
    if (isLeftOut(report)) missing += 1 + report.dropped
    else {
      kept.push(missing === 0 ? report : { ...report, dropped: report.dropped + missing })
      missing = 0
    }
  }
  return { reports: kept, dropped: dropped + missing }
}

/** Drops the oldest until the rest fits, but neither the newest nor the one in flight. */
function bounded(waiting: Waiting, limits: SpoolLimits, onItsWay: string | undefined): Waiting {
  const sizes = waiting.reports.map((report) => Buffer.byteLength(JSON.stringify(report)))
  let count = sizes.length
  let bytes = sizes.reduce((sum, size) => sum + size, 0)
  const leftOut = new Set<string>()
  for (const [index, { id }] of waiting.reports.slice(0, -1).entries()) {
    if (count <= limits.reports && bytes <= limits.bytes) break
    if (id === onItsWay) continue
    leftOut.add(id)
    count -= 1
    bytes -= sizes[index] ?? 0
  }
  return leftOut.size === 0 ? waiting : without(waiting, ({ id }) => leftOut.has(id))
}

const fileSchema = z.object({ reports: z.array(z.unknown()), dropped: z.number().int().nonnegative() })

/** An unreadable spool counts as dropped; the next report has the full state anyway. */
function read(path: string): Waiting {
  const file = fileSchema.safeParse(contentOf(path))
  if (!file.success) return { reports: [], dropped: 0 }
  const parsed = file.data.reports.map((report) => reportSchema.safeParse(report).data)
  const reports = parsed.filter((report) => report !== undefined)
  return { reports, dropped: file.data.dropped + parsed.length - reports.length }
}

function contentOf(path: string): unknown {
  try {
    const text = readIfThere(path)?.toString('utf8')
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
