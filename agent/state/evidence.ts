// The evidence of what is drifted now, as it was gathered when it was first seen: it is repeated word for word, so that an alert
// that is told once is not told again because a login session has ended since.
import { z } from 'zod'
import { type Evidence, evidenceSchema } from '../../shared/evidence.ts'
import type { ResourceId } from '../../shared/names.ts'
import { readIfThere, replaceFile } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'

export type KnownEvidence = {
  /** Says how it was drifted; in another state it is another finding. */
  readonly state: string
  readonly evidence: Evidence
}

export type EvidenceStore = {
  read(): ReadonlyMap<ResourceId, KnownEvidence>
  /** All that is drifted now; what is not in it is forgotten. */
  write(known: ReadonlyMap<ResourceId, KnownEvidence>): void
}

const knownLimit = 2000

const fileSchema = z.record(z.string(), z.object({ state: z.string(), evidence: evidenceSchema }))

export function evidenceStore(path: string): EvidenceStore {
  let known: ReadonlyMap<ResourceId, KnownEvidence> | undefined
  let written = ''
  return {
    // The file's word is for a process that has just begun; one that runs on remembers also where the disk is full.
    read: () => {
      known ??= read(path)
      return known
    },
    write: (now) => {
      known = new Map([...now].slice(0, knownLimit))
      const content = JSON.stringify(Object.fromEntries(known))
      if (content === written) return
      try {
        if (known.size === 0 && readIfThere(path) === undefined) return
        replaceFile({ path, content })
        written = content
      } catch (error) {
        if (!(error instanceof PlumbError)) throw error
      }
    },
  }
}

function read(path: string): ReadonlyMap<ResourceId, KnownEvidence> {
  try {
    const file = fileSchema.parse(JSON.parse(readIfThere(path)?.toString('utf8') ?? '{}'))
    return new Map(Object.entries(file).map(([id, known]) => [id as ResourceId, known]))
  } catch {
    return new Map()
  }
}
