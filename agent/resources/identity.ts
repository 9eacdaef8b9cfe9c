// One file with two names (/lib/x and /usr/lib/x, /run/x and /var/run/x, both sides of a bind mount) is one resource: what is desired
// and what was applied get one name for one place, before anything is compared. Pure.
import {
  type AbsolutePath,
  absolutePathSchema,
  parseResourceId,
  type ResourceId,
  resourceId,
} from '../../shared/names.ts'
import { above, type PlaceOf, parentsOf, placesBy, type Ways } from '../../shared/places.ts'
import type { Problem } from '../../shared/problem.ts'
import {
  claimsOf,
  type DesiredHost,
  type DesiredService,
  isOfKind,
  type Resource,
  type WithheldResource,
} from '../../shared/resource.ts'
import type { Baselines, ServiceBaseline } from '../state/baseline.ts'
import { pathInId } from './paths.ts'

export type Identified = {
  /** The same object where every path has one name. */
  readonly desired: DesiredHost
  readonly baselines: Baselines
  /** Claims that cannot be met here: two of one place, each with both sources; one of a place that is reserved. */
  readonly conflicts: ReadonlyMap<ResourceId, Problem>
  /** Reached today through a link that this revision removes: nothing is there once the link is gone. */
  readonly unlinked: ReadonlySet<ResourceId>
}

type Host = {
  readonly ways: Ways
  /** The reserved path that a place is, or is in. */
  reserved(place: string): string | undefined
}

export function identified(desired: DesiredHost, applied: Baselines, { ways, reserved }: Host): Identified {
  const liveAt = placesBy(ways)
  const baselines = withoutReserved(applied, (path) => reserved(liveAt(path)))
  if (ways.links.size === 0 && ways.mounts.size === 0)
    return { desired, baselines, conflicts: new Map(), unlinked: new Set() }
  const own = linksWanted(desired, liveAt)
  // Through a link of this revision nothing is reached, either: what it has below one is a claim of the link's own place.
  const placeOf = placesBy(ways, new Set([...own, ...linksLeaving(desired, baselines, { own, liveAt })]))
  const claims = claimsIn(desired, { placeOf, linkedTo: placesBy({ ...ways, mounts: new Map() }) })
  const names = namesFor(claims, baselines, liveAt)
  const moved = claims.filter(({ path, place }) => liveAt(path) !== place)
  const renamed = (id: ResourceId) => (names.isShared ? renamedId(id, placeOf) : id)
  return {
    desired: names.isShared ? renamedDesired(desired, claims, placeOf) : desired,
    baselines: renamedBaselines(baselines, (path) => names.ofApplied(path)),
    conflicts: new Map([...reservedClaims(claims, { renamed, reserved }), ...conflictsIn(claims, renamed)]),
    unlinked: new Set(moved.map(({ id }) => renamed(id))),
  }
}

/** Directories that the paths of a host lie in. */
export function directoriesIn(desired: DesiredHost, baselines: Baselines): ReadonlySet<string> {
  const wanted = desired.services.flatMap((service) =>
    claimsOf(service)
      .filter(isPath)
      .map(({ path }) => above(path)),
  )
  return new Set([...wanted, ...[...baselines.values()].flatMap(pathsIn).map(above)])
}

type Claimed = Resource | WithheldResource

function isPath<One extends Claimed>(claimed: One): claimed is One & { readonly path: AbsolutePath } {
  return 'path' in claimed
}

function pathsIn({ resources, before }: ServiceBaseline): readonly string[] {
  return [...[...resources.keys()].flatMap((id) => pathInId(id) ?? []), ...(before?.keys() ?? [])]
}

/** What an older agent let a repository have is left as it is, and forgotten. */
function withoutReserved(baselines: Baselines, reserved: Host['reserved']): Baselines {
  const isReserved = (path: string | undefined) => path !== undefined && reserved(path) !== undefined
  if (![...baselines.values()].some((baseline) => pathsIn(baseline).some(isReserved))) return baselines
  return new Map(
    [...baselines].map(([service, { resources, before, ...about }]) => [
      service,
      {
        ...about,
        resources: new Map([...resources].filter(([id]) => !isReserved(pathInId(id)))),
        ...(before === undefined ? {} : { before: new Map([...before].filter(([path]) => !isReserved(path))) }),
      },
    ]),
  )
}

function linksWanted({ services }: DesiredHost, liveAt: PlaceOf): ReadonlySet<string> {
  return new Set(
    services.flatMap(({ resources }) => resources.flatMap((one) => (one.kind === 'symlink' ? liveAt(one.path) : []))),
  )
}

