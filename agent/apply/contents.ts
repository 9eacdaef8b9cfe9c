// Keeps rendered content that is applied: one side of the diff when it drifts. The repository's own content is in the clone.
import type { ReadContents } from '../resources/kind.ts'
import type { ObjectStore } from '../state/objects.ts'

/** A larger file's diff is not made (observe/contents.ts). */
const keptBytes = 1024 * 1024

export function keepingRendered(read: ReadContents, objects: ObjectStore): ReadContents {
  return async (sources) => {
    for (const source of sources)
      if (source.kind === 'rendered' && source.bytes.length <= keptBytes) objects.put(source.bytes)
    return read(sources)
  }
}
