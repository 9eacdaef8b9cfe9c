// A revision that takes away most of what a host has is more often a slip - a renamed group, a wrong merge - than meant. Pure.
// Decision: docs/decisions/2026-11-26-a-large-removal-waits.md
import type { ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { type HostComparison, pendingOf } from './compare.ts'

/** Undefined: it may be applied. Nothing of a revision is, that would remove everything or more than half of a host's services. */
export function waitingRemoval({ services }: HostComparison): Problem | undefined {
  const applied = services.filter(({ baseline }) => baseline !== undefined)
  // One whose resources all moved to other services loses nothing but its name.
  const leaving = applied.filter((service) => service.desired === undefined && pendingOf(service).length > 0)
  if (leaving.length === 0 || leaving.length * 2 <= applied.length) return undefined
  return {
    code: 'removal-waits',
    message:
      `this revision removes ${leaving.length} of the ${applied.length} services of this host ` +
      `(${namesText(leaving.map(({ service }) => service))}), so nothing of it is applied until an operator allows it.`,
    remedy: 'If it is meant, on the host: plumb apply --allow-removal. If not, revert the commit.',
  }
}

function namesText(names: readonly ServiceName[]): string {
  return names.length > 10 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ')
}