/** Links of an earlier revision that this one does not have. */
function linksLeaving(
  { services }: DesiredHost,
  baselines: Baselines,
  { own, liveAt }: { readonly own: ReadonlySet<string>; readonly liveAt: PlaceOf },
): ReadonlySet<string> {
  const policies = new Map(services.map(({ name, onRemove }) => [name, onRemove]))
  return new Set(
    [...baselines.values()]
      .filter(({ service, onRemove }) => (policies.get(service) ?? onRemove) !== 'keep')
      .flatMap(({ resources }) => [...resources.keys()])
      .flatMap((id) => (isOfKind(id, 'symlink') ? liveAt(pathInId(id) ?? '/') : []))
      .filter((place) => !own.has(place)),
  )
}

type Claim = {
  readonly id: ResourceId
  readonly path: AbsolutePath
  /** For people: the repository's file, where it is known. */
  readonly source: string
  readonly place: AbsolutePath
  /** What leads from the path to the place, for people. */
  readonly way: 'link' | 'bind mount'
  /** Of a directory: all that is wanted of it, as text. */
  readonly directory: string | undefined
}

type Placed = { readonly placeOf: PlaceOf; readonly linkedTo: PlaceOf }

/** Also what cannot be made out on this host now: its service owns it all the same. */
function claimsIn({ services }: DesiredHost, { placeOf, linkedTo }: Placed): readonly Claim[] {
  return services.flatMap((service) =>
    claimsOf(service)
      .filter(isPath)
      .map((claimed) => {
        const { id, path } = claimed
        const source = 'source' in claimed ? claimed.source : `services/${service.name}`
        const place = placeOf(path)
        const way = linkedTo(path) === place ? 'link' : 'bind mount'
        return { id, path, source, place, way, directory: directoryText(claimed) }
      }),
  )
}

/** A mount point and what is mounted there are often named both, with the same mode and owner. */
function directoryText(claimed: Claimed): string | undefined {
  if (!('kind' in claimed) || claimed.kind !== 'directory') return undefined
  const { mode, owner, group, purge } = claimed
  return JSON.stringify([mode, owner, group, purge])
}

function isSameDirectory(one: Claim, other: Claim): boolean {
  return one.place === other.place && one.directory !== undefined && one.directory === other.directory
}

type Names = {
  /** Names of one place are mixed, one above the other: all paths go by their places. */
  readonly isShared: boolean
  ofApplied(path: string): AbsolutePath
}

/** The repository's own names, unless what lies below one name is known by another one. */
function namesFor(claims: readonly Claim[], baselines: Baselines, liveAt: PlaceOf): Names {
  const wanted = new Map<string, AbsolutePath>(claims.map(({ path, place }) => [place, path]))
  const applied = [...baselines.values()].flatMap(pathsIn)
  const ofApplied = (path: string) => wanted.get(liveAt(path)) ?? absolutePathSchema.parse(path)
  const named = new Map<string, string>([
    ...claims.map(({ path, place }) => [path, place] as const),
    ...applied.map((path) => [ofApplied(path), liveAt(path)] as const),
  ])
  const isShared = isMixed(named)
  return { isShared, ofApplied: isShared ? liveAt : ofApplied }
}

/** By name, its place: whether some name is not below another one though its place is. */
function isMixed(places: ReadonlyMap<string, string>): boolean {
  const names = Map.groupBy(places.keys(), (name) => places.get(name) ?? name)
  return [...places].some(([name, place]) =>
    [...parentsOf(place), place].some((at) =>
      (names.get(at) ?? []).some((other) => other !== name && (at === place || !name.startsWith(`${other}/`))),
    ),
  )
}

function renamedDesired(desired: DesiredHost, claims: readonly Claim[], placeOf: PlaceOf): DesiredHost {
  const below = namesBelow(claims.map(({ place }) => place))
  const services = desired.services.map((service) => renamedService(service, placeOf, below))
  return { ...desired, services: withoutSecondNames(services) }
}

/** A directory that is claimed alike by two names is the resource of whoever comes first. Other double claims are conflicts. */
function withoutSecondNames(services: readonly DesiredService[]): readonly DesiredService[] {
  const seen = new Set<ResourceId>()
  const isFirst = ({ kind, id }: Resource) => kind !== 'directory' || (!seen.has(id) && seen.add(id).has(id))
  return services.map((service) => ({ ...service, resources: service.resources.filter(isFirst) }))
}

