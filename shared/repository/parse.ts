// A revision's tree -> repository, and everything that is wrong with it at once. Pure; never throws, whatever the tree.
import { absolutePathSchema, type ServiceName } from '../names.ts'
import type { Problem } from '../problem.ts'
import { sampleHosts, servicesFor } from './assign.ts'
import { claimProblems, type SharedHost } from './claims.ts'
import { composeFilesNamed, isNamedByYaml, projectName, projectsDirectory } from './compose-project.ts'
import { emptyFleet, type Fleet, fleetSchema, fleetYamlLimits } from './fleet.ts'
import { invalid, limited, quoted } from './invalid.ts'
import { layoutOf, type ServiceLayout } from './layout.ts'
import { nearest, suggestion } from './nearest.ts'
import { readServiceFile } from './read-service.ts'
import type { Repository, RepositoryProject, RepositoryService } from './repository.ts'
import { safeEntries } from './safe-entries.ts'
import { defaultServiceFile } from './service.ts'
import { settingsProblems } from './settings-problems.ts'
import { sizeProblems } from './sizes.ts'
import { isComposeFileName, isParsed, type RepositoryTree, type TreeEntry } from './tree.ts'
import { validated } from './validate.ts'
import { readYaml, type YamlFile } from './yaml.ts'
import { type YamlLimits, yamlCost } from './yaml-cost.ts'

export type ParsedRepository = {
  /** What could be read; only when there are no problems is it what the revision says. */
  readonly repository: Repository
  readonly problems: readonly Problem[]
}

const servicesLimit = 2000

export function parseRepository(tree: RepositoryTree): ParsedRepository {
  const parts = parsing(tree)
  for (let part = parts.next(); ; part = parts.next()) if (part.done === true) return part.value
}

/** The same, with a turn for others between two files: a large repository takes seconds. */
export async function parseInTurns(tree: RepositoryTree, turn: () => Promise<unknown>): Promise<ParsedRepository> {
  const parts = parsing(tree)
  for (let part = parts.next(); ; part = parts.next()) {
    if (part.done === true) return part.value
    await turn()
  }
}

