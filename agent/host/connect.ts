// Whether something answers over the network: each time by name and over a fresh connection, as after a reboot.
import { type LookupAddress, type LookupOptions, lookup as lookUp } from 'node:dns'
import { connect } from 'node:net'
import { NoAnswerInTime, sendRequest } from '../../shared/platform/http.ts'

export type HttpAnswer =
  | { readonly kind: 'answer'; readonly status: number }
  | { readonly kind: 'fault'; readonly why: string }

export type HttpAsk = {
  readonly method?: 'GET' | 'HEAD'
  /** False: that something answers is all that is asked; who it is does not matter. Default: true but on the loopback. */
  readonly verified?: boolean
}

const attemptMs = 5000
const noAnswer = `no answer within ${attemptMs / 1000} s`

export async function httpAnswer(text: string, { method = 'GET', verified }: HttpAsk = {}): Promise<HttpAnswer> {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    return { kind: 'fault', why: `${text} is not an http or https address` }
  try {
    const { status, destroy } = await sendRequest({
      url,
      method,
      deadlineMs: attemptMs,
      lookup: sharedLookup,
      // On loopback no attacker can intercept, and the certificate names the public name.
      rejectUnauthorized: verified ?? !isLoopback(url.hostname),
    })
    destroy()
    return { kind: 'answer', status }
  } catch (error) {
    return { kind: 'fault', why: error instanceof NoAnswerInTime ? noAnswer : connectionText(error) }
  }
}

/** Undefined: `HOST:PORT` accepts a connection. */
export function tcpFault(address: string): Promise<string | undefined> {
  const [, host = '', port = ''] = /^(?:tcp:\/\/)?(.*):(\d+)$/.exec(address) ?? []
  if (host === '') return Promise.resolve(`${address} is not HOST:PORT`)
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port: Number(port), lookup: sharedLookup })
    socket.setTimeout(attemptMs, () => socket.destroy(new Error(noAnswer)))
    socket.on('error', (error) => resolve(connectionText(error)))
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
  })
}

type Found = (error: Error | null, addresses: LookupAddress[]) => void

const lookups = new Map<string, Found[]>()

/**
 * A look-up without a name server holds a thread of the pool for up to half a minute, and four of them stop every fsync:
 * who asks again for the same name waits for the one under way.
 */
function sharedLookup(hostname: string, { all }: LookupOptions, callback: (...found: never[]) => void): void {
  const found = callback as (error: Error | null, ...addresses: unknown[]) => void
  const answer: Found = (error, addresses) => {
    const [first] = addresses
    if (all === true || error !== null) found(error, addresses)
    else found(null, first?.address, first?.family)
  }
  const waiting = lookups.get(hostname)
  if (waiting !== undefined) return void waiting.push(answer)
  const asking = [answer]
  lookups.set(hostname, asking)
  lookUp(hostname, { all: true }, (error, addresses) => {
    lookups.delete(hostname)
    for (const each of asking) each(error, addresses ?? [])
  })
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}

/** Addresses of both families that fail alike come as one error without a message of its own. */
function connectionText(error: unknown): string {
  const errors = error instanceof AggregateError ? error.errors : [error]
  return errors.map((each) => (each instanceof Error ? each.message : String(each))).join(', ')
}
