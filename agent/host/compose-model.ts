// What `docker compose config --format json` says a compose file declares, as far as it is looked at here.
import { z } from 'zod'
import {
  furtherPathsOf,
  networkPowers,
  type Power,
  powersOf,
  volumePowers,
} from '../../shared/repository/compose-power.ts'
import type { EngineObject } from '../../shared/resource.ts'
import { declaredObjects } from './engine-objects.ts'

/** A service of a compose file after interpolation, merging and profiles. */
export type DeclaredService = {
  readonly name: string
  readonly image: string | undefined
  readonly builds: boolean
  /** `container_name`, which no other container on the host may have. */
  readonly containerName: string | undefined
  /** What its containers see of the host: bind mounts, files of configs and secrets. */
  readonly mounts: readonly Mount[]
  /** By their names on the host; undefined: a volume of the container alone. */
  readonly volumes: readonly DeclaredVolume[]
  /** Targets of mounts that are empty whenever a container starts, or not the host's: memory, an image. */
  readonly volatile: readonly string[]
  /** Further paths of the host that it gets at: directories behind named volumes, the engine's socket. */
  readonly reaches: readonly string[]
  /** What else it is given over the host. */
  readonly powers: readonly Power[]
  /** Definitions of the configs and secrets it uses, contents given in the compose file included. */
  readonly definitions: readonly string[]
  readonly replicas: number
  /** Meant to end: `restart: "no"` or `on-failure` is written, or another service waits for its completion. */
  readonly ends: boolean
  readonly dependsOn: readonly string[]
  /** Dependencies with `restart: true`: when one is recreated, this service is at least restarted. */
  readonly restartsWith: readonly string[]
}

export type ComposeModel = {
  readonly services: readonly DeclaredService[]
  /** Its networks and volumes. */
  readonly objects: readonly EngineObject[]
  /** Variables without a value, for which compose puts an empty text. */
  readonly unset: readonly string[]
  /** All of it, resolved: interpolated, paths absolute, env_file merged into environment. */
  readonly resolved: Readonly<Record<string, unknown>>
}

/** `subpath`: the directory of the volume that is mounted; absent: all of it. */
export type DeclaredVolume = {
  readonly name: string | undefined
  readonly target: string
  readonly subpath?: string
}

export type Mount = { readonly source: string; readonly target: string }

export function parseModel(stdout: string): ComposeModel {
  const resolved = z.record(z.string(), z.unknown()).parse(JSON.parse(stdout))
  const model = modelSchema.parse(resolved)
  const awaited = new Set(Object.values(model.services).flatMap((service) => awaitedBy(service)))
  const written = z.record(z.string(), z.record(z.string(), z.unknown())).parse(resolved['services'] ?? {})
  const services = Object.entries(model.services).map(([name, service]) =>
    declared(name, { service, written: written[name] ?? {}, model, awaited }),
  )
  return { services, objects: declaredObjects(resolved), resolved, unset: [] }
}

/** The resolved model with one more label on each of the named services. */
export function withLabels(
  { resolved }: ComposeModel,
  label: string,
  values: Readonly<Record<string, string>>,
): unknown {
  const services = labelledSchema.parse(resolved['services'] ?? {})
  const withLabel = Object.entries(services).map(([name, service]) => {
    const value = values[name]
    return [name, value === undefined ? service : { ...service, labels: { ...service.labels, [label]: value } }]
  })
  return { ...resolved, services: Object.fromEntries(withLabel) }
}

const definitionSchema = z.looseObject({ file: z.string().optional() })

const referenceSchema = z
  .array(z.object({ source: z.string(), target: z.string().optional() }))
  .nullish()
  .transform((list) => list ?? [])

const serviceSchema = z.object({
  image: z.string().optional(),
  container_name: z.string().optional(),
  build: z.unknown().optional(),
  restart: z.string().optional(),
  scale: z.number().optional(),
  deploy: z.object({ replicas: z.number().optional() }).nullish(),
  volumes: z
    .array(
      z.object({
        type: z.string(),
        source: z.string().optional(),
        target: z.string().optional(),
        volume: z.looseObject({ subpath: z.string().nullish() }).nullish(),
      }),
    )
    .nullish()
    .transform((list) => list ?? []),
  depends_on: z
    .record(z.string(), z.looseObject({ condition: z.string().optional(), restart: z.boolean().optional() }))
    .nullish(),
  tmpfs: z
    .array(z.string())
    .nullish()
    .transform((list) => list ?? []),
  configs: referenceSchema,
  secrets: referenceSchema,
})

