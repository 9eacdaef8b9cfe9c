// Looking, composed for the running agent and for the verbs alike: a revision is desired, the host observed, both compared.
import type { HostName, ServiceName } from '../shared/names.ts'
import { closedGit } from '../shared/platform/git.ts'
import { PlumbError, type Problem } from '../shared/problem.ts'
import type { Obstacle, ServiceReport } from '../shared/report.ts'
import { type DesiredHost, secretsIn } from '../shared/resource.ts'
import { adoptionsFor } from './adoptions.ts'
import { desiredFor } from './desire/desire.ts'
import { recordSecretReads, type SecretDigests } from './desire/secret-digests.ts'
import { secretsOf } from './desire/secrets.ts'
import { evidenceFor } from './evidence/evidence.ts'
import type { Contact } from './host/contact.ts'
import { type HostWriter, readerOf } from './host/host.ts'
import { type Memory, slotByObject } from './memory.ts'
import { type ContentsByResource, contentsFor, type Differing } from './observe/contents.ts'
import { failureLogs } from './observe/failure-logs.ts'
import { identifyHost, liveByIdentity } from './observe/identify.ts'
import { observeHost } from './observe/observe.ts'
import { compareHost, drifted, type HostComparison, type ServiceComparison } from './plan/compare.ts'
import { serviceReports } from './plan/findings.ts'
import { type Mask, maskFor } from './plan/mask.ts'
import { obstaclesIn } from './plan/obstacles.ts'
import { planFor } from './plan/plan.ts'
import { waitingRemoval } from './plan/removal.ts'
import type { ReadContents } from './resources/kind.ts'
import type { HoldsNow } from './state/holds.ts'
import type { State } from './state/state.ts'
import { withRefusedSuccessors } from './successors.ts'
import type { Repository } from './sync/repository.ts'
import type { RevisionReader } from './sync/revision.ts'

/** Everything an agent works with; opened once, by commands/open.ts. */
export type Agent = {
  readonly name: HostName
  readonly host: HostWriter
  readonly state: State
  readonly repository: Repository
  readonly secretsDirectory: string
  /** What an apply must not cut off. */
  readonly contacts: readonly Contact[]
}

export type HostInspection = {
  readonly desired: DesiredHost
  /** Bytes of what is desired. */
  readonly contents: ReadContents
  readonly comparison: HostComparison
  /** In force when it was looked; a hold that comes later counts from the next look on. */
  readonly holds: HoldsNow
  /** What was wrong with what the agent remembers. */
  readonly problems: readonly Problem[]
}

export type Desired = Pick<HostInspection, 'desired' | 'contents'>
/** With the secrets it was filled in with. */
export type NotedDesired = Desired & { readonly secrets: SecretDigests }

export type InspectOptions = {
  /** Hash everything, with no stat short-cut. */
  readonly full: boolean
}

/** Throws PlumbError with everything that is wrong with the revision. */
export async function desiredAt(agent: Agent, reader: RevisionReader): Promise<NotedDesired> {
  const { secrets, digests: read } = recordSecretReads(await secretsOf(agent.secretsDirectory))
  const { desired, digests } = await desiredFor({
    reader,
    host: agent.name,
    secrets,
    digests: agent.state.digests.read(),
  })
  remember(() => agent.state.digests.write(digests))
  return { desired, contents: contentsFrom(reader), secrets: read }
}

export async function inspectHost(
  agent: Agent,
  { desired, contents }: Desired,
  { full }: InspectOptions,
): Promise<HostInspection> {
  const { baselines, problems } = agent.state.baselines.read()
  const host = readerOf(agent.host)
  const known = identifyHost(desired, baselines, host)
  const live = liveByIdentity(await observeHost(known.desired, known.baselines, host, { full }), known)
  remember(() => agent.state.hashes.save())
  const holds = agent.state.holds.read()
  const compared = compareHost(known.desired, known.baselines, live, host.memory)
  const comparison = await withRefusedSuccessors(
    compared,
    { desired: known.desired, contents, stateDirectory: agent.state.directory },
    host.query,
  )
  return { desired: known.desired, contents, comparison, holds, problems: [...problems, ...holds.problems] }
}

