// One drifted resource, as an agent reports it: what differs, the diff, and the evidence.
import { z } from 'zod'
import { evidenceSchema } from './evidence.ts'
import { resourceIdSchema } from './names.ts'

export const diffLimitBytes = 256 * 1024

/** One attribute that is not as it should be: `{ name: 'mode', expected: '0644', live: '0666' }`. */
export const differenceSchema = z.object({
  name: z.string().max(100),
  expected: z.string().max(2000),
  live: z.string().max(2000),
})

/** It was put back so often since then (ISO 8601), and changed again each time: it is not put back any more. */
export const fightSchema = z.object({ repairs: z.number().int().positive(), since: z.string().max(40) })

export const changesLimit = 200
export const changeTextLimit = 500

/** One value of a JSON or YAML file: `{ path: 'panels[3].title', kind: 'changed', expected: '"Load"', live: '"Loads"' }`. */
const valueChangeSchema = z.object({
  path: z.string().max(changeTextLimit),
  kind: z.enum(['added', 'removed', 'changed']),
  expected: z.string().max(changeTextLimit).exactOptional(),
  live: z.string().max(changeTextLimit).exactOptional(),
})

/** One drifted resource: live differs from baseline. */
export const findingSchema = z.object({
  resource: resourceIdSchema,
  /** For people: `/etc/nginx/nginx.conf: content differs`, `nginx.service: stopped, should be running`. */
  summary: z.string().max(4500),
  differences: z.array(differenceSchema).max(100),
  /** As finding-kind.ts lists them, for programs. Older agents leave it out, newer ones may know more. */
  kinds: z.array(z.string().max(50)).max(100).optional(),
  /** Unified, secrets masked, at most `diffLimitBytes`. */
  diff: z.string().max(diffLimitBytes).optional(),
  diffCut: z.boolean(),
  /** Of a JSON or YAML file, whatever its order and formatting; secrets masked. Empty: only those differ. */
  changes: z.array(valueChangeSchema).max(changesLimit).exactOptional(),
  /** There are more changes than told. */
  changesCut: z.boolean().exactOptional(),
  /** The repository's file behind the resource, when there is one. */
  source: z.string().max(4200).optional(),
  evidence: evidenceSchema,
  fight: fightSchema.optional(),
})

export type Difference = z.infer<typeof differenceSchema>
export type Fight = z.infer<typeof fightSchema>
export type ValueChange = Readonly<z.infer<typeof valueChangeSchema>>
export type Finding = z.infer<typeof findingSchema>
