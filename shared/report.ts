// What an agent says of its host. Zod schemas, because the server parses reports from the network, with limits.
import { z } from 'zod'
import { findingSchema } from './finding.ts'
import { holdTargetSchema } from './hold.ts'
import { hostNameSchema, resourceIdSchema, revisionSchema, serviceNameSchema } from './names.ts'
import { problemSchema } from './problem.ts'

export const reportDiffLimitBytes = 2 * 1024 * 1024

/** One change that an apply would make because desired differs from baseline. */
export const pendingSchema = z.object({
  resource: resourceIdSchema,
  summary: z.string().max(4500),
  source: z.string().max(4200).optional(),
})

/** Drift that the repository says to leave as it is. */
export const ignoredSchema = z.object({
  resource: resourceIdSchema,
  summary: z.string().max(4500),
  why: z.string().max(500),
})

export const failureSchema = z.object({
  revision: revisionSchema,
  /** ISO 8601. */
  at: z.string().max(40),
  /** The step that failed: `validate /etc/caddy/Caddyfile`. */
  step: z.string().max(500),
  problem: problemSchema,
  attempts: z.number().int().positive(),
})

export const holdSchema = z.object({
  by: z.string().max(200),
  why: z.string().max(2000),
  until: z.string().max(40),
  since: z.string().max(40).optional(),
  /** Made on the host itself, or asked for by the server. */
  origin: z.enum(['host', 'server']).optional(),
  /** The server's, of a hold that it asked for. */
  id: z.string().max(64).optional(),
})

/** A hold whose time is over, or that the server asked for and somebody released on the host itself. */
export const endedHoldSchema = holdSchema.extend({
  service: holdTargetSchema,
  since: z.string().max(40),
  releasedBy: z.string().max(200).optional(),
})

export const serviceReportSchema = z.object({
  service: serviceNameSchema,
  /** The revision the service was last applied at; absent before the first apply. */
  applied: revisionSchema.optional(),
  appliedAt: z.string().max(40).optional(),
  findings: z.array(findingSchema).max(10_000),
  pending: z.array(pendingSchema).max(20_000),
  /** Absent when there is none; older agents leave it out. */
  ignored: z.array(ignoredSchema).max(10_000).optional(),
  failure: failureSchema.optional(),
  hold: holdSchema.optional(),
})

export const changeSchema = z.object({
  service: serviceNameSchema,
  /** One line, past tense: `wrote /etc/nginx/nginx.conf (content)`, `reloaded nginx.service`. */
  summary: z.string().max(4500),
  resource: resourceIdSchema.optional(),
  source: z.string().max(4200).optional(),
})

/** Of one apply; their diffs together are bounded by `repairedDiffLimitBytes`, for they are kept. */
export const repairsLimit = 100
export const repairedDiffLimitBytes = 64 * 1024

export const repairSchema = z.object({ service: serviceNameSchema, finding: findingSchema })

export const applyResultSchema = z.object({
  revision: revisionSchema,
  at: z.string().max(40),
  changes: z.array(changeSchema).max(50_000),
  failed: z.array(serviceNameSchema).max(1000),
  /** Drift that was put back by the repository's policy, as it was found. */
  repaired: z.array(repairSchema).max(repairsLimit).optional(),
})

export const reportSchema = z.object({
  /** Unique; the server acknowledges by it and ignores one it has. */
  id: z.string().max(64),
  host: hostNameSchema,
  at: z.string().max(40),
  agentVersion: z.string().max(50),
  platform: z.string().max(200),
  /** The revision that is desired now; absent when none was ever synced. */
  revision: revisionSchema.optional(),
  services: z.array(serviceReportSchema).max(1000),
  /** What stopped a sync, a desire or a check, and is not one service's failure. */
  problems: z.array(problemSchema).max(1000),
  /** The last apply that changed something or failed since the last report. */
  apply: applyResultSchema.optional(),
  /** Those of the last weeks; absent when there are none. */
  endedHolds: z.array(endedHoldSchema).max(100).optional(),
  /** Reports that the bounded spool had to drop before this one. */
  dropped: z.number().int().nonnegative(),
})

export type Pending = z.infer<typeof pendingSchema>
export type IgnoredDrift = z.infer<typeof ignoredSchema>
export type Repair = z.infer<typeof repairSchema>
export type Failure = z.infer<typeof failureSchema>
export type Hold = z.infer<typeof holdSchema>
export type EndedHold = z.infer<typeof endedHoldSchema>
export type ServiceReport = z.infer<typeof serviceReportSchema>
export type Change = z.infer<typeof changeSchema>
export type ApplyReport = z.infer<typeof applyResultSchema>
export type Report = z.infer<typeof reportSchema>

/** What a cell of the fleet page shows; `silent` and `not-enrolled` are the server's to say. */
export type ServiceStateName = 'in-plumb' | 'pending' | 'drift' | 'failed' | 'held'

/** The one word for a service that may be several things at once: the most urgent wins. */
export function stateOf(service: ServiceReport): ServiceStateName {
  if (service.failure !== undefined) return 'failed'
  if (service.hold !== undefined) return 'held'
  if (service.findings.length > 0) return 'drift'
  if (service.pending.length > 0 || service.applied === undefined) return 'pending'
  return 'in-plumb'
}
