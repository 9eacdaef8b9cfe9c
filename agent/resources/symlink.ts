// Symbolic links: their target as text; where it leads is not looked at.
import type { SymlinkResource } from '../../shared/resource.ts'
import type { SavedPath } from '../host/files.ts'
import type { HostReader } from '../host/host.ts'
import { compareAttributes } from './compare.ts'
import type { ApplyHost, LiveResource, ResourceChange, ResourceKind, Subject } from './kind.ts'
import { describePath, livePath, missing, pathOf, putBackAll, unreachable } from './paths.ts'

export const symlinkKind: ResourceKind<SymlinkResource, SavedPath> = {
  kind: 'symlink',
  attributes,
  observe,
  compare: ({ desired, baseline }, live) =>
    compareAttributes(desired && attributes(desired), baseline?.attributes, live.attributes),
  describe: describePath,
  save: async (changes, host) =>
    host.files.pass(async () => changes.map(({ id, desired }) => host.files.before(pathOf(id), desired?.target))),
  change,
  restore: putBackAll,
}

function attributes({ target }: SymlinkResource) {
  return { type: 'symlink', target }
}

async function observe(subjects: readonly Subject<SymlinkResource>[], host: HostReader) {
  return host.files.pass(async () => new Map(subjects.map(({ id }) => [id, observeOne(id, host)] as const)))
}

function observeOne(id: SymlinkResource['id'], { files }: HostReader): LiveResource {
  try {
    const path = pathOf(id)
    const stat = files.stat(path)
    if (stat === undefined) return missing
    const target = stat.type === 'symlink' ? files.readLink(path) : undefined
    return livePath(stat, target === undefined ? { type: stat.type } : { type: 'symlink', target })
  } catch (error) {
    return unreachable(error)
  }
}

async function change(changes: readonly ResourceChange<SymlinkResource>[], { files }: ApplyHost) {
  return files.pass(async () => {
    const links = changes.flatMap(({ desired }) => desired ?? [])
    for (const { path } of links) if (files.stat(path)?.type === 'directory') files.removeEmptied(path)
    for (const { path, target } of links) files.stageLink(path, target)
    for (const { path } of links) files.publish(path)
    for (const { id } of changes.filter(({ desired }) => desired === undefined)) files.setAside(pathOf(id))
    await files.settle()
    return changes.map(({ id, desired }) =>
      desired === undefined ? `removed ${pathOf(id)}` : `linked ${desired.path} to ${desired.target}`,
    )
  })
}
