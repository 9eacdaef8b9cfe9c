// show: a path on one host: its present finding, its hold and its history.
import { compact } from '../../shared/compact.ts'
import { evidenceLine } from '../../shared/evidence-text.ts'
import { type HostName, resourceId, serviceNameSchema } from '../../shared/names.ts'
import type { OnHost } from '../../shared/why.ts'
import { listResourceEvents } from '../store/resource-events.ts'
import { listServiceStates, type SeenFinding, type ServiceState } from '../store/service-states.ts'
import type { Db } from '../store/tables.ts'

const eventsShown = 100

type Place = { readonly path: string; readonly source: string }

/** Undefined when the host has never reported anything about it. */
export async function onHostOf(db: Db, host: HostName, { path, source }: Place): Promise<OnHost | undefined> {
  const service = serviceOf(source)
  if (service === undefined) return undefined
  const resources = resourcesAt(path)
  const [states, events] = await Promise.all([
    listServiceStates(db, { hosts: [host], service }),
    listResourceEvents(db, { host, service, resources, source }, eventsShown),
  ])
  const [state] = states
  if (state === undefined && events.length === 0) return undefined
  const drift = state?.findings.filter(
    ({ finding }) => finding.source === source || resources.includes(finding.resource),
  )
  return { host, service, ...appliedAndHeld(state), drift: (drift ?? []).map(driftNow), events: [...events] }
}

function serviceOf(source: string) {
  const [top, name] = source.split('/')
  return top === 'services' ? serviceNameSchema.safeParse(name).data : undefined
}

const unitDirectory = '/etc/systemd/system/'

/** A file in units/ is two resources: the file, and the unit that systemd makes of it. */
function resourcesAt(path: string): readonly string[] {
  const unit = path.startsWith(unitDirectory) ? [resourceId('unit', path.slice(unitDirectory.length))] : []
  return [...['file', 'symlink', 'directory'].map((kind) => resourceId(kind, path)), ...unit]
}

function appliedAndHeld(state: ServiceState | undefined): Pick<OnHost, 'applied' | 'appliedAt' | 'hold'> {
  const { applied, appliedAt, hold } = state?.report ?? {}
  return {
    ...compact({ applied, appliedAt }),
    ...(hold === undefined ? {} : { hold: { by: hold.by, why: hold.why, until: hold.until } }),
  }
}

function driftNow({ finding, firstSeenAt: since }: SeenFinding): OnHost['drift'][number] {
  const { resource, summary } = finding
  const evidence = evidenceLine(finding.evidence)
  return { resource, summary, since, ...compact({ evidence }) }
}
