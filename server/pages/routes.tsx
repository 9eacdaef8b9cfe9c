// The dashboard: requests for pages come in, server-rendered documents go out. Mount it last: it answers every GET left over.
import { type Context, Hono } from 'hono'
import { every } from 'hono/combine'
import { compress } from 'hono/compress'
import { HTTPException } from 'hono/http-exception'
import { hostNameSchema, serviceNameSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import {
  isPlainHttp,
  notKept,
  operatorOnly,
  ownFormsOnly,
  pageHeaders,
  publicUrlOf,
  readersOnly,
  safeNext,
} from './access.ts'
import { AlertsPage } from './alerts.tsx'
import { commitsBySource } from './change-commits.ts'
import { hostLink } from './components/links.ts'
import { resourceParts } from './components/resource.tsx'
import { leaveNotice, showPage, showPlainPage } from './document.tsx'
import { DriftPage } from './drift.tsx'
import { EnrolForm, EnrolLine } from './enrol.tsx'
import { FleetPage } from './fleet.tsx'
import { fleetFilterOf, notEnrolled } from './fleet-filter.ts'
import { placeHold, releaseHold } from './holds.tsx'
import { HostPage } from './host.tsx'
import { LoginPage } from './login.tsx'
import { MessagePage } from './message.tsx'
import type { PageOptions } from './options.ts'
import { ServicePage } from './service.tsx'
import { showWhy } from './show-why.tsx'
import { staticFiles } from './static-files.ts'

export function pageRoutes(options: PageOptions): Hono {
  const app = new Hono()
  const page = every(compress(), pageHeaders, notKept)
  const reading = every(page, readersOnly(options))
  const operating = every(page, operatorOnly(options))
  const changing = every(page, ownFormsOnly(options))

  for (const file of staticFiles) {
    app.get(file.address, compress(), (c) =>
      c.body(file.body, 200, {
        'content-type': file.contentType,
        'cache-control': 'public, max-age=31536000, immutable',
        'x-content-type-options': 'nosniff',
      }),
    )
  }

  app.get('/', reading, (c) => showFleet(c, options))
  app.get('/hosts/:host', reading, (c) => showHost(c, options))
  app.get('/hosts/:host/drift', reading, (c) => showDrift(c, options))
  app.get('/services/:service', reading, (c) => showService(c, options))
  app.get('/why', reading, (c) => showWhy(c, options))
  app.get('/alerts', reading, (c) => showAlerts(c, options))
  app.get('/login', page, (c) => showLogin(c, options, { refused: false }))
  app.post('/login', changing, (c) => signIn(c, options))
  app.post('/logout', changing, (c) => signOut(c, options))
  app.get('/enrol', operating, (c) => showEnrolForm(c, options))
  app.post('/enrol', changing, operatorOnly(options), (c) => enrol(c, options))
  app.post('/sync', changing, operatorOnly(options), (c) => sync(c, options))
  app.post('/hosts/:host/hold', changing, operatorOnly(options), (c) => placeHold(c, options))
  app.post('/hosts/:host/release', changing, operatorOnly(options), (c) => releaseHold(c, options))
  app.post('/holds/release', changing, operatorOnly(options), (c) => releaseHold(c, options))
  app.get('*', page, (c) => showNoSuchPage(c, options))
  app.onError((error, c) => showError(c, options, error))
  return app
}

async function showFleet(c: Context, options: PageOptions): Promise<Response> {
  const [fleet, operator] = await Promise.all([options.views.fleet(), options.operator(c)])
  const body = <FleetPage fleet={fleet} filter={fleetFilterOf(c.req.query())} operator={operator} />
  return await showPage(c, options, { title: 'Fleet', section: 'fleet', live: true, body })
}

async function showHost(c: Context, options: PageOptions): Promise<Response> {
  const name = c.req.param('host') ?? ''
  const parsed = hostNameSchema.safeParse(name)
  const host = parsed.success ? await options.views.host(parsed.data) : undefined
  if (host === undefined)
    return await showUnknown(c, options, `The repository names no host “${name}”, and none enrolled as it.`)
  const [commits, operator] = await Promise.all([commitsBySource(options.views, host.applies), options.operator(c)])
  const body = <HostPage host={host} commits={commits} operator={operator} />
  return await showPage(c, options, { title: host.host, section: 'fleet', live: true, body })
}

async function showService(c: Context, options: PageOptions): Promise<Response> {
  const name = c.req.param('service') ?? ''
  const parsed = serviceNameSchema.safeParse(name)
  const service = parsed.success ? await options.views.service(parsed.data) : undefined
  if (service === undefined) return await showUnknown(c, options, `The repository has no directory “services/${name}”.`)
  const body = <ServicePage service={service} />
  return await showPage(c, options, { title: service.service, section: 'fleet', live: true, body })
}

async function showDrift(c: Context, options: PageOptions): Promise<Response> {
  const name = c.req.param('host') ?? ''
  const resource = c.req.query('resource') ?? ''
  const parsed = hostNameSchema.safeParse(name)
  const drift = parsed.success ? await options.views.drift(parsed.data, resource) : undefined
  if (drift === undefined) return await showNoDrift(c, options, { host: name, resource })
  const title = `${resourceParts(resource).name} on ${drift.host}`
  const server = { url: publicUrlOf(options, c).origin, selfSigned: options.selfSigned === true }
  const body = <DriftPage drift={drift} server={server} />
  return await showPage(c, options, { title, section: 'fleet', live: true, body })
}

type NoDrift = { readonly host: string; readonly resource: string }

async function showNoDrift(c: Context, options: PageOptions, { host, resource }: NoDrift): Promise<Response> {
  const body = (
    <MessagePage
      title="No drift here"
      text={`${host} reports no drift of ${resourceParts(resource).name}: it was put back, committed, or never was.`}
    >
      <p>
        <a href={hostLink(host)}>{host} as it is now</a>
      </p>
    </MessagePage>
  )
  return await showPage(c, options, { title: 'No drift here', section: 'fleet', live: true, status: 404, body })
}

async function showAlerts(c: Context, options: PageOptions): Promise<Response> {
  const body = <AlertsPage alerts={await options.views.alerts()} />
  return await showPage(c, options, { title: 'Alerts', section: 'alerts', live: true, body })
}

async function showLogin(
  c: Context,
  options: PageOptions,
  { refused }: { readonly refused: boolean },
): Promise<Response> {
  const next = safeNext(c.req.query('next'))
  const body = <LoginPage next={next} refused={refused} required={c.req.query('required') !== undefined} />
  return await showPage(c, options, { title: 'Sign in', status: refused ? 401 : 200, body })
}

async function signIn(c: Context, options: PageOptions): Promise<Response> {
  const form = await c.req.parseBody()
  const accepted = await options.signIn(c, formText(form['token']))
  if (!accepted) return await showLogin(c, options, { refused: true })
  return c.redirect(safeNext(formText(form['next'])), 303)
}

async function signOut(c: Context, options: PageOptions): Promise<Response> {
  await options.signOut(c)
  return c.redirect('/', 303)
}

type EnrolChoice = { readonly chosen: string | undefined; readonly refusal: string | undefined }

async function showEnrolForm(c: Context, options: PageOptions, choice?: EnrolChoice): Promise<Response> {
  const hosts = notEnrolled(await options.views.fleet())
  const { chosen, refusal } = choice ?? { chosen: c.req.query('host'), refusal: undefined }
  const body = <EnrolForm hosts={hosts} chosen={chosen} plainHttp={isPlainHttp(options, c)} refusal={refusal} />
  return await showPage(c, options, {
    title: 'Enrol',
    section: 'enrol',
    status: refusal === undefined ? 200 : 422,
    body,
  })
}

async function enrol(c: Context, options: PageOptions): Promise<Response> {
  const host = formText((await c.req.parseBody())['host'])
  const known = notEnrolled(await options.views.fleet())
  if (host !== '' && !known.some((name) => name === host)) {
    const refusal = `“${host}” is not a host that waits to be enrolled: it is enrolled already, or the repository does not name it.`
    return await showEnrolForm(c, options, { chosen: undefined, refusal })
  }
  const enrolment = await options.createEnrolment(host === '' ? undefined : host)
  c.header('cache-control', 'no-store')
  const body = <EnrolLine host={host} enrolment={enrolment} />
  return await showPage(c, options, { title: 'Enrol', section: 'enrol', body })
}

async function sync(c: Context, options: PageOptions): Promise<Response> {
  const { asked } = await options.syncAll()
  leaveNotice(c, syncNotice(asked))
  return c.redirect('/', 303)
}

function syncNotice(asked: number): string {
  if (asked === 0) return 'No agent is connected, so none was asked to sync.'
  return `Asked ${asked} ${asked === 1 ? 'agent' : 'agents'} to sync.`
}

async function showUnknown(c: Context, options: PageOptions, text: string): Promise<Response> {
  const body = <MessagePage title="Not found" text={text} />
  return await showPage(c, options, { title: 'Not found', live: true, status: 404, body })
}

function showNoSuchPage(c: Context, options: PageOptions): Response | Promise<Response> {
  const body = <MessagePage title="Not found" text={`There is no page at ${c.req.path}.`} />
  return showPlainPage(c, options, { title: 'Not found', status: 404, body })
}

function showError(c: Context, options: PageOptions, error: Error): Response | Promise<Response> {
  if (error instanceof HTTPException && error.status === 403) {
    const text = 'The request did not come from a page of this server, so nothing was changed.'
    const body = <MessagePage title="Refused" text={text} />
    return showPlainPage(c, options, { title: 'Refused', status: 403, body })
  }
  const reference = crypto.randomUUID().slice(0, 8)
  options.failed(error, reference)
  const problems = error instanceof PlumbError ? error.problems : []
  const text = `The server could not make this page. The hosts are not affected. Its log tells why, under ${reference}.`
  const body = <MessagePage title="This page failed" text={text} problems={problems} />
  return showPlainPage(c, options, { title: 'Error', status: 500, body })
}

function formText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
