// What each route of the API answers, as schemas that the compiler holds against the views, and a test against real
// answers.
import { z } from 'zod'
import { findingSchema } from '../../../shared/finding.ts'
import { holdTargetSchema } from '../../../shared/hold.ts'
import { hostNameSchema, resourceIdSchema, revisionSchema, serviceNameSchema } from '../../../shared/names.ts'
import { problemSchema } from '../../../shared/problem.ts'
import {
  failureSchema,
  holdSchema,
  type ServiceFact,
  serviceFacts,
  serviceReportSchema,
} from '../../../shared/report.ts'
import type { WayOut } from '../../../shared/ways-out.ts'
import { commitSchema, whyAnswerSchema } from '../../../shared/why.ts'
import type { Enrollment } from '../../agents/enroll.ts'
import { alertEndSchema } from '../../alert-end.ts'
import type {
  AlertView,
  CellView,
  FailedApplyView,
  FleetView,
  HoldView,
  HostRow,
  HostView,
  PathView,
  ServiceView,
  TransitionView,
} from '../../show/views.ts'
import { keptApplySchema } from '../../store/history.ts'

const time = z.string().describe('ISO 8601')
const severity = z.enum(['critical', 'warning'])
const fact: z.ZodType<ServiceFact> = z.enum(serviceFacts)
const cellState = z.enum(['failed', 'drift', 'unknown', 'pending', 'in-sync', 'no-report'])
const hostState = z.enum([...cellState.options, 'offline', 'not-enrolled'])
const commands = z.array(z.array(z.string()))
const refused = z.array(z.object({ resource: resourceIdSchema, problem: problemSchema }))
/** Why nothing here says what a host should have. */
const unplaced = { unnamed: z.literal(true).exactOptional(), elsewhere: z.literal(true).exactOptional() }

const wayOutSchema: z.ZodType<WayOut> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('release'), service: z.string(), hold: holdSchema, commands }),
  z.object({ kind: z.literal('failing'), failure: failureSchema }),
  z.object({ kind: z.literal('unchecked') }),
  z.object({ kind: z.literal('removal') }),
  z.object({ kind: z.literal('unsafe-link') }),
  z.object({ kind: z.literal('adopt'), commands }),
  z.object({ kind: z.literal('commit'), files: z.array(z.string()), isRest: z.boolean(), refused }),
  z.object({ kind: z.literal('secret'), isRest: z.boolean(), refused }),
  z.object({ kind: z.literal('already') }),
  z.object({ kind: z.literal('apply'), effect: z.enum(['repair', 'overwrite', 'apply']), commands }),
  z.object({ kind: z.literal('next-run') }),
])

const holdViewSchema: z.ZodType<HoldView> = z.object({
  id: z.string().exactOptional(),
  services: z.array(holdTargetSchema),
  patterns: z.array(z.string()).exactOptional(),
  by: z.string(),
  why: z.string(),
  since: time.exactOptional(),
  until: time,
  hosts: z.array(
    z.object({
      host: hostNameSchema,
      state: z.enum(['in-force', 'asked', 'released']),
      releasedBy: z.string().exactOptional(),
    }),
  ),
})

const alertViewSchema: z.ZodType<AlertView> = z.object({
  id: z.number(),
  kind: z.string(),
  severity,
  title: z.string(),
  text: z.string(),
  host: hostNameSchema.exactOptional(),
  hosts: z.array(hostNameSchema).exactOptional(),
  members: z.array(z.number()).exactOptional(),
  service: serviceNameSchema.exactOptional(),
  openedAt: time,
  resolvedAt: time.exactOptional(),
  end: alertEndSchema.exactOptional(),
  diff: z.string().exactOptional(),
})

const cellViewSchema: z.ZodType<CellView> = z.object({
  service: serviceNameSchema,
  state: cellState,
  facts: z.array(fact),
  findings: z.number(),
  pending: z.number(),
  since: time.exactOptional(),
})

const hostRowSchema: z.ZodType<HostRow> = z.object({
  ...unplaced,
  host: hostNameSchema,
  state: hostState,
  revision: revisionSchema.exactOptional(),
  lastSeenAt: time.exactOptional(),
  connected: z.boolean(),
  staleSince: time.exactOptional(),
  clockAheadSeconds: z.number().exactOptional(),
  cells: z.array(cellViewSchema),
})

