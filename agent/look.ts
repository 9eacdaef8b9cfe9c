// Looking, composed for the running agent and for the verbs alike: a revision is desired, the host observed, both compared.
import { absolutePathSchema, type HostName } from '../shared/names.ts'
import { PlumbError, type Problem } from '../shared/problem.ts'
import type { ServiceReport } from '../shared/report.ts'
import { type DesiredHost, secretsIn } from '../shared/resource.ts'
import { desiredFor } from './desire/desire.ts'
import { type NotedSecrets, noting } from './desire/noted-secrets.ts'
import { secretsOf } from './desire/secrets.ts'
import { evidenceFor } from './evidence/evidence.ts'
import type { Contact } from './host/contact.ts'
import { type HostWriter, readerOf } from './host/host.ts'
import { type ContentsByResource, contentsFor, type Differing } from './observe/contents.ts'
import { observeHost } from './observe/observe.ts'
import { compareHost, drifted, type HostComparison, type ServiceComparison } from './plan/compare.ts'
import { serviceReports } from './plan/findings.ts'
import { type Mask, maskFor } from './plan/mask.ts'
import type { ReadContents } from './resources/kind.ts'
import type { HoldsNow } from './state/holds.ts'
import type { State } from './state/state.ts'
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

export type Look = {
  readonly desired: DesiredHost
  /** Bytes of what is desired. */
  readonly contents: ReadContents
  readonly comparison: HostComparison
  /** In force when it was looked; a hold that comes later counts from the next look on. */
  readonly holds: HoldsNow
  /** What was wrong with what the agent remembers. */
  readonly problems: readonly Problem[]
}

export type Desired = Pick<Look, 'desired' | 'contents'>
/** With the secrets it was filled in with. */
export type NotedDesired = Desired & { readonly secrets: NotedSecrets }

export type LookOptions = {
  /** Hash everything, with no stat short-cut. */
  readonly full: boolean
}

/** Throws PlumbError with everything that is wrong with the revision for this host. */
export async function desireAt(agent: Agent, reader: RevisionReader): Promise<NotedDesired> {
  const { secrets, noted } = noting(await secretsOf(agent.secretsDirectory))
  const { desired, digests } = await desiredFor({
    reader,
    host: agent.name,
    secrets,
    digests: agent.state.digests.read(),
    composeRoot: absolutePathSchema.parse('/var/lib/plumb/compose'),
  })
  remember(() => agent.state.digests.write(digests))
  return { desired, contents: contentsFrom(reader), secrets: noted }
}

export async function lookAt(agent: Agent, { desired, contents }: Desired, { full }: LookOptions): Promise<Look> {
  const { baselines, problems } = agent.state.baselines.read()
  const live = await observeHost(desired, baselines, readerOf(agent.host), { full })
  remember(() => agent.state.hashes.save())
  const holds = agent.state.holds.read()
  const comparison = compareHost(desired, baselines, live)
  return { desired, contents, comparison, holds, problems: [...problems, ...holds.problems] }
}

/** What a report, `plumb check` and `plumb status` say of each service. */
export async function serviceReportsOf(agent: Agent, look: Look): Promise<readonly ServiceReport[]> {
  const findings = look.comparison.services.flatMap((service) =>
    drifted(service).map((resource) => ({ ...resource, differences: resource.comparison.drift })),
  )
  const mask = await maskOf(agent, look)
  const needs = { host: readerOf(agent.host), state: agent.state, mask, now: new Date() }
  const [contents, evidence] = await Promise.all([
    contentsOf(agent, look, findings),
    evidenceFor(look.comparison, needs),
  ])
  return serviceReports(look.comparison, {
    contents,
    mask,
    evidence,
    fights: agent.state.repairs.fights(),
    failureOf: agent.state.failures.get,
    holdOf: look.holds.of,
  })
}

export function contentsOf(agent: Agent, look: Look, differing: readonly Differing[]): Promise<ContentsByResource> {
  const readers = { host: readerOf(agent.host), objects: agent.state.objects, contents: look.contents }
  return contentsFor(differing, readers)
}

/** Takes the values of every secret that anything here holds or held out of a text. */
export async function maskOf(agent: Agent, look: Look): Promise<Mask> {
  const names = new Set(look.comparison.services.flatMap(secretNames))
  const secrets = await secretsOf(agent.secretsDirectory)
  const values = await Promise.all([...names].map((name) => secrets.read(name).catch(unreadableIsUnknown)))
  return maskFor(values.filter((value) => value !== undefined))
}

/** Of what was compared once, found once. */
function secretNames(service: ServiceComparison): readonly string[] {
  const names =
    namesIn.get(service) ??
    service.resources.flatMap(({ desired, baseline }) => [...secretsIn(desired), ...(baseline?.secrets ?? [])])
  namesIn.set(service, names)
  return names
}

const namesIn = new WeakMap<ServiceComparison, readonly string[]>()

/** A value that is gone cannot be looked for; desire has told that it is missing. */
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
