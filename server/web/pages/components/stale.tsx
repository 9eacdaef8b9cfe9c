// Numbers that may be old look old: a note with the time where they are the page's subject. Marks and words, not color alone.
import type { HostName } from '../../../../shared/names.ts'
import { When } from './when.tsx'

type StaleProps = { readonly host: HostName; readonly since: string | undefined; readonly connected: boolean }

export function StaleNote({ host, since, connected }: StaleProps) {
  if (since === undefined) return null
  return (
    <p class="stale" role="note">
      <b>
        Not current: as of <When at={since} exact />.
      </b>{' '}
      {connected
        ? `The agent of ${host} is connected, but has finished no check since.`
        : `The agent of ${host} is not connected.`}{' '}
      What follows was so then; what is so now is not known.
    </p>
  )
}
