// Baselines: the last successful apply of each service, one JSON file each. Without one, differences are pending, not drift.
import { hash } from 'node:crypto'
import { lstatSync, readdirSync, renameSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import {
  absolutePathSchema,
  parseResourceId,
  type ResourceId,
  resourceIdSchema,
  revisionSchema,
  type ServiceName,
  serviceNameSchema,
} from '../../shared/names.ts'
import {
  makeStateDirectory,
  type NewFile,
  readIfThere,
  removeDurably,
  replaceDurably,
} from '../../shared/platform/durable.ts'
import type { Problem } from '../../shared/problem.ts'
import { isSettled } from '../host/stat-cache.ts'
import type { BaselineResource } from '../resources/kind.ts'
import { isKindName } from '../resources/registry.ts'
import { type Before, takenSchema } from '../resources/removal/originals.ts'

const baselineResourceSchema = z.object({
  attributes: z.record(z.string(), z.string()),
  source: z.string().exactOptional(),
  blob: z.string().exactOptional(),
  secrets: z.array(z.string()).exactOptional(),
  newest: z.string().exactOptional(),
  ran: z.boolean().exactOptional(),
  triggers: z
    .array(z.object({ kind: z.enum(['reload', 'restart', 'reload-or-restart']), unit: z.string() }))
    .exactOptional(),
})

/** A baseline of a newer agent with unknown kinds cannot be compared, and must not be misread. */
const knownIdSchema = resourceIdSchema.refine(
  (id) => isKindName(parseResourceId(id).kind),
  'a resource of a known kind',
)

export const serviceBaselineSchema = z.object({
  service: serviceNameSchema,
  revision: revisionSchema,
  /** ISO 8601: when the last apply that changed something ended. */
  appliedAt: z.string(),
  /** What to do when the service leaves the repository, because the revision then no longer says. */
  onRemove: z.enum(['delete', 'restore', 'keep']),
  resources: z.array(z.tuple([knownIdSchema, baselineResourceSchema])).transform((entries) => new Map(entries)),
  /** The originals: content of each path before the first apply, as far as known. */
  before: z
    .array(z.tuple([absolutePathSchema, takenSchema]))
    .transform((entries) => new Map(entries))
    .exactOptional(),
})

export type ServiceBaseline = Readonly<Omit<z.infer<typeof serviceBaselineSchema>, 'resources' | 'before'>> & {
  readonly resources: ReadonlyMap<ResourceId, BaselineResource>
  readonly before?: Before
}
export type Baselines = ReadonlyMap<ServiceName, ServiceBaseline>

/** The JSON form, as read by `serviceBaselineSchema`. */
export function baselineJson(baseline: ServiceBaseline): object {
  const { resources, before, ...about } = baseline
  return { ...about, resources: [...resources], ...(before === undefined ? {} : { before: [...before] }) }
}

export type BaselineStore = {
  /** Unreadable baselines are quarantined and reported once as `state-corrupt`. */
  read(): { readonly baselines: Baselines; readonly problems: readonly Problem[] }
  /** On disk when it returns. */
  write(baselines: readonly ServiceBaseline[]): Promise<void>
  remove(services: readonly ServiceName[]): Promise<void>
}

/** `lost`: problems of other quarantined files; reported with the first read. */
export function baselineStore(directory: string, lost: readonly Problem[] = []): BaselineStore {
  makeStateDirectory(directory)
  const untold = [...lost]
  const fileOf = (service: ServiceName) => join(directory, `${service}.json`)
  const parsed: ParsedFiles = new Map()
  let latest: Baselines = new Map()
  return {
    read: () => {
      const { baselines: all, problems } = readAll(directory, parsed)
      const baselines = isSameAs(all, latest) ? latest : all
      latest = baselines
      return { baselines, problems: [...untold.splice(0), ...problems] }
    },
    write: (baselines) =>
      replaceDurably(
        baselines.map(
          (baseline): NewFile => ({
            path: fileOf(baseline.service),
            content: `${JSON.stringify(baselineJson(baseline))}\n`,
          }),
        ),
      ),
    remove: (services) => removeDurably(services.map(fileOf)),
  }
}

/** Parsed files by name, validated by stat or digest: another process may replace a file at any time. */
type ParsedFiles = Map<string, { readonly from: string | Stats; readonly baseline: ServiceBaseline }>

function readAll(directory: string, parsed: ParsedFiles) {
  const problems: Problem[] = []
  const baselines = new Map<ServiceName, ServiceBaseline>()
  for (const name of readdirSync(directory)
    .filter((entry) => entry.endsWith('.json'))
    .sort()) {
    const path = join(directory, name)
    const baseline = parsedFile(name, path, parsed)
    if (baseline === undefined || `${baseline.service}.json` !== name) problems.push(setAside(path))
    else baselines.set(baseline.service, baseline)
  }
  return { baselines, problems }
}

/** Returns the same object for unchanged content, so that values derived from it stay cached. */
function isSameAs(all: Baselines, latest: Baselines): boolean {
  return all.size === latest.size && [...all].every(([service, baseline]) => latest.get(service) === baseline)
}

function parsedFile(name: string, path: string, parsed: ParsedFiles): ServiceBaseline | undefined {
  const known = parsed.get(name)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (known !== undefined && isSame(known.from, stat)) return known.baseline
  const bytes = readIfThere(path) ?? Buffer.alloc(0)
  const digest = hash('sha256', bytes, 'hex')
  const baseline = known?.from === digest ? known.baseline : parse(bytes)
  if (baseline === undefined) parsed.delete(name)
  else parsed.set(name, { from: stat !== undefined && isSettled(stat.ctimeMs) ? stat : digest, baseline })
  return baseline
}

function isSame(from: string | Stats, stat: Stats | undefined): boolean {
  if (typeof from === 'string' || stat === undefined) return false
  return from.ino === stat.ino && from.size === stat.size && from.ctimeMs === stat.ctimeMs
}

function parse(bytes: Buffer): ServiceBaseline | undefined {
  try {
    return serviceBaselineSchema.parse(JSON.parse(bytes.toString('utf8')))
  } catch {
    return undefined
  }
}

function setAside(path: string): Problem {
  const aside = `${path}.corrupt`
  renameSync(path, aside)
  return {
    code: 'state-corrupt',
    message: `the baseline cannot be read; it was quarantined as ${aside}.`,
    where: { file: path },
    remedy: 'Nothing is lost on the host: the service counts as never applied, and the next apply records it again.',
  }
}
