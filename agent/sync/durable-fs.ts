// The file system given to isomorphic-git: node's own, with two changes. Packs are hidden, because the library would
// read them into memory as a whole (pack/ reads them), and files are written atomically, because the library does not
// recover from a partial index after a SIGKILL or a power cut.
import fs, { type PathLike } from 'node:fs'
import { replaceDurably } from '../../shared/platform/durable.ts'

export const durableFs = {
  promises: {
    ...fs.promises,
    readFile: (path: PathLike, options: Parameters<typeof fs.promises.readFile>[1] = null) =>
      String(path).endsWith('.pack') ? Promise.reject(noPack(path)) : fs.promises.readFile(path, options),
    writeFile: (path: PathLike, content: string | Uint8Array) => replaceDurably([{ path: String(path), content }]),
  },
}

function noPack(path: PathLike): Error {
  return Object.assign(new Error(`${String(path)} is not read here`), { code: 'ENOENT' })
}
