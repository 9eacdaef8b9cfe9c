// service.yaml: what the layout of a service's directory cannot say. Every key is optional.
import { z } from 'zod'
import type { DriftPolicy } from '../drift-policy.ts'
import {
  type AbsolutePath,
  absolutePathSchema,
  identifierSchema,
  type ServiceName,
  serviceNameSchema,
} from '../names.ts'
import type { Check, CompareRules, PackageSettings, TriggerAction } from '../resource.ts'
import { compareSchema } from './compare.ts'
import { projectNamePattern } from './compose-project.ts'
import { packageSchema } from './package.ts'
import {
  allowMountsSchema,
  allowSchema,
  moveMountsSchema,
  type QuadletSettings,
  quadletsSchema,
} from './quadlet-settings.ts'
import {
  accountSchema,
  commandSchema,
  driftPolicySchema,
  mapOf,
  modeSchema,
  settleSchema,
  text,
  unitNameSchema,
} from './scalars.ts'
import type { YamlLimits } from './yaml-cost.ts'

export type ServiceFile = {
  readonly after: readonly ServiceName[]
  readonly packages: readonly PackageSettings[]
  /** By absolute path on the host, or, beside a compose file, by path in the service's directory. */
  readonly files: ReadonlyMap<string, FileSettings>
  readonly directories: ReadonlyMap<AbsolutePath, DirectorySettings>
  readonly units: ReadonlyMap<string, UnitSettings>
  /** Commands that must succeed once every file is in place, before anything reads them. */
  readonly validate: readonly string[]
  /** Only beside a compose file. */
  readonly compose?: ComposeSettings
  readonly quadlets: QuadletSettings
  readonly checks: readonly Check[]
  readonly settle: number
  readonly onDrift?: DriftPolicy
  readonly onRemove: 'delete' | 'restore' | 'keep'
}

export type FileSettings = {
  readonly mode?: number
  readonly owner: string
  readonly group: string
  readonly template: boolean
  /** Named entries, `user:anna:r--`; absent: not looked at. */
  readonly acl?: readonly string[]
  /** `cap_net_bind_service=ep`, or `none`; absent: not looked at. */
  readonly capabilities?: string
  readonly compare: 'bytes' | CompareRules
  /** Content that is refused otherwise. */
  readonly allow?: 'encrypted' | 'conflict-markers' | 'agent-hazard'
  /** Whether its content is shown where it differs; absent: when other users can read it. */
  readonly diff?: boolean
  readonly validate?: string
  readonly triggers: readonly TriggerAction[]
  /** Default: the service's. */
  readonly onDrift?: DriftPolicy
}

export type DirectorySettings = {
  readonly mode: number
  readonly owner: string
  readonly group: string
  readonly purge: boolean
  readonly onDrift?: DriftPolicy
}

export type UnitSettings = {
  readonly enabled?: boolean
  readonly state?: 'running' | 'stopped'
  readonly masked?: true
  readonly onDrift?: DriftPolicy
}

export type ComposeSettings = {
  readonly state: 'running' | 'stopped'
  /** By host of the registry, with its port: `registry.example.org:5000`. */
  readonly registries: ReadonlyMap<string, RegistrySettings>
  /** Sources of mounts that are refused otherwise. */
  readonly allowMounts: readonly AbsolutePath[]
  /** Other power over the host that is refused otherwise: `privileged`, `pid-host`, `cap:NET_ADMIN`. */
  readonly allow: readonly string[]
  /** Compose files by their paths in the service's directory, each overriding the ones before it; default: the one that is there. */
  readonly files?: readonly string[]
  /** Where its files are and what its relative paths are relative to; default `/srv/compose/SERVICE`. */
  readonly directory?: AbsolutePath
  /** The project's name; default: what the compose file says, or the service's name. */
  readonly project?: string
  /** Directories and volumes that containers have mounted and will not have mounted any more. */
  readonly moveMounts: readonly string[]
  /** The project that this one takes the place of. */
  readonly replaceProject?: string
}

/** `password`: the name of a secret. */
export type RegistrySettings = { readonly username: string; readonly password: string }

/** Of a service.yaml. */
export const serviceYamlLimits: YamlLimits = { characters: 512 * 1024, steps: 100_000 }

