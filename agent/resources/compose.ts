// Compose projects: every declared service has its containers, made from this configuration, running. The files of a
// project are files; this kind brings the containers up behind them. Volumes are data and are never removed.
import { z } from 'zod'
import type { Run } from '../../shared/command.ts'
import type { DifferenceCode } from '../../shared/finding-kind.ts'
import { absolutePathSchema, parseResourceId, type ResourceId } from '../../shared/names.ts'
import { boundedProblem, PlumbError, type Problem } from '../../shared/problem.ts'
import type { ComposeResource, EngineObject } from '../../shared/resource.ts'
import { composeDown, composeModel, composeStop, composeUp, type Project } from '../host/compose-command.ts'
import { heldMounts, isAnonymous } from '../host/container-mounts.ts'
import { type Container, containersOf, type Listing, listContainers, listedContainers } from '../host/docker.ts'
import { socketUnit } from '../host/engine.ts'
import { existingObjects } from '../host/engine-objects.ts'
import { projectChangedAt } from '../host/evidence/state-times.ts'
import type { HostReader, HostWriter } from '../host/host.ts'
import { imagesInUse, imageUseSchema, nameAsBefore, nameAsUsed } from '../host/images.ts'
import { removeVolumes, volumeNames } from '../host/volumes.ts'
import { changedObjects } from './changed-objects.ts'
import { compareAttributes } from './compare.ts'
import { corrected, declarationFor } from './compose-declaration.ts'
import { asDeclared, containerFaults, type Declaration, faultsText, projectState } from './compose-state.ts'
import { bringUp, recreateStale } from './compose-up.ts'
import type {
  ApplyHost,
  AttributeDifference,
  Attributes,
  CodedDifference,
  LiveResource,
  ResourceChange,
  ResourceKind,
  Subject,
} from './kind.ts'
import { replacedMountsOf } from './replaced-mounts.ts'

const savedProjectSchema = z.object({
  project: z.string(),
  file: absolutePathSchema.optional(),
  overrides: z.array(absolutePathSchema).default([]),
  /** Containers and their states, so that what nobody touched is not brought up again. */
  containers: z.array(z.string()).default([]),
  was: z.enum(['missing', 'stopped', 'running']),
  /** Label of the mounted files, per service. */
  labels: z.record(z.string(), z.string()),
  /** What an agent before this one wrote down has none. */
  images: z.array(imageUseSchema).default([]),
  /** Of a project that was missing: every volume of the host before it was brought up. */
  volumes: z.array(z.string()).optional(),
})

type SavedProject = z.infer<typeof savedProjectSchema>

export const composeKind: ResourceKind<ComposeResource, SavedProject> = {
  kind: 'compose',
  order: 'after-paths',
  needs: 'containers',
  correctedByTools: [],
  attributes,
  watches: () => ({ containers: true }),
  observe,
  compare: ({ desired, baseline }, live) =>
    compareAttributes(desired && attributes(desired), baseline?.attributes, live.attributes),
  codes,
  describe,
  isAdoptable: () => false,
  notAdopted: {
    why: 'containers are not adopted',
    remedy: 'Change the compose file in the repository, or plumb apply.',
  },
  changedAt: (name, _, { query, deadlineSeconds }) => projectChangedAt(query, name, deadlineSeconds),
  planText: ({ id, differences }) => describe(id, differences),
  stepText: () => 'bring up containers',
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
  if (listing.kind === 'silent')
    return new Map(subjects.map(({ id }) => [id, { attributes: {}, problem: noAnswer(listing) }]))
  const seen: SeenProject[] = []
  for (const subject of subjects) seen.push(await seeProject(subject, listing, host))
  // Asked once for all projects.
  const existing = await existingObjects(
    seen.flatMap(({ declared }) => declared?.objects ?? []),
    host.query,
  )
  const live = new Map<ResourceId, LiveResource>()
  for (const one of seen) live.set(one.subject.id, await liveOf(one, existing, host))
  return live
}

function noAnswer({ engine, why }: Extract<Listing, { kind: 'silent' }>): Problem {
  return boundedProblem({
    code: 'observe-failed',
    message: `The containers are not known: ${engine.name} does not answer: ${why}`,
    remedy: `See: systemctl status ${socketUnit(engine)}`,
  })
}

