// show: the commit that last changed a service on a host: the last one in its directory, or the last that changed
// values of its templates.
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import { servicesFor } from '../../shared/repository/assign.ts'
import { parseRepository } from '../../shared/repository/parse.ts'
import type { RepositoryService } from '../../shared/repository/repository.ts'
import type { FleetClone } from '../repository/clone.ts'
import type { Touch } from '../repository/objects.ts'
import { createRecent } from '../repository/recent.ts'
import type { CommitView } from './views.ts'

type Clone = Pick<FleetClone, 'touches' | 'fileText' | 'commit'>

export type Applied = {
  readonly host: HostName
  readonly revision: Revision
  readonly service: ServiceName
  /** Whether any file of the service is a template, as of the head. */
  readonly layout: RepositoryService | undefined
}

/** Number of commits of plumb.yaml that are compared; older changes of values are not searched. */
const fleetCommitsCompared = 50

/** Undefined when the revision is missing from the clone. */
export async function serviceCommit(clone: Clone, applied: Applied): Promise<CommitView | undefined> {
  if ((await clone.commit(applied.revision)) === undefined) return undefined
  const { services, fleet } = await clone.touches(applied.revision)
  const own = services.get(applied.service)
  if (!isTemplate(applied.layout)) return own?.commit
  const newer = fleet.filter(({ age }) => own === undefined || age < own.age)
  return (await lastWithOtherValues(clone, newer, { fleet, host: applied.host })) ?? own?.commit
}

function isTemplate(layout: RepositoryService | undefined): boolean {
  return [...(layout?.settings.files.values() ?? [])].some(({ template }) => template)
}

async function lastWithOtherValues(
  clone: Clone,
  newer: readonly Touch[],
  { fleet, host }: { readonly fleet: readonly Touch[]; readonly host: HostName },
): Promise<CommitView | undefined> {
  for (const touch of newer.slice(0, fleetCommitsCompared)) {
    const before = fleet[fleet.indexOf(touch) + 1]
    const now = await valuesAt(clone, touch.commit.revision, host)
    if (before === undefined || now !== (await valuesAt(clone, before.commit.revision, host))) return touch.commit
  }
  return undefined
}

/** The variables of a host in plumb.yaml, as text to compare. */
function valuesAt(clone: Clone, revision: Revision, host: HostName): Promise<string> {
  return values(`${revision}:${host}`, () => readValues(clone, revision, host))
}

/** Revisions are immutable, so entries never expire. */
const values = createRecent<string>(500)

async function readValues(clone: Clone, revision: Revision, host: HostName): Promise<string> {
  const text = await clone.fileText(revision, 'plumb.yaml')
  if (text === undefined) return ''
  const entry = { path: 'plumb.yaml', kind: 'file', oid: '', size: text.length } as const
  const { repository } = parseRepository({ entries: [entry], texts: new Map([['plumb.yaml', text]]) })
  const assigned = servicesFor(repository.fleet, host)
  return assigned.kind === 'assigned' ? JSON.stringify([...assigned.vars].toSorted()) : ''
}
