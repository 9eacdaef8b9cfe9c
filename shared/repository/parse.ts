// A revision's tree -> repository, and everything that is wrong with it at once. Pure; never throws, whatever the tree.
import type { ServiceName } from '../names.ts'
import type { Problem } from '../problem.ts'
import { sampleHosts, servicesFor } from './assign.ts'
import { claimProblems, type SharedHost } from './claims.ts'
import { emptyFleet, type Fleet, fleetLimitCharacters, fleetSchema } from './fleet.ts'
import { invalid, limited, quoted } from './invalid.ts'
import { layoutOf, type ServiceLayout } from './layout.ts'
import { nearest, suggestion } from './nearest.ts'
import { readServiceFile } from './read-service.ts'
import type { Repository, RepositoryService } from './repository.ts'
import { safeEntries } from './safe-entries.ts'
import { defaultServiceFile } from './service.ts'
import { settingsProblems } from './settings-problems.ts'
import type { RepositoryTree, TreeEntry } from './tree.ts'
import { validated } from './validate.ts'
import { readYaml, type YamlFile } from './yaml.ts'

export type ParsedRepository = {
  /** What could be read; only when there are no problems is it what the revision says. */
  readonly repository: Repository
  readonly problems: readonly Problem[]
}

const servicesLimit = 2000

export function parseRepository(tree: RepositoryTree): ParsedRepository {
  const safe = safeEntries(tree.entries)
  const layout = layoutOf(safe.entries, tree.texts)
  const tooMany = layout.found.length > servicesLimit
  const fleet = readFleet(safe.entries, tree.texts)
  const parsed = layout.found.slice(0, servicesLimit).map((service) => readService(service, tree.texts))
  const sorted = parsed.map(({ service }) => service).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const services = new Map(sorted.map((service) => [service.name, service]))
  const problems = [
    ...fleet.problems,
    ...(fleet.yaml === undefined ? [] : hostProblems(fleet.fleet, services, fleet.yaml)),
    ...safe.problems,
    ...layout.problems,
    ...(tooMany ? [invalid(`there are more than ${servicesLimit} services`, { file: 'services' })] : []),
    ...parsed.flatMap((service) => service.problems),
    ...settingsProblems(services),
    ...claimProblems(sorted, sharedHostIn(fleet.fleet)),
  ]
  return { repository: { fleet: fleet.fleet, services }, problems: limited(problems) }
}

type ReadFleet = { readonly fleet: Fleet; readonly yaml: YamlFile | undefined; readonly problems: readonly Problem[] }

function readFleet(entries: readonly TreeEntry[], texts: RepositoryTree['texts']): ReadFleet {
  const file = 'plumb.yaml'
  const entry = entries.find(({ path }) => path === file)
  const text = texts.get(file)
  if (entry === undefined || entry.kind === 'symlink' || text === undefined)
    return { fleet: emptyFleet, yaml: undefined, problems: [noFleet(entry, entries)] }
  const yaml = readYaml(file, text, fleetLimitCharacters)
  const { value, problems } = validated(yaml, { schema: fleetSchema, required: { version: 1 } })
  const fleet = value ?? emptyFleet
  return { fleet, yaml, problems: [...problems, ...signersProblems(fleet, yaml, entries)] }
}

function noFleet(entry: TreeEntry | undefined, entries: readonly TreeEntry[]): Problem {
  const where = { file: 'plumb.yaml' }
  if (entry !== undefined) return invalid('must be a plain file that can be read', where)
  const top = entries.map(({ path }) => path).filter((path) => !path.includes('/'))
  const other = nearest('plumb.yaml', top)
  return invalid('the repository has no plumb.yaml, so no host has any service', where, {
    remedy: other === undefined ? 'Add it at the root: `version: 1` and the hosts.' : `Rename ${other}.`,
  })
}

function signersProblems({ trust }: Fleet, yaml: YamlFile, entries: readonly TreeEntry[]): readonly Problem[] {
  if (trust === undefined || entries.some(({ path, kind }) => path === trust.signers && kind !== 'symlink')) return []
  const message = `missing source: the repository has no file ${quoted(trust.signers)}`
  return [invalid(message, yaml.placeOf(['trust', 'signers']), { remedy: `Expected it at ${trust.signers}.` })]
}

function hostProblems(
  fleet: Fleet,
  services: ReadonlyMap<ServiceName, RepositoryService>,
  yaml: YamlFile,
): readonly Problem[] {
  const entries = [
    ...[...fleet.hosts].map(([name, host]) => ({ at: ['hosts', name], host, who: `host ${name}` })),
    ...[...fleet.groups].map(([name, host]) => ({ at: ['groups', name], host, who: `group ${name}` })),
  ]
  return entries.flatMap(({ at, host, who }) =>
    host.services.flatMap((name) => {
      if (services.has(name)) return []
      const message = `${who} has the service ${quoted(name)}, but there is no services/${name}/`
      const remedy = suggestion(name, services.keys(), 'services')
      return [invalid(message, yaml.placeOf([...at, 'services'], name), { remedy })]
    }),
  )
}

function readService(layout: ServiceLayout, texts: RepositoryTree['texts']) {
  const file = `${layout.directory}/service.yaml`
  const text = layout.settings === undefined ? '' : texts.get(file)
  if (layout.settings === undefined || text === undefined) {
    const service: RepositoryService = { ...layout, settings: defaultServiceFile, settingsPlace: () => ({ file }) }
    return { service, problems: text === undefined ? [invalid('cannot be read', { file })] : [] }
  }
  const { settings, problems, placeOf } = readServiceFile(file, text)
  const service: RepositoryService = { ...layout, settings, settingsPlace: placeOf }
  return { service, problems: problems.map((problem) => ({ ...problem, service: layout.name })) }
}

/** Looked up only for what is claimed twice, so the sets of all hosts are made only then. */
function sharedHostIn(fleet: Fleet): SharedHost {
  let assigned: readonly { readonly written: string; readonly services: ReadonlySet<ServiceName> }[] | undefined
  return (one, other) => {
    assigned ??= sampleHosts(fleet).map(({ host, written }) => {
      const assignment = servicesFor(fleet, host)
      return { written, services: new Set(assignment.kind === 'assigned' ? assignment.services : []) }
    })
    return assigned.find(({ services }) => services.has(one) && services.has(other))?.written
  }
}
