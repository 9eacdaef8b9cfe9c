// Results of `plumb apply` for the running agent to report: one file each, so that the processes need no lock.
import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import { makeStateDirectory, readIfThere, removeIfThere, replaceFile } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'
import { type ApplyReport, applyResultSchema, personAppliesLimit } from '../../shared/report.ts'

export type PersonApplies = {
  /** On a full disk the entry of the history is lost; the apply goes on. */
  add(apply: ApplyReport): void
  /** Returns all added entries, oldest first, and deletes them from disk. */
  take(): readonly ApplyReport[]
}

/** Upper bound; the journal of the host has the rest. */
const changesKept = 1000

export function personApplies(directory: string): PersonApplies {
  const names = () => namesIn(directory).filter((name) => name.endsWith('.json'))
  return {
    add: (apply) =>
      tolerantly(() => {
        makeStateDirectory(directory)
        const name = `${apply.at.replaceAll(/\D/g, '')}-${randomUUID()}.json`
        const content = JSON.stringify({ ...apply, changes: apply.changes.slice(0, changesKept) })
        replaceFile({ path: join(directory, name), content })
        for (const old of names().slice(0, -personAppliesLimit)) removeIfThere(join(directory, old))
      }),
    take: () => {
      const taken: ApplyReport[] = []
      for (const name of names())
        tolerantly(() => {
          const path = join(directory, name)
          const parsed = applyResultSchema.safeParse(JSON.parse(readIfThere(path)?.toString('utf8') ?? 'null'))
          removeIfThere(path)
          if (parsed.success) taken.push(parsed.data)
        })
      return taken
    },
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).toSorted()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

function tolerantly(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof PlumbError) && !(error instanceof SyntaxError)) throw error
  }
}
