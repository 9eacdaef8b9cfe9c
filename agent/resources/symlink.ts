// Symbolic links: their target as text; where it leads is not looked at.
import type { SymlinkResource } from '../../shared/resource.ts'
import type { SavedPath } from '../host/files.ts'
import type { HostReader } from '../host/host.ts'
import { compareAttributes } from './compare.ts'
import type { ApplyHost, LiveResource, ResourceChange, ResourceKind, Subject } from './kind.ts'
import { describePath, livePath, missing, pathCodes, pathOf, putBackAll, unreachable } from './paths.ts'
import { contentOf, isReturning } from './removal/originals.ts'
import { compareLeaving, leaveText, leftText, putBackOriginal } from './returning.ts'

export const symlinkKind: ResourceKind<SymlinkResource, SavedPath> = {
  kind: 'symlink',
  order: 'paths',
  needs: undefined,
  correctedByTools: [],
  attributes,
  watches: ({ path }) => ({ paths: [path] }),
  observe,
  compare: (subject, live) => {
    const { desired, baseline } = subject
    if (desired === undefined) return compareLeaving(subject, live)
    return compareAttributes(attributes(desired), baseline?.attributes, live.attributes)
  },
  codes: pathCodes,
  describe: describePath,
  isAdoptable: ({ name, live }) => (name === 'type' ? live === 'missing' : name === 'target'),
  notAdopted: undefined,
  changedAt: undefined,
  planText: (change) =>
    change.desired === undefined ? leaveText(change) : `link ${change.desired.path} to ${change.desired.target}`,
  stepText: (path) => `link ${path ?? 'links'}`,
  save: async (changes, host) =>
    host.files.pass(async () =>
      changes.map((one) => host.files.undoPoint(pathOf(one.id), one.desired?.target ?? contentOf(one.original))),
    ),
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

async function change(changes: readonly ResourceChange<SymlinkResource>[], host: ApplyHost) {
  const { files } = host
  return files.pass(async () => {
    const links = changes.flatMap(({ desired }) => desired ?? [])
    for (const { path } of links) if (files.stat(path)?.type === 'directory') files.removeEmptied(path)
    for (const { path, target } of links) files.stageLink(path, target)
    for (const { path } of links) files.publish(path)
    for (const one of changes.filter(({ desired }) => desired === undefined)) {
      if (isReturning(one)) await putBackOriginal(one, host)
      else files.moveAway(pathOf(one.id))
    }
    await files.syncDirectories()
    return changes.map((one) =>
      one.desired === undefined ? leftText(one) : `linked ${one.desired.path} to ${one.desired.target}`,
    )
  })
}
