// systemd's own signals, over its private socket: no message bus is needed for them, and root alone may listen there.
import { createClient, type MessageBus } from '@homebridge/dbus-native'
import type { Listening } from './source.ts'

const socket = '/run/systemd/private'
const systemd = { destination: 'org.freedesktop.systemd1', path: '/org/freedesktop/systemd1' }
const manager = 'org.freedesktop.systemd1.Manager'

/**
 * Calls `changed` for what may change a unit's state or enablement. Every unit's signals come, also those nobody manages; `names` are
 * the units that count. `ended` is called once, when there is no connection (any more).
 */
export function listenToUnits(names: () => ReadonlySet<string>, changed: () => void, ended: () => void): Listening {
  const bus: MessageBus = createClient({ busAddress: `unix:path=${socket}`, direct: true })
  const { connection } = bus
  let isOpen = true
  const end = () => {
    if (isOpen) ended()
    isOpen = false
  }
  connection.on('error', end)
  connection.on('end', end)
  connection.on('connect', () => bus.invoke({ ...systemd, interface: manager, member: 'Subscribe' }, () => undefined))
  connection.on('message', (message) => {
    if (message.type === signal && matters(message, names())) changed()
  })
  return {
    close: () => {
      isOpen = false
      connection.end()
    },
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
