// What `plumb adopt` would do with each finding, established by the functions that do it: without a clone, a commit or a question.
import type { Evidence } from '../shared/evidence.ts'
import { adoptionProblemsLimit, type FindingAdoption } from '../shared/finding.ts'
import {
  absolutePathSchema,
  parseResourceId,
  type ResourceId,
  type Revision,
  type ServiceName,
} from '../shared/names.ts'
import { boundedProblem, PlumbError, type Problem } from '../shared/problem.ts'
import { adoptionOf } from './adopt/adoption.ts'
import { type Drifted, refusal } from './adopt/drifted.ts'
import { appliedSource, type OpenRevision, openRevision } from './adopt/revision.ts'
import type { Secrets } from './desire/secrets.ts'
import { entriesBelow, type HostEntry } from './host/entries-below.ts'
import type { FileReader } from './host/files.ts'
import { type Memory, slotByObject } from './memory.ts'
import type { ContentSides, ContentsByResource } from './observe/contents.ts'
import { type ComparedResource, drifted, type HostComparison } from './plan/compare.ts'
import type { Mask } from './plan/mask.ts'
import { kindNameOf, kinds } from './resources/registry.ts'
import type { Repository } from './sync/repository.ts'

export type AdoptionParts = {
  readonly files: FileReader
  readonly repository: Pick<Repository, 'readerAt'>
  readonly secrets: Secrets
  readonly mask: Mask
  /** Of what drifted. */
  readonly contents: ContentsByResource
  /** A host that follows a remote over http(s) needs no git, and `plumb adopt` does. */
  readonly hasGit: () => Promise<boolean>
  readonly memory: Memory
}

/** Of more findings at once the rest is not established: `plumb adopt` says it of each. */
const mostEstablished = 200

/**
 * What is new in a purged directory is not read for this: it may be anything of any size. Established once for each way to differ, as
 * long as neither the revision nor what was applied changes.
 */
export async function adoptionsFor(
  comparison: HostComparison,
  parts: AdoptionParts,
): Promise<ReadonlyMap<ResourceId, FindingAdoption>> {
  const found = comparison.services
    .flatMap((service) => drifted(service).map((resource) => ({ resource, service })))
    .filter(({ resource }) => !resource.comparison.drift.some(({ name }) => name === 'extra'))
    .slice(0, mostEstablished)
  const latest = parts.memory.at(latestAdoptions)
  const known = latest.get(parts.repository)
  const before = known?.revision === comparison.revision ? known.byKey : new Map<string, FindingAdoption>()
  const byKey = new Map<string, FindingAdoption>()
  const adoptions = new Map<ResourceId, FindingAdoption>()
  let opening: Promise<Revisions | undefined> | undefined
  for (const { resource, service } of found) {
    const applied = service.baseline?.revision
    const key = JSON.stringify([
      applied,
      resource.id,
      resource.comparison.drift,
      parts.contents.get(resource.id)?.hidden,
    ])
    let adoption = before.get(key)
    if (adoption === undefined) {
      opening ??= orUndefined(() => openRevisions(comparison, parts.repository))
      adoption = await established({ service: service.service, resource }, await opening, { ...parts, comparison })
    }
    if (adoption === undefined) continue
    byKey.set(key, adoption)
    adoptions.set(resource.id, adoption)
  }
  latest.set(parts.repository, { revision: comparison.revision, byKey })
  return await whereItRuns(adoptions, parts)
}

/** Not memoized: git may be installed, or removed, between two checks. */
async function whereItRuns(
  adoptions: ReadonlyMap<ResourceId, FindingAdoption>,
  { hasGit }: Pick<AdoptionParts, 'hasGit'>,
): Promise<ReadonlyMap<ResourceId, FindingAdoption>> {
  const isAny = [...adoptions.values()].some(({ outcome }) => outcome === 'adopted')
  if (!isAny || (await hasGit())) return adoptions
  const refused: FindingAdoption = { outcome: 'refused', problems: [gitMissing] }
  return new Map([...adoptions].map(([id, one]) => [id, one.outcome === 'adopted' ? refused : one]))
}

const gitMissing: Problem = {
  code: 'git-missing',
  message: 'git is not on this host',
  remedy: 'Adopt it from a clone on another machine (--host, --server), or install git here.',
}

