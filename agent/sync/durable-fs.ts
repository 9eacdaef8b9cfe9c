// The file system given to isomorphic-git: node's own, but files appear whole or not at all. A SIGKILL or a power cut then
// never leaves half an index, from which the library does not recover.
import fs, { type PathLike } from 'node:fs'
import { replaceDurably } from '../state/durable.ts'

export const durableFs = {
  promises: {
    ...fs.promises,
    writeFile: (path: PathLike, content: string | Uint8Array) => replaceDurably([{ path: String(path), content }]),
  },
}
