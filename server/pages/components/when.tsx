// A moment, relative to when the page was made; the exact one is in the title, or beside it with `exact`.
import { createContext, useContext } from 'hono/jsx'
import { absoluteTime, relativeTime } from '../relative-time.ts'

/** When the page is made; the layout provides it. */
export const Now = createContext(new Date(0))

export function When({ at, exact = false }: { readonly at: string; readonly exact?: boolean }) {
  const now = useContext(Now)
  const moment = new Date(at)
  if (Number.isNaN(moment.getTime())) return <span>{at}</span>
  const absolute = absoluteTime(moment)
  return (
    <>
      <time datetime={moment.toISOString()} title={absolute}>
        {relativeTime(moment, now)}
      </time>
      {exact && <span class="exact"> {absolute}</span>}
    </>
  )
}
