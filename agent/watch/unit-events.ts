// systemd's own signals, over its private socket: no message bus is needed for them, and root alone may listen there.
import { Socket } from 'node:net'
import { createClient, type MessageBus } from '@homebridge/dbus-native'
import type { Listening } from './source.ts'

const privateSocket = '/run/systemd/private'
const systemd = { destination: 'org.freedesktop.systemd1', path: '/org/freedesktop/systemd1' }
const manager = 'org.freedesktop.systemd1.Manager'

/**
 * Calls `changed` for what may change a unit's state or enablement. Signals of every unit arrive, also of unmanaged ones; `names` are
 * the units that count. `ended` is called once, when there is no connection (any more).
 */
export function listenToUnits(
  names: () => ReadonlySet<string>,
  { changed, ended }: { readonly changed: () => void; readonly ended: () => void },
  socketPath = privateSocket,
): Listening {
  const socket = new ParsedSocket().connect(socketPath)
  const bus: MessageBus = createClient({ stream: socket, direct: true })
  const { connection } = bus
  let isOpen = true
  const end = () => {
    if (isOpen) ended()
    isOpen = false
    socket.destroy()
  }
  // The library's 'error' is also a refused handshake, which leaves the socket open.
  connection.on('error', end)
  socket.on('close', end)
  connection.on('connect', () => bus.invoke({ ...systemd, interface: manager, member: 'Subscribe' }, () => undefined))
  connection.on('message', (message) => {
    if (message.type === signal && matters(message, names())) changed()
  })
  return {
    close: () => {
      isOpen = false
      socket.destroy()
    },
  }
}

/**
 * The library parses messages in the socket's 'readable' event. At the end of the stream, as of a `daemon-reexec`, the last one may be cut
 * off, and the parser throws: that is an error of this connection, not of the process.
 */
class ParsedSocket extends Socket {
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event !== 'readable') return super.emit(event, ...values)
    try {
      return super.emit(event, ...values)
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)))
      return true
    }
  }
}

const signal = 4

type Signal = { readonly path?: string; readonly member?: string }

/** `Reloading` and `UnitFilesChanged` are about all units; the object path of the others names one. */
function matters({ path = '', member = '' }: Signal, names: ReadonlySet<string>): boolean {
  if (member === 'UnitFilesChanged' || member === 'Reloading') return true
  const unit = unitIn(path)
  return unit !== undefined && names.has(unit)
}

const unitPaths = '/org/freedesktop/systemd1/unit/'

/** `/org/freedesktop/systemd1/unit/nginx_2eservice` -> `nginx.service`: sd-bus escapes every other byte as _xx. */
function unitIn(path: string): string | undefined {
  if (!path.startsWith(unitPaths)) return undefined
  return path
    .slice(unitPaths.length)
    .replace(/_([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