const triggerSchema = text(
  /^(?:re(?:load|start) [A-Za-z0-9:_\\][A-Za-z0-9:_.\\@-]*\.(?:service|socket|timer|path|mount|automount|swap|slice|target)|run \s*\S[\s\S]*)$/,
  'reload UNIT, restart UNIT (with the suffix, as in caddy.service) or run COMMAND',
  4000,
).transform(triggerAction)

const fileSchema = z.strictObject({
  mode: modeSchema.exactOptional(),
  owner: accountSchema.default('root'),
  group: accountSchema.default('root'),
  acl: z
    .array(
      text(
        /^(?:user|group):[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?:[r-][w-][x-]$/,
        'an entry of an ACL with a name, such as user:prometheus:r--',
      ),
    )
    .max(50)
    .exactOptional()
    .describe("Named entries of its ACL; the mode's group bits are the mask. [] for none; without it, not looked at."),
  capabilities: text(
    /^(?:none|cap_[a-z_]+(?:,cap_[a-z_]+)*=[eip]{1,3})$/,
    'capabilities such as cap_net_bind_service=ep, or none',
  )
    .exactOptional()
    .describe('Capabilities of a program, as setcap takes them; none for none. Without it, not looked at.'),
  template: z
    .boolean()
    .default(false)
    .describe(`Fill in \${{ vars.NAME }}, \${{ secrets.NAME }} and \${{ host.name }}.`),
  compare: compareSchema,
  allow: z
    .enum(['encrypted', 'conflict-markers', 'agent-hazard'], 'encrypted, conflict-markers or agent-hazard')
    .exactOptional()
    .describe(
      'Deploy it although it is encrypted (the host decrypts it), holds markers of a merge conflict, or may stop the agent.',
    ),
  diff: z
    .boolean()
    .exactOptional()
    .describe(
      'Show what differs in it: true also where other users cannot read it, false never. Default: where they can.',
    ),
  validate: commandSchema
    .refine((command) => command.includes('{}'), 'a command in which {} stands for the staged file')
    .exactOptional()
    .describe('Run on the staged file, {}, before it goes live.'),
  triggers: z
    .array(triggerSchema)
    .max(20)
    .default([])
    .describe('What happens when the file changed: reload UNIT, restart UNIT, run COMMAND.'),
  onDrift: driftPolicySchema.exactOptional(),
})

const directorySchema = z.strictObject({
  mode: modeSchema.default(0o755),
  owner: accountSchema.default('root'),
  group: accountSchema.default('root'),
  purge: z.boolean().default(false).describe('What the repository does not have in it is drift, and removed on apply.'),
  onDrift: driftPolicySchema.exactOptional(),
})

const unitSchema = z.strictObject({
  enabled: z.boolean().exactOptional().describe('Started at boot.'),
  state: z.enum(['running', 'stopped']).exactOptional().describe('Running or stopped now.'),
  masked: z
    .literal(true, 'true, or nothing: a unit is not masked unless that is said')
    .exactOptional()
    .describe('Stopped, and not to be started by anything.'),
  onDrift: driftPolicySchema.exactOptional(),
})

const registrySchema = z.strictObject({
  username: text(/^[^\s:]+$/, 'the name of an account of the registry', 256),
  password: identifierSchema.describe('The name of the secret that holds the password or token.'),
})

const registryHostSchema = text(
  /^[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[0-9]{1,5})?$/,
  'the host of a registry, with its port where it has one: registry.example.org:5000',
)

const projectNameSchema = text(
  projectNamePattern,
  'the name of a compose project: lower-case letters, digits, - and _, beginning with a letter or digit',
  200,
)

const composeSchema = z.strictObject({
  state: z.enum(['running', 'stopped']).default('running').describe('Of all containers of the project.'),
  registries: mapOf(registryHostSchema, registrySchema, { limit: 50, of: 'registries' })
    .default(new Map())
    .describe('Logins by host of the registry, for the time of a deployment.'),
  allowMounts: allowMountsSchema.describe(
    'What the compose file mounts of the host although it gives power over it: /var/run/docker.sock, /proc.',
  ),
  allow: allowSchema.describe(
    'Other power over the host that the compose file gives: privileged, network-host, cap:NET_ADMIN.',
  ),
  files: z
    .array(text(/^[^\0/][^\0]*$/, "the path of a compose file in the service's directory", 4096))
    .min(1)
    .max(20)
    .exactOptional()
    .describe(
      'Compose files in the order in which each overrides the ones before it: [compose.yaml, compose.prod.yaml].',
    ),
  directory: absolutePathSchema
    .exactOptional()
    .describe(
      "The project's directory on the host, to which relative paths are relative; /srv/compose/SERVICE without it.",
    ),
  project: projectNameSchema
    .exactOptional()
    .describe("The project's name; without it, `name:` of the compose file, or the service's name."),
  moveMounts: moveMountsSchema,
  replaceProject: projectNameSchema
    .exactOptional()
    .describe('The project whose containers are removed for this one. Its volumes are kept, and not used.'),
})

const checkSchema = z
  .strictObject({
    http: text(/^https?:\/\/\S+$/, 'a http(s) address', 2000)
      .exactOptional()
      .describe('Answers with a status below 400.'),
    tcp: text(/^(?:\[[0-9a-fA-F:.]+\]|[^\s:/]+):[0-9]{1,5}$/, 'an address and port such as 127.0.0.1:443')
      .exactOptional()
      .describe('Accepts a connection.'),
    unit: unitNameSchema.exactOptional().describe('Is active.'),
    run: commandSchema.exactOptional().describe('Exits with 0.'),
  })
  .meta({ minProperties: 1, maxProperties: 1 })
  .transform((written, context) => {
    const [check, ...others] = checksIn(written)
    if (check !== undefined && others.length === 0) return check
    context.addIssue('one of http, tcp, unit or run in each list item')
    return z.NEVER
  })

export const serviceSchema: z.ZodType<ServiceFile, unknown> = z
  .strictObject({
    after: z.array(serviceNameSchema).max(1000).default([]).describe('Services applied before this one.'),
    packages: z
      .array(packageSchema)
      .max(1000)
      .default([])
      .describe('Packages that must be present: caddy, caddy=2.6.*, or a map with name, version and hold.'),
    files: mapOf(text(/^[^\0]+$/, 'the path of a file', 4096), fileSchema, { limit: 10_000, of: 'files' })
      .default(new Map())
      .describe('By path on the host; what the file under files/ or units/ cannot say itself.'),
    directories: mapOf(absolutePathSchema, directorySchema, { limit: 1000, of: 'directories' })
      .default(new Map())
      .describe('By path on the host.'),
    units: mapOf(unitNameSchema, unitSchema, { limit: 1000, of: 'units' })
      .default(new Map())
      .describe('Units of packages, and units/ that are not to be enabled and running.'),
    validate: z
      .array(commandSchema)
      .max(20)
      .default([])
      .describe(
        'Run by sh -c once every changed file is in place, before anything reads them; a failure puts them back.',
      ),
    quadlets: quadletsSchema.prefault({}).describe('What its quadlets may have, or leave behind.'),
    compose: composeSchema.exactOptional().describe('Beside a compose file: what that file cannot say.'),
    checks: z.array(checkSchema).max(100).default([]).describe('Must hold after an apply.'),
    settle: settleSchema.default(10),
    onDrift: driftPolicySchema.exactOptional(),
    onRemove: z
      .enum(['delete', 'restore', 'keep'])
      .default('delete')
      .describe('When the service leaves the host: delete its files, restore what was there before, or keep them.'),
  })
  .meta({ title: 'Plumbline: service.yaml' })

/** What a service without service.yaml has. */
export const defaultServiceFile: ServiceFile = serviceSchema.parse({})

/** What a file has that service.yaml does not mention. */
export const defaultFileSettings: FileSettings = fileSchema.parse({})

function triggerAction(written: string): TriggerAction {
  const [kind, ...rest] = written.split(' ')
  const argument = rest.join(' ').trim()
  if (kind === 'reload' || kind === 'restart') return { kind, unit: argument }
  return { kind: 'run', command: argument }
}

function checksIn(written: { http?: string; tcp?: string; unit?: string; run?: string }): readonly Check[] {
  const { http, tcp, unit, run } = written
  return [
    ...(http === undefined ? [] : [{ kind: 'http' as const, url: http }]),
    ...(tcp === undefined ? [] : [{ kind: 'tcp' as const, address: tcp }]),
    ...(unit === undefined ? [] : [{ kind: 'unit' as const, unit }]),
    ...(run === undefined ? [] : [{ kind: 'run' as const, command: run }]),
  ]
}
