// Enrolling a host from the dashboard: the form, and the line that it makes.
import type { Context } from 'hono'
import { tokenRequestSchema } from '../../agents/enrol.ts'
import { showPage } from './document.tsx'
import { EnrolForm, EnrolLine } from './enrol.tsx'
import type { EnrolLines } from './enrol-lines.ts'
import { showUnknown } from './failures.tsx'
import { notEnrolled } from './fleet-filter.ts'
import type { PageParts } from './parts.ts'
import { isPlainHttp } from './sign-in.ts'

type EnrolChoice = { readonly chosen: string | undefined; readonly refusal: string | undefined }

export async function showEnrolForm(c: Context, parts: PageParts, choice?: EnrolChoice): Promise<Response> {
  const hosts = notEnrolled(await parts.views.fleet())
  const { chosen, refusal } = choice ?? { chosen: c.req.query('host'), refusal: undefined }
  const hasAgent = await parts.enrollments.hasAgent()
  const body = <EnrolForm {...{ hosts, chosen, refusal, hasAgent }} plainHttp={isPlainHttp(parts, c)} />
  return await showPage(c, parts, {
    title: 'Enrol',
    section: 'enrol',
    status: refusal !== undefined ? 422 : hasAgent || c.req.method === 'GET' ? 200 : 409,
    body,
  })
}

type EnrollForm = { readonly host: string }

/** `lines`: where the line is kept for its page. */
export async function createEnrollment(
  c: Context,
  parts: PageParts,
  { host, lines }: EnrollForm & { readonly lines: EnrolLines },
): Promise<Response> {
  const known = notEnrolled(await parts.views.fleet())
  if (host !== '' && !known.some((name) => name === host)) {
    const refusal = `“${host}” is not a host that waits to be enrolled: it is enrolled already, or the repository does not name it.`
    return await showEnrolForm(c, parts, { chosen: undefined, refusal })
  }
  if (!(await parts.enrollments.hasAgent())) return await showEnrolForm(c, parts)
  const request = tokenRequestSchema.parse(host === '' ? {} : { host })
  const enrollment = await parts.enrollments.create(request)
  return c.redirect(`/enrol/${lines.keep({ host, enrollment })}`, 303)
}

export async function showEnrolLine(c: Context, parts: PageParts, lines: EnrolLines): Promise<Response> {
  const made = lines.find(c.req.param('line') ?? '')
  if (made === undefined) return await showUnknown(c, parts, 'This install line is no longer shown. Make another.')
  return await showPage(c, parts, { title: 'Enrol', section: 'enrol', body: <EnrolLine {...made} /> })
}
