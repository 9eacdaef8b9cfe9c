// Limits of an agent's connection, the cost of its messages, and its close codes.
export type MessageCost = { readonly bytes: number; readonly rows: number }

export type ConnectionLimits = {
  readonly helloWithinMs: number
  /** Burst size, and messages per second after the burst. */
  readonly burst: number
  readonly messagesPerSecond: number
  /** Unsent bytes after which the agent counts as dead. */
  readonly unreadBytes: number
}

/** Codes of the close frame; 4000 and up are defined by the application. */
export const closeCodes = { refused: 4001, replaced: 4002, flood: 4003, removed: 4004, copy: 4005 } as const