type SeenProject = {
  readonly subject: Subject<ComposeResource>
  readonly own: readonly Container[]
  /** Undefined: it leaves, is meant to be stopped, or cannot be known. */
  readonly declared: Declaration | undefined
}

async function seeProject(subject: Subject<ComposeResource>, listing: Listing, host: HostReader): Promise<SeenProject> {
  const own = containersOf(nameOf(subject.id), listing)
  const known = isJudged(subject) ? await declarationFor(subject.desired, contentOf(subject), host) : undefined
  const declared =
    known && subject.desired && (await corrected(subject.desired, own, known, { run: host.query, memory: host.memory }))
  return { subject, own, declared }
}

/** What leaves, and what is meant to be stopped, is not held against its compose file. */
function isJudged(
  subject: Subject<ComposeResource>,
): subject is Subject<ComposeResource> & { readonly desired: ComposeResource } {
  const { desired, baseline } = subject
  return desired !== undefined && (baseline?.attributes['state'] ?? desired.state) !== 'stopped'
}

function contentOf({ baseline }: Subject<ComposeResource>): string {
  return baseline?.attributes['content'] ?? 'none'
}

async function liveOf(
  { subject, own, declared }: SeenProject,
  existing: readonly EngineObject[],
  { query }: HostReader,
): Promise<LiveResource> {
  // With no service selected there is nothing that could run.
  const isEmpty = own.length === 0 && declared?.services.every(({ replicas }) => replicas === 0) === true
  const state = isEmpty ? 'running' : projectState(own)
  const type = own.length === 0 ? 'missing' : 'project'
  const content = contentOf(subject)
  if (!isJudged(subject)) return { attributes: { type, content, containers: asDeclared, state } }
  const mounting = { services: declared?.services ?? [], files: subject.desired.files }
  const replaced = await replacedMountsOf(own, mounting, query)
  const objects = changedObjects(declared?.objects ?? [], existing).map(({ text }) => text)
  const faults = containerFaults(own, declared, { replaced, objects })
  return { attributes: { type, content, containers: faultsText(faults), state }, faults }
}

/** Without faults, as when the engine does not answer, there is no finer code. */
function codes({ name, live }: AttributeDifference, { faults = [] }: LiveResource): readonly DifferenceCode[] {
  if (name === 'content') return ['project-files']
  if (name === 'state') return [live === 'stopped' ? 'project-stopped' : 'project-state']
  return faults.length === 0 ? ['container-other'] : [...new Set(faults.map(({ code }) => code))]
}

function describe(id: ResourceId, differences: readonly CodedDifference[]): string {
  if (differences.length === 0) return `compose project ${nameOf(id)}: containers that mount what is repaired`
  const texts = differences.map(({ name, expected, live }) => {
    if (name === 'type') return 'no longer in the repository'
    if (name === 'content') return live === 'none' ? 'not brought up yet' : 'its files changed'
    return name === 'containers' ? live : `${live}, should be ${expected}`
  })
  return `compose project ${nameOf(id)}: ${texts.join('; ')}`
}

/** Nothing while the engine does not answer: what cannot be seen is not missing, and an undo must not remove it. */
async function save(changes: readonly ResourceChange<ComposeResource>[], host: HostReader) {
  const listing = await listContainers(host.query)
  if (listing.kind === 'silent') return []
  const projects = changes.flatMap(({ id, desired }) => {
    const { replaceProject } = desired ?? {}
    const isReplaced = replaceProject !== undefined && containersOf(replaceProject, listing).length > 0
    return [{ project: nameOf(id), desired }, ...(isReplaced ? [{ project: replaceProject, desired: undefined }] : [])]
  })
  return Promise.all(projects.map((project) => saveOne(project, listing, host)))
}

type ToSave = { readonly project: string; readonly desired: ComposeResource | undefined }

