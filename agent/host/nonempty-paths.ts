// Whether there is any data at places of the host: an empty directory or file, as the engine makes for a mount, is none.

import { opendir, stat } from 'node:fs/promises'
import { errnoOf } from '../../shared/errno.ts'

/** Those of the paths that have some. What cannot be looked at counts as such. */
export async function nonEmptyPaths(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const path of new Set(paths)) if (await hasContent(path)) found.add(path)
  return found
}

async function hasContent(path: string): Promise<boolean> {
  try {
    const stats = await stat(path)
    if (!stats.isDirectory()) return !stats.isFile() || stats.size > 0
    const directory = await opendir(path)
    const first = await directory.read()
    await directory.close()
    return first !== null
  } catch (error) {
    const errno = errnoOf(error)
    return errno !== 'ENOENT' && errno !== 'ENOTDIR'
  }
}
