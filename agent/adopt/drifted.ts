// What adoption begins with, from the host itself or by way of the server: one drifted resource, and what is live of it.
import { compact } from '../../shared/compact.ts'
import type { Evidence } from '../../shared/evidence.ts'
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { HostEntry } from '../host/entries-below.ts'
import type { AttributeDifference } from '../resources/kind.ts'

export type Drifted = {
  readonly id: ResourceId
  readonly service: ServiceName
  /** The repository's file behind it. */
  readonly source: string | undefined
  readonly summary: string
  /** What is live against what was applied. */
  readonly differences: readonly AttributeDifference[]
  /** Of a file whose content differs; a problem: why it could not be had. */
  readonly live: Uint8Array | Problem | undefined
  /** What the repository does not have: in a purged directory, or the file that changes a unit. */
  readonly extras: readonly HostEntry[]
  /** Its path was given by itself, so that its removal is meant too. */
  readonly isNamed: boolean
  readonly evidence: Evidence
}

export function refusal(message: string, { remedy, where }: Pick<Problem, 'remedy' | 'where'> = {}): Problem {
  return {
    code: 'usage',
    message,
    ...compact({ where, remedy }),
  }
}
