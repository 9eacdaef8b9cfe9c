// What a plan would do to containers: for each compose project of it, its files as they would be are put to compose.
import type { ResourceId } from '../shared/names.ts'
import type { ComposeResource, FileResource, Resource, SymlinkResource } from '../shared/resource.ts'
import { type StagedFile, stageProject } from './host/staged-project.ts'
import type { Agent, Look } from './look.ts'
import { changesIn, type Plan } from './plan/plan.ts'
import { type ComposeForecast, composeForecast } from './resources/compose-forecast.ts'
import type { ResourceChange } from './resources/kind.ts'
import { pathOf } from './resources/paths.ts'

export type Forecasts = ReadonlyMap<ResourceId, ComposeForecast>

/** Writes nothing but to a directory of its own, which is gone at the end. */
export async function forecastsFor(agent: Agent, look: Look, { services }: Plan): Promise<Forecasts> {
  const forecasts = new Map<ResourceId, ComposeForecast>()
  const changes = services.flatMap(changesIn)
  for (const change of changes.filter(({ id }) => id.startsWith('compose:')))
    forecasts.set(change.id, await forecastOf(change, changes, { agent, look }))
  return forecasts
}

type Context = { readonly agent: Agent; readonly look: Look }

async function forecastOf(
  { id, desired }: ResourceChange,
  changes: readonly ResourceChange[],
  { agent, look }: Context,
): Promise<ComposeForecast> {
  const { query } = agent.host
  const project = id.slice(id.indexOf(':') + 1)
  const wanted = desired?.kind === 'compose' ? desired : undefined
  if (wanted === undefined || wanted.state === 'stopped')
    return composeForecast({ project, desired: wanted, root: '', changing: new Set() }, query)
  const paths = changes.filter((change) => /^(?:file|symlink):/.test(change.id))
  const replaced = paths.filter(({ desired: file, differences }) => file !== undefined && differences.some(isContent))
  const leaving = new Set(paths.filter((change) => change.desired === undefined).map((change) => pathOf(change.id)))
  const changing = new Set(replaced.map((change) => pathOf(change.id)))
  const files = await stagedFiles(wanted, changing, look)
  const staged = await stageProject({ directory: wanted.directory, files, leaving }, agent.state.directory)
  try {
    await staged.redirect(
      wanted.file,
      [...changing].filter((path) => !path.startsWith(`${wanted.directory}/`)),
    )
    return await composeForecast({ project, desired: wanted, root: staged.root, changing }, query)
  } finally {
    await staged.remove()
  }
}

/** The project's own, and what else changes: a compose file may read it too. */
async function stagedFiles(
  { directory }: ComposeResource,
  changing: ReadonlySet<string>,
  look: Look,
): Promise<readonly StagedFile[]> {
  const resources = look.desired.services.flatMap((service) => service.resources)
  const paths = resources.filter(isPath).filter(({ path }) => path.startsWith(`${directory}/`) || changing.has(path))
  const files = paths.filter((resource) => resource.kind === 'file')
  const contents = await look.contents(files.map(({ content }) => content))
  return [
    ...files.map(({ path }, index) => ({ path, content: contents[index] ?? new Uint8Array() })),
    ...paths.flatMap((resource) =>
      resource.kind === 'symlink' ? [{ path: resource.path, content: { link: resource.target } }] : [],
    ),
  ]
}

function isPath(resource: Resource): resource is FileResource | SymlinkResource {
  return resource.kind === 'file' || resource.kind === 'symlink'
}

function isContent({ name }: { readonly name: string }): boolean {
  return name === 'content' || name === 'type' || name === 'target'
}
