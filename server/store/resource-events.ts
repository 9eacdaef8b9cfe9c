// Events of each resource of a host, in recorded order. Bounded per resource, so that one that drifts all day does not
// displace the events of others, and per host.
import type { HostName, ServiceName } from '../../shared/names.ts'
import { type ResourceEvent, resourceEventSchema } from '../../shared/resource-event.ts'
import { bounds } from '../allowance/bounds.ts'
import { inStatements } from './rows.ts'
import type { Db } from './tables.ts'
import { trimBytes, trimRows } from './trim.ts'

export type NewResourceEvent = {
  /** Absent for an event of the whole service. */
  readonly resource?: string | undefined
  /** The source file in the repository. */
  readonly source?: string | undefined
  readonly event: ResourceEvent
}

/** Events of these resources, of any resource with this source, and of their service as a whole. */
export type EventsOf = {
  readonly host: HostName
  readonly service: ServiceName
  readonly resources: readonly string[]
  readonly source: string
}

export async function insertResourceEvents(db: Db, host: HostName, events: readonly NewResourceEvent[]): Promise<void> {
  const rows = events
    .slice(-bounds.resourceEvents.limit)
    .map(({ resource, source, event: { kind, at, service, ...body } }) => ({
      ...{ host, service, at, kind },
      resource: resource ?? null,
      source: source ?? null,
      body: JSON.stringify(body),
    }))
  for (const some of inStatements(rows)) await db.insertInto('resource_events').values(some).execute()
  if (rows.length > 0) await trim(db, host)
}

/** Newest first. */
export async function listResourceEvents(
  db: Db,
  { host, service, resources, source }: EventsOf,
  limit: number,
): Promise<readonly ResourceEvent[]> {
  const rows = await db
    .selectFrom('resource_events')
    .select(['service', 'at', 'kind', 'body'])
    .where('host', '=', host)
    .where((row) =>
      row.or([
        row('resource', 'in', [...resources]),
        row('source', '=', source),
        row.and([row('service', '=', service), row('resource', 'is', null)]),
      ]),
    )
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ body, ...row }) => resourceEventSchema.parse({ ...JSON.parse(body), ...row }))
}

async function trim(db: Db, host: HostName): Promise<void> {
  const ranked = db
    .selectFrom('resource_events')
    .select((row) => [
      'id',
      row.fn
        .agg<number>('row_number')
        .over((over) => over.partitionBy(['service', 'resource']).orderBy('id', 'desc'))
        .as('place'),
    ])
    .where('host', '=', host)
  await db
    .deleteFrom('resource_events')
    .where(
      'id',
      'in',
      db.selectFrom(ranked.as('ranked')).select('id').where('place', '>', bounds.eventsPerResource.limit),
    )
    .execute()
  await trimRows(db, { table: 'resource_events', host, limit: bounds.resourceEvents.limit })
  await trimBytes(db, { table: 'resource_events', host, limit: bounds.eventBytes.limit })
}
