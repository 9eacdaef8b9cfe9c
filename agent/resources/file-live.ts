// Files as they are. At rest nothing but a stat is asked of each: what did not move is what it was at the last look.
import { isDeepStrictEqual } from 'node:util'
import type { AbsolutePath, ResourceId } from '../../shared/names.ts'
import type { FileResource } from '../../shared/resource.ts'
import { aclOf, capabilitiesOf } from '../host/file-attributes.ts'
import type { FileStat, StatCache } from '../host/files.ts'
import type { HostReader } from '../host/host.ts'
import { type Memory, slotByObject } from '../memory.ts'
import { inspectJudged } from './judged.ts'
import type { Attributes, LiveResource, Subject } from './kind.ts'
import { livePath, missing, modeText, type Ownership, ownership, pathOf, unreachable } from './paths.ts'

type FileSubject = Subject<FileResource>

/** The same map as last time when nothing moved. */
export async function observeFiles(
  subjects: readonly FileSubject[],
  host: HostReader,
): Promise<ReadonlyMap<ResourceId, LiveResource>> {
  const cache = host.files.statCache(pathsOf(subjects, host.memory))
  const last = await lastLook(cache, host)
  const moved = await cache.refresh()
  if (last !== undefined && moved.length === 0) return last.live
  const owners = last?.owners ?? ownership(host)
  const live = new Map(last?.live)
  for (const position of moved) {
    const subject = subjects[position]
    if (subject === undefined) continue
    const startedAt = Date.now()
    const { live: seen, stat } = await observeOne(subject, host, owners)
    if (stat !== undefined) cache.note(position, stat, startedAt)
    if (!isDeepStrictEqual(seen, live.get(subject.id))) live.set(subject.id, seen)
  }
  host.memory.at(looks).set(cache, { live, owners })
  return live
}

type Look = { readonly live: ReadonlyMap<ResourceId, LiveResource>; readonly owners: Ownership }

const looks = slotByObject<StatCache, Look>()

/** Undefined: none, or users were renamed, which no file shows. */
async function lastLook(cache: StatCache, host: HostReader): Promise<Look | undefined> {
  const last = host.memory.at(looks).get(cache)
  if (last === undefined || (await last.owners.isStill(host))) return last
  cache.forgetAll()
  return undefined
}

/** The same list for the same subjects. */
function pathsOf(subjects: readonly FileSubject[], memory: Memory): readonly AbsolutePath[] {
  const paths = memory.at(pathsBySubjects)
  const known = paths.get(subjects) ?? subjects.map(({ id, desired }) => desired?.path ?? pathOf(id))
  paths.set(subjects, known)
  return known
}

const pathsBySubjects = slotByObject<readonly FileSubject[], readonly AbsolutePath[]>()

/** Without a stat where the next look cannot be spared. */
type Observed = { readonly live: LiveResource; readonly stat?: FileStat | 'missing' }

async function observeOne(subject: FileSubject, host: HostReader, owners: Ownership): Promise<Observed> {
  const { id, desired, baseline } = subject
  try {
    const found = await inspectJudged(desired?.path ?? pathOf(id), subject, host)
    if (found === undefined) return { live: missing, stat: 'missing' }
    const { stat, content, judged } = found
    if (content === undefined) return { live: livePath(stat, { type: stat.type }), stat }
    const preferred = desired ?? { owner: baseline?.attributes['owner'], group: baseline?.attributes['group'] }
    const owner = await owners.of(stat, preferred)
    const extended = await extendedOf(subject, host)
    const seen = {
      type: 'file',
      // The same text is held once, not twice, for each file of a host.
      content: content === desired?.sha256 ? desired.sha256 : content,
      mode: modeText(stat.mode),
      ...owner,
      ...extended,
    }
    const plain = livePath(stat, seen, baseline?.attributes)
    const live = judged === undefined ? plain : { ...plain, judged }
    return content === 'unstable' ? { live } : { live, stat }
  } catch (error) {
    return { live: unreachable(error) }
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