/** What a report, `plumb check` and `plumb status` say of each service. */
export async function serviceReportsOf(agent: Agent, inspection: HostInspection): Promise<readonly ServiceReport[]> {
  const findings = inspection.comparison.services.flatMap((service) =>
    drifted(service).map((resource) => ({ ...resource, differences: resource.comparison.drift })),
  )
  const mask = await maskOf(agent, inspection)
  const needs = { host: readerOf(agent.host), state: agent.state, mask, now: new Date() }
  const [contents, evidence, logs] = await Promise.all([
    contentsOf(agent, inspection, findings),
    evidenceFor(inspection.comparison, needs),
    failureLogs(findings, needs.host),
  ])
  const failures = agent.state.failures.read()
  const adoptions = await adoptionsFor(inspection.comparison, {
    files: needs.host.files,
    repository: agent.repository,
    memory: needs.host.memory,
    secrets: await secretsOf(agent.secretsDirectory),
    mask,
    contents,
    hasGit: async () => (await needs.host.query(closedGit(['--version']))).code === 0,
  })
  return serviceReports(inspection.comparison, {
    contents,
    logs,
    mask,
    evidence,
    adoptions,
    obstacles: obstaclesOf(inspection, agent.host.memory),
    repairLoops: agent.state.repairs.loops(),
    failureOf: (service) => failures.get(service),
    holdOf: inspection.holds.of,
  })
}

/** Of an apply that a person asks for now. */
function obstaclesOf({ comparison, holds }: HostInspection, memory: Memory): ReadonlyMap<ServiceName, Obstacle> {
  if (comparison.services.every(({ differing, problems }) => differing.length + problems.length === 0)) return new Map()
  const plan = planFor(comparison, { repair: 'everything', holdOf: holds.of, memory })
  return obstaclesIn(plan, { isRemoval: waitingRemoval(comparison) !== undefined })
}

export function contentsOf(
  agent: Agent,
  inspection: HostInspection,
  differing: readonly Differing[],
): Promise<ContentsByResource> {
  const readers = { host: readerOf(agent.host), objects: agent.state.objects, contents: inspection.contents }
  return contentsFor(differing, readers)
}

/** Takes the values of every secret that anything here holds or held out of a text. */
export async function maskOf(agent: Agent, inspection: HostInspection): Promise<Mask> {
  const names = new Set(inspection.comparison.services.flatMap((service) => secretNames(service, agent.host.memory)))
  const secrets = await secretsOf(agent.secretsDirectory)
  const values = await Promise.all([...names].map((name) => secrets.read(name).catch(unreadableIsUnknown)))
  return maskFor(values.filter((value) => value !== undefined))
}

/** Memoized per comparison. Also those of what could not be compared: texts of its neighbors may hold their values. */
function secretNames(service: ServiceComparison, memory: Memory): readonly string[] {
  const namesIn = memory.at(secretsByService)
  const names = namesIn.get(service) ?? [
    ...service.resources.flatMap(({ desired, baseline }) => [...secretsIn(desired), ...(baseline?.secrets ?? [])]),
    ...service.unseen.flatMap(({ subject }) => secretsIn(subject.desired)),
    ...[...(service.baseline?.resources.values() ?? [])].flatMap(({ secrets = [] }) => secrets),
  ]
  namesIn.set(service, names)
  return names
}

const secretsByService = slotByObject<ServiceComparison, readonly string[]>()

/** A value that is gone cannot be looked for; desire reports that it is missing. */
function unreadableIsUnknown(error: unknown): undefined {
  if (error instanceof PlumbError) return undefined
  throw error
}

/** Only what saves work the next time: a full disk is no reason not to look. */
function remember(save: () => void): void {
  try {
    save()
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
  }
}

function contentsFrom(reader: RevisionReader): ReadContents {
  return async (sources) => {
    const oids = sources.flatMap((source) => (source.kind === 'blob' ? [source.oid] : []))
    const blobs = oids.length === 0 ? [] : await reader.readMany(oids)
    let next = 0
    return sources.map((source) => (source.kind === 'rendered' ? source.bytes : (blobs[next++] ?? new Uint8Array())))
  }
}
