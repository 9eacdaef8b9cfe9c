// The event feed between the parts of the running server; emitters do not know the subscribers. An event states what has
// happened; a request that needs an answer is a function call.
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'

export type ServerEvent =
  /** A message from the host's agent, or its answer to a ping. */
  | { readonly kind: 'host-heard'; readonly host: HostName }
  /** The agent finished a check, with or without changes. */
  | { readonly kind: 'check-finished'; readonly host: HostName }
  /** The host's clock. `isFresh`: the time is of this moment, not of a report that waited in the spool. */
  | { readonly kind: 'clock-read'; readonly host: HostName; readonly at: string; readonly isFresh: boolean }
  /** The host's agent connected or disconnected. */
  | { readonly kind: 'connection-changed'; readonly host: HostName }
  /** A second machine presented the host's key: for the first time, or again after the copy was forgotten. */
  | { readonly kind: 'copy-seen'; readonly host: HostName }
  /** Copies that stopped trying were forgotten, or the known machine was. */
  | { readonly kind: 'machines-forgotten'; readonly host: HostName }
  | { readonly kind: 'enrollment-tried'; readonly host: HostName; readonly isEnrolled: boolean }
  | {
      readonly kind: 'report-recorded'
      readonly host: HostName
      /** The services that changed. */
      readonly services: readonly ServiceName[]
      readonly revision: Revision | undefined
    }
  | { readonly kind: 'host-removed'; readonly host: HostName }
  /** Placed or released, on hosts of these names and patterns. */
  | { readonly kind: 'holds-changed'; readonly hosts: readonly string[] }
  /** The server's clone has another head, or the head became valid or invalid. */
  | { readonly kind: 'repository-changed'; readonly revision: Revision }
  | { readonly kind: 'alerts-changed'; readonly alerts: readonly { readonly key: string; readonly host?: HostName }[] }

type Kind = ServerEvent['kind']
type EventOf<Wanted extends Kind> = Extract<ServerEvent, { readonly kind: Wanted }>

export class EventFeed {
  readonly #listeners = new Map<Kind, Set<(event: ServerEvent) => void>>()

  /** Calls listeners synchronously, in order of subscription. An exception of a listener reaches the emitter. */
  emit(event: ServerEvent): void {
    for (const listener of this.#listeners.get(event.kind) ?? []) listener(event)
  }

  /** Returns a function that unsubscribes. */
  subscribe<Wanted extends Kind>(kinds: readonly Wanted[], listener: (event: EventOf<Wanted>) => void): () => void {
    const hear = (event: ServerEvent) => {
      if (isOneOf(event, kinds)) listener(event)
    }
    for (const kind of kinds) this.#listenersOf(kind).add(hear)
    return () => {
      for (const kind of kinds) this.#listenersOf(kind).delete(hear)
    }
  }

  #listenersOf(kind: Kind): Set<(event: ServerEvent) => void> {
    const listeners = this.#listeners.get(kind) ?? new Set()
    this.#listeners.set(kind, listeners)
    return listeners
  }
}

function isOneOf<Wanted extends Kind>(event: ServerEvent, kinds: readonly Wanted[]): event is EventOf<Wanted> {
  return kinds.some((kind) => kind === event.kind)
}
