// Evidence from the drifted resource itself: its inode, its unit, its containers, or the log line of its package.

import { posix } from 'node:path'
import { compact } from '../../shared/compact.ts'
import type { Evidence } from '../../shared/evidence.ts'
import { absolutePathSchema, parseResourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { isoTime } from '../host/evidence/sanitize.ts'
import type { HostReader } from '../host/host.ts'
import type { ComparedResource } from '../plan/compare.ts'
import type { LiveResource } from '../resources/kind.ts'
import { pathInId } from '../resources/paths.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import { inTime, sourceDeadlineMs } from './surroundings.ts'

/** `isBrief`: only evidence that needs no command. */
export async function ownEvidence(
  { id, live, comparison }: ComparedResource,
  host: HostReader,
  { isBrief }: { readonly isBrief: boolean },
): Promise<Evidence> {
  const path = pathInId(id)
  if (path !== undefined)
    return live.attributes['type'] === 'missing' ? directoryEvidence(path, host) : inodeEvidence(live)
  const { changedAt } = kinds[kindNameOf(id)]
  if (changedAt === undefined || isBrief || !host.capabilities.commands) return {}
  const { name } = parseResourceId(id)
  const at = await inTime(() => changedAt(name, comparison.drift, { ...host, deadlineSeconds }), undefined)
  return at === undefined ? {} : { stateChangedAt: at }
}

function inodeEvidence({ modifiedAt, changedAt, size, attributes }: LiveResource): Evidence {
  const { owner, group, mode } = attributes
  return {
    ...compact({ modifiedAt, changedAt }),
    ...(owner === undefined ? {} : { owner: owner.slice(0, 100) }),
    ...(group === undefined ? {} : { group: group.slice(0, 100) }),
    ...(mode === undefined ? {} : { mode: mode.slice(0, 10) }),
    ...compact({ size }),
  }
}

/** From the nearest existing directory: its mtime is when an entry last appeared or vanished. */
function directoryEvidence(path: string, { files }: HostReader): Evidence {
  try {
    for (let above = posix.dirname(path); above !== '/'; above = posix.dirname(above)) {
      const stat = files.stat(absolutePathSchema.parse(above))
      const at = stat === undefined ? undefined : isoTime(stat.modifiedMs)
      if (at !== undefined) return { directoryChangedAt: at }
    }
    return {}
  } catch (error) {
    if (error instanceof PlumbError) return {}
    throw error
  }
}

const deadlineSeconds = sourceDeadlineMs / 1000
