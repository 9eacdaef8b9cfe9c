// Of what was there before the first apply, the contents that are kept for as long as a baseline may put them back.
import type { Baselines } from './baseline.ts'

/** By SHA-256, their sizes in bytes. */
export function keptOriginals(baselines: Baselines): ReadonlyMap<string, number> {
  const all = [...baselines.values()].flatMap(({ before }) => [...(before ?? new Map()).values()])
  return new Map(all.flatMap(({ was }) => (was.type === 'file' && was.kept === 'yes' ? [[was.sha256, was.size]] : [])))
}
