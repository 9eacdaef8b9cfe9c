// Two services of one host cannot own the same thing: paths, units, and paths below what another says is a file. A package
// may be named by both, as the same.
import type { ServiceName } from '../names.ts'
import { type Place, type Problem, placeText } from '../problem.ts'
import type { PackageSettings } from '../resource.ts'
import { invalid, quoted } from './invalid.ts'
import type { RepositoryService } from './repository.ts'

/** The first host that has both services, if any, as plumb.yaml names it. */
export type SharedHost = (one: ServiceName, other: ServiceName) => string | undefined

type Claim = {
  readonly service: ServiceName
  /** `/etc/motd`, `unit nginx.service` */
  readonly what: string
  readonly path: string | undefined
  readonly directory: boolean
  /** Of a package, what is wanted of it: claims that want the same go together. */
  readonly wants?: string
  readonly where: () => Place
}

export function claimProblems(services: readonly RepositoryService[], sharedHost: SharedHost): readonly Problem[] {
  const claims = services.flatMap(claimsOf)
  const byName = new Map<string, Claim[]>()
  for (const claim of claims) {
    const others = byName.get(claim.what)
    if (others === undefined) byName.set(claim.what, [claim])
    else others.push(claim)
  }
  return claims.flatMap((claim) => [
    ...conflicts(claim, earlierClaims(claim, byName), sharedHost),
    ...conflicts(claim, claimsAbove(claim, byName), sharedHost),
  ])
}

function claimsOf(service: RepositoryService): readonly Claim[] {
  const { name, settings, settingsPlace } = service
  const files = service.files.map(({ target, source }) => ({
    service: name,
    what: target,
    path: target,
    directory: false,
    where: () => ({ file: source }),
  }))
  const directories = [...settings.directories.keys()].map((path) => ({
    service: name,
    what: path,
    path,
    directory: true,
    where: () => settingsPlace(['directories', path]),
  }))
  const units = [...settings.units.keys()].map((unit) => ({
    service: name,
    what: `unit ${unit}`,
    path: undefined,
    directory: false,
    where: () => settingsPlace(['units', unit]),
  }))
  const packages = settings.packages.map((wanted, index) => ({
    service: name,
    what: `package ${wanted.name}`,
    path: undefined,
    directory: false,
    wants: wantedText(wanted),
    where: () => settingsPlace(['packages', index]),
  }))
  return [...files, ...directories, ...units, ...packages, ...projectClaims(service)]
}

/** The project's name, and its files at their places on the host. */
function projectClaims({ name, project, compose, directory, settings, settingsPlace }: RepositoryService) {
  if (project === undefined || compose === undefined) return []
  const files = compose.files.map(({ target, source }) => ({
    service: name,
    what: `${project.directory}/${target}`,
    path: `${project.directory}/${target}`,
    directory: false,
    where: () => ({ file: source }),
  }))
  const where = (): Place =>
    settings.compose?.project === undefined
      ? { file: `${directory}/${compose.file}` }
      : settingsPlace(['compose', 'project'])
  return [
    { service: name, what: `compose project ${project.name.name}`, path: undefined, directory: false, where },
    ...files,
  ]
}

/** `any version`, `2.6.*, held`. */
function wantedText({ version = 'any version', hold }: PackageSettings): string {
  return hold === undefined ? version : `${version}, ${hold ? 'held' : 'not held'}`
}

/** Claims to the same thing that stand before this one, so that each pair is told once. */
function earlierClaims(claim: Claim, byName: ReadonlyMap<string, readonly Claim[]>): readonly Claim[] {
  const same = byName.get(claim.what) ?? []
  return same.length < 2 ? [] : same.slice(0, same.indexOf(claim))
}

/** Claims by which a path above this one is a file or a symlink. */
function claimsAbove({ path }: Claim, byName: ReadonlyMap<string, readonly Claim[]>): readonly Claim[] {
  const found: Claim[] = []
  if (path === undefined) return found
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    for (const above of byName.get(path.slice(0, end)) ?? []) if (!above.directory) found.push(above)
  return found
}

function conflicts(claim: Claim, others: readonly Claim[], sharedHost: SharedHost): readonly Problem[] {
  return others.flatMap((other) => {
    if (claim.wants !== undefined && claim.wants === other.wants) return []
    const host = claim.service === other.service ? undefined : sharedHost(claim.service, other.service)
    if (host === undefined && claim.service !== other.service) return []
    return [conflict(claim, other, host)]
  })
}

function conflict(claim: Claim, other: Claim, host: string | undefined): Problem {
  const who =
    host === undefined
      ? `twice by the service ${quoted(claim.service)}`
      : `by the services ${quoted(other.service)} and ${quoted(claim.service)}, both on host ${host}`
  if (claim.wants !== undefined && other.wants !== undefined)
    return invalid(
      `${claim.what} is wanted as ${other.wants} and as ${claim.wants} ${who}; the other place is ${placeText(other.where())}`,
      claim.where(),
      { service: claim.service, remedy: 'Say the same in both, or name it in one only.' },
    )
  const message =
    claim.what === other.what
      ? `${claim.what} is claimed ${who}; the other place is ${placeText(other.where())}`
      : `${claim.what} is below ${other.what}, which is a file, claimed ${who}; the other place is ${placeText(other.where())}`
  return invalid(message, claim.where(), {
    code: 'path-claimed-twice',
    service: claim.service,
    remedy: 'Keep one of them.',
  })
}
