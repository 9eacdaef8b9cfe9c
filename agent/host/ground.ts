// Reserved ground: what no write and no purge on behalf of a repository touches, wherever a path leads.

import { unsafePath } from '../../shared/file-error.ts'
import { type MountedPlaces, namesOfPlace, placesByMounts } from '../../shared/places.ts'
import { agentPlace, formerProjects, reservedBelow, reservedPlace } from '../../shared/repository/reserved.ts'
import type { Permissions } from './files.ts'

/** Places are paths without links on the way. Each answers with the reserved path. */
export type Ground = {
  /** Of a place that is reserved, or in what is. */
  at(place: string): string | undefined
  /** Of a place that has something reserved below it. */
  below(place: string): string | undefined
  /** Of a place that no link may lead to. */
  linked(place: string): string | undefined
}

/** `own`: where the agent keeps its state and executable, when that is elsewhere. */
export function groundWith(own: readonly string[] = []): Ground {
  const isProject = (place: string) => place === formerProjects || place.startsWith(`${formerProjects}/`)
  return {
    at: (place) => (isProject(place) ? undefined : reservedPlace(place, own)),
    below: (place) => reservedBelow(place, own),
    linked: (place) => (isProject(place) ? undefined : agentPlace(place, own)),
  }
}

/** The same, of places that are reached by several mounts: what is reserved by one path is so by all. */
export function mountedGround(ground: Ground, mounts: () => MountedPlaces): Ground {
  const byAnyName = (place: string, ask: (name: string) => string | undefined) =>
    ask(place) ?? namesOfPlace(place, mounts()).map(ask).find(isFound)
  return {
    at: (place) => byAnyName(place, ground.at),
    below: (place) => byAnyName(place, ground.below) ?? mountedBelow(ground, place, mounts()),
    linked: (place) => byAnyName(place, ground.linked),
  }
}

/** A mount leads from a reserved path, or from one above it, to what is below this place. */
function mountedBelow(ground: Ground, place: string, mounts: MountedPlaces): string | undefined {
  if (mounts.size === 0) return undefined
  const directory = placesByMounts(mounts)(place)
  return [...mounts]
    .filter(([, target]) => target.startsWith(directory === '/' ? directory : `${directory}/`))
    .map(([path]) => ground.at(path) ?? ground.below(path))
    .find(isFound)
}

function isFound(reserved: string | undefined): boolean {
  return reserved !== undefined
}

/** For the agent's own files: nothing is reserved. */
export const openGround: Ground = { at: () => undefined, below: () => undefined, linked: () => undefined }

const forWhom = 'is reserved for the system or the agent itself'

export function refuseWrite(ground: Ground, path: string, place: string): void {
  const reserved = ground.at(place)
  if (reserved !== undefined) throw reservedError(path, `it is ${place}, and ${reserved} ${forWhom}.`)
}

/** Of what replaces or takes away a name: everything below it would go, too. */
export function refuseReplace(ground: Ground, path: string, place: string): void {
  refuseWrite(ground, path, place)
  const reserved = ground.below(place)
  if (reserved !== undefined) throw reservedError(path, `${reserved} is below it, and ${forWhom}.`)
}

/** A directory above stays root's: its owner could exchange what is in it. */
export function refuseOpening(ground: Ground, path: string, { place, mode, uid }: Opened): void {
  refuseWrite(ground, path, place)
  const reserved = ground.below(place)
  const isOpen = (mode & 0o002) !== 0 || (uid !== undefined && uid !== 0)
  if (reserved !== undefined && isOpen)
    throw reservedError(path, `${reserved} is below it and ${forWhom}: it stays root's, and not for all to write in.`)
}

type Opened = Permissions & { readonly place: string }

export function refuseLink(ground: Ground, path: string, leadsTo: string): void {
  const reserved = ground.linked(leadsTo)
  if (reserved !== undefined) throw reservedError(path, `it would lead to ${leadsTo}, and ${reserved} ${forWhom}.`)
}

function reservedError(path: string, message: string) {
  return unsafePath(path, message, 'No repository changes what the agent lives from: take it out of the repository.')
}
