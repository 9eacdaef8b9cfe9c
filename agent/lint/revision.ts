// Everything that is wrong with a revision, whichever host it is for: by the functions that hosts use, and by those that only lint needs.
import type { ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { namedHosts, sampleHosts, servicesFor } from '../../shared/repository/assign.ts'
import type { SharedHost } from '../../shared/repository/claims.ts'
import type { Fleet } from '../../shared/repository/fleet.ts'
import { checkProblems } from '../desire/check-problems.ts'
import { digestsOf } from '../desire/digests.ts'
import { foreignProblems } from '../desire/foreign-problems.ts'
import { hazardProblems } from '../desire/hazard-problems.ts'
import { judgedContents } from '../desire/judged.ts'
import { loadRepository } from '../desire/load.ts'
import { blobsOf, type ManagedService, managedService } from '../desire/managed-files.ts'
import { quadletProblems } from '../desire/quadlet-problems.ts'
import { readTemplates } from '../desire/render.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { aliasCollisions, aliasWarnings } from './aliases.ts'
import { channelAddressWarnings } from './channel-addresses.ts'
import { dependencyProblems } from './compose/dependencies.ts'
import { environmentProblems, variablesNotPassed } from './compose/environment.ts'
import { ignoredKeys } from './compose/ignored.ts'
import { keySlips } from './compose/keys.ts'
import { type HostServices, makersOn, missingExternals, nameCollisions, otherProjectName } from './compose/names.ts'
import { powerProblems } from './compose/powers.ts'
import { noServiceSelected } from './compose/profiles.ts'
import { type ComposeProject, composeProject } from './compose/project.ts'
import { misshapenServices, servicesWithoutImage } from './compose/shapes.ts'
import { undefinedNames } from './compose/undefined.ts'
import { unusedAllowances } from './compose/unused-allowances.ts'
import { unreadVariants } from './compose/variants.ts'
import { filterProblems } from './filters.ts'
import { hostNameWarnings } from './host-names.ts'
import { byPlace } from './order.ts'
import { fileWarnings } from './pitfalls/pitfalls.ts'
import { templateProblems } from './templates.ts'
import { readSmallTexts } from './texts.ts'
import { emptyUnits, programProblems } from './unit-programs.ts'
import { unusedQuadletAllowances } from './unused-quadlet-allowances.ts'
import type { LintWarning } from './warning.ts'

export type LintInput = {
  readonly reader: RevisionReader
  /** Of a work tree: files that would not be committed, and filters that change content at the commit. */
  readonly ignored?: ReadonlySet<string>
  readonly filters?: ReadonlyMap<string, string>
}

export type Linted = {
  readonly services: number
  readonly hosts: number
  readonly problems: readonly Problem[]
  readonly warnings: readonly LintWarning[]
}

export async function lintRevision(input: LintInput): Promise<Linted> {
  const { reader, ignored = new Set(), filters = new Map() } = input
  const { repository, problems } = await loadRepository(reader, ignored)
  const { fleet } = repository
  const services = [...repository.services.values()].map(managedService)
  const digests = await digestsOf(blobsOf(services), new Map(), reader)
  const judging = await judgedContents(services, { renderings: new Map(), digests }, reader)
  const texts = await readSmallTexts(services, digests, reader)
  const projects = projectsOf(services, { texts, ignored })
  const hosts = hostServices(fleet)
  const commands = commandTexts(services, texts)
  return {
    services: services.length,
    hosts: namedHosts(fleet).length,
    problems: [
      ...problems.map((problem) => withIgnored(problem, ignored)),
      ...templateProblems(fleet, await readTemplates(services, reader)),
      ...foreignProblems(services, digests),
      ...hazardProblems(services, texts),
      ...quadletProblems(services, texts),
      ...checkProblems(services, { texts, sharedHost: sharedHostIn(hosts) }),
      ...filterProblems(services, { filters, digests }),
      ...judging.problems,
      ...programProblems(services, texts),
      ...emptyUnits(services, texts),
      ...projects.flatMap((project) => [
        ...project.problems,
        ...keySlips(project),
        ...undefinedNames(project),
        ...environmentProblems(project),
        ...misshapenServices(project),
        ...servicesWithoutImage(project),
        ...dependencyProblems(project),
      ]),
      ...nameCollisions(projects, hosts),
      ...aliasCollisions(services, hosts),
      ...projects.flatMap(powerProblems),
    ].toSorted(byPlace),
    warnings: [
      ...hostNameWarnings(fleet),
      ...channelAddressWarnings(fleet),
      ...fileWarnings(services, texts),
      ...aliasWarnings(services),
      ...unusedQuadletAllowances(services, texts),
      ...projects.flatMap((project) => [
        ...project.warnings,
        ...unreadVariants(project),
        ...otherProjectName(project),
        ...ignoredKeys(project),
        ...unusedAllowances(project),
        ...noServiceSelected(project),
        ...variablesNotPassed(project),
      ]),
      ...missingExternals(projects, makersOn(projects, hosts, commands)),
    ].toSorted(byPlace),
  }
}

/** A file that a service cannot do without, such as its README, and that would not be committed. */
function withIgnored(problem: Problem, ignored: ReadonlySet<string>): Problem {
  if (problem.where === undefined || !ignored.has(problem.where.file)) return problem
  return { ...problem, remedy: 'It is there, but git ignores it: add an exception to .gitignore.' }
}

type Around = { readonly texts: ReadonlyMap<string, string>; readonly ignored: ReadonlySet<string> }

function projectsOf(services: readonly ManagedService[], around: Around): readonly ComposeProject[] {
  const onHost = new Set<string>(
    services.flatMap(({ service, files }) => [
      ...files.map(({ target }) => target),
      ...service.settings.directories.keys(),
    ]),
  )
  return services.flatMap((managed) => composeProject({ ...around, managed, onHost }) ?? [])
}

function hostServices(fleet: Fleet): readonly HostServices[] {
  return sampleHosts(fleet).map(({ host, written }) => {
    const assignment = servicesFor(fleet, host)
    return { written, services: new Set(assignment.kind === 'assigned' ? assignment.services : []) }
  })
}

function sharedHostIn(hosts: readonly HostServices[]): SharedHost {
  return (one, other) => hosts.find(({ services }) => services.has(one) && services.has(other))?.written
}

/** Where a service may make a network by hand: its units, programs and what else it has as text, but not its compose files. */
function commandTexts(
  services: readonly ManagedService[],
  texts: ReadonlyMap<string, string>,
): ReadonlyMap<ServiceName, readonly string[]> {
  return new Map(
    services.map(({ service, files }) => [
      service.name,
      files.flatMap(({ source }) => {
        const text = texts.get(source) ?? ''
        return /(?:network|volume) create/.test(text) ? [text] : []
      }),
    ]),
  )
}
