// What `GET /api/v1/why` answers: managed paths, the commits behind them and behind their lines.

import { z } from 'zod'
import { compact } from './compact.ts'
import { hostNameSchema, revisionSchema, serviceNameSchema } from './names.ts'
import { blameLimits } from './repository/blame.ts'
import { resourceEventSchema } from './resource-event.ts'

/** With its whole message. */
export const commitSchema = z.object({
  revision: revisionSchema,
  author: z.string(),
  /** ISO 8601. */
  at: z.string(),
  /** First line of the message. */
  subject: z.string(),
  /** The whole message. */
  message: z.string(),
})

const unblamedSchema = z.object({ kind: z.enum(['not-text', 'too-large', 'too-slow']) })

const lineSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('line'),
    number: z.number().int().positive(),
    text: z.string(),
    commit: commitSchema,
    /** What the commit called the file, when it has another name now. */
    formerly: z.string().exactOptional(),
  }),
  /** The file ends before it. */
  z.object({ kind: z.literal('no-such-line'), lines: z.number().int().nonnegative() }),
  unblamedSchema,
])

const blameSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('lines'),
    runs: z
      .array(
        z.object({
          revision: revisionSchema,
          first: z.number().int().positive(),
          lines: z
            .array(z.string())
            .max(blameLimits.lines + 1)
            .readonly(),
          formerly: z.string().exactOptional(),
        }),
      )
      .readonly(),
    /** Each of the runs' once. */
    commits: z.array(commitSchema).readonly(),
  }),
  unblamedSchema,
])

/** What is known of the path on the host that was asked for. */
const onHostSchema = z.object({
  host: hostNameSchema,
  service: serviceNameSchema,
  /** The revision that the service was last applied at. */
  applied: revisionSchema.exactOptional(),
  appliedAt: z.string().exactOptional(),
  /** How it differs now. */
  drift: z.array(
    z.object({
      resource: z.string(),
      summary: z.string(),
      /** ISO 8601: when the server first heard of it. */
      since: z.string(),
      evidence: z.string().exactOptional(),
    }),
  ),
  hold: z.object({ by: z.string(), why: z.string(), until: z.string() }).exactOptional(),
  /** Newest first. */
  events: z.array(resourceEventSchema),
})

export const whyAnswerSchema = z.array(
  z.object({
    path: z.string(),
    source: z.string(),
    why: commitSchema.exactOptional(),
    /** It is in the repository no more: the commit that took it out. */
    removed: commitSchema.exactOptional(),
    /** Of the line that was asked for. */
    line: lineSchema.exactOptional(),
    /** Of all lines, when they were asked for. */
    blame: blameSchema.exactOptional(),
    onHost: onHostSchema.exactOptional(),
  }),
)

export type Commit = z.infer<typeof commitSchema>
export type LineWhy = z.infer<typeof lineSchema>
export type OnHost = z.infer<typeof onHostSchema>
export type Blame = z.infer<typeof blameSchema>
/** A managed path, the repository's file behind it, and the commit that last changed that file. */
export type Why = z.infer<typeof whyAnswerSchema>[number]

export function lineOfBlame(blame: Blame, number: number): LineWhy {
  if (blame.kind !== 'lines') return blame
  const { runs, commits } = blame
  const run = runs.find(({ first, lines }) => first <= number && number < first + lines.length)
  const commit = commits.find(({ revision }) => revision === run?.revision)
  const text = run?.lines[number - run.first]
  if (run === undefined || commit === undefined || text === undefined)
    return { kind: 'no-such-line', lines: runs.reduce((sum, { lines }) => sum + lines.length, 0) }
  return { kind: 'line', number, text, commit, ...compact({ formerly: run.formerly }) }
}
