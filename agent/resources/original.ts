// What was at a path before the first apply: recorded then, and put back when it leaves a service that says `onRemove: restore`.
import { z } from 'zod'
import { type AbsolutePath, sha256Schema } from '../../shared/names.ts'

const ownerSchema = {
  uid: z.number(),
  gid: z.number(),
  /** Names, for people and for comparing. */
  owner: z.string().exactOptional(),
  group: z.string().exactOptional(),
}

const originalSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('missing') }),
  z.object({
    type: z.literal('file'),
    sha256: sha256Schema,
    size: z.number(),
    /** In the object store; or it is what the path still has; or neither, since it was too large. */
    kept: z.enum(['yes', 'live', 'no']),
    mode: z.number(),
    ...ownerSchema,
  }),
  z.object({ type: z.literal('symlink'), target: z.string(), ...ownerSchema }),
  z.object({ type: z.literal('directory'), mode: z.number(), ...ownerSchema }),
  z.object({ type: z.enum(['fifo', 'socket', 'device']) }),
])

/** `made`: the agent made the directory that is there now, as a missing parent. */
export const takenSchema = z.object({ was: originalSchema, made: z.literal(true).exactOptional() })

export type Original = Readonly<z.infer<typeof originalSchema>>
export type Taken = Readonly<z.infer<typeof takenSchema>>
/** What was at each path that an apply took, where it matters: nothing was there and a resource is now, is not in it. */
export type Before = ReadonlyMap<AbsolutePath, Taken>
