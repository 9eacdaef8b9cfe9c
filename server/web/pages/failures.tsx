// What is shown instead of a page: there is none, it was refused, or it failed.
import type { Context, ErrorHandler } from 'hono'
import { PlumbError } from '../../../shared/problem.ts'
import { recordingProblem } from '../../store/recording.ts'
import { RefusedRequest } from '../errors.ts'
import { showPage, showPlainPage } from './document.tsx'
import { MessagePage } from './message.tsx'
import type { PageParts } from './parts.ts'

export async function showUnknown(c: Context, parts: PageParts, text: string): Promise<Response> {
  const body = <MessagePage title="Not found" text={text} />
  return await showPage(c, parts, { title: 'Not found', live: true, status: 404, body })
}

export function showNoSuchPage(c: Context, parts: PageParts): Response | Promise<Response> {
  const body = <MessagePage title="Not found" text={`There is no page at ${c.req.path}.`} />
  return showPlainPage(c, parts, { title: 'Not found', status: 404, body })
}

/** For `onError` of the pages. */
export function pageError(parts: PageParts): ErrorHandler {
  return (error, c) => showError(c, parts, error)
}

function showError(c: Context, parts: PageParts, error: Error): Response | Promise<Response> {
  if (error instanceof RefusedRequest && error.refusal.status === 403) {
    const text = 'The request did not come from a page of this server, so nothing was changed.'
    const body = <MessagePage title="Refused" text={text} />
    return showPlainPage(c, parts, { title: 'Refused', status: 403, body })
  }
  const unrecorded = recordingProblem(error)
  const reference = crypto.randomUUID().slice(0, 8)
  parts.log.error({ err: error, reference }, 'a page failed')
  if (unrecorded !== undefined) {
    const text = `The server could not do this, and nothing was changed. Its log has the error under ${reference}.`
    const body = <MessagePage title="Nothing can be recorded" text={text} problems={[unrecorded]} />
    return showPlainPage(c, parts, { title: 'Nothing can be recorded', status: 503, body })
  }
  const problems = error instanceof PlumbError ? error.problems : []
  const text = `The server could not make this page. The hosts are not affected. Its log tells why, under ${reference}.`
  const body = <MessagePage title="This page failed" text={text} problems={problems} />
  return showPlainPage(c, parts, { title: 'Error', status: 500, body })
}
