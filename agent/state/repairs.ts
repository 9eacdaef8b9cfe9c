// When drift was repaired by policy, to detect repair loops: a resource whose repairs another program keeps undoing is
// no longer repaired, but reported.
import { z } from 'zod'
import { type RepairLoop, repairLoopSchema } from '../../shared/finding.ts'
import { type ResourceId, resourceIdSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { sharedRecord } from './shared-record.ts'

export type RepairStore = {
  /** Resources in a repair loop, which are no longer repaired. */
  loops(): ReadonlyMap<ResourceId, RepairLoop>
  /** Must be called with the drift of each check, before repairs are planned. */
  checked(drifted: ReadonlySet<ResourceId>, now: Date): void
  repaired(resources: readonly ResourceId[], now: Date): void
  /** A person or a commit has repaired them: ends their repair loops. */
  forget(resources: readonly ResourceId[]): void
}

/**
 * This many repairs that another program reverted within `loopWithinMs` are a repair loop. It ends after the same time
 * without drift.
 */
export const loopRepairs = 3
export const loopWithinMs = 10 * 60_000

const recordSchema = z.object({
  resource: resourceIdSchema,
  /** ISO 8601, the oldest first. */
  repairedAt: z.array(z.iso.datetime()).max(loopRepairs),
  fight: repairLoopSchema.optional(),
  /** Since when the resource of a repair loop has been in sync. */
  quietSince: z.iso.datetime().optional(),
})

type RepairRecord = z.infer<typeof recordSchema>
type Records = ReadonlyMap<ResourceId, RepairRecord>

const kept = 2000

export function repairStore(path: string): RepairStore {
  const records = sharedRecord(path, parsed)
  const change = (next: Records) => {
    if (textOf(next) === textOf(records.get())) return
    try {
      records.set(next, next.size === 0 ? undefined : textOf(next))
    } catch (error) {
      if (!(error instanceof PlumbError)) throw error
    }
  }
  return {
    loops: () =>
      new Map([...records.get()].flatMap(([id, { fight: loop }]) => (loop === undefined ? [] : [[id, loop] as const]))),
    checked: (drifted, now) => change(afterCheck(records.get(), drifted, now)),
    repaired: (resources, now) => change(afterRepair(records.get(), resources, now)),
    forget: (resources) => change(new Map([...records.get()].filter(([id]) => !resources.includes(id)))),
  }
}

function afterCheck(records: Records, drifted: ReadonlySet<ResourceId>, now: Date): Records {
  return new Map(
    [...records].flatMap(([id, record]) => {
      const seen = drifted.has(id) ? seenDrifted(record, now) : seenInSync(record, now)
      return seen === undefined ? [] : [[id, seen] as const]
    }),
  )
}

function seenDrifted({ quietSince: _, ...record }: RepairRecord, now: Date): RepairRecord {
  if (record.fight !== undefined) return record
  const repairedAt = recent(record.repairedAt, now)
  const [since] = repairedAt
  const isLoop = since !== undefined && repairedAt.length >= loopRepairs
  return { ...record, repairedAt, ...(isLoop ? { fight: { repairs: repairedAt.length, since } } : {}) }
}

function seenInSync(record: RepairRecord, now: Date): RepairRecord | undefined {
  if (record.fight === undefined) {
    const repairedAt = recent(record.repairedAt, now)
    return repairedAt.length === 0 ? undefined : { ...record, repairedAt }
  }
  const quietSince = record.quietSince ?? now.toISOString()
  const quietForMs = now.getTime() - Date.parse(quietSince)
  // A clock that was set back must not make a repair loop last for years.
  if (quietForMs < 0) return { ...record, quietSince: now.toISOString() }
  return quietForMs >= loopWithinMs ? undefined : { ...record, quietSince }
}

function afterRepair(records: Records, resources: readonly ResourceId[], now: Date): Records {
  const changed = resources.map((resource): [ResourceId, RepairRecord] => {
    const before = recent(records.get(resource)?.repairedAt ?? [], now)
    return [resource, { resource, repairedAt: [...before, now.toISOString()].slice(-loopRepairs) }]
  })
  return new Map([...records, ...changed].slice(-kept))
}

function recent(times: readonly string[], now: Date): string[] {
  return times.filter((at) => {
    const ago = now.getTime() - Date.parse(at)
    return ago >= 0 && ago <= loopWithinMs
  })
}

function textOf(records: Records): string {
  return JSON.stringify([...records.values()])
}

function parsed(content = '[]'): Records {
  const file = z.array(recordSchema).max(kept).parse(JSON.parse(content))
  return new Map(file.map((record) => [record.resource, record]))
}
