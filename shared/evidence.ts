// What a host knows of a change that nobody told it of: when, and who was there. Evidence, never proof.
import { z } from 'zod'

export const evidenceSchema = z.object({
  /** ISO 8601, from the inode. */
  modifiedAt: z.string().max(40).optional(),
  changedAt: z.string().max(40).optional(),
  owner: z.string().max(100).optional(),
  size: z.number().int().nonnegative().optional(),
})

export type Evidence = z.infer<typeof evidenceSchema>
