// `/healthz`: whether the server can record what it is told, for monitors.
import { z } from 'zod'
import type { WebParts } from './parts.ts'
import type { Route } from './route.ts'

const healthSchema = z.object({ ok: z.literal(true), version: z.string() })

export function healthRoute({ recordingProblem, version }: Pick<WebParts, 'recordingProblem' | 'version'>): Route {
  return {
    ...{ method: 'GET', path: '/healthz', role: 'anyone', surface: 'plain' },
    ...{ body: { kind: 'none' }, answer: { kind: 'json', status: 200, schema: healthSchema } },
    async handler({ context }) {
      const problem = await recordingProblem()
      if (problem === undefined) return context.json({ ok: true, version })
      const { code, message, remedy, since } = problem
      return context.json({ ok: false, version, error: { code, message, remedy, since } }, 503)
    },
  }
}
