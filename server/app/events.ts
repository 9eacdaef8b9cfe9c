// The one feed by which the parts of the running server hear of each other: who emits knows nobody who listens. Every
// event says what has happened; what somebody is asked to do, and answers, is a call.
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'

export type ServerEvent =
  /** A word of the host's agent, or its answer to a ping. */
  | { readonly kind: 'host-heard'; readonly host: HostName }
  /** It said what a check found, or that it found nothing new. */
  | { readonly kind: 'check-finished'; readonly host: HostName }
  /** What the host's clock says. `isFresh`: just now; it did not wait until the server could be reached. */
  | { readonly kind: 'clock-read'; readonly host: HostName; readonly at: string; readonly isFresh: boolean }
  /** Its agent came or went. */
  | { readonly kind: 'connection-changed'; readonly host: HostName }
  /** A machine that is not the known one showed the host's key: for the first time, or again after it was forgotten. */
  | { readonly kind: 'copy-seen'; readonly host: HostName }
  /** Copies that try no more were forgotten, or the known machine was. */
  | { readonly kind: 'machines-forgotten'; readonly host: HostName }
  | { readonly kind: 'enrollment-tried'; readonly host: HostName; readonly isEnrolled: boolean }
  | {
      readonly kind: 'report-recorded'
      readonly host: HostName
      /** Those that changed. */
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

  /** Listeners are called at once, in the order they came; what one throws, the emitter gets. */
  emit(event: ServerEvent): void {
    for (const listener of this.#listeners.get(event.kind) ?? []) listener(event)
  }

  /** Returns the way to stop. */
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
