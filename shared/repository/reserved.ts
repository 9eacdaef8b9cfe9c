// What no repository takes: the kernel's places, and what the agent itself lives from. By name here; the agent asks again about where a
// path really leads before it writes.

/** Links that every distribution has, or had, with the places that they lead to. */
export const wellKnownLinks: ReadonlyMap<string, string> = new Map([
  ['/bin', '/usr/bin'],
  ['/sbin', '/usr/sbin'],
  ['/lib', '/usr/lib'],
  ['/lib32', '/usr/lib32'],
  ['/lib64', '/usr/lib64'],
  ['/var/run', '/run'],
  ['/var/lock', '/run/lock'],
])

/** Where a path leads on a host that has all of the well-known links. */
export function usualPlaceOf(path: string): string {
  for (const [link, place] of wellKnownLinks) if (path.startsWith(`${link}/`)) return place + path.slice(link.length)
  return path
}

export const agentUnit = 'plumb.service'
/** Its units are there while the agent restarts itself (agent/host/restart-guard.ts). */
export const restartGuard = 'plumb-restart-guard'
export const agentExecutable = '/usr/local/bin/plumb'
export const agentConfiguration = '/etc/plumb'
export const agentState = '/var/lib/plumb'
/** In the state directory, and yet the repository's: agents before deployed compose projects there, and what they left is removed. */
export const formerProjects = `${agentState}/compose`

const kernelDirectories = ['/proc', '/sys', '/dev'] as const
const unitDirectories = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
] as const

/** Each with all that is in it. Drop-ins of the agent's unit are not among them: a proxy, a limit of memory. */
export const agentPlaces: readonly string[] = [
  agentConfiguration,
  agentState,
  agentExecutable,
  ...unitDirectories.map((directory) => `${directory}/${agentUnit}`),
  ...['service', 'timer'].flatMap((suffix) => [
    `${unitDirectories[0]}/${restartGuard}.${suffix}`,
    ...unitDirectories.map((directory) => `${directory}/${restartGuard}.${suffix}.d`),
  ]),
]

/** The reserved path that this one is, or is in. A place: links on the way have been followed. */
export function reservedPlace(place: string, own: readonly string[] = []): string | undefined {
  return kernelDirectories.find((directory) => isWithin(place, directory)) ?? agentPlace(place, own)
}

/** The same of the agent's alone: links into the kernel's places are ordinary (`/dev/null` masks a unit). */
export function agentPlace(place: string, own: readonly string[] = []): string | undefined {
  const run = /^\/run\/plumb[^/]*(?=\/|$)/.exec(place)?.[0]
  const enabled = /^\/(?:etc|run)\/systemd\/system\/[^/]+\.(?:wants|requires)\/plumb\.service$/.exec(place)?.[0]
  return run ?? enabled ?? [...agentPlaces, ...own].find((path) => isWithin(place, path))
}

/** A reserved path below this one: whoever owns or replaces this one has that one, too. */
export function reservedBelow(place: string, own: readonly string[] = []): string | undefined {
  return [...kernelDirectories, ...agentPlaces, ...own, '/run/plumb'].find(
    (path) => path !== place && isWithin(path, place),
  )
}

/** By its name, on a host with the usual links. */
export function isReserved(path: string): boolean {
  return reservedPlace(usualPlaceOf(path)) !== undefined
}

/** Where a link at a path leads, by its text alone. */
export function linkedPath(path: string, link: string): string {
  const from = link.startsWith('/') ? [] : path.split('/').slice(1, -1)
  const parts: string[] = [...from]
  for (const part of link.split('/'))
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  return `/${parts.join('/')}`
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`)
}
