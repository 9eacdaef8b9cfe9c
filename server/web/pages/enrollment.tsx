// Enrolling a host from the dashboard: the form, and the line that it makes.
import type { Context } from 'hono'
import { tokenRequestSchema } from '../../agents/enroll.ts'
import { showPage } from './document.tsx'
import { EnrollForm, EnrollLine } from './enroll.tsx'
import type { EnrollLines } from './enroll-lines.ts'
import { showUnknown } from './failures.tsx'
import { notEnrolled } from './fleet-filter.ts'
import type { PageParts } from './parts.ts'
import { isPlainHttp } from './sign-in.ts'

type EnrollChoice = { readonly chosen: string | undefined; readonly refusal: string | undefined }

export async function showEnrollForm(c: Context, parts: PageParts, choice?: EnrollChoice): Promise<Response> {
  const hosts = notEnrolled(await parts.views.fleet())
  const { chosen, refusal } = choice ?? { chosen: c.req.query('host'), refusal: undefined }
  const hasAgent = await parts.enrollments.hasAgent()
  const body = <EnrollForm {...{ hosts, chosen, refusal, hasAgent }} plainHttp={isPlainHttp(parts, c)} />
  return await showPage(c, parts, {
    title: 'Enroll',
    section: 'enroll',
    status: refusal !== undefined ? 422 : hasAgent || c.req.method === 'GET' ? 200 : 409,
    body,
  })
}

type ChosenHost = { readonly host: string }

/** `lines`: where the line is kept for its page. */
export async function createEnrollment(
  c: Context,
  parts: PageParts,
  { host, lines }: ChosenHost & { readonly lines: EnrollLines },
): Promise<Response> {
  const known = notEnrolled(await parts.views.fleet())
  if (host !== '' && !known.some((name) => name === host)) {
    const refusal = `“${host}” is not a host that waits to be enrolled: it is enrolled already, or the repository does not name it.`
    return await showEnrollForm(c, parts, { chosen: undefined, refusal })
  }
  if (!(await parts.enrollments.hasAgent())) return await showEnrollForm(c, parts)
  const request = tokenRequestSchema.parse(host === '' ? {} : { host })
  const enrollment = await parts.enrollments.create(request)
  return c.redirect(`/enroll/${lines.keep({ host, enrollment })}`, 303)
}

export async function showEnrollLine(c: Context, parts: PageParts, lines: EnrollLines): Promise<Response> {
  const made = lines.find(c.req.param('line') ?? '')
  if (made === undefined) return await showUnknown(c, parts, 'This install line is no longer shown. Make another.')
  return await showPage(c, parts, { title: 'Enroll', section: 'enroll', body: <EnrollLine {...made} /> })
}
