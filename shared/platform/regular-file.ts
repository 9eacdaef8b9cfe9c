// Files that an operator gives the server, read at once: a FIFO or a device in the place of one would hold the whole server.
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'

export type RegularFile = { readonly text: string; readonly mode: number }

/** Far above any token, key or certificate chain. */
const sizeLimit = 1024 * 1024

/** Throws where readFileSync does, and for what is no regular file or is too large. Follows links. */
export function readRegularFile(path: string): RegularFile {
  // Without O_NONBLOCK the open itself would wait for a FIFO's writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw new Error(`${path} is no regular file`)
    if (stats.size > sizeLimit) throw new Error(`${path} is larger than 1 MiB`)
    return { text: readFileSync(file, 'utf8'), mode: stats.mode }
  } finally {
    closeSync(file)
  }
}
