// A page as a response: in, the page's parts; out, the framed document with its status.
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { html } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { HostName } from '../../../shared/names.ts'
import { visibleProse } from '../../../shared/visible-text.ts'
import { Sandboxes } from './components/host-commands.ts'
import { Layout, type Section } from './components/layout.tsx'
import type { PageParts } from './parts.ts'

export type Page = {
  readonly title: string
  readonly section?: Section
  /** *Sync* in the header is for this host alone. */
  readonly host?: HostName
  /** Follows changes while it is open; not for pages with a form being filled in. */
  readonly live?: boolean
  readonly status?: ContentfulStatusCode
  readonly body: Child
}

const noticeCookie = 'plumb-notice'

export async function showPage(c: Context, parts: PageParts, page: Page): Promise<Response> {
  const operator = await parts.access.isOperator(c)
  const reads = await parts.access.mayRead(c)
  const frame = {
    title: page.title,
    section: page.section ?? 'none',
    live: page.live ?? false,
    host: page.host,
    address: addressOf(c),
    now: parts.clock.now(),
    operator,
    openAlerts: reads ? await parts.views.openAlertCount() : undefined,
    unrecorded: await parts.recordingProblem(),
    isNotified: !reads || (await parts.isNotified()),
    notice: takeNotice(c),
  }
  const body = <Sandboxes.Provider value={parts.sandboxes}>{page.body}</Sandboxes.Provider>
  return c.html(documentOf(<Layout frame={frame}>{body}</Layout>), page.status ?? 200)
}

/** Undefined: one does not come back to it. */
function addressOf(c: Context): string | undefined {
  const { pathname, search } = new URL(c.req.url)
  return c.req.method === 'GET' && pathname !== '/login' ? pathname + search : undefined
}

/** Asks nothing of the views: they may be what failed. */
export async function showPlainPage(c: Context, parts: PageParts, page: Page): Promise<Response> {
  const frame = {
    title: page.title,
    section: 'none',
    live: false,
    host: undefined,
    address: undefined,
    now: parts.clock.now(),
    operator: false,
    openAlerts: undefined,
    unrecorded: await parts.recordingProblem(),
    isNotified: true,
    notice: undefined,
  } as const
  return c.html(documentOf(<Layout frame={frame}>{page.body}</Layout>), page.status ?? 200)
}

/** Said on the next page that is shown, once. */
export function leaveNotice(c: Context, text: string): void {
  setCookie(c, noticeCookie, text, { path: '/', httpOnly: true, sameSite: 'Strict', maxAge: 30 })
}

function takeNotice(c: Context): string | undefined {
  const notice = getCookie(c, noticeCookie)
  if (notice !== undefined) deleteCookie(c, noticeCookie, { path: '/' })
  return notice
}

/** Whatever a page forgot to make visible is made so here: a reversed line would be one in the source, too. */
async function documentOf(document: Child): Promise<string> {
  const text = await html`<!doctype html>
${document}`
  return visibleProse(text.toString())
}
