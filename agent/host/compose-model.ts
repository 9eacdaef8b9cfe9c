// What `docker compose config --format json` says a compose file declares, as far as it is looked at here.
import { z } from 'zod'

/** A service of a compose file after interpolation, merging and profiles. */
export type DeclaredService = {
  readonly name: string
  readonly image: string | undefined
  readonly builds: boolean
  /** What its containers see of the host: bind mounts, files of configs and secrets. */
  readonly mounts: readonly Mount[]
  /** Further paths of the host that it gets at: directories behind named volumes, the engine's socket. */
  readonly reaches: readonly string[]
  /** Definitions of the configs and secrets it uses, contents given in the compose file included. */
  readonly definitions: readonly string[]
  readonly replicas: number
  /** Meant to end: `restart: "no"` or `on-failure` is written, or another service waits for its completion. */
  readonly ends: boolean
  readonly dependsOn: readonly string[]
  /** Of these, the ones with `restart: true`: when they are made anew, this one is started again at least. */
  readonly restartsWith: readonly string[]
}

export type ComposeModel = {
  readonly services: readonly DeclaredService[]
  /** All of it, resolved: interpolated, paths absolute, env_file merged into environment. */
  readonly resolved: Readonly<Record<string, unknown>>
}

export type Mount = { readonly source: string; readonly target: string }

export function parseModel(stdout: string): ComposeModel {
  const resolved = z.record(z.string(), z.unknown()).parse(JSON.parse(stdout))
  const model = modelSchema.parse(resolved)
  const awaited = new Set(Object.values(model.services).flatMap((service) => awaitedBy(service)))
  const services = Object.entries(model.services).map(([name, service]) => declared(name, { service, model, awaited }))
  return { services, resolved }
}

/** The resolved model with one more label on each of the named services. */
export function withLabels(
  { resolved }: ComposeModel,
  label: string,
  values: Readonly<Record<string, string>>,
): unknown {
  const services = labelledSchema.parse(resolved['services'] ?? {})
  const labelled = Object.entries(services).map(([name, service]) => {
    const value = values[name]
    return [name, value === undefined ? service : { ...service, labels: { ...service.labels, [label]: value } }]
  })
  return { ...resolved, services: Object.fromEntries(labelled) }
}

const definitionSchema = z.looseObject({ file: z.string().optional() })

const referenceSchema = z
  .array(z.object({ source: z.string(), target: z.string().optional() }))
  .nullish()
  .transform((list) => list ?? [])

const serviceSchema = z.object({
  image: z.string().optional(),
  build: z.unknown().optional(),
  restart: z.string().optional(),
  scale: z.number().optional(),
  deploy: z.object({ replicas: z.number().optional() }).nullish(),
  volumes: z
    .array(z.object({ type: z.string(), source: z.string().optional(), target: z.string().optional() }))
    .nullish()
    .transform((list) => list ?? []),
  depends_on: z
    .record(z.string(), z.looseObject({ condition: z.string().optional(), restart: z.boolean().optional() }))
    .nullish(),
  use_api_socket: z.boolean().nullish(),
  configs: referenceSchema,
  secrets: referenceSchema,
})

const modelSchema = z.object({
  services: z.record(z.string(), serviceSchema).default({}),
  configs: z.record(z.string(), definitionSchema).nullish(),
  secrets: z.record(z.string(), definitionSchema).nullish(),
  volumes: z
    .record(z.string(), z.looseObject({ driver_opts: z.record(z.string(), z.unknown()).nullish() }).nullish())
    .nullish(),
})

const labelledSchema = z.record(z.string(), z.looseObject({ labels: z.record(z.string(), z.string()).nullish() }))

type Context = {
  readonly service: z.infer<typeof serviceSchema>
  readonly model: z.infer<typeof modelSchema>
  readonly awaited: ReadonlySet<string>
}

function declared(name: string, { service, model, awaited }: Context): DeclaredService {
  const used = usedDefinitions(service, model)
  return {
    name,
    image: service.image,
    builds: service.build !== undefined && service.build !== null,
    mounts: [
      ...service.volumes.filter(({ type }) => type === 'bind'),
      ...used.map(({ definition, target }) => ({ source: definition.file, target })),
    ].flatMap(({ source, target }) => (source === undefined || target === undefined ? [] : [{ source, target }])),
    reaches: reachesOf(service, model),
    definitions: used.map(({ definition }) => JSON.stringify(definition)),
    replicas: service.scale ?? service.deploy?.replicas ?? 1,
    ends: awaited.has(name) || service.restart === 'no' || (service.restart?.startsWith('on-failure') ?? false),
    dependsOn: Object.keys(service.depends_on ?? {}),
    restartsWith: Object.entries(service.depends_on ?? {}).flatMap(([other, { restart }]) => (restart ? [other] : [])),
  }
}

/** A volume of the driver `local` can be a mount of anything: `{ type: none, o: bind, device: /etc }`. */
function reachesOf(
  { volumes, use_api_socket: usesSocket }: z.infer<typeof serviceSchema>,
  model: z.infer<typeof modelSchema>,
): readonly string[] {
  const named = volumes.flatMap(({ type, source }) => (type === 'volume' && source !== undefined ? [source] : []))
  const options = named.flatMap((name) => Object.values(model.volumes?.[name]?.driver_opts ?? {}))
  const paths = options.flatMap((option) =>
    String(option)
      .split(/[,=:]/)
      .filter((part) => part.startsWith('/')),
  )
  return usesSocket === true ? [...paths, '/var/run/docker.sock'] : paths
}

function awaitedBy(service: z.infer<typeof serviceSchema>): readonly string[] {
  return Object.entries(service.depends_on ?? {})
    .filter(([, dependency]) => dependency.condition === 'service_completed_successfully')
    .map(([name]) => name)
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
      target: target ?? `/run/secrets/${source}`,
    })),
  ]
  return used.flatMap(({ definition, target }) => (definition === undefined ? [] : [{ definition, target }]))
}
