// The one kind of step that changes resources; all others only run something.
import type { ResourceId } from '../../shared/names.ts'
import type { ResourceKindName } from '../../shared/resource.ts'
import type { ResourceChange } from './kind.ts'

export type ChangeStep = {
  readonly kind: 'change'
  readonly resource: ResourceKindName
  readonly changes: readonly ResourceChange[]
  /** Of units, those that a package installed just before may have started itself. */
  readonly uncertain?: readonly ResourceId[]
}

type AnyStep = ChangeStep | { readonly kind: 'tools' | 'validate' | 'trigger' | 'check' | 'restart-agent' }

export function changesIn({ steps }: { readonly steps: readonly AnyStep[] }): readonly ResourceChange[] {
  return steps.flatMap((step) => (step.kind === 'change' ? step.changes : []))
}
