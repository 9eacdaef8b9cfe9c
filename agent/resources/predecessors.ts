// Services whose containers go while others come that would do the same with volumes and directories of their own: a service of the
// compose file under another name, or a project under another name and in another directory. Pure.
import type { ComposeResource } from '../../shared/resource.ts'
import type { DeclaredService } from '../host/compose-model.ts'
import { type HeldMount, isAnonymous } from '../host/container-mounts.ts'
import type { Container } from '../host/docker.ts'

/** A service whose containers go. */
export type Predecessor = {
  readonly project: string
  readonly service: string
  /** Where its project runs from. */
  readonly directory: string
  readonly held: readonly HeldMount[]
  /** Names of the declared services that take its place. */
  readonly successors: readonly string[]
}

export type GoingProject = { readonly containers: readonly Container[]; readonly held: readonly HeldMount[] }

/** `projects`: of the project itself, what its compose file declares stays; of others everything goes. */
export function predecessorsIn(
  { project, directory, replaceProject }: ComposeResource,
  services: readonly DeclaredService[],
  projects: readonly GoingProject[],
): readonly Predecessor[] {
  const all = projects.flatMap(({ containers }) => containers)
  const own = new Set(all.filter((one) => one.project === project).map(({ service }) => service))
  const coming = services.filter(({ name, replicas }) => replicas > 0 && !own.has(name))
  const declared = new Set(services.map(({ name }) => name))
  return projects.flatMap(({ containers, held }) => {
    const byService = Map.groupBy(containers, ({ service }) => service)
    return [...byService].flatMap(([service, [container]]): readonly Predecessor[] => {
      if (container === undefined || container.project === replaceProject) return []
      if (container.project === project && declared.has(service)) return []
      const going = { ...placeOf(container), held: held.filter((mount) => mount.service === service) }
      const successors = coming.filter((one) => isSuccessor(one, { ...going, container }, { project, directory }))
      return successors.length === 0 ? [] : [{ ...going, service, successors: successors.map(({ name }) => name) }]
    })
  })
}

type Place = { readonly project: string; readonly directory: string }
type Going = Place & { readonly held: readonly HeldMount[]; readonly container: Container }

function placeOf({ project, file }: Container): Place {
  return { project, directory: file.slice(0, Math.max(0, file.lastIndexOf('/'))) }
}

/** Two of: the name of the service, its image, the place of its data in the compose file. In one project the image alone is enough. */
function isSuccessor(service: DeclaredService, { container, ...going }: Going, as: Place): boolean {
  const isNamesake = service.name === container.service
  const isImage = isSameImage(service, container)
  const hasSamePlaces = () => declaredAlike(service, going, as)
  if (isNamesake) return isImage || hasSamePlaces()
  return isImage && (going.project === as.project || hasSamePlaces())
}

/** Whatever its version. What is built, and what has lost its name, is known by the name of the service alone. */
function isSameImage({ name, image }: DeclaredService, container: Container): boolean {
  const { project, service } = container
  const isUnnamed = /^(?:sha256:)?[0-9a-f]{12,64}$/.test(container.image)
  const isBuilt = ['-', '_'].some((between) => repositoryOf(container.image) === `${project}${between}${service}`)
  if (image === undefined || isUnnamed || isBuilt) return name === service
  return repositoryOf(image) === repositoryOf(container.image)
}

/** `docker.io/library/postgres:17` is `postgres`. */
export function repositoryOf(image: string): string {
  return image
    .replace(/@.*$/, '')
    .replace(/:[^:/]*$/, '')
    .replace(/^(?:docker\.io|localhost)\//, '')
    .replace(/^library\//, '')
}

/** One volume or directory of the project at one path of a container: `db:/data`, `./data:/data`. */
function declaredAlike(service: DeclaredService, { held, ...from }: Place & Pick<Going, 'held'>, to: Place): boolean {
  const key = (volume: string, { project }: Place) =>
    volume.startsWith(`${project}_`) ? volume.slice(project.length + 1) : undefined
  const below = (path: string, { directory }: Place) =>
    directory !== '' && path.startsWith(`${directory}/`) ? path.slice(directory.length) : undefined
  return held.some((mount) => {
    if (isAnonymous(mount) || mount.kind === 'volatile') return false
    const next =
      mount.kind === 'bind' ? service.mounts : service.volumes.map(({ name, ...more }) => ({ ...more, source: name }))
    const relative = mount.kind === 'bind' ? below : key
    const written = relative(mount.source, from)
    return next.some(
      ({ source, target }) =>
        target === mount.target && written !== undefined && source !== undefined && relative(source, to) === written,
    )
  })
}
