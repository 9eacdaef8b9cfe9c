// Compose projects: every declared service has its containers, made from this configuration, running. The files of a
// project are files; this kind brings the containers up behind them. Volumes are data and are never removed.
import { z } from 'zod'
import { absolutePathSchema, type ResourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import { eventually } from '../host/backoff.ts'
import {
  type Container,
  composeDown,
  composeStop,
  composeUp,
  composeVersion,
  configHashes,
  declaredServices,
  type Listing,
  listContainers,
  logEnd,
  replacedMounts,
} from '../host/docker.ts'
import type { HostReader, HostWriter } from '../host/host.ts'
import type { Run } from '../host/run.ts'
import { compareAttributes } from './compare.ts'
import { asDeclared, containersText, type Declaration, labelsFor, projectState } from './compose-state.ts'
import type {
  ApplyHost,
  AttributeDifference,
  Attributes,
  LiveResource,
  ResourceChange,
  ResourceKind,
  Subject,
} from './kind.ts'

const savedProjectSchema = z.object({
  project: z.string(),
  file: absolutePathSchema.optional(),
  was: z.enum(['missing', 'stopped', 'running']),
  /** Label of the mounted files, per service. */
  labels: z.record(z.string(), z.string()),
})

type SavedProject = z.infer<typeof savedProjectSchema>

export const composeKind: ResourceKind<ComposeResource, SavedProject> = {
  kind: 'compose',
  attributes,
  observe,
  compare: ({ desired, baseline }, live) =>
    compareAttributes(desired && attributes(desired), baseline?.attributes, live.attributes),
  describe,
  save,
  change,
  restore,
}

/** `content` is compared between desired and baseline alone: the files have their own drift, so live mirrors the baseline. */
function attributes({ sha256, state }: ComposeResource): Attributes {
  return { content: sha256, containers: asDeclared, state }
}

async function observe(subjects: readonly Subject<ComposeResource>[], host: HostReader) {
  if (subjects.length === 0) return new Map<ResourceId, LiveResource>()
  const listing = await listContainers(host.query)
  const live = new Map<ResourceId, LiveResource>()
  for (const subject of subjects) live.set(subject.id, { attributes: await observeOne(subject, listing, host) })
  return live
}

async function observeOne(subject: Subject<ComposeResource>, listing: Listing, host: HostReader): Promise<Attributes> {
  const { id, desired, baseline } = subject
  const content = baseline?.attributes['content'] ?? 'none'
  if (listing.kind === 'silent') {
    return { type: 'project', content, containers: `unknown, docker does not answer: ${listing.why}`, state: 'stopped' }
  }
  const own = containersOf(nameOf(id), listing)
  const state = projectState(own)
  const type = own.length === 0 ? 'missing' : 'project'
  const isLeft = desired === undefined
  const mayBeStopped = (baseline?.attributes['state'] ?? desired?.state) === 'stopped'
  if (isLeft || mayBeStopped) return { type, content, containers: asDeclared, state }
  const declared = await declarationFor(desired, content, host)
  const replaced = await replacedMountsOf(own, declared, host.query)
  return { type, content, containers: containersText(own, declared, replaced), state }
}

/** By compose file and digest of the project's files; what a declaration is does not change for them. */
const declarations = new Map<string, Declaration>()

/** Undefined while the files on disk are not the applied ones: what they declare would say nothing of the containers. */
async function declarationFor(desired: ComposeResource, applied: string, host: HostReader) {
  const known = declarations.get(`${desired.file}\0${applied}`)
  if (known !== undefined || (applied !== 'none' && applied !== desired.sha256)) return known
  for (const { path, sha256 } of desired.files) {
    if ((await host.files.inspect(path))?.content !== sha256) return undefined
  }
  try {
    return await declare(desired, host.query)
  } catch (error) {
    if (error instanceof PlumbError) return undefined
    throw error
  }
}

async function declare(desired: ComposeResource, query: Run): Promise<Declaration> {
  const version = await composeVersion(query)
  if (version === '') throw noDocker('docker has no compose here')
  const services = await declaredServices(desired, query)
  const labels = labelsFor(services, desired.files)
  const hashes = await configHashes({ ...desired, labels }, query)
  const declaration: Declaration = { services, labels, hashes, composeVersion: version }
  if (declarations.size >= 500) declarations.clear()
  declarations.set(`${desired.file}\0${desired.sha256}`, declaration)
  return declaration
}

async function replacedMountsOf(own: readonly Container[], declared: Declaration | undefined, query: Run) {
  const mounting = new Set(declared?.services.filter(({ mounts }) => mounts.length > 0).map(({ name }) => name))
  return replacedMounts(
    own.filter(({ service, state }) => state === 'running' && mounting.has(service)).map(({ id }) => id),
    query,
  )
}

function describe(id: ResourceId, differences: readonly AttributeDifference[]): string {
  const texts = differences.map(({ name, expected, live }) => {
    if (name === 'type') return 'no longer in the repository'
    if (name === 'content') return live === 'none' ? 'not brought up yet' : 'its files changed'
    return name === 'containers' ? live : `${live}, should be ${expected}`
  })
  return `compose project ${nameOf(id)}: ${texts.join('; ')}`
}

async function save(changes: readonly ResourceChange<ComposeResource>[], host: HostReader) {
  const listing = await listContainers(host.query)
  return changes.map(({ id, desired }): SavedProject => {
    const own = containersOf(nameOf(id), listing)
    return {
      project: nameOf(id),
      ...(desired === undefined ? {} : { file: desired.file }),
      was: own.length === 0 ? 'missing' : projectState(own),
      labels: Object.fromEntries(own.filter(({ files }) => files !== '').map(({ service, files }) => [service, files])),
    }
  })
}

async function change(changes: readonly ResourceChange<ComposeResource>[], { run, query }: ApplyHost) {
  const lines: string[] = []
  for (const { id, desired } of changes) {
    const own = containersOf(nameOf(id), await answeringDocker(query))
    if (desired === undefined) lines.push(...(await takeDown(nameOf(id), own, run)))
    else if (desired.state === 'stopped') lines.push(...(await stop(desired, own, run)))
    else lines.push(...(await bringUp(desired, own, run)))
  }
  return lines
}

async function takeDown(project: string, own: readonly Container[], run: Run): Promise<readonly string[]> {
  if (own.length === 0) return []
  await composeDown(project, run)
  return [`removed the containers of ${project}, its volumes are kept`]
}

async function stop(desired: ComposeResource, own: readonly Container[], run: Run): Promise<readonly string[]> {
  if (projectState(own) === 'stopped') return []
  await composeStop({ ...desired, labels: {} }, run)
  return [`stopped the containers of ${desired.project}`]
}

async function bringUp(desired: ComposeResource, own: readonly Container[], run: Run): Promise<readonly string[]> {
  const declared = await declare(desired, run)
  const replaced = await replacedMountsOf(own, declared, run)
  const build = declared.services.some(({ builds }) => builds)
  // Compose would run services again that are meant to end, such as migrations.
  if (!build && containersText(own, declared, replaced) === asDeclared) return []
  const project = { ...desired, labels: declared.labels }
  await composeUp(project, run, { build })
  const now = containersOf(desired.project, await answeringDocker(run))
  const stale = staleServices(now, declared, await replacedMountsOf(now, declared, run))
  if (stale.length > 0) await composeUp(project, run, { recreate: stale })
  return changedServices(desired.project, own, await settled(desired, declared, run))
}

function staleServices(
  own: readonly Container[],
  { services }: Declaration,
  replaced: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const isStale = ({ name, mounts }: Declaration['services'][number]) =>
    own.some(
      ({ id, service }) => service === name && mounts.some(({ target }) => replaced.get(id)?.includes(target) ?? false),
    )
  return services.filter(isStale).map(({ name }) => name)
}

/**
 * `up --wait` is not used: it fails for services that are meant to end, and takes a container that crashes a moment
 * later for a success. Twice the same containers, well, a second apart, is asked for.
 */
async function settled(desired: ComposeResource, declared: Declaration, run: Run): Promise<readonly Container[]> {
  let own: readonly Container[] = []
  let fault: Container | undefined
  const look = async () => {
    const before = own
    own = containersOf(desired.project, await answeringDocker(run))
    fault = own.find((container) => isFaulty(container, declared))
    if (fault?.state === 'exited') return 'over' as const
    const isSettled = fault === undefined && own.every(({ id, health }) => health !== 'starting' && has(before, id))
    return isSettled ? ('well' as const) : undefined
  }
  if ((await eventually(look, { seconds: 120, pauseMs: 1000 })) === 'well') return own
  const faulty = fault ?? own.find(({ health }) => health === 'starting')
  const text = containersText(own, declared)
  const state = text === asDeclared ? `${faulty?.service}: ${faulty?.health ?? 'not steady'}` : text
  const log = faulty === undefined ? '' : await logEnd(faulty.id, run)
  throw new PlumbError({
    code: 'apply-failed',
    message: `${desired.project} did not come up: ${state}.${log === '' ? '' : ` Its log ends:\n${log}`}`.slice(
      0,
      4000,
    ),
    remedy: `See more: docker compose --project-name ${desired.project} logs ${faulty?.service ?? ''}`.trim(),
  })
}

function isFaulty(container: Container, { services }: Declaration): boolean {
  if (container.health === 'unhealthy') return true
  if (container.state !== 'exited') return container.state !== 'running'
  return container.exitCode !== 0 || !services.some(({ name, ends }) => ends && name === container.service)
}

function has(containers: readonly Container[], id: string): boolean {
  return containers.some((container) => container.id === id)
}

function changedServices(project: string, before: readonly Container[], after: readonly Container[]) {
  const services = [...new Set([...before, ...after].map(({ service }) => service))].toSorted()
  return services.flatMap((service) => {
    const old = before.filter((container) => container.service === service)
    const now = after.filter((container) => container.service === service)
    if (now.length === 0) return [`removed ${service} of ${project}`]
    if (old.length === 0) return [`started ${service} of ${project}`]
    if (now.some(({ id }) => !has(old, id))) return [`made ${service} of ${project} anew`]
    return old.some(({ state }) => state !== 'running') ? [`started ${service} of ${project} again`] : []
  })
}

/** After the files are back in place: the containers they declare, with the labels those had. */
async function restore(saved: readonly SavedProject[], { run }: HostWriter): Promise<void> {
  for (const { project, file, was, labels } of z.array(savedProjectSchema).parse(saved)) {
    if (was === 'missing') await takeDown(project, containersOf(project, await listContainers(run)), run)
    if (was === 'missing' || file === undefined) continue
    const declared = new Set((await declaredServices({ project, file }, run)).map(({ name }) => name))
    const kept = Object.fromEntries(Object.entries(labels).filter(([service]) => declared.has(service)))
    await composeUp({ project, file, labels: kept }, run)
    if (was === 'stopped') await composeStop({ project, file, labels: kept }, run)
  }
}

async function answeringDocker(query: Run): Promise<Listing> {
  const listing = await listContainers(query)
  if (listing.kind === 'absent') throw noDocker('docker is not installed here')
  if (listing.kind === 'listed') return listing
  throw new PlumbError({
    code: 'apply-failed',
    message: `docker does not answer: ${listing.why}.`,
    remedy: 'See: systemctl status docker',
  })
}

function noDocker(message: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${message}.`,
    remedy: 'Add it to the `packages` of the service, on Debian: [docker.io, docker-cli, docker-compose].',
  })
}

function containersOf(project: string, listing: Listing): readonly Container[] {
  return listing.kind === 'listed' ? listing.containers.filter((container) => container.project === project) : []
}

function nameOf(id: ResourceId): string {
  return id.slice(id.indexOf(':') + 1)
}
