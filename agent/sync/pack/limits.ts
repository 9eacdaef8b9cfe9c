// What a pack from a remote may cost. Sizes are read from the headers of its objects, before anything is inflated.

export type PackLimits = {
  readonly objects: number
  /** Deltas that name their base by its id, which is held in memory until the base is met. */
  readonly idDeltas: number
  /** Sum of the sizes of all objects once they are inflated and deltas are applied. */
  readonly inflatedBytes: number
  /** Bytes produced while the pack is indexed, bases that are inflated again included. */
  readonly workBytes: number
  /** An object that must be whole in memory: a delta, its base, its result. */
  readonly objectBytes: number
  /** A commit, a tree or a tag. */
  readonly headerBytes: number
  /** Chains of deltas; git itself makes none that is longer. */
  readonly depth: number
}

const mebibyte = 1024 * 1024

export const packLimits: PackLimits = {
  objects: 400_000,
  idDeltas: 200_000,
  inflatedBytes: 2048 * mebibyte,
  workBytes: 8192 * mebibyte,
  objectBytes: 32 * mebibyte,
  headerBytes: 8 * mebibyte,
  depth: 4095,
}

/** The pack costs more than it may. */
export class PackTooLarge extends Error {
  override readonly name = 'PackTooLarge'
}

/** The pack is not what a git writes. */
export class PackMalformed extends Error {
  override readonly name = 'PackMalformed'
}
