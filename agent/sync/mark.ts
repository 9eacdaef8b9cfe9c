// The mark: the last revision that this host accepted. A new head must descend from it. It moves by `accept` alone, after
// the caller has verified and desired the revision, and outlives every loss of the copy.
import { dirname } from 'node:path'
import { z } from 'zod'
import { revisionSchema } from '../../shared/names.ts'
import { makeStateDirectory, readIfThere, replaceDurably } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'

const markSchema = z.object({
  version: z.literal(1),
  revision: revisionSchema,
  /** Address of the remote, without credentials. */
  url: z.string(),
  ref: z.string(),
  /**
   * What the remote's HEAD named when it was last followed; null: a branch was given each time. Older agents leave it
   * out: then `ref`.
   */
  head: z.string().nullable().exactOptional(),
})

export type Mark = z.infer<typeof markSchema>

/** Undefined before the first revision was accepted; throws PlumbError `state-corrupt` when it is there and unreadable. */
export function readMark(path: string): Mark | undefined {
  const bytes = readIfThere(path)
  if (bytes === undefined) return undefined
  try {
    return markSchema.parse(JSON.parse(bytes.toString('utf8')))
  } catch {
    throw unreadable(path, 'it is not the JSON it should be')
  }
}

/** The branch that this host keeps to where it was given none; undefined when there is none yet. */
export function pinnedBranch(mark: Mark | undefined, url: string): string | undefined {
  if (mark === undefined || mark.url !== url) return undefined
  return (mark.head === undefined ? mark.ref : mark.head) ?? undefined
}

export async function writeMark(path: string, mark: Mark): Promise<void> {
  makeStateDirectory(dirname(path))
  await replaceDurably([{ path, content: `${JSON.stringify(mark)}\n` }])
}

/** Never treated as "no mark": damaging the file would then allow the history to be rewound. */
function unreadable(path: string, why: string): PlumbError {
  return new PlumbError({
    code: 'state-corrupt',
    message: `The record of the last accepted revision, ${path}, cannot be read: ${why}.`,
    remedy: `Compare the repository's history by hand, then remove the file: the next sync accepts what it finds.`,
  })
}
