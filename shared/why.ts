// What `GET /api/v1/why` answers: managed paths, the commits behind them and behind their lines.
import { z } from 'zod'
import { revisionSchema } from './names.ts'
import { blameLimits } from './repository/blame.ts'

/** With its whole message. */
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

export const whyAnswerSchema = z.array(
  z.object({
    path: z.string(),
    source: z.string(),
    why: commitSchema.exactOptional(),
    /** Of the line that was asked for. */
    line: lineSchema.exactOptional(),
    /** Of all lines, when they were asked for. */
    blame: blameSchema.exactOptional(),
  }),
)

export type Commit = z.infer<typeof commitSchema>
export type LineWhy = z.infer<typeof lineSchema>
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
  return { kind: 'line', number, text, commit, ...(run.formerly === undefined ? {} : { formerly: run.formerly }) }
}
