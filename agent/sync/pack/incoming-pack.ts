// An incoming pack: extracted from the remote's response as it arrives, written to disk, and indexed there.
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceDurably, settleDurably } from '../../../shared/platform/durable.ts'
import { diskProblem } from '../reasons.ts'
import { indexPack } from './index-pack.ts'
import { PackMalformed } from './limits.ts'

export type IncomingPack = {
  /** Passes through everything in a response of upload-pack except the pack. */
  through(answer: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
  /** Moves the pack and its index into place; does nothing when no pack came. Throws what `indexPack` throws. */
  finish(): Promise<void>
  /** Removes the unfinished pack. */
  discard(): Promise<void>
}

const checksumBytes = 20
/** A pack without objects: its header and its checksum. */
const emptyPackBytes = 32

export function incomingPack(gitDirectory: string): IncomingPack {
  const directory = join(gitDirectory, 'objects/pack')
  // Under a name that the store removes when the process that writes it was killed.
  const path = join(directory, `tmp_pack_${randomUUID()}`)
  const hash = createHash('sha1')
  let tail = Buffer.alloc(0)
  let size = 0
  return {
    through,
    finish: async () => {
      if (size <= emptyPackBytes) return
      if (!hash.digest().equals(tail)) throw new PackMalformed('its checksum is wrong')
      const index = await indexPack(path)
      const name = join(directory, `pack-${tail.toString('hex')}`)
      // The index last: without it the pack is not looked at.
      await settleDurably([{ temporary: path, path: `${name}.pack` }])
      await replaceDurably([{ path: `${name}.idx`, content: index }])
    },
    discard: () => rm(path, { force: true }),
  }

  async function* through(answer: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    mkdirSync(directory, { recursive: true })
    const file = await open(path, 'w', 0o600)
    try {
      for await (const line of packetLines(answer)) {
        if (line[4] === packChannel) await take(file, line.subarray(5)).catch(notWritten)
        else yield line
      }
    } finally {
      await file.close()
    }
  }

  /** Distinguishes a full disk from a fault of the remote. */
  function notWritten(error: unknown): never {
    throw diskProblem(error, directory) ?? error
  }

  async function take(file: FileHandle, piece: Buffer): Promise<void> {
    await file.writeFile(piece)
    size += piece.length
    const seen = Buffer.concat([tail, piece])
    hash.update(seen.subarray(0, Math.max(0, seen.length - checksumBytes)))
    tail = Buffer.from(seen.subarray(-checksumBytes))
  }
}

/** Of side-band: 1 the pack, 2 progress, 3 an error. */
const packChannel = 1

/** Each with its length before it; what is not of this form comes as it is, for its reader to complain. */
async function* packetLines(answer: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0)
  for await (const chunk of answer) {
    held = Buffer.concat([held, chunk])
    for (;;) {
      const length = lineLength(held)
      if (length === undefined || held.length < length) break
      yield held.subarray(0, length)
      held = held.subarray(length)
    }
  }
  if (held.length > 0) yield held
}

/** Undefined while it cannot be known. `0000` to `0003` have no content. */
function lineLength(held: Buffer): number | undefined {
  if (held.length < 4) return undefined
  const digits = held.toString('latin1', 0, 4)
  return /^[0-9a-fA-F]{4}$/.test(digits) ? Math.max(4, Number.parseInt(digits, 16)) : held.length
}
