// Contents from before the first apply, kept for as long as a baseline may restore them.
import type { Baselines } from './baseline.ts'

/** Sizes in bytes by SHA-256. */
export function keptOriginals(baselines: Baselines): ReadonlyMap<string, number> {
  const all = [...baselines.values()].flatMap(({ before }) => [...(before ?? new Map()).values()])
  return new Map(all.flatMap(({ was }) => (was.type === 'file' && was.kept === 'yes' ? [[was.sha256, was.size]] : [])))
}
