// Limits the bytes of a socket before the hello, and decodes the text of a message.
import type { Duplex } from 'node:stream'
import type { RawData } from 'ws'
import { guarded } from '../../shared/platform/guarded.ts'

/** The frame limit applies to the whole server, so bytes are counted here for the lower limit before the hello. */
export function boundBytes(socket: Duplex, { limit, applies, ends }: ByteBound): void {
  let bytes = 0
  const count = guarded((chunk: Buffer) => {
    bytes += chunk.length
    if (!applies()) socket.off('data', count)
    else if (bytes > limit) socket.destroy()
  }, ends)
  socket.on('data', count)
}

type ByteBound = {
  readonly limit: number
  applies(): boolean
  ends(thrown: unknown): void
}

export function textOf(message: RawData): string {
  if (Array.isArray(message)) return Buffer.concat(message).toString('utf8')
  return (Buffer.isBuffer(message) ? message : Buffer.from(message)).toString('utf8')
}
