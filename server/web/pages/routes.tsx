// The dashboard: requests for pages come in, server-rendered documents go out. Mount it last: it answers every GET left over.
import { type Context, Hono } from 'hono'
import { every } from 'hono/combine'
import { compress } from 'hono/compress'
import { HTTPException } from 'hono/http-exception'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'
import { PlumbError } from '../../../shared/problem.ts'
import {
  isPlainHttp,
  neverKept,
  notKept,
  operatorOnly,
  ownFormsOnly,
  pageHeaders,
  publicUrlOf,
  readersOnly,
  safeNext,
  signInElsewhere,
} from './access.ts'
import { AlertsPage } from './alerts.tsx'
import { commitsBySource } from './change-commits.ts'
import { hostLink } from './components/links.ts'
import { resourceParts } from './components/resource.tsx'
import { leaveNotice, showPage, showPlainPage } from './document.tsx'
import { DriftPage } from './drift.tsx'
import { EnrolForm, EnrolLine } from './enrol.tsx'
import { createEnrolLines, type EnrolLines } from './enrol-lines.ts'
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
  const lines = createEnrolLines(options.now)
  const page = every(compress(), pageHeaders, notKept)
  // Not compressed: the page holds a token, and the length of what is compressed tells of it.
  const secret = every(pageHeaders, neverKept, operatorOnly(options))
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
  app.get('/login', page, (c) => showLogin(c, options, { next: c.req.query('next'), refused: false }))
  app.post('/login', changing, (c) => signIn(c, options))
  app.post('/logout', changing, (c) => signOut(c, options))
  app.get('/enrol', operating, (c) => showEnrolForm(c, options))
  app.post('/enrol', changing, operatorOnly(options), (c) => enrol(c, options, lines))
  app.get('/enrol/:line', secret, (c) => showEnrolLine(c, options, lines))
  app.post('/sync', changing, operatorOnly(options), (c) => sync(c, options))
  app.post('/hosts/:host/sync', changing, operatorOnly(options), (c) => syncHost(c, options))
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
  return await showPage(c, options, { title: host.host, section: 'fleet', live: true, host: host.host, body })
}

async function showService(c: Context, options: PageOptions): Promise<Response> {
  const name = c.req.param('service') ?? ''
  const parsed = serviceNameSchema.safeParse(name)
  const service = parsed.success ? await options.views.service(parsed.data) : undefined
  if (service === undefined) return await showUnknown(c, options, `The repository has no directory “services/${name}”.`)
  const body = <ServicePage service={service} showAll={isAllAsked(c)} />
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
  const body = <DriftPage drift={drift} server={server} operator={await options.operator(c)} />
  return await showPage(c, options, { title, section: 'fleet', live: true, host: drift.host, body })
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
  const alert = /^\d{1,15}$/.test(c.req.query('alert') ?? '') ? Number(c.req.query('alert')) : undefined
  const body = <AlertsPage alerts={await options.views.alerts()} asked={{ showAll: isAllAsked(c), alert }} />
  return await showPage(c, options, { title: 'Alerts', section: 'alerts', live: true, body })
}

type SignIn = { readonly next: string | undefined; readonly refused: boolean }

async function showLogin(c: Context, options: PageOptions, { next, refused }: SignIn): Promise<Response> {
  const elsewhere = signInElsewhere(options, c)
  const [required, undone] = ['required', 'undone'].map((name) => c.req.query(name) !== undefined)
  const body = <LoginPage {...{ refused, elsewhere, required, undone }} next={safeNext(next)} />
  return await showPage(c, options, { title: 'Sign in', status: refused ? (elsewhere ? 400 : 401) : 200, body })
}

async function signIn(c: Context, options: PageOptions): Promise<Response> {
  const form = await c.req.parseBody()
  const next = formText(form['next'])
  const isKept = signInElsewhere(options, c) === undefined
  if (!isKept || !(await options.signIn(c, formText(form['token']))))
    return await showLogin(c, options, { next, refused: true })
  return c.redirect(safeNext(next), 303)
}

async function signOut(c: Context, options: PageOptions): Promise<Response> {
  await options.signOut(c)
  return c.redirect('/', 303)
}

type EnrolChoice = { readonly chosen: string | undefined; readonly refusal: string | undefined }

async function showEnrolForm(c: Context, options: PageOptions, choice?: EnrolChoice): Promise<Response> {
  const hosts = notEnrolled(await options.views.fleet())
  const { chosen, refusal } = choice ?? { chosen: c.req.query('host'), refusal: undefined }
  const hasAgent = await options.hasAgent()
  const body = <EnrolForm {...{ hosts, chosen, refusal, hasAgent }} plainHttp={isPlainHttp(options, c)} />
  return await showPage(c, options, {
    title: 'Enrol',
    section: 'enrol',
    status: refusal !== undefined ? 422 : hasAgent || c.req.method === 'GET' ? 200 : 409,
    body,
  })
}

async function enrol(c: Context, options: PageOptions, lines: EnrolLines): Promise<Response> {
  const host = formText((await c.req.parseBody())['host'])
  const known = notEnrolled(await options.views.fleet())
  if (host !== '' && !known.some((name) => name === host)) {
    const refusal = `“${host}” is not a host that waits to be enrolled: it is enrolled already, or the repository does not name it.`
    return await showEnrolForm(c, options, { chosen: undefined, refusal })
  }
  if (!(await options.hasAgent())) return await showEnrolForm(c, options)
  const enrolment = await options.createEnrolment(host === '' ? undefined : host)
  return c.redirect(`/enrol/${lines.keep({ host, enrolment })}`, 303)
}

async function showEnrolLine(c: Context, options: PageOptions, lines: EnrolLines): Promise<Response> {
  const made = lines.find(c.req.param('line') ?? '')
  if (made === undefined) return await showUnknown(c, options, 'This install line is no longer shown. Make another.')
  return await showPage(c, options, { title: 'Enrol', section: 'enrol', body: <EnrolLine {...made} /> })
}

async function sync(c: Context, options: PageOptions): Promise<Response> {
  const { asked } = await options.syncAll()
  leaveNotice(c, syncNotice(asked))
  return c.redirect('/', 303)
}

async function syncHost(c: Context, options: PageOptions): Promise<Response> {
  const parsed = hostNameSchema.safeParse(c.req.param('host'))
  if (!parsed.success || (await options.views.host(parsed.data)) === undefined)
    return await showUnknown(c, options, 'There is no such host, so none was asked to sync.')
  const host = parsed.data
  const asked = await options.syncHost(host)
  leaveNotice(c, asked ? `Asked ${host} to sync.` : `${host} is not connected; it syncs by itself when it is back.`)
  return c.redirect(hostLink(host), 303)
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
  const unrecorded = options.recordingProblemOf(error)
  const reference = crypto.randomUUID().slice(0, 8)
  options.failed(error, reference)
  if (unrecorded !== undefined) {
    const text = `The server could not do this, and nothing was changed. Its log has the error under ${reference}.`
    const body = <MessagePage title="Nothing can be recorded" text={text} problems={[unrecorded]} />
    return showPlainPage(c, options, { title: 'Nothing can be recorded', status: 503, body })
  }
  const problems = error instanceof PlumbError ? error.problems : []
  const text = `The server could not make this page. The hosts are not affected. Its log tells why, under ${reference}.`
  const body = <MessagePage title="This page failed" text={text} problems={problems} />
  return showPlainPage(c, options, { title: 'Error', status: 500, body })
}

function isAllAsked(c: Context): boolean {
  return c.req.query('show') === 'all'
}

function formText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
