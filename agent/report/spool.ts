// Reports that the server has not acknowledged yet, on disk. Each says all of the host's state, so only the newest matters - and
// older ones for the applies they tell of. Bounded: what had to be dropped is counted and said.
import { join } from 'node:path'
import { z } from 'zod'
import { type Report, reportSchema } from '../../shared/report.ts'
import { readIfThere, replaceFile } from '../state/durable.ts'

export type Spool = {
  /** Never throws for want of disk space: the report is then kept in memory alone. */
  add(report: Report): void
  /** The oldest that waits. */
  next(): Report | undefined
  acknowledge(id: string): void
}

export type SpoolLimits = { readonly reports: number; readonly bytes: number }

const defaultLimits: SpoolLimits = { reports: 200, bytes: 8 * 1024 * 1024 }

export function openSpool(stateDirectory: string, limits: SpoolLimits = defaultLimits): Spool {
  const path = join(stateDirectory, 'spool.json')
  let waiting = read(path)
  const save = () => {
    try {
      replaceFile({ path, content: JSON.stringify(waiting) })
    } catch {
      // A full disk is an alert of its own; the reports still go out from memory.
    }
  }
  return {
    add: (report) => {
      waiting = bounded([...waiting.filter(({ apply }) => apply !== undefined), report], limits)
      save()
    },
    next: () => waiting[0],
    acknowledge: (id) => {
      const left = waiting.filter((report) => report.id !== id)
      if (left.length === waiting.length) return
      waiting = left
      save()
    },
  }
}

/** Drops the oldest until the rest fits; the newest always stays, and says how many are missing before it. */
function bounded(reports: readonly Report[], limits: SpoolLimits): readonly Report[] {
  const sizes = reports.map((report) => JSON.stringify(report).length)
  let bytes = sizes.reduce((sum, size) => sum + size, 0)
  let first = 0
  while (first < reports.length - 1 && (reports.length - first > limits.reports || bytes > limits.bytes)) {
    bytes -= sizes[first] ?? 0
    first += 1
  }
  const dropped = reports.slice(0, first).reduce((sum, report) => sum + 1 + report.dropped, 0)
  const kept = reports.slice(first)
  const [next, ...rest] = kept
  return next === undefined || dropped === 0 ? kept : [{ ...next, dropped: next.dropped + dropped }, ...rest]
}

/** Empty when there is none or it is damaged: the next pass reports the whole state anyway. */
function read(path: string): readonly Report[] {
  const text = readIfThere(path)?.toString('utf8')
  if (text === undefined) return []
  try {
    return z.array(reportSchema).parse(JSON.parse(text))
  } catch {
    return []
  }
}
