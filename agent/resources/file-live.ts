// Files as they are. At rest nothing but a stat is asked of each: what did not move is what it was at the last look.
import { isDeepStrictEqual } from 'node:util'
import type { AbsolutePath, ResourceId } from '../../shared/names.ts'
import type { FileResource } from '../../shared/resource.ts'
import { aclOf, capabilitiesOf } from '../host/file-attributes.ts'
import type { StatCache } from '../host/files.ts'
import type { HostReader } from '../host/host.ts'
import { inspectJudged } from './judged.ts'
import type { Attributes, LiveResource, Subject } from './kind.ts'
import { livePath, missing, modeText, type Ownership, ownership, pathOf, unreachable } from './paths.ts'

type FileSubject = Subject<FileResource>

/** The same map as last time when nothing moved. */
export async function observeFiles(
  subjects: readonly FileSubject[],
  host: HostReader,
): Promise<ReadonlyMap<ResourceId, LiveResource>> {
  const cache = host.files.statCache(pathsOf(subjects))
  const last = await lastLook(cache, host)
  // Before they are looked at: what changes meanwhile is seen as moved the next time.
  const moved = await cache.refresh()
  if (last !== undefined && moved.length === 0) return last.live
  const owners = last?.owners ?? ownership(host)
  const live = new Map(last?.live)
  for (const position of moved) {
    const subject = subjects[position]
    if (subject === undefined) continue
    const seen = await observeOne(subject, host, owners)
    if (!isDeepStrictEqual(seen, live.get(subject.id))) live.set(subject.id, seen)
    if (seen.problem !== undefined || seen.attributes['content'] === 'unstable') cache.forget(position)
  }
  looks.set(cache, { live, owners })
  return live
}

type Look = { readonly live: ReadonlyMap<ResourceId, LiveResource>; readonly owners: Ownership }

const looks = new WeakMap<StatCache, Look>()

/** Undefined: none, or users were renamed, which no file shows. */
async function lastLook(cache: StatCache, host: HostReader): Promise<Look | undefined> {
  const last = looks.get(cache)
  if (last === undefined || (await last.owners.isStill(host))) return last
  cache.forgetAll()
  return undefined
}

/** The same list for the same subjects. */
function pathsOf(subjects: readonly FileSubject[]): readonly AbsolutePath[] {
  const known = paths.get(subjects) ?? subjects.map(({ id, desired }) => desired?.path ?? pathOf(id))
  paths.set(subjects, known)
  return known
}

const paths = new WeakMap<readonly FileSubject[], readonly AbsolutePath[]>()

async function observeOne(subject: FileSubject, host: HostReader, owners: Ownership): Promise<LiveResource> {
  const { id, desired, baseline } = subject
  try {
    const found = await inspectJudged(desired?.path ?? pathOf(id), subject, host)
    if (found === undefined) return missing
    const { stat, content, judged } = found
    if (content === undefined) return livePath(stat, { type: stat.type })
    const preferred = desired ?? { owner: baseline?.attributes['owner'], group: baseline?.attributes['group'] }
    const owner = await owners.of(stat, preferred)
    const extended = await extendedOf(subject, host)
    const seen = { type: 'file', content, mode: modeText(stat.mode), ...owner, ...extended }
    const live = livePath(stat, seen, baseline?.attributes)
    return judged === undefined ? live : { ...live, judged }
  } catch (error) {
    return unreachable(error)
  }
}

/** Of what the repository sets, or set: each costs a command. */
async function extendedOf({ id, desired, baseline }: FileSubject, host: HostReader): Promise<Attributes> {
  if (!host.capabilities.commands) return {}
  const isAsked = (name: 'acl' | 'capabilities') =>
    desired === undefined ? baseline?.attributes[name] !== undefined : desired[name] !== undefined
  return {
    ...(isAsked('acl') ? { acl: await aclOf(pathOf(id), host) } : {}),
    ...(isAsked('capabilities') ? { capabilities: await capabilitiesOf(pathOf(id), host) } : {}),
  }
}
