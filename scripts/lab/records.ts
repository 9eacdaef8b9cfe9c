// What runs in the lab, on disk, so that a later run finds and removes what a killed one left.
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { runDirectory } from './places.ts'

/** A pid alone may be another process by now; with its start time it cannot. */
const processMarkSchema = z.object({ pid: z.number(), startedAt: z.string() })
export type ProcessMark = z.infer<typeof processMarkSchema>

const hostRecordSchema = z.object({
  number: z.number(),
  name: z.string(),
  image: z.string(),
  /** The directory of the base image that the host lies on. */
  base: z.string(),
  /** Whose end is the host's end; null: the host stays until `npm run lab -- down`. */
  owner: processMarkSchema.nullable(),
  /** The systemd-nspawn process while the host is on. */
  supervisor: processMarkSchema.nullable(),
})
export type HostRecord = z.infer<typeof hostRecordSchema>

export function hostRecords(): readonly HostRecord[] {
  return readdirSync(runDirectory)
    .filter((name) => recordName.test(name))
    .map((name) => hostRecordSchema.parse(JSON.parse(readFileSync(join(runDirectory, name), 'utf8'))))
    .sort((a, b) => a.number - b.number)
}

export function writeRecord(record: HostRecord): void {
  const file = recordFile(record.number)
  writeFileSync(`${file}.new`, JSON.stringify(record))
  renameSync(`${file}.new`, file)
}

export function removeRecord(number: number): void {
  rmSync(recordFile(number), { force: true })
}

/** A host whose owner has ended. */
export function isLeftover({ owner, supervisor }: HostRecord): boolean {
  if (owner !== null) return !isAlive(owner)
  return supervisor === null || !isAlive(supervisor)
}

export function markOf(pid: number): ProcessMark | null {
  const startedAt = startOf(pid)
  return startedAt === null ? null : { pid, startedAt }
}

export function isAlive({ pid, startedAt }: ProcessMark): boolean {
  return startOf(pid) === startedAt
}

const recordName = /^host-\d+\.json$/

function recordFile(number: number): string {
  return join(runDirectory, `host-${number}.json`)
}

/** null for a zombie too: it runs no more, it was only not waited for yet. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
  } catch {
    return null
  }
}
