// How large the files of a revision may be. Judged by sizes that are known before a content is read.
import type { Problem } from '../problem.ts'
import { invalid } from './invalid.ts'
import type { TreeEntry } from './tree.ts'

const mebibyte = 1024 * 1024

/** A file of a service passes through the memory of the agent as a whole. */
export const revisionLimits = { fileBytes: 32 * mebibyte, totalBytes: 512 * mebibyte } as const

/** Files that no host gets may be as large as they like. */
export function sizeProblems(entries: readonly Pick<TreeEntry, 'path' | 'oid' | 'size'>[]): readonly Problem[] {
  const ofServices = entries.filter(({ path }) => path.startsWith('services/'))
  const large = ofServices.filter(({ size = 0 }) => size > revisionLimits.fileBytes)
  if (large.length > 0) return large.map((entry) => tooLarge(entry))
  const sizes = new Map(ofServices.map(({ oid, size = 0 }) => [oid, size]))
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  if (total <= revisionLimits.totalBytes) return []
  const largest = ofServices.reduce((one, other) => ((other.size ?? 0) > (one.size ?? 0) ? other : one))
  const message = `the files of all services have ${sizeText(total)}; at most ${sizeText(revisionLimits.totalBytes)} are taken`
  const remedy = `${elsewhere} The largest is ${largest.path} with ${sizeText(largest.size ?? 0)}.`
  return [invalid(message, { file: 'services' }, { remedy })]
}

function tooLarge({ path, size = 0 }: Pick<TreeEntry, 'path' | 'size'>): Problem {
  const message = `has ${sizeText(size)}; at most ${sizeText(revisionLimits.fileBytes)} are taken`
  return invalid(message, { file: path }, { remedy: elsewhere })
}

const elsewhere = 'Bring large files by a package, a container image or a download, not by the repository.'

function sizeText(bytes: number): string {
  return bytes < mebibyte ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.ceil((10 * bytes) / mebibyte) / 10} MiB`
}
