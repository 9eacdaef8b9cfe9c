// In: a revision and a host. Out: what the revision says of that host's resources, or every problem at once and nothing.
import type { AbsolutePath, HostName, ServiceName } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import { servicesFor } from '../../shared/repository/assign.ts'
import { claimProblems } from '../../shared/repository/claims.ts'
import { inOrder } from '../../shared/repository/order.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { DesiredHost } from '../../shared/resource.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { type Blob, type Digests, digestsOf } from './digests.ts'
import { judgedContents } from './judged.ts'
import { loadRepository } from './load.ts'
import { type ManagedService, managedService } from './managed-files.ts'
import { registryLogins } from './registries.ts'
import { renderTemplates } from './render.ts'
import type { Secrets } from './secrets.ts'
import { desiredServices } from './service.ts'

export type DesireInput = {
  readonly reader: RevisionReader
  readonly host: HostName
  readonly secrets: Secrets
  /** Remembered from earlier revisions; blobs in it are not read again. */
  readonly digests: Digests
  /** Where compose projects are copied to: `/var/lib/plumb/compose`. */
  readonly composeRoot: AbsolutePath
}

/** `digests`: to be remembered for the next call; those of this revision and no others. */
export type Desire = { readonly desired: DesiredHost; readonly digests: Digests }

/** Throws PlumbError with all problems, the repository's and this host's: a revision is desired in full or not at all. */
export async function desiredFor({ reader, host, secrets, digests, composeRoot }: DesireInput): Promise<Desire> {
  const { repository, problems } = await loadRepository(reader)
  const assignment = servicesFor(repository.fleet, host)
  if (assignment.kind === 'unknown') throw new PlumbError(unknownHost(problems, assignment.problem))
  const services = managedServices(repository, assignment.services, composeRoot)
  const { renderings, problems: inTemplates } = await renderTemplates(
    services,
    { host, vars: assignment.vars, secrets },
    reader,
  )
  const claimed =
    problems.length > 0
      ? []
      : claimProblems(
          services.map(({ service }) => service),
          () => host,
        )
  const { logins, problems: inLogins } = await registryLogins(services, secrets)
  const all = [...problems, ...claimed, ...inTemplates, ...inLogins]
  if (all.length > 0) throw new PlumbError(all)
  const known = await digestsOf(blobsOf(services), digests, reader)
  const judging = await judgedContents(services, { renderings, digests: known }, reader)
  if (judging.problems.length > 0) throw new PlumbError(judging.problems)
  const contents = { renderings, logins, digests: judging.digests, judged: judging.judged }
  const { defaults } = repository.fleet
  const desired: DesiredHost = {
    host,
    revision: reader.revision,
    services: desiredServices(services, contents, defaults.onDrift),
    syncEverySeconds: defaults.syncEvery,
    checkEverySeconds: defaults.checkEvery,
    connectivityGuardSeconds: defaults.connectivityGuard,
  }
  return { desired, digests: contents.digests }
}

/** Of a plumb.yaml that cannot be read, that is the problem, not that it lacks this host. */
function unknownHost(problems: readonly Problem[], problem: Problem): readonly Problem[] {
  return problems.some(({ where }) => where?.file === 'plumb.yaml') ? problems : [...problems, problem]
}

function managedServices(
  { services }: Repository,
  names: readonly ServiceName[],
  composeRoot: AbsolutePath,
): readonly ManagedService[] {
  return inOrder(names, (name) => services.get(name)?.settings.after ?? []).flatMap((name) => {
    const service = services.get(name)
    return service === undefined ? [] : [managedService(service, composeRoot)]
  })
}

function blobsOf(services: readonly ManagedService[]): readonly Blob[] {
  return services.flatMap(({ files }) =>
    files.flatMap((file) => (file.kind === 'file' && !file.settings.template ? [file] : [])),
  )
}
