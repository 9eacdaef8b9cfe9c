// The pages that readers open: a request comes in, the view that it asks for goes out as a document.
import type { Context } from 'hono'
import { hostNameSchema, parseResourceId, serviceNameSchema } from '../../../shared/names.ts'
import { AlertsPage } from './alerts.tsx'
import { commitsBySource } from './change-commits.ts'
import { hostLink } from './components/links.ts'
import { showPage } from './document.tsx'
import { DriftPage } from './drift.tsx'
import { showUnknown } from './failures.tsx'
import { FleetPage } from './fleet.tsx'
import { fleetFilterOf } from './fleet-filter.ts'
import { HostPage } from './host.tsx'
import { MessagePage } from './message.tsx'
import type { PageParts } from './parts.ts'
import { ServicePage } from './service.tsx'
import { publicUrlOf } from './sign-in.ts'

export async function showFleet(c: Context, parts: PageParts): Promise<Response> {
  const [fleet, operator] = await Promise.all([parts.views.fleet(), parts.access.isOperator(c)])
  const body = <FleetPage fleet={fleet} filter={fleetFilterOf(c.req.query())} operator={operator} />
  return await showPage(c, parts, { title: 'Fleet', section: 'fleet', live: true, body })
}

export async function showHost(c: Context, parts: PageParts): Promise<Response> {
  const name = c.req.param('host') ?? ''
  const parsed = hostNameSchema.safeParse(name)
  const host = parsed.success ? await parts.views.host(parsed.data) : undefined
  if (host === undefined)
    return await showUnknown(c, parts, `The repository names no host “${name}”, and none enrolled as it.`)
  const [commits, operator] = await Promise.all([
    commitsBySource(parts.views, host.applies),
    parts.access.isOperator(c),
  ])
  const body = <HostPage host={host} commits={commits} operator={operator} />
  return await showPage(c, parts, { title: host.host, section: 'fleet', live: true, host: host.host, body })
}

export async function showService(c: Context, parts: PageParts): Promise<Response> {
  const name = c.req.param('service') ?? ''
  const parsed = serviceNameSchema.safeParse(name)
  const service = parsed.success ? await parts.views.service(parsed.data) : undefined
  if (service === undefined) return await showUnknown(c, parts, `The repository has no directory “services/${name}”.`)
  const body = <ServicePage service={service} showAll={isAllAsked(c)} />
  return await showPage(c, parts, { title: service.service, section: 'fleet', live: true, body })
}

export async function showDrift(c: Context, parts: PageParts): Promise<Response> {
  const name = c.req.param('host') ?? ''
  const resource = c.req.query('resource') ?? ''
  const parsed = hostNameSchema.safeParse(name)
  const drift = parsed.success ? await parts.views.drift(parsed.data, resource) : undefined
  if (drift === undefined) return await showNoDrift(c, parts, { host: name, resource })
  const title = `${parseResourceId(resource).name} on ${drift.host}`
  const server = { url: publicUrlOf(parts, c).origin, selfSigned: parts.selfSigned }
  const operator = await parts.access.isOperator(c)
  const body = <DriftPage drift={drift} server={server} operator={operator} />
  return await showPage(c, parts, { title, section: 'fleet', live: true, host: drift.host, body })
}

type NoDrift = { readonly host: string; readonly resource: string }

async function showNoDrift(c: Context, parts: PageParts, { host, resource }: NoDrift): Promise<Response> {
  const body = (
    <MessagePage
      title="No drift here"
      text={`${host} reports no drift of ${parseResourceId(resource).name}: it was put back, committed, or never was.`}
    >
      <p>
        <a href={hostLink(host)}>{host} as it is now</a>
      </p>
    </MessagePage>
  )
  return await showPage(c, parts, { title: 'No drift here', section: 'fleet', live: true, status: 404, body })
}

export async function showAlerts(c: Context, parts: PageParts): Promise<Response> {
  const alert = /^\d{1,15}$/.test(c.req.query('alert') ?? '') ? Number(c.req.query('alert')) : undefined
  const body = <AlertsPage alerts={await parts.views.alerts()} asked={{ showAll: isAllAsked(c), alert }} />
  return await showPage(c, parts, { title: 'Alerts', section: 'alerts', live: true, body })
}

function isAllAsked(c: Context): boolean {
  return c.req.query('show') === 'all'
}
