// Texts about archived content, for applies and for `plumb restore`.
import { archivedFileLimitBytes, type Was } from './archive.ts'

export function notKeptText(path: string, was: Was): readonly string[] {
  if (was.type !== 'not-kept') return []
  const size = sizeText(was.size)
  switch (was.why) {
    case 'too-large':
      return [`did not archive the content of ${path}: ${size} is more than ${sizeText(archivedFileLimitBytes)}`]
    case 'too-much':
      return [`did not archive the content of ${path} (${size}): this apply replaced too much`]
    case 'too-many':
      return [`did not archive ${was.files} more files (${size}) that were in ${path}`]
  }
}

/** `312 bytes`, `4.0 MiB`. */
export function sizeText(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  if (bytes < 1024) return `${bytes} byte${bytes === 1 ? '' : 's'}`
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length)
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1]}`
}
