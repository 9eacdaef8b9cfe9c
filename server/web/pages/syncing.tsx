// The forms that ask hosts to sync.
import type { Context } from 'hono'
import { hostNameSchema } from '../../../shared/names.ts'
import { hostLink } from './components/links.ts'
import { leaveNotice } from './document.tsx'
import { showUnknown } from './failures.tsx'
import type { PageParts } from './parts.ts'

export async function syncAll(c: Context, parts: PageParts): Promise<Response> {
  const { asked } = await parts.loop.syncAll()
  leaveNotice(c, syncNotice(asked))
  return c.redirect('/', 303)
}

export async function syncHost(c: Context, parts: PageParts): Promise<Response> {
  const parsed = hostNameSchema.safeParse(c.req.param('host'))
  if (!parsed.success || (await parts.views.host(parsed.data)) === undefined)
    return await showUnknown(c, parts, 'There is no such host, so none was asked to sync.')
  const host = parsed.data
  const asked = await parts.loop.syncHost(host)
  leaveNotice(c, asked ? `Asked ${host} to sync.` : `${host} is not connected; it syncs by itself when it is back.`)
  return c.redirect(hostLink(host), 303)
}

function syncNotice(asked: number): string {
  if (asked === 0) return 'No agent is connected, so none was asked to sync.'
  return `Asked ${asked} ${asked === 1 ? 'agent' : 'agents'} to sync.`
}