function renamedService(service: DesiredService, placeOf: PlaceOf, below: NamesBelow): DesiredService {
  const renamed = (id: ResourceId) => renamedId(id, placeOf)
  const atPlace = <One extends Claimed>(one: One): One =>
    isPath(one) ? { ...one, id: renamed(one.id), path: placeOf(one.path) } : one
  const resources = service.resources.map((resource): Resource => {
    if (resource.kind === 'unit' && resource.file !== undefined) return { ...resource, file: renamed(resource.file) }
    if (!isPath(resource)) return resource
    const at = atPlace(resource)
    if (at.kind !== 'directory' || !at.purge) return at
    // A link in it that leads to something desired stays, too.
    const keep = [...new Set([...at.keep, ...(below.get(at.path) ?? [])])].toSorted()
    return { ...at, keep }
  })
  const { withheld } = service
  return {
    ...service,
    resources,
    triggers: service.triggers.map((one) => ({ ...one, on: one.on.map(renamed) })),
    ...(withheld === undefined ? {} : { withheld: { ...withheld, resources: withheld.resources.map(atPlace) } }),
  }
}

type NamesBelow = ReadonlyMap<string, ReadonlySet<string>>

/** Of each directory above these places, the names in it that lead to them. */
function namesBelow(places: readonly string[]): NamesBelow {
  const below = new Map<string, Set<string>>()
  for (const place of places)
    for (const directory of parentsOf(place)) {
      const names = below.get(directory) ?? new Set()
      names.add(place.slice(directory.length + 1).split('/', 1)[0] ?? '')
      below.set(directory, names)
    }
  return below
}

function renamedBaselines(baselines: Baselines, nameOf: PlaceOf): Baselines {
  const isRenamed = (path: string) => nameOf(path) !== path
  if (![...baselines.values()].some((baseline) => pathsIn(baseline).some(isRenamed))) return baselines
  return new Map(
    [...baselines].map(([service, { resources, before, ...about }]) => [
      service,
      {
        ...about,
        resources: new Map([...resources].map(([id, applied]) => [renamedId(id, nameOf), applied])),
        ...(before === undefined ? {} : { before: new Map([...before].map(([path, was]) => [nameOf(path), was])) }),
      },
    ]),
  )
}

function renamedId(id: ResourceId, nameOf: PlaceOf): ResourceId {
  const path = pathInId(id)
  return path === undefined ? id : resourceId(parseResourceId(id).kind, nameOf(path))
}

/** Two names of one place, and names below what another one says is a file or a link. The same names are refused earlier. */
function conflictsIn(
  claims: readonly Claim[],
  renamed: (id: ResourceId) => ResourceId,
): ReadonlyMap<ResourceId, Problem> {
  const byPlace = Map.groupBy(claims, ({ place }) => String(place))
  const conflicts = new Map<ResourceId, Problem>()
  for (const claim of claims) {
    const same = byPlace.get(claim.place) ?? []
    const over = parentsOf(claim.place).flatMap((at) => byPlace.get(at) ?? [])
    const others = [...same, ...over.filter(({ id }) => !isOfKind(id, 'directory'))]
    for (const other of others) {
      if (other === claim || isSameDirectory(claim, other)) continue
      for (const { id } of [claim, other]) conflicts.set(renamed(id), conflict(claim, other))
    }
  }
  return conflicts
}

/** By its name it is not, or the revision would be refused: a link leads there. */
function reservedClaims(
  claims: readonly Claim[],
  { renamed, reserved }: Pick<Host, 'reserved'> & { readonly renamed: (id: ResourceId) => ResourceId },
): ReadonlyMap<ResourceId, Problem> {
  return new Map(
    claims.flatMap(({ id, path, source, place, way }) => {
      const taken = reserved(place)
      if (taken === undefined) return []
      const problem: Problem = {
        code: 'unsafe-path',
        message: `${path} (${source}) is ${place} on this host, reached through a ${way}; ${taken} is reserved for the system or the agent itself.`,
        where: { file: source },
        remedy: `Take it out of the repository, or remove the ${way}.`,
      }
      return [[renamed(id), problem] as const]
    }),
  )
}

function conflict(one: Claim, other: Claim): Problem {
  const [first, second] = [one, other].toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const both = [first, second].map((claim) => `${claim?.path} (${claim?.source})`).join(' and ')
  const what =
    one.place === other.place
      ? `are one path on this host, ${one.place}, reached through a ${wayOf(one, other)}.`
      : `exclude each other on this host: ${one.place} is below ${other.place}, which is a ${parseResourceId(other.id).kind}.`
  return {
    code: 'path-claimed-twice',
    message: `${both} ${what}`,
    where: { file: one.source },
    remedy: `Keep one of them, at ${one.place}.`,
  }
}

function wayOf(one: Claim, other: Claim): string {
  return [one, other].find(({ path, place }) => path !== place)?.way ?? one.way
}
