// Reads the body of a request within its limit, and counts the received bytes for its sender: a body that never ends takes no
// more than the share of its owner. The HTTP server limits how long it may take.
import type { Slots } from './slots.ts'

export type Received =
  | { readonly kind: 'received'; readonly bytes: Uint8Array<ArrayBuffer>; release(): void }
  | { readonly kind: 'too-large' }
  /** The owner's share, or that of all, is in use. */
  | { readonly kind: 'busy' }
  /** The client went away, or was too slow: no answer reaches it. */
  | { readonly kind: 'gone' }

export type Receiving = { readonly limit: number; readonly owner: string; readonly shares: Slots }

/** Never rejects. What was received counts until it is released. */
export async function receive(request: Request, { limit, owner, shares }: Receiving): Promise<Received> {
  if (Number(request.headers.get('content-length') ?? 0) > limit) return { kind: 'too-large' }
  const chunks: Uint8Array[] = []
  const leaves: (() => void)[] = []
  const release = () => {
    for (const leave of leaves.splice(0)) leave()
  }
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length
      if (size > limit) return refused('too-large')
      const leave = shares.take(owner, chunk.length)
      if (leave === undefined) return refused('busy')
      leaves.push(leave)
      chunks.push(chunk)
    }
  } catch {
    return refused('gone')
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return { kind: 'received', bytes, release }

  function refused(kind: 'too-large' | 'busy' | 'gone'): Received {
    release()
    return { kind }
  }
}