export const fleetSchema: z.ZodType<FleetView> = z.object({
  repository: z.object({
    url: z.string(),
    branch: z.string(),
    head: commitSchema.exactOptional(),
    fetchedAt: time.exactOptional(),
    problems: z.array(problemSchema),
  }),
  services: z.array(serviceNameSchema),
  hosts: z.array(hostRowSchema),
  openAlerts: z.array(alertViewSchema),
  holds: z.array(holdViewSchema),
})

const failedApplySchema: z.ZodType<FailedApplyView> = z.object({
  service: serviceNameSchema,
  failure: failureSchema,
  firstAt: time,
  isCurrent: z.boolean(),
  hold: holdSchema.exactOptional(),
  commit: commitSchema.exactOptional(),
})

const transitionSchema: z.ZodType<TransitionView> = z.object({
  at: time,
  service: serviceNameSchema.exactOptional(),
  from: z.string().exactOptional(),
  to: z.string(),
  revision: revisionSchema.exactOptional(),
})

export const hostSchema: z.ZodType<HostView> = z.object({
  ...unplaced,
  host: hostNameSchema,
  state: hostState,
  connected: z.boolean(),
  staleSince: time.exactOptional(),
  clockAheadSeconds: z.number().exactOptional(),
  enrolledAt: time.exactOptional(),
  lastSeenAt: time.exactOptional(),
  agentVersion: z.string().exactOptional(),
  platform: z.string().exactOptional(),
  revision: revisionSchema.exactOptional(),
  commit: commitSchema.exactOptional(),
  services: z.array(
    serviceReportSchema.extend({
      state: cellState,
      facts: z.array(fact),
      unreported: z.literal(true).exactOptional(),
      commit: commitSchema.exactOptional(),
      asked: z.array(holdViewSchema),
      waysOut: z.array(wayOutSchema),
    }),
  ),
  problems: z.array(problemSchema),
  applies: z.array(keptApplySchema.extend({ commit: commitSchema.exactOptional() })),
  failedApplies: z.array(failedApplySchema),
  transitions: z.array(transitionSchema),
  alerts: z.array(alertViewSchema),
})

export const pathsSchema: z.ZodType<readonly PathView[]> = whyAnswerSchema

export const serviceSchema: z.ZodType<ServiceView> = z.object({
  service: serviceNameSchema,
  readmeHtml: z.string(),
  hosts: z.array(
    z.object({
      host: hostNameSchema,
      state: cellState,
      facts: z.array(fact),
      applied: revisionSchema.exactOptional(),
      hold: holdSchema.exactOptional(),
      staleSince: time.exactOptional(),
    }),
  ),
  paths: whyAnswerSchema,
  history: z.array(commitSchema),
  alerts: z.array(alertViewSchema),
})

export const holdsSchema: z.ZodType<readonly HoldView[]> = z.array(holdViewSchema)
export const alertsSchema: z.ZodType<readonly AlertView[]> = z.array(alertViewSchema)

export const findingsSchema = z.object({
  host: hostNameSchema,
  revision: revisionSchema.exactOptional(),
  services: z
    .array(
      z.object({
        service: serviceNameSchema,
        applied: revisionSchema.exactOptional(),
        held: z.boolean(),
        hold: holdSchema.exactOptional(),
        waysOut: z.array(wayOutSchema).readonly(),
        findings: z.array(findingSchema).readonly(),
      }),
    )
    .readonly(),
})

export const syncSchema = z.object({
  asked: z.number(),
  alreadyAsked: z.number().describe('Asked within the last seconds, with nothing new since: not asked again.'),
  connected: z.number(),
  revision: z.string().exactOptional(),
})
export const hostSyncSchema = z.object({ host: hostNameSchema, connected: z.boolean(), alreadyAsked: z.boolean() })
export const namedHostSchema = z.object({ host: hostNameSchema })
export const placedHoldSchema = z.object({ hold: holdViewSchema, connected: z.number() })
export const releasedHoldSchema = z.object({ id: z.string(), host: hostNameSchema.exactOptional() })

export const enrollmentSchema: z.ZodType<Enrollment> = z.object({
  token: z.string(),
  installLine: z.string().describe('The one line for a bare host.'),
  expiresAt: time,
  warning: z.string().exactOptional(),
})
