// plumb.yaml: which host has which services, with which variables, and how the fleet is kept.
import { z } from 'zod'
import { type HostName, hostNameSchema, type ServiceName, serviceNameSchema } from '../names.ts'
import { type AlertTarget, alertTargetSchema } from './alert-target.ts'
import { durationSchema, hostPatternSchema, mapOf, text, variablesSchema } from './scalars.ts'
import type { YamlLimits } from './yaml-cost.ts'

export type Variables = ReadonlyMap<string, string>

export type Fleet = {
  readonly version: 1
  readonly hosts: ReadonlyMap<HostName, FleetHost>
  readonly groups: ReadonlyMap<string, FleetGroup>
  /** For every host; a group's overrides them, a host's own override both. */
  readonly vars: Variables
  readonly defaults: FleetDefaults
  readonly trust?: { readonly signers: string }
  readonly rollout: readonly RolloutStep[]
  readonly alerts: readonly AlertTarget[]
}

export type FleetHost = { readonly services: readonly ServiceName[]; readonly vars: Variables }

type FleetGroup = FleetHost & {
  /** Names or patterns: `web-1`, `edge-*`. */
  readonly hosts: readonly string[]
}

type FleetDefaults = {
  /** Seconds between two looks at the remote. */
  readonly syncEvery: number
  /** Seconds between two checks of what is live. */
  readonly checkEvery: number
  readonly onDrift: 'alert' | 'repair'
  /** Seconds without a word from a host until it counts as offline. */
  readonly silentAfter: number
  /** Seconds without server and remote after which an apply is undone; 0: never. */
  readonly connectivityGuard: number
}

type RolloutStep = {
  readonly hosts: readonly string[]
  /** Seconds that these hosts must have been well before the next step. */
  readonly soak: number
}

/** Of plumb.yaml; what 20,000 hosts take. */
export const fleetYamlLimits: YamlLimits = { characters: 4 * 1024 * 1024, steps: 1_000_000 }

const patternsSchema = z.array(hostPatternSchema).max(10_000)

const hostSchema = z.strictObject({
  services: z
    .array(serviceNameSchema)
    .max(1000)
    .default([])
    .describe('Services of this host, beside those its groups give it.'),
  vars: variablesSchema.default(new Map()).describe(`Variables for templates: \${{ vars.NAME }}.`),
})

const groupSchema = hostSchema.extend({
  hosts: patternsSchema.describe('Names or patterns of the hosts in the group: web-1, edge-*.'),
})

const defaultsSchema = z.strictObject({
  syncEvery: durationSchema.default(60).describe('How often the remote is looked at. Default 1m.'),
  checkEvery: durationSchema.default(60).describe('How often live state is compared. Default 1m.'),
  onDrift: z
    .enum(['alert', 'repair'])
    .default('alert')
    .describe('What a service does on drift unless it says so itself.'),
  silentAfter: durationSchema.default(300).describe('A host not heard of for this long is an alert. Default 5m.'),
  connectivityGuard: z
    .union([z.literal('off').transform(() => 0), durationSchema], 'a duration such as 60s, or off')
    .default(60)
    .describe('An apply after which neither server nor remote answers for this long is undone. Default 60s.'),
})

const trustSchema = z.strictObject({
  signers: text(/^[^/\\\0][^\\\0]*$/, 'the path of a file in this repository').describe(
    'File of allowed signers (ssh-keygen format) in this repository: other revisions are refused.',
  ),
})

const rolloutStepSchema = z.strictObject({
  hosts: patternsSchema,
  soak: durationSchema.default(0).describe('How long these hosts must be well before the next step.'),
})

export const fleetSchema: z.ZodType<Fleet, unknown> = z
  .strictObject({
    version: z.literal(1).describe('The version of this format.'),
    hosts: mapOf(hostNameSchema, hostSchema, { limit: 20_000, of: 'hosts' })
      .default(new Map())
      .describe('Every host by name.'),
    groups: mapOf(text(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'the name of a group'), groupSchema, {
      limit: 1000,
      of: 'groups',
    })
      .default(new Map())
      .describe('Services and variables for many hosts.'),
    vars: variablesSchema.default(new Map()).describe('Variables for templates on every host.'),
    defaults: defaultsSchema.prefault({}),
    trust: trustSchema.exactOptional(),
    rollout: z.array(rolloutStepSchema).max(100).default([]).describe('Which hosts take a revision first.'),
    alerts: z.array(alertTargetSchema).max(100).default([]).describe('Where alerts are sent.'),
  })
  .meta({ title: 'Plumbline: plumb.yaml' })

/** What stands for a plumb.yaml that cannot be read, so that everything else can still be looked at. */
export const emptyFleet: Fleet = fleetSchema.parse({ version: 1 })
