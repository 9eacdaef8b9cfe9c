// Directories within one service: in which order they are made, purged and removed. Pure.
import type { ResourceChange } from '../resources/kind.ts'
import type { ComparedResource } from './compare.ts'

/** Made and corrected before the files in them; purged after them, when everything new is in place. */
export function directories(
  changes: readonly ResourceChange[],
  counts: (name: string) => boolean,
): readonly ResourceChange[] {
  return deepestFirst(changes)
    .toReversed()
    .flatMap((directory) => {
      const differences = directory.differences.filter(({ name }) => counts(name))
      return differences.length === 0 ? [] : [{ ...directory, differences }]
    })
}

/** A directory that takes the place of something else. */
export function isReplacing({ differences }: ResourceChange): boolean {
  return differences.some(({ name, live }) => name === 'type' && live !== 'missing')
}

/** In the order they are removed; they are made the other way round. */
export function deepestFirst(changes: readonly ResourceChange[]): readonly ResourceChange[] {
  return changes.toSorted((one, other) => (one.id < other.id ? 1 : -1))
}

export function purges(changes: readonly ResourceChange[]): readonly ResourceChange[] {
  return directories(changes, (name) => name === 'extra')
}

/**
 * What a package of this very apply puts into a purged directory cannot be seen before it is installed: whatever is there
 * goes, once all that leaves by itself has left, but for drift that is left alone.
 */
export function purgesUnseen(
  purged: readonly ComparedResource[],
  chosen: readonly ResourceChange[],
): readonly ResourceChange[] {
  return purged.map(({ comparison: _, ...directory }) =>
    purgeUnseen(
      directory,
      chosen.find(({ id }) => id === directory.id),
    ),
  )
}

function purgeUnseen(
  { live, desired, ...directory }: ResourceChange,
  chosen: ResourceChange | undefined,
): ResourceChange {
  const spared = chosen === undefined ? (live.extras ?? []) : []
  const seen = chosen?.differences.map((extra) => `${extra.live} and `) ?? []
  const left = `${seen.join('')}what its packages leave there`
  return {
    ...directory,
    desired: desired?.kind === 'directory' ? { ...desired, keep: [...desired.keep, ...spared] } : desired,
    live: { attributes: { type: 'directory' } },
    differences: [{ name: 'extra', expected: 'none', live: left, codes: ['extra'] }],
  }
}
