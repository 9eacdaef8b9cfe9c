// What an apply takes away and the repository never had - an edit made by hand, a package's default - is kept in the object store.
import { hash } from 'node:crypto'
import { type AbsolutePath, absolutePathSchema, type ServiceName } from '../../shared/names.ts'
import type { FileReader, FileWriter } from '../host/files.ts'
import type { HostReader } from '../host/host.ts'
import { extrasOf } from '../resources/directory.ts'
import type { ResourceChange } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import { pathInId } from '../resources/subjects.ts'
import type { DisplacedContent } from '../state/displaced.ts'
import { objectLimitBytes } from '../state/objects.ts'

export type Displacing = { readonly service: ServiceName; readonly at: string }

/** Of what is already replaced or set aside, whatever took its place; the baseline's own content is in the repository's history. */
export async function* replacedContents(
  changes: readonly ResourceChange[],
  files: FileWriter,
  { service, at }: Displacing,
): AsyncGenerator<DisplacedContent> {
  for (const { id, baseline } of changes) {
    if (pathInId(id) === undefined) continue
    const path = pathOf(id)
    const bytes = await files.readReplaced(path, objectLimitBytes)
    if (bytes === undefined || hash('sha256', bytes, 'hex') === baseline?.attributes['content']) continue
    yield { service, at, path, bytes }
  }
}

/** Of what a purge is about to remove, with everything below it. */
export async function* extraContents(
  changes: readonly ResourceChange[],
  host: HostReader,
  { service, at }: Displacing,
): AsyncGenerator<DisplacedContent> {
  for (const { desired, differences } of changes) {
    if (desired?.kind !== 'directory' || !differences.some(({ name }) => name === 'extra')) continue
    const paths = extrasOf(desired, host).map((name) => `${desired.path}/${name}`)
    for (const path of filesBelow(paths, host.files)) {
      const bytes = await host.files.read(path, objectLimitBytes)
      if (bytes !== undefined) yield { service, at, path, bytes }
    }
  }
}

/** Somebody's whole download directory is not kept. */
const filesKept = 1000

function filesBelow(roots: readonly string[], files: FileReader | FileWriter): readonly AbsolutePath[] {
  const found: AbsolutePath[] = []
  const open = [...roots]
  for (let next = open.pop(); next !== undefined && found.length < filesKept; next = open.pop()) {
    const path = absolutePathSchema.safeParse(next)
    // A name that is not UTF-8 is shown escaped and cannot be read back by that.
    if (!path.success) continue
    const type = files.stat(path.data)?.type
    if (type === 'file') found.push(path.data)
    if (type === 'directory') open.push(...files.list(path.data).map((name) => `${path.data}/${name}`))
  }
  return found
}