const latestAdoptions = slotByObject<
  Pick<Repository, 'readerAt'>,
  { readonly revision: Revision; readonly byKey: ReadonlyMap<string, FindingAdoption> }
>()

/** Head first, then each that a service was last applied at and that is still there. */
export type Revisions = readonly [head: OpenRevision, ...applied: OpenRevision[]]

/** Of all services, or of `only`. Throws PlumbError when the head cannot be read. */
export async function openRevisions(
  { revision, services, host }: HostComparison,
  repository: Pick<Repository, 'readerAt'>,
  only?: ReadonlySet<ServiceName>,
): Promise<Revisions> {
  const open = async (one: Revision) => openRevision(await repository.readerAt(one), host)
  const head = await open(revision)
  const applied = services.flatMap(({ service, baseline }) =>
    (only?.has(service) ?? true) && baseline !== undefined && baseline.revision !== revision ? [baseline.revision] : [],
  )
  const others = await Promise.all([...new Set(applied)].map((one) => orUndefined(() => open(one))))
  return [head, ...others.filter((one) => one !== undefined)]
}

export type DriftedParts = Pick<AdoptionParts, 'files' | 'contents'> & { readonly evidence?: Evidence | undefined }

/** `extras`: names that are new in a purged directory, and meant. */
export async function driftedOf(
  {
    service,
    resource,
    isNamed,
    extras,
  }: {
    readonly service: ServiceName
    readonly resource: ComparedResource
    readonly isNamed: boolean
    readonly extras: readonly string[]
  },
  { files, contents, evidence = {} }: DriftedParts,
): Promise<Drifted> {
  const { id, desired, baseline, comparison } = resource
  const isContent = comparison.drift.some(({ name }) => name === 'content')
  return {
    ...{ id, service, isNamed, evidence },
    source: baseline?.source ?? (desired !== undefined && 'source' in desired ? desired.source : undefined),
    summary: kinds[kindNameOf(id)].describe(id, comparison.drift),
    differences: comparison.drift,
    live: isContent ? (contents.get(id)?.live ?? unread(contents.get(id))) : undefined,
    extras: await entriesOf(resource, extras, files),
  }
}

type Found = { readonly service: ServiceName; readonly resource: ComparedResource }

async function established(
  found: Found,
  revisions: Revisions | undefined,
  { comparison, secrets, mask, ...parts }: AdoptionParts & { readonly comparison: HostComparison },
): Promise<FindingAdoption | undefined> {
  if (revisions === undefined) return undefined
  const values = { host: comparison.host, secrets }
  const adoption = await orUndefined(async () =>
    adoptionOf([await driftedOf({ ...found, isNamed: true, extras: [] }, parts)], {
      head: revisions[0],
      appliedOf: (source, sha256) => appliedSource({ source, sha256 }, revisions, values),
      mask,
      notSecret: new Set(),
    }),
  )
  if (adoption === undefined) return undefined
  const [refused] = adoption.refused
  if (refused === undefined) return { outcome: 'adopted', problems: [] }
  return {
    outcome: refused.isAlready ? 'already' : 'refused',
    problems: refused.problems
      .slice(0, adoptionProblemsLimit)
      .map((problem) => boundedProblem({ ...problem, message: mask.text(problem.message) })),
  }
}

function unread(sides: ContentSides | undefined) {
  if (sides?.hidden === 'linked')
    return refusal("it has another name on this host (a hard link), and may be somebody else's file", {
      remedy: 'Copy it by hand, when it is not.',
    })
  const message =
    sides === undefined ? 'what is live was not read' : 'what is live cannot be read, or is larger than 1 MiB'
  return refusal(message, { remedy: 'Copy it by hand.' })
}

async function entriesOf(
  { id, overrides, comparison }: ComparedResource,
  extras: readonly string[],
  files: FileReader,
): Promise<readonly HostEntry[]> {
  const directory = parseResourceId(id).name
  if (overrides !== undefined) return await entriesBelow(absolutePathSchema.parse(directory), files)
  if (!comparison.drift.some(({ name }) => name === 'extra')) return []
  const found = extras.map((name) => entriesBelow(absolutePathSchema.parse(`${directory}/${name}`), files))
  return (await Promise.all(found)).flat()
}

/** What went wrong is said by `plumb adopt` itself. */
async function orUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PlumbError) return undefined
    throw error
  }
}
