// The frame of every page: what comes in is a page's parts and what the request may do, what goes out is the document.
import type { Child, PropsWithChildren } from 'hono/jsx'
import type { HostName } from '../../../../shared/names.ts'
import { absoluteTime } from '../../../../shared/time-text.js'
import type { RecordingProblem } from '../../../store/recording.ts'
import { favicon, gridKeysScript, liveScript, styleSheet } from '../static-files.ts'
import { hostLink, loginLink } from './links.ts'
import { Now, When } from './when.tsx'

export type Section = 'fleet' | 'alerts' | 'enroll' | 'none'

export type Frame = {
  readonly title: string
  readonly section: Section
  /** Pages with a form being filled in are left alone. */
  readonly live: boolean
  /** The page is about this host, and so is its *Sync*. */
  readonly host: HostName | undefined
  /** Path and query, to come back to after signing in. */
  readonly address: string | undefined
  readonly now: Date
  readonly operator: boolean
  /** Undefined where it is not known, as on an error. */
  readonly openAlerts: number | undefined
  /** Why nothing is recorded: what pages show may be old. */
  readonly unrecorded: RecordingProblem | undefined
  /** False: alerts are sent to nobody, and nobody said that this is meant. */
  readonly isNotified: boolean
  /** What the previous request did, said once. */
  readonly notice: string | undefined
}

const eventsAddress = '/api/v1/events'

export function Layout({ frame, children }: PropsWithChildren<{ readonly frame: Frame }>) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{documentTitle(frame)}</title>
        <link rel="icon" type="image/svg+xml" href={favicon.address} />
        <link rel="stylesheet" href={styleSheet.address} />
        <script type="module" src={liveScript.address} />
        <script type="module" src={gridKeysScript.address} />
      </head>
      <body data-now={frame.now.toISOString()}>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <Masthead frame={frame} />
        <div id="recording">
          {frame.unrecorded !== undefined && <Unrecorded problem={frame.unrecorded} now={frame.now} />}
        </div>
        {!frame.isNotified && <NoChannel />}
        {frame.notice !== undefined && (
          <p class="notice" role="status">
            {frame.notice}
          </p>
        )}
        {frame.live && (
          <>
            <p id="not-live" class="stale not-live" role="status" hidden />
            <p id="made" class="made">
              As of {absoluteTime(frame.now)}
            </p>
          </>
        )}
        <main id="main" data-events={frame.live ? eventsAddress : undefined}>
          <Now.Provider value={frame.now}>{children as Child}</Now.Provider>
        </main>
      </body>
    </html>
  )
}

type UnrecordedProps = { readonly problem: RecordingProblem; readonly now: Date }

function Unrecorded({ problem: { message, remedy, since }, now }: UnrecordedProps) {
  return (
    <p class="unrecorded" role="alert">
      <Now.Provider value={now}>
        <b>
          {message} Since <When at={since} exact />.
        </b>{' '}
        What pages show is as it was recorded before. {remedy}
      </Now.Provider>
    </p>
  )
}

const exampleChannel = `alerts: [{ to: slack, url: "${'$'}{{ secrets.alert_url }}" }]`

function NoChannel() {
  return (
    <aside class="notice" aria-label="No alert is sent">
      <b>Alerts are sent to nobody</b>: plumb.yaml has no channel. Commit one, such as <code>{exampleChannel}</code>,
      with the address in the server’s secrets; or start the server with <code>--no-notifications</code>, if that is
      meant.
    </aside>
  )
}

function documentTitle(frame: Frame): string {
  const count = frame.openAlerts === undefined || frame.openAlerts === 0 ? '' : `(${frame.openAlerts}) `
  return `${count}${frame.title} · Plumbline`
}

function Masthead({ frame }: { readonly frame: Frame }) {
  return (
    <header class="masthead">
      <a class="brand" href="/">
        <img src={favicon.address} alt="" width="22" height="22" />
        Plumbline
      </a>
      <nav id="nav" aria-label="Pages">
        <NavLink href="/" name="Fleet" current={frame.section === 'fleet'} />
        <NavLink href="/alerts" name="Alerts" current={frame.section === 'alerts'} count={frame.openAlerts} />
        {frame.operator && <NavLink href="/enroll" name="Enroll" current={frame.section === 'enroll'} />}
      </nav>
      <div class="doings">
        <span id="live" class="live" role="status" />
        {frame.operator ? <OperatorButtons host={frame.host} /> : <a href={loginLink(frame.address)}>Sign in</a>}
      </div>
    </header>
  )
}

type NavLinkProps = {
  readonly href: string
  readonly name: string
  readonly current: boolean
  readonly count?: number | undefined
}

function NavLink({ href, name, current, count }: NavLinkProps) {
  return (
    <a href={href} aria-current={current ? 'page' : undefined}>
      {name}
      {count !== undefined && count > 0 && (
        <span class="count">
          {count}
          <span class="unseen"> open</span>
        </span>
      )}
    </a>
  )
}

function OperatorButtons({ host }: Pick<Frame, 'host'>) {
  const whom = host ?? 'every connected agent'
  return (
    <>
      <form method="post" action={host === undefined ? '/sync' : `${hostLink(host)}/sync`}>
        <button type="submit" title={`Ask ${whom} to look at the repository now`}>
          {host === undefined ? 'Sync' : 'Sync this host'}
        </button>
      </form>
      <form method="post" action="/logout">
        <button type="submit" class="quiet">
          Sign out
        </button>
      </form>
    </>
  )
}
