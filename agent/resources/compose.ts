// Compose projects: every declared service has its containers, made from this configuration, running. The files of a
// project are files; this kind brings the containers up behind them. Volumes are data and are never removed.
import { z } from 'zod'
import { absolutePathSchema, type ResourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import { composeDown, composeModel, composeStop, composeUp, type Project } from '../host/compose-command.ts'
import { type Container, containersOf, type Listing, listContainers, listedContainers } from '../host/docker.ts'
import type { HostReader, HostWriter } from '../host/host.ts'
import { imagesInUse, imageUseSchema, nameAsBefore, nameAsUsed } from '../host/images.ts'
import type { Run } from '../host/run.ts'
import { compareAttributes } from './compare.ts'
import { corrected, declarationFor } from './compose-declaration.ts'
import { asDeclared, containersText, projectState } from './compose-state.ts'
import { bringUp, recreateStale } from './compose-up.ts'
import type {
  ApplyHost,
  AttributeDifference,
  Attributes,
  LiveResource,
  ResourceChange,
  ResourceKind,
  Subject,
} from './kind.ts'
import { replacedMountsOf } from './replaced-mounts.ts'

const savedProjectSchema = z.object({
  project: z.string(),
  file: absolutePathSchema.optional(),
  was: z.enum(['missing', 'stopped', 'running']),
  /** Label of the mounted files, per service. */
  labels: z.record(z.string(), z.string()),
  /** What an agent before this one wrote down has none. */
  images: z.array(imageUseSchema).default([]),
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
    return {
      type: 'project',
      content,
      containers: `unknown, ${listing.engine.name} does not answer: ${listing.why}`,
      state: 'stopped',
    }
  }
  const own = containersOf(nameOf(id), listing)
  const state = projectState(own)
  const type = own.length === 0 ? 'missing' : 'project'
  const isLeft = desired === undefined
  const mayBeStopped = (baseline?.attributes['state'] ?? desired?.state) === 'stopped'
  if (isLeft || mayBeStopped) return { type, content, containers: asDeclared, state }
  const known = await declarationFor(desired, content, host)
  const declared = known && (await corrected(desired, own, known, host.query))
  const mounting = { services: declared?.services ?? [], files: desired.files }
  const replaced = await replacedMountsOf(own, mounting, host.query)
  return { type, content, containers: containersText(own, declared, replaced), state }
}

function describe(id: ResourceId, differences: readonly AttributeDifference[]): string {
  if (differences.length === 0) return `compose project ${nameOf(id)}: containers that mount what is put right`
  const texts = differences.map(({ name, expected, live }) => {
    if (name === 'type') return 'no longer in the repository'
    if (name === 'content') return live === 'none' ? 'not brought up yet' : 'its files changed'
    return name === 'containers' ? live : `${live}, should be ${expected}`
  })
  return `compose project ${nameOf(id)}: ${texts.join('; ')}`
}

async function save(changes: readonly ResourceChange<ComposeResource>[], host: HostReader) {
  const listing = await listContainers(host.query)
  return Promise.all(changes.map((change) => saveOne(change, listing, host.query)))
}

async function saveOne({ id, desired }: ResourceChange<ComposeResource>, listing: Listing, query: Run) {
  const own = containersOf(nameOf(id), listing)
  return {
    project: nameOf(id),
    // The containers' own: a revision may call it by another name.
    file: absolutePathSchema.safeParse(own[0]?.file || desired?.file).data,
    was: own.length === 0 ? 'missing' : projectState(own),
    labels: Object.fromEntries(own.filter(({ files }) => files !== '').map(({ service, files }) => [service, files])),
    images: [...(await imagesInUse(own, query))],
  } satisfies SavedProject
}

/** One line for each project that something was done to. */
async function change(changes: readonly ResourceChange<ComposeResource>[], { run }: ApplyHost) {
  const lines: string[] = []
  for (const { id, desired } of changes) {
    const own = containersOf(nameOf(id), await listedContainers(run))
    const line =
      desired === undefined
        ? await takeDown(nameOf(id), own, run)
        : await (desired.state === 'stopped' ? stop : bringUp)(desired, own, run)
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
async function restore(saved: readonly SavedProject[], { run }: HostWriter): Promise<void> {
  for (const { project, file, was, labels, images } of z.array(savedProjectSchema).parse(saved)) {
    const own = containersOf(project, await listContainers(run))
    if (was === 'missing') await takeDown(project, own, run)
    if (was === 'missing' || file === undefined) continue
    const { services } = await composeModel({ project, file }, run)
    const kept = Object.fromEntries(
      Object.entries(labels).filter(([name]) => services.some((each) => each.name === name)),
    )
    await nameAsUsed(images, run)
    await upAsBefore({ project, file, labels: kept }, run)
    await nameAsBefore(images, run)
    if (was === 'stopped') await composeStop(project, run)
    else await recreateStale({ project, file, labels: kept }, { services, files: [] }, run)
  }
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
  return id.slice(id.indexOf(':') + 1)
}
