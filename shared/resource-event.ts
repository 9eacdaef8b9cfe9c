// What happened to a resource on its host, as the server remembers it: applied, drifted, put right, held.
import { z } from 'zod'
import { revisionSchema, serviceNameSchema } from './names.ts'

const happened = {
  /** ISO 8601, by the host's clock, but never later than it was heard of. */
  at: z.string(),
  service: serviceNameSchema,
}

/** What differs, for people, and what was known of the time of the change. */
const difference = { summary: z.string(), evidence: z.string().exactOptional() }

export const resourceEventSchema = z.discriminatedUnion('kind', [
  z.object({ ...happened, kind: z.literal('applied'), revision: revisionSchema, summary: z.string() }),
  z.object({ ...happened, kind: z.literal('drifted'), ...difference }),
  /** It differed already, and now differs in another way. */
  z.object({ ...happened, kind: z.literal('drifted-on'), ...difference }),
  z.object({
    ...happened,
    kind: z.literal('put-right'),
    /** An apply; the repository's policy, at once; a revision that says what is live, or with which it was put back; somebody on the host. */
    by: z.enum(['apply', 'policy', 'revision', 'host']),
    revision: revisionSchema.exactOptional(),
  }),
  /** It differs, and the repository says to leave it so. */
  z.object({ ...happened, kind: z.literal('ignored'), summary: z.string(), why: z.string() }),
  /** The service as a whole. */
  z.object({ ...happened, kind: z.literal('held'), by: z.string(), why: z.string(), until: z.string() }),
  z.object({
    ...happened,
    kind: z.literal('hold-ended'),
    /** Before its time. */
    early: z.boolean(),
    /** Who released it, when that is known. */
    by: z.string().exactOptional(),
  }),
  /** The service is no longer on the host. */
  z.object({ ...happened, kind: z.literal('left') }),
])

export type ResourceEvent = z.infer<typeof resourceEventSchema>
