// In: a revision and a host. Out: what the revision says of that host's resources, or everything that is wrong with the
// revision. What the host itself lacks, such as a secret, withholds only what depends on it.
import type { HostName, ServiceName } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import { servicesFor } from '../../shared/repository/assign.ts'
import { claimProblems } from '../../shared/repository/claims.ts'
import { inOrder } from '../../shared/repository/order.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { DesiredHost } from '../../shared/resource.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { checkProblems } from './check-problems.ts'
import { type Digests, digestsOf } from './digests.ts'
import { foreignProblems } from './foreign-problems.ts'
import { hazardProblems } from './hazard-problems.ts'
import { judgedContents } from './judged.ts'
import { loadRepository } from './load.ts'
import { blobsOf, type ManagedService, managedService } from './managed-files.ts'
import { quadletProblems } from './quadlet-problems.ts'
import { withServiceNames } from './quadlets.ts'
import { namingTexts, type Readings, readingsOf } from './readers.ts'
import { registryLogins } from './registries.ts'
import { type Rendered, renderTemplates } from './render.ts'
import type { Secrets } from './secrets.ts'
import { type Contents, desiredServices } from './service.ts'

export type DesireInput = {
  readonly reader: RevisionReader
  readonly host: HostName
  readonly secrets: Secrets
  /** Remembered from earlier revisions; blobs in it are not read again. */
  readonly digests: Digests
}

/** `digests`: to be remembered for the next call; those of this revision and no others. */
export type Desire = { readonly desired: DesiredHost; readonly digests: Digests }

/** Throws PlumbError with all problems of the repository: an invalid revision is refused whole. */
export async function desiredFor({ reader, host, secrets, digests }: DesireInput): Promise<Desire> {
  const { repository, problems } = await loadRepository(reader)
  const assignment = servicesFor(repository.fleet, host)
  if (assignment.kind === 'unknown') throw new PlumbError(unknownHost(problems, assignment.problem))
  const services = managedServices(repository, assignment.services)
  const filled = await renderTemplates(services, { host, vars: assignment.vars, secrets }, reader)
  const claimed =
    problems.length > 0
      ? []
      : claimProblems(
          services.map(({ service }) => service),
          () => host,
        )
  const all = [...problems, ...claimed, ...filled.problems]
  if (all.length > 0) throw new PlumbError(all)
  const known = await digestsOf(blobsOf(services), digests, reader)
  const texts = await namingTexts(services, filled.renderings, reader)
  const refused = [
    ...foreignProblems(services, known),
    ...hazardProblems(services, texts),
    ...checkProblems(services, { texts, sharedHost: () => host }),
  ]
  if (refused.length > 0) throw new PlumbError(refused)
  const { logins, problems: unreadable } = await registryLogins(services, secrets)
  const named = services.map((service) => withServiceNames(service, texts))
  const readings = readingsOf(named, texts)
  const judged = await judgedOrWithheld(services, { ...filled, digests: known }, reader)
  const powers = quadletProblems(services, texts, filled.withheld)
  const contents = { ...judged, renderings: filled.renderings, readings, logins, unreadable, powers }
  const { defaults } = repository.fleet
  const desired: DesiredHost = {
    host,
    revision: reader.revision,
    services: desiredServices(behindWhatTheyRead(named, readings), contents, defaults.onDrift),
    syncEverySeconds: defaults.syncEvery,
    checkEverySeconds: defaults.checkEvery,
    connectivityGuardSeconds: defaults.connectivityGuard,
  }
  return { desired, digests: contents.digests }
}

/** A secret's value may break the JSON or YAML that it is filled into: then the value is wrong, on this host alone. */
async function judgedOrWithheld(
  services: readonly ManagedService[],
  { renderings, withheld, digests }: Pick<Rendered, 'renderings' | 'withheld'> & Pick<Desire, 'digests'>,
  reader: RevisionReader,
): Promise<Pick<Contents, 'judged' | 'digests' | 'withheld'>> {
  const { problems, ...judging } = await judgedContents(services, { renderings, digests }, reader)
  const isOfSecrets = ({ where }: Problem) => (renderings.get(where?.file ?? '')?.secrets ?? []).length > 0
  const invalid = problems.filter((problem) => !isOfSecrets(problem))
  if (invalid.length > 0) throw new PlumbError(invalid)
  return { ...judging, withheld: new Map([...withheld, ...Map.groupBy(problems, ({ where }) => where?.file ?? '')]) }
}

/** Of a plumb.yaml that cannot be read, that is the problem, not that it lacks this host. */
function unknownHost(problems: readonly Problem[], problem: Problem): readonly Problem[] {
  return problems.some(({ where }) => where?.file === 'plumb.yaml') ? problems : [...problems, problem]
}

function behindWhatTheyRead(services: readonly ManagedService[], { after }: Readings): readonly ManagedService[] {
  const byName = new Map(services.map((managed) => [managed.service.name, managed]))
  const earlier = (name: ServiceName) => [
    ...(byName.get(name)?.service.settings.after ?? []),
    ...(after.get(name) ?? []),
  ]
  return inOrder([...byName.keys()], earlier).flatMap((name) => byName.get(name) ?? [])
}

function managedServices({ services }: Repository, names: readonly ServiceName[]): readonly ManagedService[] {
  return inOrder(names, (name) => services.get(name)?.settings.after ?? []).flatMap((name) => {
    const service = services.get(name)
    return service === undefined ? [] : [managedService(service)]
  })
}
