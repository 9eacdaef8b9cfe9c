// One drifted resource, as an agent reports it: what differs, the diff, and the evidence.
import { z } from 'zod'
import { evidenceSchema } from './evidence.ts'
import { resourceIdSchema, sourceSchema } from './names.ts'
import { problemSchema } from './problem.ts'

export const diffLimitBytes = 256 * 1024

/** One attribute that is not as it should be: `{ name: 'mode', expected: '0644', live: '0666' }`. */
export const differenceSchema = z.object({
  name: z.string().max(100),
  expected: z.string().max(2000),
  live: z.string().max(2000),
  /** What it is, as finding-kind.ts lists it; at least one. Older agents leave it out, newer ones may know more. */
  codes: z.array(z.string().max(50)).max(100).exactOptional(),
  /** `plumb adopt` can make a commit of it. */
  adoptable: z.boolean().exactOptional(),
  /** A secret in `live` is masked. */
  liveMasked: z.boolean().exactOptional(),
  /** `live` is longer than that. */
  liveCut: z.boolean().exactOptional(),
})

/** Repairs since that time (ISO 8601), each undone by another program: the resource is no longer repaired. */
export const repairLoopSchema = z.object({ repairs: z.number().int().positive(), since: z.string().max(40) })

export const logLimit = 4000
export const changesLimit = 200
export const changeTextLimit = 500

/** One value of a JSON or YAML file: `{ path: 'panels[3].title', kind: 'changed', expected: '"Load"', live: '"Loads"' }`. */
const valueChangeSchema = z.object({
  path: z.string().max(changeTextLimit),
  kind: z.enum(['added', 'removed', 'changed']),
  expected: z.string().max(changeTextLimit).exactOptional(),
  live: z.string().max(changeTextLimit).exactOptional(),
})

export const changedLinesLimit = 100

const spanSchema = z.object({ start: z.number().int().nonnegative(), count: z.number().int().nonnegative() })

/** Lines that stand in the place of others; a count of 0: nothing stands there, after the line `start` - 1. */
const changedLinesSchema = z.object({ expected: spanSchema, live: spanSchema })

/**
 * The content differs, and is not told. `why`: `mode` - other users cannot read the file, on the host or by the repository; `linked` -
 * it has another name on the host, as a hard link; `setting` - `diff: false` in service.yaml.
 */
export const hiddenSchema = z.object({
  why: z.string().max(20),
  /** Where it differs; absent: it is no text, or not even that is told. */
  lines: z.array(changedLinesSchema).max(changedLinesLimit).exactOptional(),
})

/** One attribute that the revision sets otherwise than it was last applied. `applied` absent: it was not set. */
const revisedValueSchema = z.object({
  name: z.string().max(100),
  applied: z.string().max(2000).exactOptional(),
  desired: z.string().max(2000),
})

/** What the revision changes of a drifted resource, from last applied to desired: pending beside the drift. */
export const revisedSchema = z.object({
  differences: z.array(revisedValueSchema).max(100),
  /** Unified, secrets masked, at most `diffLimitBytes`. Absent: no text, or not to be shown. */
  diff: z.string().max(diffLimitBytes).exactOptional(),
  diffCut: z.boolean(),
})

export const adoptionProblemsLimit = 20

/**
 * What `plumb adopt` on the host would do with it. `already`: the revision has the change, and more. Only `refused` and
 * `already` have problems: each reason.
 */
export const adoptionSchema = z.object({
  outcome: z.enum(['adopted', 'already', 'refused']).catch('refused'),
  problems: z.array(problemSchema).max(adoptionProblemsLimit),
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
  /** A line that differs holds a secret, and is masked in `diff`. */
  diffMasked: z.boolean().exactOptional(),
  /** `diff` is a text that says why there is no diff, as `MissingDiff` lists it; newer agents may know more. */
  diffInstead: z.string().max(20).exactOptional(),
  /** What one of the sides was read as, where it is not UTF-8: `Latin-1`, `UTF-16LE`. The diff does not give its bytes. */
  diffEncoding: z.string().max(20).exactOptional(),
  /** There is neither `diff` nor `changes`, on purpose. `diffCut`: more lines differ than told. */
  diffHidden: hiddenSchema.exactOptional(),
  /** What differs in a text and is not seen in its diff, as unseen.ts lists it; newer agents may know more. */
  unseen: z.object({ kinds: z.array(z.string().max(50)).max(50), isAll: z.boolean() }).exactOptional(),
  /** Of a JSON or YAML file, whatever its order and formatting; secrets masked. Empty: only those differ. */
  changes: z.array(valueChangeSchema).max(changesLimit).exactOptional(),
  /** There are more changes than told. */
  changesCut: z.boolean().exactOptional(),
  /** Of a unit that failed: the end of its journal, secrets masked. */
  log: z.string().max(logLimit).exactOptional(),
  /** The repository's file behind the resource, when there is one. */
  source: sourceSchema.optional(),
  /** Absent: the revision changes nothing of it, or the agent is older. */
  revised: revisedSchema.exactOptional(),
  /** Absent: not established, or the agent is older. */
  adoption: adoptionSchema.exactOptional(),
  evidence: evidenceSchema,
  fight: repairLoopSchema.optional(),
  /** ISO 8601. Present: it was found then, and could not be checked again since. */
  seenAt: z.string().max(40).exactOptional(),
})

export type Difference = z.infer<typeof differenceSchema>
export type RepairLoop = z.infer<typeof repairLoopSchema>
export type ValueChange = Readonly<z.infer<typeof valueChangeSchema>>
export type ChangedLines = Readonly<z.infer<typeof changedLinesSchema>>
export type HiddenDiff = Readonly<z.infer<typeof hiddenSchema>>
/** Why there is no diff: the content is no text, one side is too large, or they differ in too much. */
export type MissingDiff = 'binary' | 'too-large' | 'too-different'
export type HiddenReason = 'mode' | 'linked' | 'setting'
export type Revised = Readonly<z.infer<typeof revisedSchema>>
export type FindingAdoption = Readonly<z.infer<typeof adoptionSchema>>
export type Finding = z.infer<typeof findingSchema>
