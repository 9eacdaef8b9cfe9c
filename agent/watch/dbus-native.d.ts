// What the package's own types leave out and unit-events.ts uses.
import type { Socket } from 'node:net'
import type { MessageBus } from '@homebridge/dbus-native'

declare module '@homebridge/dbus-native' {
  /** `direct`: the other end is the service itself, so no hello is sent. */
  export function createClient(options: { readonly stream: Socket; readonly direct: boolean }): MessageBus
}
