// A changeset: what becomes other in the repository so that it says of one drifted resource what is live.
import type { Problem } from '../../shared/problem.ts'
import type { Mask } from '../plan/mask.ts'
import { type Drifted, refusal } from './drifted.ts'
import type { AppliedSource, OpenRevision } from './revision.ts'
import type { SettingsEdit } from './settings.ts'

export type FileMode = '100644' | '100755' | '120000'

export type FileChange =
  | { readonly kind: 'write'; readonly content: Uint8Array; readonly mode: FileMode }
  | { readonly kind: 'remove' }

/** What adoption reads. */
export type AdoptionInput = {
  readonly head: OpenRevision
  /** Undefined: what was applied is in no revision that is here. */
  readonly appliedOf: (source: string, sha256: string) => Promise<AppliedSource | undefined>
  readonly mask: Mask
  /** Paths on the host whose likely secrets are none, by option. */
  readonly notSecret: ReadonlySet<string>
}

/** Of one resource, whole or not at all: with problems, none of it is adopted. */
export type Changeset = {
  readonly changes: ReadonlyMap<string, FileChange>
  readonly edits: readonly SettingsEdit[]
  readonly problems: readonly Problem[]
}

export const nothing: Changeset = { changes: new Map(), edits: [], problems: [] }

export const byHand = 'Change the repository by hand.'

export function notThere({ source }: Drifted): Changeset {
  return refusedChangeset(
    source === undefined ? 'no file of the repository is behind it' : `${source} is not in the repository any more`,
    byHand,
  )
}

export function refusedChangeset(message: string, remedy: string): Changeset {
  return { ...nothing, problems: [refusal(message, { remedy })] }
}
