// The files of a compose project as they would be after the changes of a plan, for as long as compose is asked about them.
import {
  type ComposeResource,
  type DesiredHost,
  type FileResource,
  isOfKind,
  type Resource,
  type SymlinkResource,
} from '../shared/resource.ts'
import { type StagedFile, stageProject } from './host/staged-project.ts'
import type { ReadContents, ResourceChange } from './resources/kind.ts'
import { pathOf } from './resources/paths.ts'

export type Staged = {
  /** Stands for `/`. */
  readonly root: string
  /** Files whose content the changes replace. */
  readonly changing: ReadonlySet<string>
}

export type Staging = {
  readonly desired: DesiredHost
  /** Bytes of what is desired. */
  readonly contents: ReadContents
  /** For hosts without `/run`. */
  readonly stateDirectory: string
}

export async function stagedAs<Result>(
  wanted: ComposeResource,
  changes: readonly ResourceChange[],
  staging: Staging,
  ask: (staged: Staged) => Promise<Result>,
): Promise<Result> {
  const paths = changes.filter((change) => isOfKind(change.id, 'file', 'symlink'))
  const replaced = paths.filter(({ desired: file, differences }) => file !== undefined && differences.some(isContent))
  const leaving = new Set(paths.filter((change) => change.desired === undefined).map((change) => pathOf(change.id)))
  const changing = new Set(replaced.map((change) => pathOf(change.id)))
  const files = await stagedFiles(wanted, changing, staging)
  const staged = await stageProject({ directory: wanted.directory, files, leaving }, staging.stateDirectory)
  try {
    const outside = [...changing].filter((path) => !path.startsWith(`${wanted.directory}/`))
    for (const file of [wanted.file, ...(wanted.overrides ?? [])]) await staged.redirect(file, outside)
    return await ask({ root: staged.root, changing })
  } finally {
    await staged.remove()
  }
}

/** The project's own, and what else changes: a compose file may read it too. */
async function stagedFiles(
  { directory }: ComposeResource,
  changing: ReadonlySet<string>,
  { desired, contents: read }: Staging,
): Promise<readonly StagedFile[]> {
  const resources = desired.services.flatMap((service) => service.resources)
  const paths = resources.filter(isPath).filter(({ path }) => path.startsWith(`${directory}/`) || changing.has(path))
  const files = paths.filter((resource) => resource.kind === 'file')
  const contents = await read(files.map(({ content }) => content))
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
