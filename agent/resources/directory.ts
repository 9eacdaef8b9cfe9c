// Directories: mode and owner, and with purge nothing in them that the repository does not have.
import type { AbsolutePath } from '../../shared/names.ts'
import { placesBy } from '../../shared/places.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { DirectoryResource } from '../../shared/resource.ts'
import type { SavedPath } from '../host/files.ts'
import type { HostReader } from '../host/host.ts'
import { compareAttributes } from './compare.ts'
import type { ApplyHost, Attributes, Comparison, LiveResource, ResourceChange, ResourceKind, Subject } from './kind.ts'
import {
  describePath,
  livePath,
  missing,
  modeText,
  type Ownership,
  ownership,
  pathCodes,
  pathOf,
  permissionsFor,
  putBackAll,
  unreachable,
} from './paths.ts'
import { contentOf, isReturning } from './removal/originals.ts'
import { compareLeaving, leaveText, leftText, putBackOriginal } from './returning.ts'

const namesShown = 20

export const directoryKind: ResourceKind<DirectoryResource, SavedPath> = {
  kind: 'directory',
  order: 'paths',
  needs: undefined,
  correctedByTools: [],
  attributes,
  watches: ({ path, purge }) => ({ paths: [path], trees: purge ? [path] : [] }),
  observe,
  compare: (subject, live) => {
    const { desired, baseline } = subject
    if (desired === undefined) return compareLeaving(subject, live)
    return compareAttributes(attributes(desired), baseline?.attributes, live.attributes)
  },
  codes: pathCodes,
  describe: describePath,
  isAdoptable: ({ name }) => ['mode', 'owner', 'group', 'extra'].includes(name),
  notAdopted: undefined,
  changedAt: undefined,
  planText,
  stepText: (path) => `make ${path ?? 'directories'}`,
  save: async (changes, host) =>
    host.files.pass(async () => changes.map((one) => host.files.undoPoint(pathOf(one.id), contentOf(one.original)))),
  change,
  restore: (saved, host) => putBackAll(inOrderOfChange(saved), host),
}

/** Entries of a purged directory that no service has, as `list` names them. A mount or reserved ground, and what holds one, is left alone. */
export function extrasOf({ path, keep }: DirectoryResource, host: HostReader): readonly string[] {
  const kept = new Set(keep.map((name) => host.files.displayName(name)))
  const extras = host.files.list(path).filter((name) => !kept.has(name))
  if (extras.length === 0) return []
  const mounts = [...host.files.mounts()]
  const placeOf = placesBy(host.files.waysInto([path]))
  return extras.filter((name) => {
    const entry = `${path}/${name}`
    if (host.files.reserved(placeOf(entry)) !== undefined) return false
    return !mounts.some((mount) => mount === entry || mount.startsWith(`${entry}/`))
  })
}

/** Pure. */
export function withExtras(live: LiveResource, extras: readonly string[]): LiveResource {
  return { ...live, extras, attributes: { ...live.attributes, extra: extraText(extras) } }
}

function attributes({ mode, owner, group, purge }: DirectoryResource): Attributes {
  return { type: 'directory', mode: modeText(mode), owner, group, ...(purge ? { extra: 'none' } : {}) }
}

async function observe(subjects: readonly Subject<DirectoryResource>[], host: HostReader) {
  return host.files.pass(async () => {
    const owners = ownership(host)
    const live = new Map<DirectoryResource['id'], LiveResource>()
    for (const subject of subjects) live.set(subject.id, await observeOne(subject, host, owners))
    return live
  })
}

async function observeOne({ id, desired, baseline }: Subject<DirectoryResource>, host: HostReader, owners: Ownership) {
  try {
    const stat = host.files.stat(pathOf(id))
    if (stat === undefined) return missing
    if (stat.type !== 'directory') return livePath(stat, { type: stat.type })
    const preferred = desired ?? { owner: baseline?.attributes['owner'], group: baseline?.attributes['group'] }
    const owner = await owners.of(stat, preferred)
    const attributes = { type: 'directory', mode: modeText(stat.mode), ...owner }
    if (desired?.purge === true) return withExtras(livePath(stat, attributes), extrasOf(desired, host))
    const live = livePath(stat, attributes, baseline?.attributes)
    return desired === undefined ? { ...live, extras: contentsOf(pathOf(id), host) } : live
  } catch (error) {
    return unreachable(error)
  }
}

