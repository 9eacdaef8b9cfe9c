// Which files a compose project or a unit reads, by what its own files name: also files that another service brings. A change of
// such a file has to reach its readers in the same apply, and after the file.
import { posix } from 'node:path'
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import { isReadForHazards } from '../../shared/repository/agent-hazards.ts'
import { readEnvironment } from '../../shared/repository/compose-environment.ts'
import { interpolate } from '../../shared/repository/compose-variables.ts'
import { unitDirectory } from '../../shared/repository/layout.ts'
import { quadletAt } from '../../shared/repository/quadlet.ts'
import { type JobAtStart, jobAtStart } from '../../shared/repository/timer-start.ts'
import { templateOfUnit } from '../../shared/repository/unit-names.ts'
import type { UnitResource } from '../../shared/resource.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { installLinks } from './install-links.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import { type Named, pathsInCompose, pathsInUnit } from './named-paths.ts'
import { type Index, indexOf, type Owned, ownedBy } from './owned-paths.ts'
import { endsOf, filesByPlace, playedFiles, quadletOf } from './played-files.ts'
import { HostQuadlets, isOfObject, type QuadletUses, serviceOfQuadlet } from './quadlets.ts'
import type { Renderings } from './render.ts'
import { readersOf, unitResources } from './units.ts'

export type Readings = {
  /** Of a service with a compose project, the files of other services that the project reads. */
  readonly shared: ReadonlyMap<ServiceName, readonly ManagedFile[]>
  /** Of a file, the units that have to be restarted when it changes. */
  readonly units: ReadonlyMap<ResourceId, readonly ReadingUnit[]>
  /** Of a service, the others whose files it reads: it is applied after them. */
  readonly after: ReadonlyMap<ServiceName, readonly ServiceName[]>
  /** Of a unit whose file is in the repository, the links that enable it. */
  readonly links: ReadonlyMap<ResourceId, readonly string[]>
  /** Of a timer whose file is in the repository, what its start may start. */
  readonly jobs: ReadonlyMap<ResourceId, JobAtStart>
  /** Of the unit of a quadlet, what it uses. */
  readonly quadlets: ReadonlyMap<ResourceId, QuadletUses>
}

export type ReadingUnit = { readonly unit: string; readonly isOfAnother: boolean }

export function readingsOf(services: readonly ManagedService[], texts: NamingTexts): Readings {
  const index = indexOf(services)
  const quadlets = quadletsIn(services, texts)
  const found = [
    ...services.flatMap((service) => readingsIn(service, texts, index)),
    ...objectReadings(services, quadlets),
  ]
  const after = ordered(services, found)
  const isOrdered = ({ by, owner }: Found) => by === owner || after.get(by)?.includes(owner) === true
  const shared = found.filter((one) => one.unit === undefined && isOrdered(one))
  const units = found.flatMap(({ unit, file, by, owner }) =>
    unit === undefined ? [] : [{ id: file.id, unit, isOfAnother: by !== owner }],
  )
  return {
    shared: mapped(
      Map.groupBy(shared, ({ by }) => by),
      (all) => [...new Set(all.map(({ file }) => file))],
    ),
    units: Map.groupBy(units, ({ id }) => id),
    after,
    links: new Map(services.flatMap((service) => linksIn(service, texts))),
    jobs: new Map(services.flatMap((service) => jobsIn(service, texts))),
    quadlets,
  }
}

function quadletsIn(services: readonly ManagedService[], texts: NamingTexts): Readings['quadlets'] {
  const files = services.flatMap((service) => service.files)
  if (!files.some(({ target }) => quadletAt(target) !== undefined)) return new Map()
  const quadlets = new HostQuadlets(files, texts)
  return new Map(services.flatMap(unitResources).map((unit) => [unit.id, quadlets.usesOf(unit)]))
}

/** A network or volume with another name reaches a container only at its start. */
function objectReadings(services: readonly ManagedService[], quadlets: Readings['quadlets']): readonly Found[] {
  const files = services.flatMap((owner) =>
    owner.files.filter(({ target }) => isOfObject(target)).map((file): Owned => ({ file, owner })),
  )
  if (files.length === 0) return []
  return services.flatMap((service) =>
    unitsRestarted(service).flatMap(({ id, name }) => {
      const makers = new Set(quadlets.get(id)?.makes?.map(({ madeBy }) => madeBy))
      const used = files.filter(({ file }) => {
        const maker = file.generates ?? serviceOfQuadlet(file.target)
        return maker !== name && maker !== undefined && makers.has(maker)
      })
      return used
        .filter(({ file, owner }) => owner !== service || file.settings.triggers.length === 0)
        .map(({ file, owner }) => ({ file, owner: owner.service.name, by: service.service.name, unit: name }))
    }),
  )
}

