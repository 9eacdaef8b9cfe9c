// What an agent says of its host. Zod schemas, because the server parses reports from the network, with limits.
import { z } from 'zod'
import { findingSchema } from './finding.ts'
import { holdTargetSchema } from './hold.ts'
import { hostNameSchema, resourceIdSchema, revisionSchema, serviceNameSchema, sourceSchema } from './names.ts'
import { problemSchema } from './problem.ts'

export const reportDiffLimitBytes = 2 * 1024 * 1024

/** Of one report. */
export const reportLimits = {
  services: 1000,
  findings: 10_000,
  pending: 20_000,
  ignored: 10_000,
  changes: 50_000,
} as const

/** One change that an apply would make because desired differs from baseline. */
export const pendingSchema = z.object({
  resource: resourceIdSchema,
  summary: z.string().max(4500),
  source: sourceSchema.optional(),
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
  /** ISO 8601: not before then does the agent try this revision again. Older agents leave it out. */
  nextAttemptAt: z.string().max(40).exactOptional(),
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
  /** What `plumb release` ends: this hold, and every other one that covers the service. Older agents leave it out. */
  targets: z.array(holdTargetSchema).max(2).exactOptional(),
})

/** Why an apply that a person asks for would leave the service as it is, though something differs; a hold on itself is `hold`. */
export const obstacleSchema = z.discriminatedUnion('kind', [
  /** It comes after another service that is held, or takes something over from it. */
  z.object({ kind: z.literal('other-held'), service: serviceNameSchema, hold: holdSchema }),
  /** Something of it could not be checked: `unknown` says what. */
  z.object({ kind: z.literal('unchecked') }),
  /** The revision removes most of the host's services, and a person has to allow that. */
  z.object({ kind: z.literal('removal') }),
])

/** A hold whose time is over, or that the server asked for and somebody released on the host itself. */
export const endedHoldSchema = holdSchema.extend({
  service: holdTargetSchema,
  since: z.string().max(40),
  releasedBy: z.string().max(200).optional(),
})

export const unknownProblemsLimit = 100

/** What the check could not establish of a service, and why. */
export const unknownSchema = z.object({
  problems: z.array(problemSchema).max(unknownProblemsLimit),
  /** ISO 8601. Present: nothing of the service could be checked, and all else said of it is as an earlier check found it, then. */
  seenAt: z.string().max(40).optional(),
})

export const serviceReportSchema = z.object({
  service: serviceNameSchema,
  /** The revision the service was last applied at; absent before the first apply. */
  applied: revisionSchema.optional(),
  appliedAt: z.string().max(40).optional(),
  findings: z.array(findingSchema).max(reportLimits.findings),
  pending: z.array(pendingSchema).max(reportLimits.pending),
  /** Absent when there is none; older agents leave it out. */
  ignored: z.array(ignoredSchema).max(reportLimits.ignored).optional(),
  failure: failureSchema.optional(),
  hold: holdSchema.optional(),
  /** Absent: there is none, or the agent is older. One that only a newer agent knows is none. */
  obstacle: obstacleSchema.optional().catch(undefined),
  /** Absent: everything was checked; older agents leave it out. */
  unknown: unknownSchema.optional(),
})

export const changeSchema = z.object({
  service: serviceNameSchema,
  /** One line, past tense: `wrote /etc/nginx/nginx.conf (content)`, `reloaded nginx.service`. */
  summary: z.string().max(4500),
  resource: resourceIdSchema.optional(),
  source: sourceSchema.optional(),
})

/** Of one apply; their diffs together are bounded by `repairedDiffLimitBytes`, for they are kept. */
export const repairsLimit = 100
export const repairedDiffLimitBytes = 64 * 1024

export const repairSchema = z.object({ service: serviceNameSchema, finding: findingSchema })

export const applyResultSchema = z.object({
  revision: revisionSchema,
  at: z.string().max(40),
  changes: z.array(changeSchema).max(reportLimits.changes),
  failed: z.array(serviceNameSchema).max(1000),
  /** Drift that was put back by the repository's policy, as it was found. */
  repaired: z.array(repairSchema).max(repairsLimit).optional(),
  /** The person who typed `plumb apply`; absent: the agent did it. */
  by: z.string().max(200).exactOptional(),
})

/** Of older ones nothing is reported. */
export const personAppliesLimit = 20

/** A sync that is under way, when the report is made. */
export const syncReportSchema = z.object({
  /** ISO 8601. */
  since: z.string().max(40),
  seconds: z.number().int().nonnegative(),
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
  services: z.array(serviceReportSchema).max(reportLimits.services),
  /** What stopped a sync, a desire or a check, and is not one service's failure. */
  problems: z.array(problemSchema).max(1000),
  /** Absent when none is under way. */
  sync: syncReportSchema.optional(),
  /** The last apply that changed something or failed since the last report. */
  apply: applyResultSchema.optional(),
  /** What persons applied on the host since, the oldest first; absent: nothing. */
  personApplies: z.array(applyResultSchema).max(personAppliesLimit).exactOptional(),
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
export type Obstacle = Readonly<z.infer<typeof obstacleSchema>>
export type EndedHold = z.infer<typeof endedHoldSchema>
export type Unknown = z.infer<typeof unknownSchema>
export type ServiceReport = z.infer<typeof serviceReportSchema>
export type SyncReport = z.infer<typeof syncReportSchema>
export type Change = z.infer<typeof changeSchema>
export type ApplyReport = z.infer<typeof applyResultSchema>
export type Report = z.infer<typeof reportSchema>

/** What a service may be, several at once; `held` is beside the others and hides none of them. */
export const serviceFacts = ['failed', 'drift', 'unknown', 'pending', 'held'] as const

export type ServiceFact = (typeof serviceFacts)[number]

/** What a cell of the fleet page shows first; `offline`, `not-enrolled` and `no-report` are the server's to say. */
export type ServiceStateName = Exclude<ServiceFact, 'held'> | 'in-sync'

/** All that is true of a service, the most urgent first; none: it is in sync. */
export function factsOf(service: ServiceReport): readonly ServiceFact[] {
  const { failure, findings, unknown, pending, applied, hold } = service
  // What an earlier check found may have changed since.
  const isStale = unknown?.seenAt !== undefined
  const isFact: Readonly<Record<ServiceFact, boolean>> = {
    failed: failure !== undefined,
    drift: !isStale && findings.some(({ seenAt }) => seenAt === undefined),
    unknown: unknown !== undefined,
    pending: !isStale && (pending.length > 0 || applied === undefined),
    held: hold !== undefined,
  }
  return serviceFacts.filter((fact) => isFact[fact])
}

/** The one word for a service: the most urgent of its facts. */
export function stateOf(service: ServiceReport): ServiceStateName {
  return stateIn(factsOf(service))
}

export function stateIn(facts: readonly ServiceFact[]): ServiceStateName {
  return facts.find((fact) => fact !== 'held') ?? 'in-sync'
}

/** All that a report tells of, in the order in which they can have happened. */
export function appliesIn({ apply, personApplies = [] }: Report): readonly ApplyReport[] {
  return [...personApplies, ...(apply === undefined ? [] : [apply])]
}
