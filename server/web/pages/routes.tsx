// The dashboard: requests for pages come in, server-rendered documents go out.
import { z } from 'zod'
import { form, page, type Route } from '../route.ts'
import { createEnrollLines } from './enroll-lines.ts'
import { createEnrollment, showEnrollForm, showEnrollLine } from './enrollment.tsx'
import { showNoSuchPage } from './failures.tsx'
import { placeHold, releaseHold } from './holds.tsx'
import type { PageParts } from './parts.ts'
import { showAlerts, showDrift, showFleet, showHost, showService } from './read-pages.tsx'
import { showLogin, signIn, signOut } from './session.tsx'
import { showWhy } from './show-why.tsx'
import { staticFiles } from './static-files.ts'
import { syncAll, syncHost } from './syncing.tsx'

/** A field that a form may lack, or send as a file: nothing was typed then. */
const field = z.string().catch('')
const noFields = z.object({})
const loginFields = z.object({ next: field, token: field })
const holdFields = z.object({ service: field, for: field, why: field })
const releaseFields = z.object({ id: field })

export function pageRoutes(parts: PageParts): readonly Route[] {
  const lines = createEnrollLines(() => parts.clock.now())
  return [
    ...staticFiles.map(staticRoute),
    page({ path: '/', role: 'reader', handler: (c) => showFleet(c, parts) }),
    page({ path: '/hosts/:host', role: 'reader', handler: (c) => showHost(c, parts) }),
    page({ path: '/hosts/:host/drift', role: 'reader', handler: (c) => showDrift(c, parts) }),
    page({ path: '/services/:service', role: 'reader', handler: (c) => showService(c, parts) }),
    page({ path: '/why', role: 'reader', handler: (c) => showWhy(c, parts) }),
    page({ path: '/alerts', role: 'reader', handler: (c) => showAlerts(c, parts) }),
    page({
      path: '/login',
      role: 'anyone',
      handler: (c) => showLogin(c, parts, { next: c.req.query('next'), refused: false }),
    }),
    // Its address until December 2026, kept for bookmarks.
    page({ path: '/enrol', role: 'anyone', handler: (c) => c.redirect(`/enroll${searchOf(c.req.url)}`, 301) }),
    page({ path: '/enroll', role: 'operator', handler: (c) => showEnrollForm(c, parts) }),
    page({ path: '/enroll/:line', role: 'operator', secret: true, handler: (c) => showEnrollLine(c, parts, lines) }),
    form({
      path: '/login',
      role: 'anyone',
      attempts: 'log-ins',
      fields: loginFields,
      handler: (c, sent) => signIn(c, parts, sent),
    }),
    form({ path: '/logout', role: 'anyone', fields: noFields, handler: (c) => signOut(c, parts) }),
    form({
      path: '/enroll',
      role: 'operator',
      fields: z.object({ host: field }),
      handler: (c, { host }) => createEnrollment(c, parts, { host, lines }),
    }),
    form({ path: '/sync', role: 'operator', fields: noFields, handler: (c) => syncAll(c, parts) }),
    form({ path: '/hosts/:host/sync', role: 'operator', fields: noFields, handler: (c) => syncHost(c, parts) }),
    form({
      path: '/hosts/:host/hold',
      role: 'operator',
      fields: holdFields,
      handler: (c, sent) => placeHold(c, parts, sent),
    }),
    form({
      path: '/hosts/:host/release',
      role: 'operator',
      fields: releaseFields,
      handler: (c, sent) => releaseHold(c, parts, sent),
    }),
    form({
      path: '/holds/release',
      role: 'operator',
      fields: releaseFields,
      handler: (c, sent) => releaseHold(c, parts, sent),
    }),
    page({ path: '/*', role: 'anyone', handler: (c) => showNoSuchPage(c, parts) }),
  ]
}

/** Kept by browsers for ever: another content has another address. */
/** `?line=x`, or nothing: of an address that `new URL` may refuse. */
function searchOf(url: string): string {
  const at = url.indexOf('?')
  return at < 0 ? '' : url.slice(at)
}

function staticRoute({ address, body, contentType }: (typeof staticFiles)[number]): Route {
  const headers = {
    'content-type': contentType,
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
  }
  const kinds = { surface: 'plain', body: { kind: 'none' }, answer: { kind: 'file' }, compressed: true } as const
  return {
    method: 'GET',
    path: address,
    role: 'anyone',
    ...kinds,
    handler: ({ context }) => context.body(body, 200, headers),
  }
}
