// From the planned changes to a commit that is pushed: linted, shown or committed, delivered, and told. The same on a host and in a clone.
import { compact } from '../../shared/compact.ts'
import type { HostName, Revision } from '../../shared/names.ts'
import { PlumbError, type Problem, problemLine } from '../../shared/problem.ts'
import type { Adoption } from '../adopt/adoption.ts'
import { authorFor } from '../adopt/author.ts'
import { treeWith } from '../adopt/commit.ts'
import { type Delivered, deliver, type Where } from '../adopt/deliver.ts'
import { holdsSecret } from '../adopt/exposure.ts'
import { branchName, commitMessage, nameOf } from '../adopt/message.ts'
import { overlaid } from '../adopt/overlay.ts'
import { forPatch } from '../adopt/place.ts'
import type { OpenRevision } from '../adopt/revision.ts'
import { type Scratch, withScratch } from '../adopt/scratch.ts'
import { type Operator, operatorFrom } from '../host/operator.ts'
import { lintRevision } from '../lint/revision.ts'
import type { Mask } from '../plan/mask.ts'
import {
  type AdoptOptions,
  adoptedLines,
  authorTyped,
  deliveredLines,
  type Holding,
  problemsOfRefused,
  refusedLines,
  type Unheld,
  unheldLines,
  whyGiven,
  writePatch,
} from './adopt-words.ts'
import type { Output } from './output.ts'

export type Planned = {
  readonly adoption: Adoption
  readonly head: OpenRevision
  readonly host: HostName
  readonly applied: Revision | undefined
  readonly mask: Mask
  /** Services that nothing keeps from being put back before the commit is merged. */
  readonly unheld: readonly Unheld[]
  /** What `plumb hold` takes to reach the host from where adopt was called. */
  readonly holding: Holding
  /** Where to commit; text: why there is no place to push from. */
  readonly placeFor: (operator: Operator, scratch: Scratch) => Promise<Where | { readonly said: string | undefined }>
}

export type Asked = { readonly options: AdoptOptions; readonly output: Output }

export async function carryOut(planned: Planned, asked: Asked): Promise<number> {
  const { adoption, head, host } = planned
  if (adoption.changes.size === 0) return nothingAdopted(planned, asked)
  await requireLint(head, adoption)
  return await withScratch(await operatorFrom(process.env), async (scratch, operator) => {
    if (asked.options.dryRun === true) return await shown(planned, asked, { operator, scratch })
    const why = await whyGiven(
      asked.options,
      adoption.adopted.map(({ id }) => nameOf(id)),
    )
    if (holdsSecret(why, planned.mask))
      throw new PlumbError({
        code: 'secret-exposed',
        message: 'The reason holds the value of a secret, and would be written to the repository.',
        remedy: 'Say it without the value.',
      })
    const { push } = asked.options
    const place = await planned.placeFor(operator, scratch)
    const patchOnly = 'said' in place
    const where = patchOnly
      ? { ...(await forPatch(head.reader, adoption.changes, { operator, scratch })), isOwnClone: false }
      : place
    const { tree } = await treeWith(where.git, where.parent, { changes: adoption.changes, scratch })
    const services = servicesOf(adoption)
    const branch = asked.options.to ?? branchName({ host, services, at: new Date() })
    const message = commitMessage({ ...planned, why, adopted: adoption.adopted })
    const author = asked.options.author ?? (await authorFor(where, operator, authorTyped))
    const made = await deliver(where, { tree, message, author, branch, push })
    const delivered: Delivered = patchOnly && made.kind === 'patch' ? { ...made, said: place.said } : made
    const patch = delivered.kind === 'patch' ? await writePatch(delivered.text, branch, operator) : undefined
    tell(planned, asked, { delivered, patch, branch })
    return 0
  })
}

function nothingAdopted({ adoption, host }: Planned, { output }: Asked): number {
  const { refused } = adoption
  output.print({
    json: { host, adopted: [], changes: [], problems: problemsOfRefused(refused) },
    text: refused.length === 0 ? ['nothing to adopt: what is live is what was applied'] : refusedLines(refused),
  })
  return 1
}

/** What the repository has wrong already is not this change's. */
async function requireLint(head: OpenRevision, { changes }: Adoption): Promise<void> {
  const [before, after] = await Promise.all(
    [head.reader, overlaid(head.reader, changes)].map((reader) => lintRevision({ reader })),
  )
  const known = new Set(before?.problems.map(withoutLine))
  const fresh = (after?.problems ?? []).filter((problem) => !known.has(withoutLine(problem)))
  if (fresh.length === 0) return
  throw new PlumbError([
    { code: 'usage', message: 'Nothing was adopted: the repository would not be valid with it.' },
    ...fresh,
  ])
}

function withoutLine({ where, ...problem }: Problem): string {
  return problemLine({ ...problem, ...(where === undefined ? {} : { where: { file: where.file } }) })
}

type Private = { readonly operator: Operator; readonly scratch: Scratch }

async function shown(planned: Planned, { output }: Asked, { operator, scratch }: Private): Promise<number> {
  const { adoption, head, host } = planned
  const { git, parent } = await forPatch(head.reader, adoption.changes, { operator, scratch })
  const { diff } = await treeWith(git, parent, { changes: adoption.changes, scratch })
  output.print({
    json: { ...jsonOf(planned), host, diff },
    text: [diff.trimEnd(), ...refusedLines(adoption.refused), `would be adopted: ${namesOf(adoption).join(', ')}`],
  })
  return 0
}

type Made = { readonly delivered: Delivered; readonly patch: string | undefined; readonly branch: string }

function tell(planned: Planned, { output }: Asked, { delivered, patch, branch }: Made): void {
  const { adoption, unheld, holding } = planned
  const commit = delivered.kind === 'patch' ? {} : { commit: delivered.commit }
  output.print({
    json: {
      ...jsonOf(planned),
      branch,
      ...commit,
      pushed: delivered.kind === 'pushed',
      ...compact({ patch }),
    },
    text: [
      ...adoptedLines(adoption),
      ...refusedLines(adoption.refused),
      ...deliveredLines({ delivered, patch }),
      ...unheldLines(unheld, holding),
    ],
  })
}

function jsonOf({ adoption, host }: Planned): object {
  return {
    host,
    adopted: adoption.adopted.map(({ id }) => id),
    changes: [...adoption.changes].map(([source, { kind }]) => ({ source, kind })),
    problems: problemsOfRefused(adoption.refused),
  }
}

function namesOf({ adopted }: Adoption): readonly string[] {
  return adopted.map(({ id }) => nameOf(id))
}

function servicesOf({ adopted }: Adoption): readonly string[] {
  return [...new Set(adopted.map(({ service }) => service))]
}