/** Yields after each part that takes long. */
function* parsing(tree: RepositoryTree): Generator<void, ParsedRepository> {
  const safe = safeEntries(tree.entries)
  const layout = layoutOf(safe.entries, tree.texts)
  const tooMany = layout.found.length > servicesLimit
  yield
  const fleet = readFleet(safe.entries, tree.texts)
  const parsed = yield* readServices(layout.found.slice(0, servicesLimit), tree.texts)
  const sorted = parsed.map(({ service }) => service).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const services = new Map(sorted.map((service) => [service.name, service]))
  const problems = [
    ...fleet.problems,
    ...(fleet.yaml === undefined ? [] : hostProblems(fleet.fleet, services, fleet.yaml)),
    ...safe.problems,
    ...sizeProblems(safe.entries),
    ...layout.problems,
    ...(tooMany ? [invalid(`there are more than ${servicesLimit} services`, { file: 'services' })] : []),
    ...parsed.flatMap((service) => service.problems),
    ...settingsProblems(services, tree.ignored),
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
  const yaml = readYaml(file, text, fleetYamlLimits)
  const { value, problems } = validated(yaml, { schema: fleetSchema, required: { version: 1 } })
  const fleet = value ?? emptyFleet
  return { fleet, yaml, problems: [...problems, ...signersProblems(fleet, yaml, entries)] }
}

function noFleet(entry: TreeEntry | undefined, entries: readonly TreeEntry[]): Problem {
  const where = { file: 'plumb.yaml' }
  if (entry !== undefined && entry.kind !== 'symlink' && !isParsed(entry)) return notRead('plumb.yaml', entry)
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

type ReadService = { readonly service: RepositoryService; readonly problems: readonly Problem[] }

/** Of all service.yaml together. */
const revisionYamlLimits: YamlLimits = { characters: 16 * 1024 * 1024, steps: 2_000_000 }
const stepsPerTurn = 10_000

/** Once the budget is spent, one problem says where, and what is left is not parsed. */
function* readServices(
  layouts: readonly ServiceLayout[],
  texts: RepositoryTree['texts'],
): Generator<void, readonly ReadService[]> {
  const read: ReadService[] = []
  const spent = { characters: 0, steps: 0 }
  let sinceTurn = 0
  for (const layout of layouts) {
    const text = layout.settings === undefined ? '' : (texts.get(`${layout.directory}/service.yaml`) ?? '')
    const wasWithin = isWithin(spent)
    const named = projectTexts(layout, texts).filter(isNamedByYaml)
    const steps = [text, ...named].reduce((sum, one) => sum + yamlCost(one).steps, 0)
    spent.characters += [text, ...named].reduce((sum, one) => sum + one.length, 0)
    spent.steps += steps
    sinceTurn += steps
    if (isWithin(spent)) read.push(readService(layout, texts))
    else read.push({ service: withoutSettings(layout), problems: wasWithin ? [tooMuchYaml(layout)] : [] })
    if (sinceTurn < stepsPerTurn) continue
    sinceTurn = 0
    yield
  }
  return read
}

function isWithin({ characters, steps }: YamlLimits): boolean {
  return characters <= revisionYamlLimits.characters && steps <= revisionYamlLimits.steps
}

function tooMuchYaml({ directory, name }: ServiceLayout): Problem {
  const message = 'with this one, the YAML of all services is more than is read of one revision'
  const remedy = 'Make the largest of them smaller.'
  return invalid(message, { file: `${directory}/service.yaml` }, { service: name, remedy })
}

function withoutSettings(layout: ServiceLayout): RepositoryService {
  const file = `${layout.directory}/service.yaml`
  return { ...layout, settings: defaultServiceFile, settingsPlace: () => ({ file }) }
}

function readService(layout: ServiceLayout, texts: RepositoryTree['texts']): ReadService {
  const { service, problems } = readSettings(layout, texts)
  const project = projectOf(service, texts)
  return { service: project === undefined ? service : { ...service, project }, problems }
}

/** All that can decide on the name of its compose project: which of them do, service.yaml says. */
function projectTexts({ directory, compose }: ServiceLayout, texts: RepositoryTree['texts']): readonly string[] {
  return (compose?.files ?? []).flatMap(({ target }) =>
    isComposeFileName(target) ? (texts.get(`${directory}/${target}`) ?? []) : [],
  )
}

function projectOf(service: RepositoryService, texts: RepositoryTree['texts']): RepositoryProject | undefined {
  const { name, directory, compose, settings } = service
  if (compose === undefined) return undefined
  const environment = compose.files.some(({ target, kind }) => target === '.env' && kind === 'file')
    ? texts.get(`${directory}/.env`)
    : undefined
  return {
    name: projectName({
      service: name,
      project: settings.compose?.project,
      composeFile: texts.get(`${directory}/${compose.file}`),
      ...(settings.compose?.files === undefined
        ? {}
        : { overrides: settings.compose.files.map((path) => texts.get(`${directory}/${path}`) ?? '') }),
      environment,
    }),
    byHand: composeFilesNamed(environment) ?? [compose.file],
    directory: settings.compose?.directory ?? absolutePathSchema.parse(`${projectsDirectory}/${name}`),
  }
}

function readSettings(layout: ServiceLayout, texts: RepositoryTree['texts']): ReadService {
  const file = `${layout.directory}/service.yaml`
  const text = layout.settings === undefined ? '' : texts.get(file)
  if (layout.settings === undefined || text === undefined)
    return { service: withoutSettings(layout), problems: text === undefined ? [notRead(file, layout.settings)] : [] }
  const { settings, problems, placeOf } = readServiceFile(file, text)
  const service: RepositoryService = { ...layout, settings, settingsPlace: placeOf }
  return { service, problems: problems.map((problem) => ({ ...problem, service: layout.name })) }
}

/** A text that is too large is not even read. */
function notRead(file: string, { size }: Pick<TreeEntry, 'size'> = {}): Problem {
  if (size === undefined) return invalid('cannot be read', { file })
  return invalid(`is too large to be parsed: it has ${size} bytes`, { file }, { remedy: 'Make it smaller.' })
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
