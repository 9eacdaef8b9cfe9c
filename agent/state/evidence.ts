// Evidence of present drift, as gathered when it was first seen. It is repeated unchanged, so that an alert is not sent
// again only because a login session has ended since.
import { z } from 'zod'
import { type Evidence, evidenceSchema } from '../../shared/evidence.ts'
import type { ResourceId } from '../../shared/names.ts'
import { readIfThere, replaceFile } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'

export type KnownEvidence = {
  /** Identifies the drift; a different state is a different finding. */
  readonly state: string
  readonly evidence: Evidence
}

export type EvidenceStore = {
  read(): ReadonlyMap<ResourceId, KnownEvidence>
  /** Replaces all entries: resources that no longer drift are dropped. */
  write(known: ReadonlyMap<ResourceId, KnownEvidence>): void
}

const knownLimit = 2000

const fileSchema = z.record(z.string(), z.object({ state: z.string(), evidence: evidenceSchema }))

export function evidenceStore(path: string): EvidenceStore {
  let known: ReadonlyMap<ResourceId, KnownEvidence> | undefined
  let written = ''
  return {
    // The file is only for the next process. A running one keeps its memory, also when the disk is full.
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
