// What an agent's socket brings: how many bytes before the agent has said who it is, and the text of a message.
import type { Duplex } from 'node:stream'
import type { RawData } from 'ws'
import { guarded } from '../../shared/platform/guarded.ts'

/** The frame limit is one for the whole server, so that before the hello the bytes themselves are counted. */
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