const modelSchema = z.object({
  services: z.record(z.string(), serviceSchema).default({}),
  networks: z.record(z.string(), z.unknown()).nullish(),
  configs: z.record(z.string(), definitionSchema).nullish(),
  secrets: z.record(z.string(), definitionSchema).nullish(),
  volumes: z
    .record(
      z.string(),
      z
        .looseObject({ name: z.string().optional(), driver_opts: z.record(z.string(), z.unknown()).nullish() })
        .nullish(),
    )
    .nullish(),
})

const labelledSchema = z.record(z.string(), z.looseObject({ labels: z.record(z.string(), z.string()).nullish() }))

type Context = {
  readonly service: z.infer<typeof serviceSchema>
  readonly written: Readonly<Record<string, unknown>>
  readonly model: z.infer<typeof modelSchema>
  readonly awaited: ReadonlySet<string>
}

function declared(name: string, { service, written, model, awaited }: Context): DeclaredService {
  const used = usedDefinitions(service, model)
  return {
    name,
    image: service.image,
    builds: service.build !== undefined && service.build !== null,
    containerName: service.container_name,
    mounts: [
      ...service.volumes.filter(({ type }) => type === 'bind'),
      ...used.map(({ definition, target }) => ({ source: definition.file, target })),
    ].flatMap(({ source, target }) => (source === undefined || target === undefined ? [] : [{ source, target }])),
    volumes: service.volumes.flatMap(({ type, source, target, volume }) => {
      if (type !== 'volume' || target === undefined) return []
      const subpath = volume?.subpath ? { subpath: volume.subpath } : {}
      return [
        { name: source === undefined ? undefined : (model.volumes?.[source]?.name ?? source), target, ...subpath },
      ]
    }),
    volatile: [
      ...service.volumes.flatMap(({ type, target }) => (type === 'bind' || type === 'volume' ? [] : (target ?? []))),
      // `/data:size=1m`
      ...service.tmpfs.map((one) => one.split(':')[0] ?? ''),
    ],
    reaches: furtherPathsOf(written, model),
    powers: [
      ...powersOf(written),
      ...networkPowers(written, model.networks ?? {}),
      ...volumePowers(written, model.volumes ?? {}),
    ],
    definitions: used.map(({ definition }) => JSON.stringify(definition)),
    replicas: service.scale ?? service.deploy?.replicas ?? 1,
    ends: awaited.has(name) || service.restart === 'no' || (service.restart?.startsWith('on-failure') ?? false),
    dependsOn: Object.keys(service.depends_on ?? {}),
    restartsWith: Object.entries(service.depends_on ?? {}).flatMap(([other, { restart }]) => (restart ? [other] : [])),
  }
}

function awaitedBy(service: z.infer<typeof serviceSchema>): readonly string[] {
  return Object.entries(service.depends_on ?? {})
    .filter(([, dependency]) => dependency.condition === 'service_completed_successfully')
    .map(([name]) => name)
}

/** A name alone is one in /run/secrets. */
function resolvedTarget(target: string): string {
  return target.startsWith('/') ? target : `/run/secrets/${target}`
}

type Definition = z.infer<typeof definitionSchema>

type Used = { readonly definition: Definition; readonly target: string }

function usedDefinitions(
  service: z.infer<typeof serviceSchema>,
  { configs, secrets }: z.infer<typeof modelSchema>,
): readonly Used[] {
  const used = [
    ...service.configs.map(({ source, target }) => ({ definition: configs?.[source], target: target ?? `/${source}` })),
    ...service.secrets.map(({ source, target }) => ({
      definition: secrets?.[source],
      target: resolvedTarget(target ?? source),
    })),
  ]
  return used.flatMap(({ definition, target }) => (definition === undefined ? [] : [{ definition, target }]))
}
