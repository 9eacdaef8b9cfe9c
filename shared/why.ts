// What `GET /api/v1/why` answers: managed paths, the commits behind them and behind their lines.
import { z } from 'zod'
import { revisionSchema } from './names.ts'
import { blameLimits } from './repository/blame.ts'

const commitSchema = z.object({
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
    formerly: z.string().optional(),
  }),
  /** The file ends before it. */
  z.object({ kind: z.literal('no-such-line'), lines: z.number().int().nonnegative() }),
  unblamedSchema,
])

const blameSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('lines'),
    runs: z.array(
      z.object({
        revision: revisionSchema,
        first: z.number().int().positive(),
        lines: z.array(z.string()).max(blameLimits.lines + 1),
        formerly: z.string().optional(),
      }),
    ),
    commits: z.array(commitSchema),
  }),
  unblamedSchema,
])

export const whyAnswerSchema = z.array(
  z.object({
    path: z.string(),
    source: z.string(),
    why: commitSchema.optional(),
    /** Of the line that was asked for. */
    line: lineSchema.optional(),
    /** Of all lines, when they were asked for. */
    blame: blameSchema.optional(),
  }),
)

export type Commit = z.infer<typeof commitSchema>
export type LineWhy = z.infer<typeof lineSchema>
export type Blame = z.infer<typeof blameSchema>
/** A managed path, the repository's file behind it, and the commit that last changed that file. */
export type Why = z.infer<typeof whyAnswerSchema>[number]
