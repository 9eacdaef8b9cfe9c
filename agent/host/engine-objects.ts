// Networks and volumes: what a compose file says of them, and what the engine has under the same names.
import { z } from 'zod'
import type { Run } from '../../shared/command.ts'
import type { EngineObject } from '../../shared/resource.ts'
import { engineOf } from './engine.ts'

/** Of the project's own: those of others (`external`) are as others made them. */
export function declaredObjects(resolved: Readonly<Record<string, unknown>>): readonly EngineObject[] {
  const { networks, volumes } = modelSchema.parse(resolved)
  return [
    ...entriesOf(networks).map(([key, network]) => ({
      kind: 'network' as const,
      name: network.name ?? key,
      settings: known([
        ['driver', network.driver],
        ['internal', String(network.internal === true)],
        ['IPv6', network.enable_ipv6?.toString()],
        ...optionsOf(network.driver_opts),
        ...poolsOf(network.ipam?.config?.map(({ subnet, gateway, ip_range: range }) => ({ subnet, gateway, range }))),
      ]),
    })),
    ...entriesOf(volumes).map(([key, volume]) => ({
      kind: 'volume' as const,
      name: volume.name ?? key,
      settings: known([['driver', volume.driver], ...optionsOf(volume.driver_opts)]),
    })),
  ]
}

/** Those of these names that exist. Podman has its own format for networks, which is not parsed. */
export async function existingObjects(named: readonly EngineObject[], query: Run): Promise<readonly EngineObject[]> {
  if (named.length === 0) return []
  const engine = await engineOf(query)
  if (engine === undefined) return []
  const found: EngineObject[] = []
  for (const kind of engine.name === 'docker' ? (['network', 'volume'] as const) : (['volume'] as const)) {
    const names = named.flatMap((one) => (one.kind === kind ? [one.name] : []))
    if (names.length === 0) continue
    // It exits with 1 where one is missing, and prints the others.
    const args = [engine.name, kind, 'inspect', '--', ...names]
    const { stdout } = await query({ args, outputLimitBytes: 16 << 20 })
    if (stdout.trim() === '') continue
    const listed = kind === 'network' ? networksSchema.parse(JSON.parse(stdout)).map(networkOf) : volumesIn(stdout)
    found.push(...listed)
  }
  return found
}

function networkOf({ Name, Driver, Internal, EnableIPv6, Options, IPAM }: z.infer<typeof networkSchema>): EngineObject {
  return {
    kind: 'network',
    name: Name,
    settings: known([
      ['driver', Driver],
      ['internal', String(Internal === true)],
      ['IPv6', String(EnableIPv6 === true)],
      ...optionsOf(Options),
      ...poolsOf(
        IPAM?.Config?.map(({ Subnet, Gateway, IPRange }) => ({ subnet: Subnet, gateway: Gateway, range: IPRange })),
      ),
    ]),
  }
}

function volumesIn(stdout: string): readonly EngineObject[] {
  return volumesSchema.parse(JSON.parse(stdout)).map(({ Name, Driver, Options }) => ({
    kind: 'volume',
    name: Name,
    settings: known([['driver', Driver], ...optionsOf(Options)]),
  }))
}

/** Those of these names that podman has. */
export async function podmanObjects(named: readonly EngineObject[], query: Run): Promise<readonly EngineObject[]> {
  const inspected = async (kind: EngineObject['kind']) => {
    const names = [...new Set(named.flatMap((one) => (one.kind === kind ? [one.name] : [])))]
    if (names.length === 0) return ''
    // It fails where one is missing, and prints the others.
    const args = ['podman', kind, 'inspect', '--', ...names]
    return (await query({ args, outputLimitBytes: 16 << 20 })).stdout.trim()
  }
  const networks = await inspected('network')
  const volumes = await inspected('volume')
  return [
    ...(networks === '' ? [] : podmanNetworksSchema.parse(JSON.parse(networks)).map(podmanNetworkOf)),
    ...(volumes === '' ? [] : volumesIn(volumes)),
  ]
}

function podmanNetworkOf(network: z.infer<typeof podmanNetworksSchema>[number]): EngineObject {
  return {
    kind: 'network',
    name: network.name,
    settings: known([
      ['driver', network.driver],
      ['internal', String(network.internal === true)],
      ['IPv6', String(network.ipv6_enabled === true)],
      ['DNS', String(network.dns_enabled === true)],
      ...optionsOf(network.options),
      ...poolsOf(network.subnets),
    ]),
  }
}

