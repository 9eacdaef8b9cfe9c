// Files as one tar.gz: the ustar format of POSIX.1-1988. Everything in it is root's and readable by its owner alone.
import { gzipSync } from 'node:zlib'

export type TarFile = {
  /** At most 100 bytes: the format's own limit without a prefix. */
  readonly name: string
  readonly content: Uint8Array
}

const blockBytes = 512
const nameBytes = 100

export function tarGz(files: readonly TarFile[], at: Date): Buffer {
  const blocks = files.flatMap(({ name, content }) => [header(name, content.length, at), content, padding(content)])
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]))
}

export function fitsTar(name: string): boolean {
  return Buffer.byteLength(name) <= nameBytes
}

function header(name: string, size: number, at: Date): Buffer {
  if (!fitsTar(name)) throw new RangeError(`the name ${name} is too long for a tar file`)
  const block = Buffer.alloc(blockBytes)
  block.write(name, 0)
  block.write('0000600\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  block.write(octal(size, 11), 124)
  block.write(octal(Math.floor(at.getTime() / 1000), 11), 136)
  // The checksum counts its own field as spaces.
  block.write('        ', 148)
  block.write('0', 156)
  block.write('ustar\u000000', 257)
  block.write('root', 265)
  block.write('root', 297)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148)
  return block
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

function padding(content: Uint8Array): Buffer {
  return Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes)
}
