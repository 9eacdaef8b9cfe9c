// The limits that a connection of an agent is held to, what its messages cost, and how it is closed.
export type MessageCost = { readonly bytes: number; readonly rows: number }

export type ConnectionLimits = {
  readonly helloWithinMs: number
  /** Messages at once, and messages a second that may follow them. */
  readonly burst: number
  readonly messagesPerSecond: number
  /** Bytes that wait to be read by the agent before it counts as dead. */
  readonly unreadBytes: number
}

/** What the close frame says; 4000 and up are for applications to define. */
export const closeCodes = { refused: 4001, replaced: 4002, flood: 4003, removed: 4004, copy: 4005 } as const
