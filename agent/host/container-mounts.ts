// What containers have mounted, by the engine's own account.
import { z } from 'zod'
import type { Run } from '../../shared/command.ts'
import type { Container } from './docker.ts'
import { engineOf } from './engine.ts'

export type HeldMount = {
  readonly service: string
  readonly target: string
  /** `volatile`: memory or an image, with no data of its own. */
  readonly kind: 'bind' | 'volume' | 'volatile'
  /** A path of the host, the name of a volume, or empty. */
  readonly source: string
  /** Where the host has it; absent: nowhere. */
  readonly place?: string
  /** The directory of the volume that is mounted; absent: all of it. */
  readonly subpath?: string
  readonly isWritable: boolean
}

/** Of stopped containers too: their data is as dear. */
export async function heldMounts(containers: readonly Container[], query: Run): Promise<readonly HeldMount[]> {
  const engine = await engineOf(query)
  if (engine === undefined || containers.length === 0) return []
  const ids = containers.map(({ id }) => id)
  const args = [
    engine.name,
    'inspect',
    '--type',
    'container',
    '--format',
    '{{.Id}}\t{{json .Mounts}}\t{{json .HostConfig}}',
    '--',
    ...ids,
  ]
  const { stdout } = await query({ args, outputLimitBytes: 16 << 20 })
  const all = stdout.split('\n').flatMap((line) => {
    const [id = '', mounts = '', configuration = '{}'] = line.split('\t')
    const service = containers.find((container) => container.id === id)?.service
    if (service === undefined) return []
    const asked = configurationSchema.parse(JSON.parse(configuration))
    const subpaths = subpathsIn(asked)
    return [
      ...mountsSchema
        .parse(JSON.parse(mounts))
        .flatMap((mount) => held(service, mount, mount.SubPath ?? subpaths.get(mount.Destination))),
      // The short form of memory is not among the mounts.
      ...Object.keys(asked.Tmpfs ?? {}).map((target) => volatileAt(service, target)),
    ]
  })
  // The engine has them in another order each time.
  return all.toSorted((one, other) => (one.target < other.target ? -1 : 1))
}

function volatileAt(service: string, target: string): HeldMount {
  return { service, target, kind: 'volatile', source: '', isWritable: true }
}

type Configuration = z.infer<typeof configurationSchema>

/** By target. Docker has them where the container was asked for, podman with what is mounted. */
function subpathsIn({ Mounts: asked }: Configuration): ReadonlyMap<string, string> {
  return new Map(
    (asked ?? []).flatMap(({ Target, VolumeOptions }) => {
      const subpath = VolumeOptions?.Subpath
      return Target === undefined || !subpath ? [] : [[Target, subpath] as const]
    }),
  )
}

/** Made by the engine for a container without a name from anybody. */
export function isAnonymous({ kind, source }: Pick<HeldMount, 'kind' | 'source'>): boolean {
  return kind === 'volume' && /^[0-9a-f]{64}$/.test(source)
}

const mountSchema = z.looseObject({
  Type: z.string(),
  Name: z.string().nullish(),
  Source: z.string().nullish(),
  Destination: z.string(),
  RW: z.boolean().nullish(),
  SubPath: z.string().nullish(),
})

const configurationSchema = z.looseObject({
  Tmpfs: z.record(z.string(), z.unknown()).nullish(),
  Mounts: z
    .array(
      z.looseObject({
        Target: z.string().optional(),
        VolumeOptions: z.looseObject({ Subpath: z.string().nullish() }).nullish(),
      }),
    )
    .nullish(),
})

const mountsSchema = z
  .array(mountSchema)
  .nullable()
  .transform((mounts) => mounts ?? [])

function held(
  service: string,
  { Type, Name, Source, Destination, RW }: z.infer<typeof mountSchema>,
  subpath: string | undefined,
): readonly HeldMount[] {
  const about = { service, target: Destination, isWritable: RW !== false }
  if (Type === 'tmpfs' || Type === 'image') return [volatileAt(service, Destination)]
  if (Type === 'bind' && Source) return [{ ...about, kind: 'bind', source: Source, place: Source }]
  if (Type !== 'volume' || !Name) return []
  const place = Source?.startsWith('/') ? { place: placeIn(Source, subpath) } : {}
  return [{ ...about, kind: 'volume', source: Name, ...(subpath ? { subpath } : {}), ...place }]
}

/** Whether the engine's path of the volume has the mounted directory in it differs. */
function placeIn(source: string, subpath: string | undefined): string {
  return !subpath || source.endsWith(`/${subpath}`) ? source : `${source}/${subpath}`
}
