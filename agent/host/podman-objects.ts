// Volumes and networks of podman that an apply made, and that are removed when it is rolled back.
import { z } from 'zod'
import { type Command, type CommandResult, lastLines, type Run, whyText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { MadeObject } from '../../shared/resource.ts'
import { systemctl } from './systemd.ts'

/** Those of them that podman does not have; none while it does not answer: what cannot be seen is not missing. */
export async function missingObjects(objects: readonly MadeObject[], query: Run): Promise<readonly MadeObject[]> {
  const kinds = [...new Set(objects.map(({ kind }) => kind))]
  const known = new Map(await Promise.all(kinds.map(async (kind) => [kind, await namesOf(kind, query)] as const)))
  return objects.filter(({ kind, name }) => known.get(kind)?.has(name) === false)
}

/** One that a container uses is left: podman refuses to remove it. */
export async function removeObjects(objects: readonly MadeObject[], run: Run): Promise<void> {
  const gone = await missingObjects(objects, run)
  for (const object of objects.filter((one) => !gone.includes(one))) {
    const { code } = await run({ args: ['podman', object.kind, 'rm', '--', object.name] })
    // Its unit would stay active, and what requires it would be started without.
    if (code === 0 && object.madeBy !== undefined) await run(systemctl(['stop', '--', object.madeBy], 300))
  }
}

/** Of units that run no more: what a host that went down in the middle of an apply still has of them. */
export async function removeContainersOf(units: readonly string[], run: Run): Promise<void> {
  for (const unit of units) {
    const filter = `label=PODMAN_SYSTEMD_UNIT=${unit}`
    const { stdout } = await run({ args: ['podman', 'ps', '--all', '--quiet', '--no-trunc', '--filter', filter] })
    const ids = stdout.split('\n').filter((id) => /^[0-9a-f]{64}$/.test(id))
    if (ids.length > 0) await run({ args: ['podman', 'rm', '--force', '--volumes', '--time', '10', '--', ...ids] })
  }
}

/** Undefined: podman is not there, or does not answer. */
async function namesOf(kind: MadeObject['kind'], query: Run): Promise<ReadonlySet<string> | undefined> {
  const args = ['podman', kind, 'ls', '--format', '{{.Name}}']
  const { code, stdout } = await query({ args, outputLimitBytes: 4 << 20 })
  return code === 0 ? new Set(stdout.split('\n').filter((name) => name !== '')) : undefined
}

export type PodmanVolume = {
  readonly name: string
  /** Where the host has it. */
  readonly place: string
  /** A directory; what has a driver or options of its own is mounted there only while a container runs. */
  readonly isPlain: boolean
}

/** Those of these names that podman has; undefined while it does not answer. */
export async function volumesNamed(names: readonly string[], query: Run): Promise<readonly PodmanVolume[] | undefined> {
  if (names.length === 0) return []
  // It fails where one is missing, and prints the others: `[]` where all are.
  const { stdout } = await query({ args: ['podman', 'volume', 'inspect', '--', ...names], outputLimitBytes: 16 << 20 })
  return parsedOrUndefined(volumesSchema, stdout)?.map(({ Name, Mountpoint, Driver, Options }) => ({
    name: Name,
    place: Mountpoint,
    isPlain: ['', 'local'].includes(Driver) && Object.keys(Options ?? {}).length === 0,
  }))
}

const volumesSchema = z.array(
  z.looseObject({
    Name: z.string(),
    Mountpoint: z.string().default(''),
    Driver: z.string().default(''),
    Options: z.record(z.string(), z.unknown()).nullish(),
  }),
)

/** A command that was ended at its deadline has printed nothing, or a part. */
function parsedOrUndefined<Parsed>(schema: z.ZodType<Parsed>, text: string): Parsed | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

export type UnitContainer = { readonly mounts: Readonly<Record<string, string>>; readonly image: string }

/**
 * By unit, what its containers have mounted; those without a container are not in it. None where podman is not
 * installed. Throws PlumbError when podman does not answer: what a container has is then not known.
 */
export async function containersOfUnits(
  units: readonly string[],
  query: Run,
): Promise<ReadonlyMap<string, UnitContainer>> {
  const listing: Command = {
    args: ['podman', 'ps', '--all', '--quiet', '--no-trunc', '--filter', 'label=PODMAN_SYSTEMD_UNIT'],
    outputLimitBytes: 4 << 20,
  }
  const listed = await query(listing)
  if (listed.code === 127) return new Map()
  if (listed.code !== 0) throw noAnswer(listing, listed)
  const ids = listed.stdout.split('\n').filter((id) => /^[0-9a-f]{64}$/.test(id))
  if (ids.length === 0) return new Map()
  const inspecting: Command = { args: ['podman', 'container', 'inspect', '--', ...ids], outputLimitBytes: 16 << 20 }
  const inspected = await query(inspecting)
  // It fails where one has just been removed, and prints the others.
  const all = parsedOrUndefined(containersSchema, inspected.stdout)
  if (all === undefined) throw noAnswer(inspecting, inspected)
  return new Map(
    units.flatMap((unit) => {
      const own = all.filter(({ Config }) => Config.Labels?.['PODMAN_SYSTEMD_UNIT'] === unit)
      const [first] = own
      if (first === undefined) return []
      const mounts = own.flatMap(({ Mounts }) => (Mounts ?? []).flatMap(mountIn))
      return [[unit, { mounts: Object.fromEntries(mounts), image: first.ImageName ?? '' }] as const]
    }),
  )
}

function noAnswer(command: Command, result: CommandResult): PlumbError {
  return new PlumbError({
    code: 'observe-failed',
    message: `What containers have mounted is not known: ${whyText(command, result, lastLines(result, 1))}.`,
    remedy: 'podman ps --all has to work on this host.',
  })
}

/** A volume without a name is gone with its container. */
function mountIn({
  Type,
  Name,
  Source,
  Destination,
}: z.infer<typeof mountSchema>): readonly (readonly [string, string])[] {
  const source = Type === 'volume' ? Name : Type === 'bind' ? Source : undefined
  return source === undefined || source === '' || /^[0-9a-f]{64}$/.test(source) ? [] : [[Destination, source]]
}

const mountSchema = z.looseObject({
  Type: z.string(),
  Name: z.string().optional(),
  Source: z.string().optional(),
  Destination: z.string(),
})

const containersSchema = z.array(
  z.looseObject({
    ImageName: z.string().optional(),
    Config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }),
    Mounts: z.array(mountSchema).nullish(),
  }),
)
