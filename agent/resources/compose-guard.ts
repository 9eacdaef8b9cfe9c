// What a project is refused for before any container is touched: power over the host, mounts that move, variables without a value,
// networks and volumes that exist with other settings.

import type { Run } from '../../shared/command.ts'
import { namesOfPlace, placesByMounts } from '../../shared/places.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource, EngineObject } from '../../shared/resource.ts'
import type { ComposeModel } from '../host/compose-model.ts'
import { heldMounts } from '../host/container-mounts.ts'
import { containersOf, type Listing } from '../host/docker.ts'
import { existingObjects } from '../host/engine-objects.ts'
import { environmentFiles } from '../host/environment-files.ts'
import { mountsHere } from '../host/mounts.ts'
import { nonEmptyPaths } from '../host/nonempty-paths.ts'
import { realPaths } from '../host/real-paths.ts'
import { objectRefusal } from './changed-objects.ts'
import { powerRefusal, reachedByVolumes, reachedPaths, withVolumePowers } from './compose-mounts.ts'
import {
  type MovedMount,
  mountChanges,
  movedMounts,
  moveRefusal,
  otherProjectRefusal,
  predecessorChanges,
} from './moved-mounts.ts'
import { type GoingProject, predecessorsIn } from './predecessors.ts'

export type Guarded = {
  readonly desired: ComposeResource
  readonly model: Pick<ComposeModel, 'services' | 'objects' | 'unset'>
  /** Where the project's files are staged, standing for `/`; empty: they are live. */
  readonly root: string
  /** Other projects whose containers are removed in the same apply. */
  readonly leaving?: readonly string[]
}

export type Judged = {
  readonly refusal: PlumbError | undefined
  /** What moves although, since that is allowed or the repository's, and what is refused for it. */
  readonly moved: readonly MovedMount[]
}

/** Throws PlumbError; returns what moves although, since that is allowed or the repository's. */
export async function guardProject(guarded: Guarded, listing: Listing, query: Run): Promise<readonly MovedMount[]> {
  const { refusal, moved } = await judgeProject(guarded, listing, query)
  if (refusal !== undefined) throw refusal
  return moved
}

export async function judgeProject(guarded: Guarded, listing: Listing, query: Run): Promise<Judged> {
  const { desired, model, leaving = [] } = guarded
  const { services, objects } = model
  const containers = listing.kind === 'listed' ? listing.containers : []
  const projects: GoingProject[] = []
  for (const project of [desired.project, ...leaving.filter((other) => other !== desired.project)]) {
    const own = containersOf(project, listing)
    projects.push({ containers: own, held: await heldMounts(own, query) })
  }
  const changes = mountChanges(projects[0]?.held ?? [], services)
  const predecessors = predecessorsIn(desired, services, projects)
  const existing = await existingObjects([...objects, ...volumesOf(services)], query)
  const reached = [
    ...reachedPaths(services),
    ...reachedByVolumes(services, existing),
    ...(await environmentFiles(desired, guarded.root)).map((one) => ({ ...one, how: 'reads, as env_file,' })),
  ]
  const unfollowed = predecessorChanges(predecessors, services, { real: (path) => path })
  const paths = [
    ...reached.map(({ path }) => path),
    ...[...changes, ...unfollowed].flatMap(({ held, next }) =>
      [held, next].flatMap(({ kind, source }) => (kind === 'bind' && source !== undefined ? [source] : [])),
    ),
  ]
  const leadsTo = await leadingTo([...new Set(paths)], guarded, query)
  const { places } = mountsHere()
  const placeOf = placesByMounts(places)
  const real = (path: string) => placeOf(leadsTo(path))
  const all = [...changes, ...predecessorChanges(predecessors, services, { real })]
  const filled = await nonEmptyPaths(all.flatMap(({ covered }) => covered ?? []))
  const moved = movedMounts(all, desired.files, { real, hasContent: (path) => filled.has(path) })
  const refusal =
    unsetRefusal(desired, model.unset) ??
    powerRefusal(
      desired,
      withVolumePowers(services, existing),
      reached.map((one) => ({
        ...one,
        resolved: leadsTo(one.path),
        others: namesOfPlace(leadsTo(one.path), places),
      })),
    ) ??
    otherProjectRefusal(desired, services, containers) ??
    moveRefusal(desired, moved) ??
    objectRefusal(desired, objects, existing)
  return { refusal, moved }
}

/** External ones too. */
function volumesOf(services: ComposeModel['services']): readonly EngineObject[] {
  const names = services.flatMap(({ volumes }) => volumes.flatMap(({ name }) => name ?? []))
  return [...new Set(names)].map((name) => ({ kind: 'volume', name, settings: new Map() }))
}

/** No database is brought up with an empty password. */
function unsetRefusal({ project, file }: ComposeResource, unset: readonly string[]): PlumbError | undefined {
  if (unset.length === 0) return undefined
  const [first] = unset
  return new PlumbError({
    code: 'variable-unknown',
    message: `${project} reads variables that have no value, and compose would put an empty text in their place: ${unset.join(', ')}.`,
    where: { file },
    remedy: `Set them in .env beside the compose file, or give a default: \${${first}:-value}, or \${${first}-} for an empty one. In .env and env_file, a value with $ stands between single quotes.`,
  })
}

/** A link that the apply brings is followed where it is staged. */
async function leadingTo(
  paths: readonly string[],
  { desired, root }: Guarded,
  query: Run,
): Promise<(path: string) => string> {
  const isInside = (path: string) => root !== '' && path.startsWith(`${desired.directory}/`)
  const real = await realPaths(
    paths.map((path) => (isInside(path) ? `${root}${path}` : path)),
    query,
  )
  const byPath = new Map(paths.map((path, index) => [path, withoutRoot(real[index] ?? path, root)]))
  return (path) => byPath.get(path) ?? path
}

function withoutRoot(path: string, root: string): string {
  return root !== '' && path.startsWith(`${root}/`) ? path.slice(root.length) : path
}
