// What applies overwrote or removed that the repository never had: an index into the object store, newest last, bounded.
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { serviceNameSchema, sha256Schema } from '../../shared/names.ts'
import { readIfThere, replaceDurably } from './durable.ts'
import type { ObjectStore } from './objects.ts'

const displacedSchema = z.object({
  /** ISO 8601. */
  at: z.string(),
  service: serviceNameSchema,
  path: z.string(),
  sha256: sha256Schema,
})

export type Displaced = z.infer<typeof displacedSchema>
export type DisplacedContent = Omit<Displaced, 'sha256'> & { readonly bytes: Uint8Array }

export type DisplacedStore = {
  list(): readonly Displaced[]
  /** On disk when it returns. */
  add(contents: readonly DisplacedContent[]): Promise<void>
}

const listLimit = 5000

export function displacedStore(directory: string, objects: ObjectStore): DisplacedStore {
  const path = join(directory, 'displaced.json')
  const list = () => parse(readIfThere(path)) ?? []
  return {
    list,
    add: async (contents) => {
      if (contents.length === 0) return
      const added: Displaced[] = []
      for (const { bytes, ...where } of contents) added.push({ ...where, sha256: await objects.putDurably(bytes) })
      // What is in the store can still be found by who reads the damaged list.
      if (parse(readIfThere(path)) === undefined) renameSync(path, `${path}.corrupt`)
      const content = JSON.stringify([...list(), ...added].slice(-listLimit))
      await replaceDurably([{ path, content }])
    },
  }
}

/** Undefined: it cannot be read. */
function parse(bytes: Buffer | undefined): readonly Displaced[] | undefined {
  try {
    return z.array(displacedSchema).parse(JSON.parse(bytes?.toString('utf8') ?? '[]'))
  } catch {
    return undefined
  }
}
