// A file as it was applied on this host: its path in, the repository's file behind it and the bytes that it became out.
import { type AbsolutePath, type ResourceId, type Revision, resourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { DesiredHost, FileResource } from '../../shared/resource.ts'
import { knownName } from '../host/known-name.ts'
import { type Agent, type Desired, desiredAt } from '../inspect.ts'
import { pathInId } from '../resources/paths.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import type { RevisionReader } from '../sync/revision.ts'

export type AppliedFile = {
  readonly revision: Revision
  /** Path inside the repository. */
  readonly source: string
  readonly bytes: Uint8Array
  /** The line of the source behind a line of these bytes. */
  sourceLine(line: number): number
}

/** Without the network unless a newer revision was not applied yet. Undefined: nothing here manages it, or no file. */
export async function appliedFile(agent: Agent, path: AbsolutePath): Promise<AppliedFile | undefined> {
  const good = await agent.repository.lastGood()
  if (good === undefined) return undefined
  const newest = await fileAt(agent, good, path)
  const baseline = baselineOf(agent, path)
  if (baseline === undefined || newest?.file.sha256 === baseline.content) return await read(newest)
  return await read((await orUndefined(() => fileAtRevision(agent, baseline, path))) ?? newest)
}

/** The name that the repository has, or had, for a path that may be known by another one. */
export async function appliedName(agent: Agent, asked: AbsolutePath): Promise<AbsolutePath> {
  const applied = [...agent.state.baselines.read().baselines.values()].flatMap(({ resources }) => [...resources.keys()])
  const known = knownName(asked, applied.flatMap(pathsIn), agent.host.files)
  const good = known === asked ? await agent.repository.lastGood() : undefined
  if (good === undefined) return known
  const { services } = (await desiredAt(agent, good)).desired
  const desired = services.flatMap(({ resources }) => resources.flatMap(({ id }) => pathsIn(id)))
  return knownName(asked, desired, agent.host.files)
}

function pathsIn(id: ResourceId): readonly string[] {
  const path = pathInId(id)
  return path === undefined ? [] : [path]
}

type FoundFile = { readonly desired: Desired; readonly file: FileResource }

/** Throws PlumbError where this host lacks what the file is filled in with. */
async function fileAt(agent: Agent, reader: RevisionReader, path: AbsolutePath): Promise<FoundFile | undefined> {
  const desired = await desiredAt(agent, reader)
  const withheld = desired.desired.services.flatMap(({ withheld: known }) => known ?? [])
  const own = withheld.find(({ resources }) => resources.some((resource) => resource.path === path))
  if (own !== undefined) throw new PlumbError(own.problems)
  const file = fileOf(desired.desired, path)
  return file === undefined ? undefined : { desired, file }
}

function fileOf({ services }: DesiredHost, path: AbsolutePath): FileResource | undefined {
  const id = resourceId('file', path)
  for (const { resources } of services) {
    for (const resource of resources) if (resource.kind === 'file' && resource.id === id) return resource
  }
  return undefined
}

type AppliedContent = Pick<ServiceBaseline, 'revision'> & { readonly content: string | undefined }

function baselineOf({ state }: Agent, path: AbsolutePath): AppliedContent | undefined {
  const id = resourceId('file', path)
  for (const { revision, resources } of state.baselines.read().baselines.values()) {
    const resource = resources.get(id)
    if (resource !== undefined) return { revision, content: resource.attributes['content'] }
  }
  return undefined
}

async function fileAtRevision(agent: Agent, { revision, content }: AppliedContent, path: AbsolutePath) {
  const found = await fileAt(agent, await agent.repository.readerAt(revision), path)
  return found?.file.sha256 === content ? found : undefined
}

/** An older revision may be out of reach, or not be desirable any more. */
async function orUndefined<T>(find: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await find()
  } catch (error) {
    if (error instanceof PlumbError) return undefined
    throw error
  }
}

async function read(found: FoundFile | undefined): Promise<AppliedFile | undefined> {
  if (found === undefined) return undefined
  const { desired, file } = found
  const [bytes = new Uint8Array()] = await desired.contents([file.content])
  const lines = file.content.kind === 'rendered' ? file.content.templateLines : undefined
  return {
    revision: desired.desired.revision,
    source: file.source,
    bytes,
    sourceLine: (line) => lines?.[line - 1] ?? line,
  }
}
