// The files of services that hold no content for a host, as problems; lint and the agent refuse them alike. Pure.
import type { Problem } from '../../shared/problem.ts'
import { invalid } from '../../shared/repository/invalid.ts'
import type { Digests } from './digests.ts'
import { describeForeign, type ForeignForm } from './foreign-content.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'

export function foreignProblems(services: readonly ManagedService[], digests: Digests): readonly Problem[] {
  return services.flatMap(({ service, files }) =>
    files.flatMap((file) => {
      const form = formOf(file, digests)
      if (form === undefined) return []
      const { message, remedy, allow } = describeForeign(form)
      if (file.kind === 'file' && allow !== undefined && file.settings.allow === allow) return []
      return [invalid(message, { file: file.source }, { service: service.name, remedy })]
    }),
  )
}

/** git-annex checks its locked files out as links into its own store. */
function formOf(file: ManagedFile, digests: Digests): ForeignForm | undefined {
  if (file.kind === 'file') return digests.get(file.oid)?.foreign
  return /(?:^|\/)\.git\/annex\/objects\//.test(file.link) ? 'annex-pointer' : undefined
}