/** Of one that leaves: what keeps it from being removed. */
function contentsOf(path: AbsolutePath, { files }: HostReader): readonly string[] {
  return files.mounts().has(path) ? ['what is mounted there'] : files.list(path)
}

/** Pure: one that leaves and cannot be removed, because of what somebody else has in it. */
export function stayingFor(names: readonly string[]): Comparison {
  return { drift: [], pending: [{ name: 'leave', expected: 'empty', live: extraText(names) }] }
}

function planText(change: ResourceChange<DirectoryResource>): string {
  const path = pathOf(change.id)
  const { desired, differences } = change
  if (desired === undefined) return isStaying(change) ? `leave ${path}: it is not empty` : leaveText(change)
  const extra = differences.find(({ name }) => name === 'extra')
  if (extra !== undefined) return `remove from ${path}: ${extra.live}`
  if (differences.some(({ name }) => name === 'type')) return `make ${path}`
  return `correct ${path} (${differences.map(({ name }) => name).join(', ')})`
}

/** Pure. */
export function isStaying({ differences }: Pick<ResourceChange, 'differences'>): boolean {
  return differences.some(({ name }) => name === 'leave')
}

function extraText(names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const shown = names.slice(0, namesShown).join(', ')
  return names.length > namesShown ? `${shown} and ${names.length - namesShown} more` : shown
}

/** `putBackAll` goes backwards: removed directories come back parents first, made ones go children first. */
function inOrderOfChange(saved: readonly SavedPath[]): readonly SavedPath[] {
  const sorted = saved.toSorted((one, other) => (one.path < other.path ? -1 : 1))
  const there = sorted.filter(({ was }) => was.type === 'directory')
  return [...sorted.filter(({ was }) => was.type !== 'directory'), ...there.toReversed()]
}

type DirectoryChange = ResourceChange<DirectoryResource>

/** Parents before what is in them, and removals the other way round. */
async function change(changes: readonly DirectoryChange[], host: ApplyHost): Promise<readonly string[]> {
  return host.files.pass(async () => {
    const sorted = changes.toSorted((one, other) => (one.id < other.id ? -1 : 1))
    const lines: string[] = []
    for (const one of sorted) {
      if (one.desired === undefined) continue
      lines.push(...(await make(one.desired, one, host)))
    }
    const leaving = sorted.filter(({ desired }) => desired === undefined)
    for (const one of leaving.filter((each) => !isReturning(each)).toReversed()) lines.push(leave(one, host))
    for (const one of leaving.filter(isReturning)) lines.push(await putBackOriginal(one, host))
    await host.files.syncDirectories()
    return lines
  })
}

function leave(one: DirectoryChange, host: ApplyHost): string {
  const path = pathOf(one.id)
  if (!isStaying(one) && host.files.removeDirectory(path)) return leftText(one)
  return `left ${path}: it is not empty`
}

/** No line where a package left nothing to be purged after all. */
async function make(
  desired: DirectoryResource,
  { baseline, differences, live }: DirectoryChange,
  host: ApplyHost,
): Promise<readonly string[]> {
  const { files } = host
  const { path } = desired
  const names = new Set(differences.map(({ name }) => name))
  const purged = names.has('extra') ? purgedNow(desired, live, host) : []
  if (names.has('type')) {
    const there = files.stat(path)
    if (there !== undefined && there.type !== 'directory' && baseline === undefined) throw inTheWay(path, there.type)
    files.makeDirectory(path, await permissionsFor(desired, host))
  } else if (names.size > (names.has('extra') ? 1 : 0))
    await files.setPermissions(path, 'directory', await permissionsFor(desired, host))
  files.moveEntriesAway(path, purged)
  if (names.has('type')) return [`made ${path}`]
  if (purged.length > 0) return [`removed from ${path}: ${extraText(purged)}`]
  return names.has('extra') ? [] : [`corrected ${path} (${[...names].join(', ')})`]
}

/**
 * What was planned, as far as it is there still: what leaves by itself, and what this apply keeps there, is not in it. Where
 * nothing could be planned, because packages were installed since, all but what this apply keeps there.
 */
function purgedNow(desired: DirectoryResource, { extras }: LiveResource, host: ApplyHost): readonly string[] {
  const planned = extras && new Set(extras)
  const isPurged = (name: string) => planned?.has(name) ?? !host.files.isKept(name)
  return extrasOf(desired, host).filter(isPurged)
}

function inTheWay(path: AbsolutePath, type: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `a ${type} is in the way of the directory.`,
    where: { file: path },
    remedy: 'Move it away, then apply again.',
  })
}
