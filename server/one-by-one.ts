// Requests of one connection are answered one after the other. Node parses what a client sends ahead (HTTP pipelining) in one turn
// of the event loop and starts every request of it: without this, one connection would make everybody else wait.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { guarded } from '../shared/platform/guarded.ts'

export type OneByOne = {
  /** Requests that may wait for the answer to the one before them. One more closes the connection. */
  readonly waiting: number
  /** Milliseconds until the request's turn; undefined: it is refused. */
  waitOf(request: IncomingMessage): number | undefined
  /** Ends the connection of a handler that failed. */
  ends(thrown: unknown, socket: Socket): void
}

type Call = { readonly request: IncomingMessage; readonly response: ServerResponse }
type Line = { isBusy: boolean; readonly waiting: Call[] }

/** Between two requests of a connection, the event loop has a turn. */
export function oneByOne(handler: RequestListener, { waiting, waitOf, ends }: OneByOne): RequestListener {
  const lines = new WeakMap<Socket, Line>()
  const lineOf = (socket: Socket): Line => {
    const line = lines.get(socket) ?? { isBusy: false, waiting: [] }
    lines.set(socket, line)
    return line
  }
  const handle = guarded(handler, (thrown, { socket }) => ends(thrown, socket))
  const start = ({ request, response }: Call) => {
    if (!request.socket.destroyed) handle(request, response)
  }
  const next = (socket: Socket, line: Line) => {
    const call = line.waiting.shift()
    line.isBusy = call !== undefined && !socket.destroyed
    if (call === undefined || socket.destroyed) return void line.waiting.splice(0)
    const failed = (thrown: unknown) => ends(thrown, socket)
    const after = guarded(() => next(socket, line), failed)
    call.response.once(
      'close',
      guarded(() => void setImmediate(after), failed),
    )
    const wait = waitOf(call.request)
    if (wait === undefined) return refuse(call.response)
    if (wait === 0) return start(call)
    const later = guarded(() => start(call), failed)
    setTimeout(later, wait)
  }
  return (request, response) => {
    const { socket } = request
    const line = lineOf(socket)
    // The rest of what was parsed at once comes here also after the connection was closed.
    if (socket.destroyed) return
    if (line.isBusy && line.waiting.length >= waiting) return void socket.destroy()
    line.waiting.push({ request, response })
    if (!line.isBusy) next(socket, line)
  }
}

function refuse(response: ServerResponse): void {
  response.writeHead(429, { 'retry-after': '60', connection: 'close', 'content-type': 'text/plain' })
  response.end('Too many requests came from this address. Try again in a minute.\n')
}
