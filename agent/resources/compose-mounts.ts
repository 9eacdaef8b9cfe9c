// What a compose file may not give containers without being allowed to: whoever has it has the host, or the agent. Pure.
import { PlumbError } from '../../shared/problem.ts'
import { allowLine, pathsOfVolume, powersOfVolume } from '../../shared/repository/compose-power.ts'
import { mountDanger } from '../../shared/repository/mount-danger.ts'
import type { ComposeResource, EngineObject } from '../../shared/resource.ts'
import type { DeclaredService } from '../host/compose-model.ts'

export type ReachedPath = {
  readonly service: string
  readonly path: string
  /** The same with links followed. */
  readonly resolved: string
  /** Default: it mounts it. */
  readonly how?: string
  /** Further paths by which that place is reached, through bind mounts of the host. */
  readonly others: readonly string[]
}

/** Every path of the host that a container gets, each once for a service. */
export function reachedPaths(services: readonly DeclaredService[]): readonly Asked[] {
  return services.flatMap(({ name, mounts, reaches }) => {
    const paths = new Set([...mounts.map(({ source }) => source), ...reaches])
    return [...paths].filter((path) => path.startsWith('/')).map((path) => ({ service: name, path }))
  })
}

/** Of volumes that exist, whoever made them: what the engine mounts for them. */
export function reachedByVolumes(
  services: readonly Pick<DeclaredService, 'name' | 'volumes'>[],
  existing: readonly EngineObject[],
): readonly Asked[] {
  return usesOf(services, existing).flatMap(({ service, volume, fields }) =>
    pathsOfVolume(fields).map((path) => ({ service, path, how: `has, by its volume ${volume}, mounted` })),
  )
}

/** With what those volumes are. */
export function withVolumePowers(
  services: readonly DeclaredService[],
  existing: readonly EngineObject[],
): readonly Pick<DeclaredService, 'name' | 'powers'>[] {
  const uses = usesOf(services, existing)
  return services.map(({ name, powers }) => {
    const more = uses.filter(({ service }) => service === name).flatMap((one) => powersOfVolume(one.volume, one.fields))
    const added = more.filter(({ allowance }) => !powers.some((power) => power.allowance === allowance))
    return { name, powers: [...powers, ...added] }
  })
}

type Used = { readonly service: string; readonly volume: string; readonly fields: Readonly<Record<string, unknown>> }

function usesOf(
  services: readonly Pick<DeclaredService, 'name' | 'volumes'>[],
  existing: readonly EngineObject[],
): readonly Used[] {
  const byName = new Map(
    existing.flatMap((one) => (one.kind === 'volume' ? [[one.name, optionsOf(one)] as const] : [])),
  )
  return services.flatMap(({ name: service, volumes }) =>
    volumes.flatMap(({ name: volume }) => {
      const fields = volume === undefined ? undefined : byName.get(volume)
      return volume === undefined || fields === undefined ? [] : [{ service, volume, fields }]
    }),
  )
}

/** In the form of a compose file. */
function optionsOf({ settings }: EngineObject): Used['fields'] {
  const options = [...settings].flatMap(([name, values]) =>
    name.startsWith('option ') ? [[name.slice('option '.length), values.join(',')] as const] : [],
  )
  return { driver: settings.get('driver')?.[0], driver_opts: Object.fromEntries(options) }
}

type Asked = Pick<ReachedPath, 'service' | 'path' | 'how'>

/** Undefined when every path may be mounted, and every service may have what it is given. */
export function powerRefusal(
  { project, directory, file, allowMounts, allow }: ComposeResource,
  services: readonly Pick<DeclaredService, 'name' | 'powers'>[],
  reached: readonly ReachedPath[],
): PlumbError | undefined {
  const allowed = new Set<string>(allowMounts)
  const mounts = reached.flatMap(({ service, path, resolved, others, how = 'mounts' }) => {
    if ([path, resolved, ...others].some((name) => allowed.has(name))) return []
    const isOwn = [path, resolved].some((name) => name.startsWith(`${directory}/`))
    const names = isOwn ? [resolved, path] : [resolved, path, ...others]
    const [danger] = names.flatMap((name) => {
      const why = mountDanger(name, directory)
      return why === undefined ? [] : [{ name, why }]
    })
    return danger === undefined
      ? []
      : [{ service, path, how, why: danger.why, place: placeOf(danger.name, path, resolved) }]
  })
  const powers = services.flatMap(({ name, powers: own }) =>
    own.filter(({ allowance }) => !allow.includes(allowance)).map((power) => ({ service: name, ...power })),
  )
  if (mounts.length + powers.length === 0) return undefined
  const texts = [
    ...mounts.map(({ service, path, how, why, place }) => {
      const link = place === path ? '' : `, which is ${place}`
      return `${service} ${how} ${path}${link}: ${why}`
    }),
    ...powers.map(({ service, written, why }) => `${service} has ${written}: ${why}`),
  ]
  const line = allowLine(
    powers.length === 0 ? [] : [...allow, ...powers.map(({ allowance }) => allowance)],
    mounts.length === 0 ? [] : [...allowMounts, ...mounts.map(({ path }) => path)],
  )
  return new PlumbError({
    code: 'unsafe-path',
    message: `The containers of ${project} are left as they are: ${texts.join('; ')}.`,
    where: { file },
    remedy: `If that is meant, say so in service.yaml: ${line}`,
  })
}

/** What is said of a mount: where its link leads, or by which other path its place is one that is not mounted. */
function placeOf(dangerous: string, path: string, resolved: string): string {
  return dangerous === path ? resolved : dangerous
}
