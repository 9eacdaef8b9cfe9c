// What a process did to its host, as kill-at.ts counts it and the agent under test tells it.

/** One call that changes something: a file, its name, its mode, its being on disk, or a program started. */
export type Operation = {
  /** `renameSync`, `fsync`, `spawn`... */
  readonly name: string
  /** The path it changed, without `/proc/self/fd`; of a spawn, the command. */
  readonly where: string
}

/** `before` the operation, `after` it, after half of it, or with the child it has just started. */
export type KillHow = 'before' | 'after' | 'torn' | 'together'

export function waysToKill({ name }: Operation): readonly KillHow[] {
  if (name === 'spawn') return ['before', 'after', 'together']
  return name === 'write' || name === 'writeSync' ? ['before', 'after', 'torn'] : ['before', 'after']
}

const key = Symbol.for('plumb.test.operations')

/** Of this process so far; empty without the preload. */
export function operationsHere(): Operation[] {
  const known: unknown = Reflect.get(globalThis, key)
  if (Array.isArray(known)) return known
  const operations: Operation[] = []
  Reflect.set(globalThis, key, operations)
  return operations
}