type Setting = readonly [name: string, value: string | readonly string[] | undefined]

function known(settings: readonly Setting[]): EngineObject['settings'] {
  return new Map(
    settings.flatMap(([name, value]) => {
      const values = typeof value === 'string' ? [value] : (value ?? [])
      return values.length === 0 ? [] : [[name, values] as const]
    }),
  )
}

function optionsOf(options: Readonly<Record<string, unknown>> | null | undefined): readonly Setting[] {
  return Object.entries(options ?? {}).map(([name, value]) => [`option ${name}`, String(value)])
}

type Pool = { readonly [Name in 'subnet' | 'gateway' | 'range']?: string | null | undefined }

/** IPv4 alone: of IPv6 the engine writes the same address in another way. */
function poolsOf(pools: readonly Pool[] | null | undefined): readonly Setting[] {
  return (['subnet', 'gateway', 'range'] as const).map((name) => [
    name,
    (pools ?? []).flatMap((pool) => {
      const value = pool[name] ?? ''
      return value === '' || value.includes(':')
        ? []
        : [name === 'gateway' ? withoutPrefix(value) : networkAddress(value)]
    }),
  ])
}

function withoutPrefix(address: string): string {
  return address.replace(/\/.*$/, '')
}

/** `10.0.0.5/24` is `10.0.0.0/24`. */
function networkAddress(written: string): string {
  const [, octets = '', bits = ''] = /^([0-9.]+)\/([0-9]+)$/.exec(written) ?? []
  if (octets === '') return written
  const parts = octets.split('.').map((octet, index) => {
    const left = Math.min(8, Math.max(0, Number(bits) - 8 * index))
    return Number(octet) & (0xff << (8 - left)) & 0xff
  })
  return `${parts.join('.')}/${Number(bits)}`
}

function entriesOf<Value extends { readonly external?: unknown }>(
  section: Readonly<Record<string, Value | null>> | null | undefined,
): readonly (readonly [string, Value])[] {
  return Object.entries(section ?? {}).flatMap(([key, value]) =>
    value === null || (value.external !== undefined && value.external !== false) ? [] : [[key, value] as const],
  )
}

const optionsSchema = z.record(z.string(), z.unknown()).nullish()

const declaredSchema = z.looseObject({
  name: z.string().optional(),
  external: z.unknown().optional(),
  driver: z.string().optional(),
  driver_opts: optionsSchema,
})

const poolSchema = z.looseObject({
  subnet: z.string().optional(),
  gateway: z.string().optional(),
  ip_range: z.string().optional(),
})

const modelSchema = z.looseObject({
  networks: z
    .record(
      z.string(),
      declaredSchema
        .extend({
          internal: z.boolean().nullish(),
          enable_ipv6: z.boolean().nullish(),
          ipam: z.looseObject({ config: z.array(poolSchema).nullish() }).nullish(),
        })
        .nullable(),
    )
    .nullish(),
  volumes: z.record(z.string(), declaredSchema.nullable()).nullish(),
})

const volumesSchema = z.array(
  z.looseObject({ Name: z.string(), Driver: z.string().optional(), Options: optionsSchema }),
)

const networkSchema = z.looseObject({
  Name: z.string(),
  Driver: z.string().optional(),
  Internal: z.boolean().nullish(),
  EnableIPv6: z.boolean().nullish(),
  Options: optionsSchema,
  IPAM: z
    .looseObject({
      Config: z
        .array(
          z.looseObject({
            Subnet: z.string().nullish(),
            Gateway: z.string().nullish(),
            IPRange: z.string().nullish(),
          }),
        )
        .nullish(),
    })
    .nullish(),
})

const podmanNetworksSchema = z.array(
  z.looseObject({
    name: z.string(),
    driver: z.string().optional(),
    internal: z.boolean().nullish(),
    ipv6_enabled: z.boolean().nullish(),
    dns_enabled: z.boolean().nullish(),
    options: optionsSchema,
    subnets: z.array(z.looseObject({ subnet: z.string().nullish(), gateway: z.string().nullish() })).nullish(),
  }),
)

const networksSchema = z.array(networkSchema)
