// What this process does outside of itself, for its debug log: children, requests, fetches, plans. A diagnostics channel of node, so that
// no logger is passed through the code that works, and nothing is put together while no subscriber listens.
import { type Channel, channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { withoutUserInformation } from '../address.ts'

/** Messages of the log, to be searched for. */
export type TraceMessage = 'child ended' | 'request ended' | 'fetch ended' | 'plan made'

export type Trace = { readonly message: TraceMessage; readonly fields: Readonly<Record<string, unknown>> }

const name = 'plumb.trace'
const traces: Channel = channel(name)

/** `fields` is called at once, and only where a subscriber listens. */
export function trace(message: TraceMessage, fields: () => Trace['fields']): void {
  if (traces.hasSubscribers) traces.publish({ message, fields: fields() } satisfies Trace)
}

/** The returned function ends it. */
export function onTrace(listener: (trace: Trace) => void): () => void {
  const receive = (message: unknown) => listener(message as Trace)
  subscribe(name, receive)
  return () => void unsubscribe(name, receive)
}

/** Since `start`, as `performance.now()` gave it. */
export function millisecondsSince(start: number): number {
  return Math.round(performance.now() - start)
}

const argumentsShown = 32
const argumentLength = 200

/** Of a child: no environment, no standard input, and of each address neither user information nor a query. Of any length. */
export function shownArguments(args: readonly string[]): readonly string[] {
  const shown = args.slice(0, argumentsShown).map((arg) => withoutQuery(withoutUserInformation(arg)))
  return args.length > argumentsShown ? [...shown, `... ${args.length - argumentsShown} more`] : shown
}

/** For fields that were masked: half a secret is not known for one. */
export function withShortArguments(fields: Trace['fields']): Trace['fields'] {
  const args = fields['args']
  return Array.isArray(args) ? { ...fields, args: args.map((arg) => cut(String(arg))) } : fields
}

/** A query may be a token, as in links that were signed. Word by word, which is linear. */
function withoutQuery(text: string): string {
  return text.replace(/[^\s"'<>]+/g, (word) => {
    const address = word.search(/[a-z0-9+.-]:\/\//i)
    if (address < 0) return word
    const query = word.slice(address).search(/[?#]/)
    return query < 0 ? word : word.slice(0, address + query)
  })
}

function cut(text: string): string {
  return text.length <= argumentLength ? text : `${text.slice(0, argumentLength)}...`
}