/** But for those that take a change at their next run. */
function unitsRestarted(service: ManagedService): readonly UnitResource[] {
  const units = unitResources(service)
  return units.filter(({ name, file }) => {
    const own = service.files.find(({ id }) => id === file)
    return own !== undefined && readersOf(own, units).includes(name)
  })
}

function linksIn(service: ManagedService, texts: NamingTexts): readonly (readonly [ResourceId, readonly string[]])[] {
  const files = service.files.filter(isUnitFile)
  if (!files.some(({ source }) => texts.has(source))) return []
  return unitResources(service).flatMap(({ id, name, file, enabled }) => {
    const own = files.find((one) => one.id === file)
    if (enabled !== true || own === undefined) return []
    const all = [own, ...dropInsOf(name, files)].map(({ source }) => texts.get(source))
    const links = all.includes(undefined) ? undefined : installLinks(name, all.join('\n'))
    return links === undefined ? [] : [[id, links] as const]
  })
}

function jobsIn(service: ManagedService, texts: NamingTexts): readonly (readonly [ResourceId, JobAtStart])[] {
  const files = service.files.filter(isUnitFile)
  if (!files.some(({ target }) => target.endsWith('.timer'))) return []
  return unitResources(service).flatMap(({ id, name, file }) => {
    const own = files.find((one) => one.id === file)
    if (own === undefined || !name.endsWith('.timer')) return []
    const job = jobAtStart(
      name,
      [own, ...dropInsOf(name, files)].flatMap(({ source }) => texts.get(source) ?? []),
    )
    return job === undefined ? [] : [[id, job] as const]
  })
}

function dropInsOf(unit: string, files: readonly ManagedFile[]): readonly ManagedFile[] {
  const directories = [unit, templateOfUnit(unit)].map((name) => `${unitDirectory}/${name}.d`)
  const found = files.filter(({ target }) => target.endsWith('.conf') && directories.includes(posix.dirname(target)))
  const nameOf = ({ target }: ManagedFile) => posix.basename(target)
  return found.toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
}

/** `unit` undefined: the compose project of `by` reads it. */
type Found = {
  readonly file: ManagedFile
  readonly owner: ServiceName
  readonly by: ServiceName
  readonly unit: string | undefined
}

/** By path inside the repository. */
export type NamingTexts = ReadonlyMap<string, string>

/** A file that names thousands of others is a table, not a unit. */
const readAtMostBytes = 256 * 1024

/** Of units, settings of systemd and compose files: of what names other files, units or variables. */
export async function namingTexts(
  services: readonly ManagedService[],
  renderings: Renderings,
  reader: RevisionReader,
): Promise<NamingTexts> {
  const texts = new Map<string, string>()
  const naming = services.flatMap((service) => service.files.filter((file) => isNaming(file, service)))
  await addTexts(texts, naming, renderings, reader)
  const byPlace = filesByPlace(services)
  // Links of quadlets, and `Yaml=`, may lead to what is read for nothing else.
  const addEnds = (links: Iterable<ManagedFile>) => {
    const ends = new Set([...links].flatMap((file) => endsOf(file, byPlace)))
    return addTexts(
      texts,
      [...ends].filter(({ source }) => !texts.has(source)),
      renderings,
      reader,
    )
  }
  await addEnds(naming.filter((file) => quadletOf(file) !== undefined))
  await addEnds(playedFiles(byPlace, texts))
  return texts
}

async function addTexts(
  texts: Map<string, string>,
  files: readonly ManagedFile[],
  renderings: Renderings,
  reader: RevisionReader,
): Promise<void> {
  const blobs = files.flatMap((file) => (file.kind === 'file' && !file.settings.template ? [file] : []))
  const contents = blobs.length === 0 ? [] : await reader.readMany(blobs.map(({ oid }) => oid))
  const add = (source: string, bytes: Uint8Array | undefined) => {
    if (bytes !== undefined && bytes.byteLength <= readAtMostBytes) texts.set(source, Buffer.from(bytes).toString())
  }
  for (const [index, { source }] of blobs.entries()) add(source, contents[index])
  for (const { source } of files) add(source, renderings.get(source)?.bytes)
}

