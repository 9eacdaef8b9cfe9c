// Paths with two names, on hosts where a link of the distribution leads from one to the other. Below a link that the repository deploys
// there is nothing to be claimed, by any of its names. The agent asks the host; lint knows the usual links. Pure.

import { parentsOf } from '../../shared/places.ts'
import { type Place, type Problem, placeText } from '../../shared/problem.ts'
import { usualPlaceOf, wellKnownLinks } from '../../shared/repository/reserved.ts'
import type { ManagedService } from '../desire/managed-files.ts'
import type { HostServices } from './compose/names.ts'
import type { LintWarning } from './warning.ts'

type Claim = {
  readonly service: string
  readonly path: string
  readonly kind: 'file' | 'symlink' | 'directory'
  readonly where: Place
}

/** Two claims of one place, on the first host that has both. Those of one name are refused where the repository is parsed. */
export function aliasCollisions(
  services: readonly ManagedService[],
  hosts: readonly HostServices[],
): readonly Problem[] {
  const claims = services.map(claimsOf)
  const found = new Map<string, Problem>()
  for (const { written, services: here } of hosts) {
    const own = claims.flatMap((all, index) => {
      const name = services[index]?.service.name
      return name !== undefined && here.has(name) ? all : []
    })
    for (const { claim, other } of collisionsIn(own)) {
      const key = [claim, other].map(({ where }) => placeText(where)).join('\0')
      if (!found.has(key)) found.set(key, collision(claim, other, written))
    }
  }
  return [...found.values()]
}

/** One for each service and link, at its first path. */
export function aliasWarnings(services: readonly ManagedService[]): readonly LintWarning[] {
  return services.flatMap((managed) => {
    const replaced = claimsOf(managed).filter(({ path, kind }) => kind !== 'symlink' && distributionLinks.has(path))
    const aliased = claimsOf(managed).filter(({ path }) => usualPlaceOf(path) !== path)
    return [...replaced.map(replacement), ...throughLinks(aliased)]
  })
}

const distributionLinks: ReadonlySet<string> = new Set([...wellKnownLinks.keys(), '/etc/mtab'])

function replacement({ path, where, service }: Claim): LintWarning {
  const message = `${path} is a link of the distribution on most hosts, which a file or directory would take the place of.`
  return { code: 'distribution-link', message, where, remedy: 'Name a path below where it leads.', service }
}

function throughLinks(aliased: readonly Claim[]): readonly LintWarning[] {
  return [...Map.groupBy(aliased, ({ path }) => linkAbove(path))].flatMap(([link, all]) => {
    const [first, ...others] = all
    if (first === undefined) return []
    const more = others.length === 0 ? '' : `, and ${others.length} more paths below ${link}`
    return [
      {
        code: 'path-through-link',
        message: `${first.path} is ${usualPlaceOf(first.path)} on hosts where ${link} is a link${more}.`,
        where: first.where,
        remedy: `Name it by its place, ${usualPlaceOf(first.path)}.`,
        service: first.service,
      },
    ]
  })
}

function claimsOf({ service, files }: ManagedService): readonly Claim[] {
  const { name, settings, settingsPlace } = service
  return [
    ...files
      .filter(({ inProject }) => !inProject)
      .map((file) => ({
        service: name,
        path: file.target,
        kind: file.kind,
        where: { file: file.source },
      })),
    ...[...settings.directories.keys()].map((path) => ({
      service: name,
      path,
      kind: 'directory' as const,
      where: settingsPlace(['directories', path]),
    })),
  ]
}

type Collision = { readonly claim: Claim; readonly other: Claim }

function collisionsIn(claims: readonly Claim[]): readonly Collision[] {
  const byPlace = Map.groupBy(claims, ({ path }) => usualPlaceOf(path))
  return claims.flatMap((claim) => {
    const place = usualPlaceOf(claim.path)
    const same = (byPlace.get(place) ?? []).filter((other) => other.path < claim.path)
    const over = parentsOf(place)
      .flatMap((at) => byPlace.get(at) ?? [])
      .filter((other) => other.kind !== 'directory' && !claim.path.startsWith(`${other.path}/`))
    return [...same, ...over].map((other) => ({ claim, other }))
  })
}

function collision(claim: Claim, other: Claim, host: string): Problem {
  const what = `${claim.path} and ${other.path} are claims of one path on ${host}, where a link leads from one name to the other`
  return {
    code: 'path-claimed-twice',
    message: `${what}; the other place is ${placeText(other.where)}.`,
    where: claim.where,
    remedy: 'Keep one of them.',
    service: claim.service,
  }
}

function linkAbove(path: string): string {
  return [...wellKnownLinks.keys()].find((link) => path.startsWith(`${link}/`)) ?? path
}
