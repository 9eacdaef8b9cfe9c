// The end of the journal of units that failed, for their findings. Reads only.
import { kindsOf } from '../../shared/finding-kind.ts'
import { parseResourceId, type ResourceId } from '../../shared/names.ts'
import type { HostReader } from '../host/host.ts'
import { journalEnd } from '../host/systemd.ts'
import type { CodedDifference, LiveResource } from '../resources/kind.ts'

type Failed = {
  readonly id: ResourceId
  readonly live: LiveResource
  readonly differences: readonly CodedDifference[]
}

/** A host whose units all fail has another trouble than the lack of their journals. */
const logsAtMost = 20

export async function failureLogs(
  findings: readonly Failed[],
  { query, capabilities }: Pick<HostReader, 'query' | 'capabilities'>,
): Promise<ReadonlyMap<ResourceId, string>> {
  if (!capabilities.units) return new Map()
  const failed = findings.filter(({ differences }) => kindsOf(differences).includes('unit-failed'))
  const logs = await Promise.all(
    failed.slice(0, logsAtMost).map(async ({ id, live }) => [id, await journalEnd(unitOf(id, live), query)] as const),
  )
  return new Map(logs.filter(([, text]) => text !== ''))
}

function unitOf(id: ResourceId, { unit }: LiveResource): string {
  return unit?.lastRun?.kind === 'failed' ? unit.lastRun.unit : parseResourceId(id).name
}
