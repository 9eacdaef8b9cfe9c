// What the package's own types leave out and unit-events.ts uses.
import type { MessageBus } from '@homebridge/dbus-native'

declare module '@homebridge/dbus-native' {
  interface BusConnection {
    end(): void
  }
  /** `direct`: the other end is the service itself, so nobody is said hello to. */
  export function createClient(options: { readonly busAddress: string; readonly direct: boolean }): MessageBus
}
