// A moment, relative to when the page was made; the exact one is in the title, or beside it with `exact`.
import { createContext, useContext } from 'hono/jsx'
import { absoluteTime, lengthOf, relativeTime } from '../../../../shared/time-text.js'

/** When the page is made; the layout provides it. */
export const Now = createContext(new Date(0))

export function When({ at, exact = false }: { readonly at: string; readonly exact?: boolean }) {
  const now = useContext(Now)
  const moment = new Date(at)
  if (Number.isNaN(moment.getTime())) return <span>{at}</span>
  const absolute = absoluteTime(at)
  return (
    <>
      <time datetime={moment.toISOString()} title={absolute}>
        {relativeTime(at, now)}
      </time>
      {exact && <span class="exact"> {absolute}</span>}
    </>
  )
}

/** How far the clock of the page's host is ahead; undefined: it is about right. The pages of hosts and findings provide it. */
export const ClockAhead = createContext<number | undefined>(undefined)

type HostTimeProps = { readonly at: string; readonly exact?: boolean }

/** A moment by the clock of the page's host. Where that is wrong, how long ago it was is not known. */
export function HostTime({ at, exact = false }: HostTimeProps) {
  if (useContext(ClockAhead) === undefined) return <When at={at} exact={exact} />
  return (
    <span class="host-time">
      {absoluteTime(at)} <i>by its own clock</i>
    </span>
  )
}

export function ClockNote({
  host,
  aheadSeconds,
}: {
  readonly host: string
  readonly aheadSeconds: number | undefined
}) {
  if (aheadSeconds === undefined) return null
  return (
    <p class="stale" role="note">
      <b>
        The clock of {host} is {lengthOf(Math.abs(aheadSeconds))} {aheadSeconds > 0 ? 'ahead' : 'behind'}.
      </b>{' '}
      Times that it gives are by its own clock, and marked so.
    </p>
  )
}
