// Serves the server's clone to agents, read-only, over smart HTTP, so that hosts need no credentials for the forge.
// Decision: docs/decisions/2026-11-23-the-mirror.md
import { createPublicKey, verify } from 'node:crypto'
import type { HostName } from '../../shared/names.ts'
import { guarded, ignored } from '../../shared/platform/guarded.ts'
import { mirrorText } from '../../shared/protocol.ts'
import { bounds } from '../allowance/bounds.ts'
import { receive } from '../allowance/receive.ts'
import { createSlots, createTurns } from '../allowance/slots.ts'
import type { FleetClone } from './clone.ts'
import { type BackendCall, gitHttpBackend } from './http-backend.ts'

export const mirrorPath = '/git/fleet.git'

export type MirrorOptions = {
  readonly clone: Pick<FleetClone, 'gitDirectory' | 'configuration'>
  /** Default 600. */
  readonly deadlineSeconds?: number
  /** A reader that takes nothing for so long loses its turn. Default 30. */
  readonly readsWithinSeconds?: number
}

/** What a host may do: fetch. There is no way to push. `host`: whose share of the server it takes. */
export type Mirror = {
  advertise(request: Request, host: string): Promise<Response>
  uploadPack(request: Request, host: string): Promise<Response>
}

export function createMirror(options: MirrorOptions): Mirror {
  const turns = createTurns(
    { total: bounds.allMirrorTurns.limit, each: bounds.mirrorTurns.limit },
    { total: bounds.allMirrorWaiting.limit, each: bounds.mirrorWaiting.limit },
  )
  const shares = createSlots({ total: bounds.allMirrorBodyBytes.limit, each: bounds.mirrorBodyBytes.limit })
  const serve = async (request: Request, path: BackendCall['path'], host: string): Promise<Response> => {
    // Before the turn: one is not held by a body that never comes.
    const received = await receive(request, { limit: bounds.mirrorBody.limit, owner: host, shares })
    if (received.kind === 'too-large') return new Response('the request is too large\n', { status: 413 })
    if (received.kind === 'gone') return new Response(null, { status: 400 })
    const turn = received.kind === 'busy' ? undefined : await turns.enter(host, request.signal)
    const leave = () => {
      turn?.()
      if (received.kind === 'received') received.release()
    }
    if (received.kind === 'busy' || turn === undefined) {
      leave()
      return new Response('too many fetches at once\n', { status: 503, headers: { 'retry-after': '5' } })
    }
    const stalled = new AbortController()
    const answer = await gitHttpBackend(request, {
      ...options.clone,
      path,
      user: host,
      body: received.bytes,
      deadlineSeconds: options.deadlineSeconds ?? 600,
      signal: AbortSignal.any([request.signal, stalled.signal]),
    }).catch((error) => {
      leave()
      throw error
    })
    // A reader that goes away before its first byte never starts the body, so that its end is not seen there.
    request.signal.addEventListener('abort', guarded(leave, ignored), { once: true })
    return whenRead(answer, { leave, stalled, withinMs: (options.readsWithinSeconds ?? 30) * 1000 })
  }
  return {
    advertise: (request, host) => serve(request, '/info/refs', host),
    uploadPack: (request, host) => serve(request, '/git-upload-pack', host),
  }
}

export function basicCredentials(
  request: Request,
): { readonly username: string; readonly password: string } | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** How long a password is good for, before and after the moment it names: hosts' clocks differ. */
export const mirrorPasswordSeconds = 300

/** `publicKey`: SPKI DER in base64, as enrolled. Never throws: a malformed password or key is a wrong one. */
export function verifyMirrorPassword(publicKey: string, host: HostName, password: string, nowSeconds: number): boolean {
  const parts = /^(\d{1,12})\.([A-Za-z0-9_-]{86})$/.exec(password)
  if (parts === null) return false
  const issuedAt = Number(parts[1])
  if (Math.abs(nowSeconds - issuedAt) > mirrorPasswordSeconds) return false
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' })
    if (key.asymmetricKeyType !== 'ed25519') return false
    return verify(null, Buffer.from(mirrorText(host, issuedAt)), key, Buffer.from(parts[2] ?? '', 'base64url'))
  } catch {
    return false
  }
}

export function unauthorized(): Response {
  return new Response('a host signs in with its own key\n', {
    status: 401,
    headers: { 'www-authenticate': 'Basic realm="plumbline mirror", charset="UTF-8"' },
  })
}

type Turn = { leave(): void; readonly stalled: AbortController; readonly withinMs: number }

/** The turn lasts until the answer has been read or its reader has gone, or has taken nothing for too long. */
function whenRead(answer: Response, { leave, stalled, withinMs }: Turn): Response {
  if (answer.body === null) {
    leave()
    return answer
  }
  const stall = guarded(() => {
    stalled.abort()
    leave()
  }, leave)
  let timer = setTimeout(stall, withinMs)
  const resumed = () => {
    clearTimeout(timer)
    // What would come now is not the whole answer.
    stalled.signal.throwIfAborted()
  }
  async function* chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      resumed()
      for await (const chunk of body) {
        timer = setTimeout(stall, withinMs)
        yield chunk
        resumed()
      }
    } finally {
      clearTimeout(timer)
      leave()
    }
  }
  return new Response(ReadableStream.from(chunks(answer.body)), { status: answer.status, headers: answer.headers })
}
