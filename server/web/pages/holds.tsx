// The operator's forms that hold and release: what was typed -> what is asked of the server, and the words for what
// came of it.
import type { Context } from 'hono'
import { type HoldRequest, holdRequestSchema } from '../../../shared/hold.ts'
import { hostNameSchema } from '../../../shared/names.ts'
import { absoluteTime } from '../../../shared/time-text.js'
import type { Placed } from '../../app/holds.ts'
import { hostLink, hostServiceLink } from './components/links.ts'
import { leaveNotice } from './document.tsx'
import type { PageParts } from './parts.ts'

/** A session has no name. */
const operatorName = 'the operator, on the dashboard'

type HoldForm = { readonly service: string; readonly for: string; readonly why: string }

export async function placeHold(c: Context, parts: PageParts, form: HoldForm): Promise<Response> {
  const host = c.req.param('host') ?? ''
  const { service, for: length, why } = form
  const asked = holdRequestSchema.safeParse({ service, hosts: [host], for: length, why, by: operatorName })
  if (!asked.success || !hostNameSchema.safeParse(host).success) {
    const problem = asked.error?.issues[0]?.message ?? 'that is no host'
    leaveNotice(c, `Nothing was held: a hold needs a service, a length of at most 14d and the reason (${problem}).`)
    return c.redirect(hostLink(host), 303)
  }
  leaveNotice(c, placedNotice(host, asked.data, await parts.holds.place(asked.data)))
  return c.redirect(hostServiceLink(host, asked.data.service), 303)
}

type ReleaseForm = { readonly id: string }

export async function releaseHold(c: Context, parts: PageParts, { id }: ReleaseForm): Promise<Response> {
  const host = hostNameSchema.optional().safeParse(c.req.param('host'))
  const released = host.success && (await parts.holds.release(id, host.data))
  leaveNotice(c, released ? 'Released: the normal policy applies again.' : 'That hold was over already.')
  return c.redirect(host.success && host.data !== undefined ? hostLink(host.data) : '/', 303)
}

function placedNotice(host: string, { service }: HoldRequest, placed: Placed): string {
  switch (placed.kind) {
    case 'placed': {
      const end = absoluteTime(placed.hold.until)
      return placed.connected > 0
        ? `${host} was asked to hold ${service} until ${end}.`
        : `${service} will be held until ${end}: ${host} is not connected, and is notified when it reconnects.`
    }
    case 'no-host':
      return `Nothing was held: ${placed.message}`
    case 'too-many':
      return 'Nothing was held: there are too many holds already. Release some.'
  }
}
