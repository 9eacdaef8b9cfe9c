// The frame of every page: what comes in is a page's parts and what the request may do, what goes out is the document.
import type { Child, PropsWithChildren } from 'hono/jsx'
import { favicon, liveScript, styleSheet } from '../static-files.ts'
import { Now } from './when.tsx'

export type Section = 'fleet' | 'alerts' | 'enrol' | 'none'

export type Frame = {
  readonly title: string
  readonly section: Section
  /** Pages with a form being filled in are left alone. */
  readonly live: boolean
  readonly now: Date
  readonly operator: boolean
  /** Undefined where it is not known, as on an error. */
  readonly openAlerts: number | undefined
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
      </head>
      <body data-now={frame.now.toISOString()}>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <Masthead frame={frame} />
        {frame.notice !== undefined && (
          <p class="notice" role="status">
            {frame.notice}
          </p>
        )}
        <main id="main" data-events={frame.live ? eventsAddress : undefined}>
          <Now.Provider value={frame.now}>{children as Child}</Now.Provider>
        </main>
      </body>
    </html>
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
        {frame.operator && <NavLink href="/enrol" name="Enrol" current={frame.section === 'enrol'} />}
      </nav>
      <div class="doings">
        <span id="live" class="live" role="status" />
        {frame.operator ? <OperatorButtons /> : <a href="/login">Sign in</a>}
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

function OperatorButtons() {
  return (
    <>
      <form method="post" action="/sync">
        <button type="submit" title="Ask every connected agent to look at the repository now">
          Sync
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
