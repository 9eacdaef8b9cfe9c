// Keeps the content of what is applied: one side of the diff when it drifts, also after the repository moved on.
import type { FileReader, FileWriter } from '../host/files.ts'
import type { ReadContents } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import { pathInId } from '../resources/subjects.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import type { ObjectStore } from '../state/objects.ts'

/** A larger file's diff is not made (observe/contents.ts). */
const keptBytes = 1024 * 1024

export function keepingContents(read: ReadContents, objects: ObjectStore): ReadContents {
  return async (sources) => {
    const contents = await read(sources)
    for (const bytes of contents) if (bytes.length <= keptBytes) objects.put(bytes)
    return contents
  }
}

/** Of what was found as desired and so never went through a change: read from the host, where it is the same. */
export async function recordContents(
  { resources }: Pick<ServiceBaseline, 'resources'>,
  before: ServiceBaseline | undefined,
  {
    host,
    state,
  }: { readonly host: { readonly files: FileReader | FileWriter }; readonly state: { readonly objects: ObjectStore } },
): Promise<void> {
  const { files } = host
  await files.pass(async () => {
    for (const [id, { attributes }] of resources) {
      const { content } = attributes
      if (content === undefined || !id.startsWith('file:') || pathInId(id) === undefined) continue
      if (before?.resources.get(id)?.attributes['content'] === content) continue
      const bytes = await files.read(pathOf(id), keptBytes)
      if (bytes !== undefined) state.objects.put(bytes)
    }
  })
}