async function saveOne({ project, desired }: ToSave, listing: Listing, { files, query }: HostReader) {
  const own = containersOf(project, listing)
  const made = absolutePathSchema.safeParse(own[0]?.file).data
  return {
    project,
    // The containers' own: a revision may call it by another name. It is gone where another service brought it before.
    file: made === undefined || (desired !== undefined && files.stat(made) === undefined) ? desired?.file : made,
    overrides: (own[0]?.overrides ?? []).flatMap((file) => absolutePathSchema.safeParse(file).data ?? []),
    containers: own.map(stateText),
    was: own.length === 0 ? 'missing' : projectState(own),
    labels: Object.fromEntries(own.filter(({ files }) => files !== '').map(({ service, files }) => [service, files])),
    images: [...(await imagesInUse(own, query))],
    ...(own.length === 0 && listing.kind === 'listed' ? { volumes: [...(await volumeNames(query))] } : {}),
  } satisfies SavedProject
}

/** One line for each project that something was done to. */
async function change(changes: readonly ResourceChange<ComposeResource>[], host: ApplyHost) {
  const { run } = host
  const lines: string[] = []
  for (const { id, desired } of changes) {
    const own = containersOf(nameOf(id), await listedContainers(run))
    const line =
      desired === undefined
        ? await takeDown(nameOf(id), own, run)
        : await (desired.state === 'stopped' ? stop(desired, own, run) : bringUp(desired, own, host))
    if (line !== undefined) lines.push(line)
  }
  return lines
}

async function takeDown(project: string, own: readonly Container[], run: Run): Promise<string | undefined> {
  if (own.length === 0) return undefined
  await composeDown(project, run)
  return `removed the containers of ${project}, its volumes are kept`
}

async function stop(desired: ComposeResource, own: readonly Container[], run: Run): Promise<string | undefined> {
  if (projectState(own) === 'stopped') return undefined
  await composeStop(desired.project, run)
  return `stopped the containers of ${desired.project}`
}

/** After the files are back in place: the containers they declare, of the images and with the labels that those had. */
async function restore(saved: readonly SavedProject[], { files, run }: HostWriter): Promise<void> {
  const projects = z.array(savedProjectSchema).parse(saved)
  // First, as one that comes back may need their ports and container names.
  for (const { project, volumes } of projects.filter(({ was }) => was === 'missing'))
    await removeProject(project, volumes, run)
  for (const one of projects) if (one.was !== 'missing') await restoreProject(one, { files, run })
}

async function restoreProject(saved: SavedProject, { files, run }: Pick<HostWriter, 'files' | 'run'>): Promise<void> {
  const { project, file, overrides, was, labels, images } = saved
  if (file === undefined) return
  // Removed by another service of the same apply, or before it: what nothing happened to needs no compose file.
  const isGone = [file, ...overrides].some((path) => files.stat(path) === undefined)
  if (isGone && isAsSaved(saved, await listContainers(run))) return
  const { services } = await composeModel({ project, file, overrides }, run)
  const kept = Object.fromEntries(
    Object.entries(labels).filter(([name]) => services.some((each) => each.name === name)),
  )
  const as = { project, file, overrides, labels: kept }
  if (!isAsSaved(saved, await listContainers(run))) {
    await nameAsUsed(images, run)
    await upAsBefore(as, run)
    await nameAsBefore(images, run)
  }
  if (was === 'stopped') await composeStop(project, run)
  else await recreateStale(as, { services, files: [] }, run)
}

function isAsSaved({ project, containers }: SavedProject, listing: Listing): boolean {
  return containersOf(project, listing).map(stateText).toSorted().join() === containers.toSorted().join()
}

function stateText({ id, state }: Container): string {
  return `${id} ${state}`
}

/** Of a first apply that failed nothing is left: containers, networks, and the volumes that were not there before. */
async function removeProject(project: string, before: readonly string[] | undefined, run: Run): Promise<void> {
  const listing = await listContainers(run)
  if (listing.kind === 'absent') return
  const own = containersOf(project, listing)
  const anonymous = (await heldMounts(own, run)).filter(isAnonymous).map(({ source }) => source)
  await composeDown(project, run)
  if (before === undefined) return
  const made = [...anonymous, ...(await volumeNames(run, project))].filter((name) => !before.includes(name))
  await removeVolumes(made, run)
}

/** A pull would bring the image that is just being taken back; only what is no longer here is pulled again. */
async function upAsBefore(project: Project, run: Run): Promise<void> {
  try {
    await composeUp(project, run, { isOffline: true })
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
    await composeUp(project, run)
  }
}

function nameOf(id: ResourceId): string {
  return parseResourceId(id).name
}
