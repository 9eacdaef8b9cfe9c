// Files whose content a filter of .gitattributes changes at the commit: what hosts get is what the filter makes. Pure.
import type { Problem } from '../../shared/problem.ts'
import { invalid, quoted } from '../../shared/repository/invalid.ts'
import type { Digests } from '../desire/digests.ts'
import type { ManagedService } from '../desire/managed-files.ts'

type Committed = { readonly filters: ReadonlyMap<string, string>; readonly digests: Digests }

/** A file that was committed already is judged by what the filter made of it. */
export function filterProblems(
  services: readonly ManagedService[],
  { filters, digests }: Committed,
): readonly Problem[] {
  if (filters.size === 0) return []
  return services.flatMap(({ service, files }) =>
    files.flatMap((file) => {
      const filter = filters.get(file.source)
      if (filter === undefined || file.kind !== 'file' || digests.get(file.oid)?.foreign !== undefined) return []
      if (file.settings.allow === 'encrypted' && filter.startsWith('git-crypt')) return []
      const remedy = `Take it out of .gitattributes: ${file.source} -filter`
      return [invalid(messageFor(filter), { file: file.source }, { service: service.name, remedy })]
    }),
  )
}

function messageFor(filter: string): string {
  if (filter === 'lfs') return 'would be committed as a pointer of Git LFS; hosts do not fetch from LFS'
  if (filter.startsWith('git-crypt')) return 'would be committed as ciphertext of git-crypt'
  return `goes through the filter ${quoted(filter)} of .gitattributes when it is committed: hosts get what that makes of it`
}
