// The file system given to isomorphic-git: node's own, but it shows no pack, which the library would take into memory as a
// whole (pack/ reads them), and files appear whole or not at all. A SIGKILL or a power cut then
// never leaves half an index, from which the library does not recover.
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
