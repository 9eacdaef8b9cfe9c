// Serves the server's clone to agents, read-only, over smart HTTP, so that hosts need no credentials for the forge.
import { createPublicKey, verify } from 'node:crypto'
import { Hono } from 'hono'
import type { HostName } from '../../shared/names.ts'
import { mirrorText } from '../../shared/protocol.ts'
import type { FleetClone } from './clone.ts'
import { gitHttpBackend } from './http-backend.ts'
import { createTurns } from './turns.ts'

export const mirrorPath = '/git/fleet.git'

export type MirrorOptions = {
  readonly clone: Pick<FleetClone, 'gitDirectory' | 'configuration'>
  /** May this request read the repository? Basic credentials are in its `authorization` header. */
  readonly authorise: (request: Request) => boolean | Promise<boolean>
  /** Default 600. */
  readonly deadlineSeconds?: number
  /** Children at the same time, default 8; as many as 64 times that wait, the rest are told to come back. */
  readonly atOnce?: number
}

/** To be mounted at `/`. Everything but fetching is 404: there is no way to push. */
export function mirrorRoutes(options: MirrorOptions): Hono {
  const turns = createTurns(options.atOnce ?? 8, (options.atOnce ?? 8) * 64)
  const routes = new Hono()
  const serve = async (request: Request, path: '/info/refs' | '/git-upload-pack'): Promise<Response> => {
    if (!(await options.authorise(request))) return unauthorised()
    const leave = await turns.enter(request.signal)
    if (leave === undefined)
      return new Response('too many fetches at once\n', { status: 503, headers: { 'retry-after': '5' } })
    const answer = await gitHttpBackend(request, {
      ...options.clone,
      path,
      user: basicCredentials(request)?.username ?? '',
      deadlineSeconds: options.deadlineSeconds ?? 600,
      bodyLimitBytes: 4 * 1024 * 1024,
    }).catch((error) => {
      leave()
      throw error
    })
    // A reader that goes away before its first byte never starts the body, so that its end is not seen there.
    request.signal.addEventListener('abort', leave, { once: true })
    return whenRead(answer, leave)
  }
  routes.get(`${mirrorPath}/info/refs`, (context) =>
    context.req.query('service') === 'git-upload-pack' ? serve(context.req.raw, '/info/refs') : context.notFound(),
  )
  routes.post(`${mirrorPath}/git-upload-pack`, (context) => serve(context.req.raw, '/git-upload-pack'))
  return routes
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

function unauthorised(): Response {
  return new Response('a host signs in with its own key\n', {
    status: 401,
    headers: { 'www-authenticate': 'Basic realm="plumbline mirror", charset="UTF-8"' },
  })
}

/** The turn lasts until the answer has been read or its reader has gone. */
function whenRead(answer: Response, done: () => void): Response {
  if (answer.body === null) {
    done()
    return answer
  }
  async function* chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } finally {
      done()
    }
  }
  return new Response(ReadableStream.from(chunks(answer.body)), { status: answer.status, headers: answer.headers })
}
