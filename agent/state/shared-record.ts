// State in one small file that a verb may replace too: `plumb apply` ends a repair loop, and an agent
// that kept its own copy would write the loop again. While only this process writes, its memory counts, also on a full disk.
import { lstatSync } from 'node:fs'
import { readIfThere, removeIfThere, replaceFile } from '../../shared/platform/durable.ts'

export type SharedRecord<T> = {
  get(): T
  /**
   * `content` undefined: there is no file for this. Throws PlumbError when it cannot be written; it is remembered all
   * the same.
   */
  set(value: T, content: string | undefined): void
}

/** A file that cannot be read is as one that is not there. */
export function sharedRecord<T>(path: string, parse: (content: string | undefined) => T): SharedRecord<T> {
  const read = () => {
    try {
      return parse(readIfThere(path)?.toString('utf8'))
    } catch {
      return parse(undefined)
    }
  }
  let version = versionOf(path)
  let value = read()
  return {
    get: () => {
      const now = versionOf(path)
      if (now === version) return value
      version = now
      value = read()
      return value
    },
    set: (next, content) => {
      value = next
      try {
        if (content === undefined) removeIfThere(path)
        else replaceFile({ path, content })
      } finally {
        version = versionOf(path)
      }
    },
  }
}

/** Files are replaced by a rename, never written in place. */
function versionOf(path: string): string {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`
}
