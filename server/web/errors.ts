// Refusals of the API, each in the one shape that shared/protocol.ts promises.

import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Logger } from 'pino'
import { compact } from '../../shared/compact.ts'
import { PlumbError, type Problem, type ProblemCode } from '../../shared/problem.ts'
import { recordingProblem } from '../store/recording.ts'

export type Refusal = {
  readonly status: ContentfulStatusCode
  readonly code: ProblemCode | 'not-found' | 'not-allowed' | 'too-large' | 'conflict' | 'busy'
  readonly message: string
  readonly remedy?: string
}

export class RefusedRequest extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.message)
    this.name = 'RefusedRequest'
    this.refusal = refusal
  }
}

export function notFound(what: string): RefusedRequest {
  return new RefusedRequest({ status: 404, code: 'not-found', message: `There is no ${what}.` })
}

/** For `app.onError`. What was not foreseen is logged in full and told as little as possible. */
export function errorAnswer(log: Logger): (thrown: Error, context: Context) => Response {
  return (thrown, context) => {
    if (thrown instanceof RefusedRequest) return answer(context, thrown.refusal)
    if (thrown instanceof HTTPException) {
      return answer(context, {
        status: statusOf(thrown),
        code: 'usage',
        message: thrown.message || 'The request is malformed.',
      })
    }
    const unrecorded = recordingProblem(thrown)
    if (unrecorded !== undefined) {
      log.error({ err: thrown, path: context.req.path }, 'request failed')
      return answer(context, { status: 503, ...refusalOf(unrecorded) })
    }
    if (thrown instanceof PlumbError) {
      log.error({ err: thrown, path: context.req.path }, 'request failed')
      const [problem] = thrown.problems
      const { code, message } = thrown
      return answer(context, { status: 500, ...(problem === undefined ? { code, message } : refusalOf(problem)), code })
    }
    log.error({ err: thrown, path: context.req.path }, 'request failed')
    return answer(context, {
      status: 500,
      code: 'internal',
      message: 'The server could not answer. Hosts are not affected.',
      remedy: "Look at the server's log.",
    })
  }
}

function refusalOf({ code, message, remedy }: Problem): Omit<Refusal, 'status'> {
  return { code, message, ...compact({ remedy }) }
}

export function answer(context: Context, { status, code, message, remedy }: Refusal): Response {
  return context.json({ error: { code, message, ...compact({ remedy }) } }, status)
}

function statusOf(thrown: HTTPException): ContentfulStatusCode {
  return thrown.status === 413 ? 413 : 400
}
