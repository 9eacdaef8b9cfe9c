// The content of one file that was changed on a host -> what the repository's file becomes, or why it cannot. Pure.
import { hash } from 'node:crypto'
import type { Problem } from '../../shared/problem.ts'
import { textOf } from '../plan/diff.ts'
import type { Mask } from '../plan/mask.ts'
import { refusal } from './drifted.ts'
import { mergedText } from './merge.ts'
import type { AppliedSource } from './revision.ts'
import { adoptedTemplate, editAroundSecrets } from './template.ts'

export type ContentCase = {
  /** Path inside the repository. */
  readonly source: string
  readonly applied: AppliedSource
  /** The file as the branch has it now. */
  readonly head: Uint8Array
  readonly live: Uint8Array
  readonly mask: Mask
}

export type AdoptedContent =
  | { readonly kind: 'adopted'; readonly content: Uint8Array }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }

export function adoptedContent({ source, applied, head, live, mask }: ContentCase): AdoptedContent {
  const where = { file: source }
  if (applied.secrets.length > 0 && !mask.isReliable)
    return refused({
      code: 'secret-exposed',
      message: 'a secret in it is shorter than 4 characters, and could not be found in what would be written',
      where,
      remedy: editAroundSecrets,
    })
  const theirs = theirsOf({ source, applied, live })
  if (theirs.kind === 'refused') return theirs
  if (isSame(applied.content, head) || isSame(theirs.content, head)) return theirs
  const texts = [applied.content, head, theirs.content].map(textOf)
  const [base, ours, changed] = texts
  if (base === undefined || ours === undefined || changed === undefined)
    return refused(
      refusal('it is not text, and the repository has another version of it since it was applied', {
        where,
        remedy: 'Take one of the two by hand.',
      }),
    )
  const merged = mergedText({ base, ours, theirs: changed })
  if (merged.kind === 'merged') return { kind: 'adopted', content: Buffer.from(merged.text) }
  if (merged.kind === 'too-different')
    return refused(refusal('too much differs to be merged', { where, remedy: 'Take one of the two by hand.' }))
  return refused(
    ...merged.lines.map((line) =>
      refusal('the repository has since changed what was changed on the host', {
        where: { ...where, line },
        remedy: 'Change the file in the repository by hand, and apply it.',
      }),
    ),
  )
}

/** What the file would be had it been changed in the revision that was applied. */
function theirsOf({ source, applied, live }: Pick<ContentCase, 'source' | 'applied' | 'live'>): AdoptedContent {
  if (applied.pieces === undefined) return { kind: 'adopted', content: live }
  const text = textOf(live)
  if (text === undefined)
    return refused(refusal('it is a template, and what is live is not text', { where: { file: source } }))
  const adopted = adoptedTemplate(applied.pieces, text, source)
  return adopted.kind === 'refused' ? adopted : { kind: 'adopted', content: Buffer.from(adopted.text) }
}

function refused(...problems: readonly Problem[]): AdoptedContent {
  return { kind: 'refused', problems }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return hash('sha256', one, 'hex') === hash('sha256', other, 'hex')
}
