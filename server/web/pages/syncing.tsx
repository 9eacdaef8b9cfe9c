// The forms that ask hosts to sync.
import type { Context } from 'hono'
import { type HostName, hostNameSchema } from '../../../shared/names.ts'
import type { AskedAll, AskedHost } from '../../app/sync-asks.ts'
import { hostLink } from './components/links.ts'
import { leaveNotice } from './document.tsx'
import { showUnknown } from './failures.tsx'
import type { PageParts } from './parts.ts'

export async function syncAll(c: Context, parts: PageParts): Promise<Response> {
  leaveNotice(c, syncNotice(await parts.loop.syncAll()))
  return c.redirect('/', 303)
}

export async function syncHost(c: Context, parts: PageParts): Promise<Response> {
  const parsed = hostNameSchema.safeParse(c.req.param('host'))
  if (!parsed.success || (await parts.views.host(parsed.data)) === undefined)
    return await showUnknown(c, parts, 'There is no such host, so none was asked to sync.')
  const host = parsed.data
  leaveNotice(c, hostNotice(host, await parts.loop.syncHost(host)))
  return c.redirect(hostLink(host), 303)
}

function hostNotice(host: HostName, answer: AskedHost): string {
  switch (answer) {
    case 'asked':
      return `Asked ${host} to sync.`
    case 'already-asked':
      return `${host} was asked to sync a moment ago.`
    case 'not-connected':
      return `${host} is not connected; it syncs by itself when it is back.`
  }
}

function syncNotice({ asked, alreadyAsked }: AskedAll): string {
  const agents = (count: number) => `${count} ${count === 1 ? 'agent' : 'agents'}`
  const before = `${agents(alreadyAsked)} ${alreadyAsked === 1 ? 'was' : 'were'} asked to sync a moment ago.`
  if (asked === 0 && alreadyAsked === 0) return 'No agent is connected, so none was asked to sync.'
  if (asked === 0) return before
  return [`Asked ${agents(asked)} to sync.`, ...(alreadyAsked === 0 ? [] : [before])].join(' ')
}