function isNaming(file: ManagedFile, { project }: ManagedService): boolean {
  if (file.inProject) return project !== undefined && /(?:\.ya?ml|\/\.env)$/.test(file.target)
  return isUnitFile(file) || isReadForHazards(file.target)
}

function isUnitFile({ target }: ManagedFile): boolean {
  return /^\/etc\/(?:systemd\/system|containers\/systemd)\//.test(target)
}

function readingsIn(service: ManagedService, texts: NamingTexts, index: Index): readonly Found[] {
  const by = service.service.name
  const units = service.files.filter(isUnitFile).some(({ source }) => texts.has(source)) ? unitResources(service) : []
  return [
    ...projectReadings(service, texts, index).map(({ file, owner }) => ({
      file,
      owner: owner.service.name,
      by,
      unit: undefined,
    })),
    ...service.files
      .filter(isUnitFile)
      .flatMap((file) => unitReadings({ file, owner: service }, { texts, units, index })),
  ]
}

/** Own files reach the project in any case (service.ts). */
function projectReadings(service: ManagedService, texts: NamingTexts, index: Index): readonly Owned[] {
  const { project, files } = service
  if (project === undefined) return []
  const own = files.filter(({ inProject }) => inProject)
  const environment = own.find(({ target }) => target === `${project.directory}/.env`)
  const { values } = readEnvironment(texts.get(environment?.source ?? '') ?? '')
  const named = own.flatMap(({ source, target }) => {
    const text = target.endsWith('/.env') ? undefined : texts.get(source)
    return text === undefined ? [] : pathsInCompose(interpolate(text, values).text, project.directory)
  })
  return named.flatMap((one) =>
    ownedBy(one, index).filter(({ file, owner }) => owner !== service && isMeant(one, file, owner)),
  )
}

/** A mount of a directory far above is not meant for the projects in it. */
function isMeant({ path }: Named, { inProject }: ManagedFile, { project }: ManagedService): boolean {
  return !inProject || path === project?.directory || path.startsWith(`${project?.directory}/`)
}

type Units = { readonly texts: NamingTexts; readonly units: readonly UnitResource[]; readonly index: Index }

/** A file of the same service that has triggers of its own says by them what its change means. */
function unitReadings({ file: unitFile, owner: service }: Owned, { texts, units, index }: Units): readonly Found[] {
  const text = texts.get(unitFile.source)
  const named = text === undefined ? [] : pathsInUnit(text, unitFile.target)
  if (named.length === 0) return []
  const read = named
    .flatMap((one) => ownedBy(one, index))
    .filter(({ file, owner }) => owner !== service || file.settings.triggers.length === 0)
  if (read.length === 0) return []
  return readersOf(unitFile, units).flatMap((unit) =>
    read.map(({ file, owner }) => ({ file, owner: owner.service.name, by: service.service.name, unit })),
  )
}

/** What would make a cycle with `after`, or with a reading before it, has no order. */
function ordered(services: readonly ManagedService[], found: readonly Found[]): Readings['after'] {
  const after = new Map<ServiceName, readonly ServiceName[]>(
    services.map(({ service }) => [service.name, service.settings.after]),
  )
  const added = new Map<ServiceName, readonly ServiceName[]>()
  for (const { by, owner } of found) {
    if (by === owner || added.get(by)?.includes(owner) || comesAfter(owner, by, after)) continue
    after.set(by, [...(after.get(by) ?? []), owner])
    added.set(by, [...(added.get(by) ?? []), owner])
  }
  return added
}

function comesAfter(one: ServiceName, other: ServiceName, after: Readings['after']): boolean {
  const seen = new Set<ServiceName>()
  const waiting = [one]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next === other) return true
    if (seen.has(next)) continue
    seen.add(next)
    waiting.push(...(after.get(next) ?? []))
  }
  return false
}

function mapped<Key, From, To>(map: ReadonlyMap<Key, From>, to: (value: From) => To): ReadonlyMap<Key, To> {
  return new Map([...map].map(([key, value]) => [key, to(value)]))
}
