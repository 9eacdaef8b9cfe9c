// Migrations of the schema, in code so that a bundle needs no extra files. A released migration is never changed.
import { sql } from 'kysely'
import type { Migration, MigrationProvider } from 'kysely/migration'
import { z } from 'zod'
import { type AnySchema, firstSchema } from './first-schema.ts'

export const migrations: MigrationProvider = {
  getMigrations: async () => ({
    '0001-first': firstSchema,
    '0002-holds': holds,
    '0003-resource-events': resourceEvents,
    '0004-credentials': credentials,
    '0005-machines': machines,
    '0006-told-alerts': toldAlerts,
    '0007-service-facts': serviceFacts,
    '0008-failed-applies': failedApplies,
    '0009-common-causes': commonCauses,
    '0010-write-probe': writeProbe,
    '0011-deliveries': deliveries,
    '0012-alert-ends': alertEnds,
    '0013-state-names': stateNames,
  }),
}

const holds: Migration = {
  async up(db: AnySchema) {
    await db.schema
      .createTable('holds')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('hosts', 'text', (column) => column.notNull())
      .addColumn('but_not', 'text', (column) => column.notNull())
      .addColumn('by', 'text', (column) => column.notNull())
      .addColumn('why', 'text', (column) => column.notNull())
      .addColumn('since', 'text', (column) => column.notNull())
      .addColumn('until', 'text', (column) => column.notNull())
      .execute()
    await db.schema
      .createTable('ended_holds')
      .addColumn('host', 'text', (column) => column.notNull().references('hosts.name').onDelete('cascade'))
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('since', 'text', (column) => column.notNull())
      .addColumn('until', 'text', (column) => column.notNull())
      .addColumn('by', 'text', (column) => column.notNull())
      .addColumn('why', 'text', (column) => column.notNull())
      .addColumn('hold', 'text')
      .addColumn('released_by', 'text')
      .addColumn('findings', 'integer', (column) => column.notNull())
      .addColumn('pending', 'integer', (column) => column.notNull())
      .addColumn('told', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('ended_holds_key', ['host', 'service', 'since', 'until'])
      .execute()
  },
}

const resourceEvents: Migration = {
  async up(db: AnySchema) {
    await db.schema
      .createTable('resource_events')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('host', 'text', (column) => column.notNull().references('hosts.name').onDelete('cascade'))
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('resource', 'text')
      .addColumn('source', 'text')
      .addColumn('at', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('resource_events_by_host').on('resource_events').columns(['host', 'id']).execute()
  },
}

const credentials: Migration = {
  async up(db: AnySchema) {
    await db.schema
      .createTable('credentials')
      .addColumn('name', 'text', (column) => column.primaryKey().notNull())
      .addColumn('fingerprint', 'text', (column) => column.notNull())
      .execute()
  },
}

const machines: Migration = {
  async up(db: AnySchema) {
    await db.schema
      .createTable('machines')
      .addColumn('host', 'text', (column) => column.primaryKey().notNull().references('hosts.name').onDelete('cascade'))
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('boot', 'text', (column) => column.notNull())
      .addColumn('ended_boots', 'text', (column) => column.notNull())
      .execute()
    await db.schema
      .createTable('identity_copies')
      .addColumn('host', 'text', (column) => column.primaryKey().notNull().references('hosts.name').onDelete('cascade'))
      .addColumn('sign', 'text', (column) => column.notNull())
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('last_at', 'text', (column) => column.notNull())
      .execute()
  },
}

const toldAlerts: Migration = {
  async up(db: AnySchema) {
    await db.schema
      .createTable('told_alerts')
      .addColumn('channel', 'text', (column) => column.notNull().references('channels.key').onDelete('cascade'))
      .addColumn('alert', 'integer', (column) => column.notNull().references('alerts.id').onDelete('cascade'))
      .addPrimaryKeyConstraint('told_alerts_key', ['channel', 'alert'])
      .execute()
    // An open alert without a queued message was sent by an earlier version.
    await sql`insert into told_alerts select channels.key, alerts.id from channels, alerts
      where alerts.open_cause is not null and not exists
        (select 1 from outbox where channel = channels.key and alert = alerts.id and event = 'opened')`.execute(db)
  },
}

/** `held` was a state of its own, which hid whether the service was drifted or pending. */
const serviceFacts: Migration = {
  async up(db: AnySchema) {
    await db.schema
      .alterTable('service_states')
      .addColumn('facts', 'text', (column) => column.notNull().defaultTo(''))
      .execute()
    const rows = await db.selectFrom('service_states').select(['host', 'service', 'findings', 'body']).execute()
    for (const { host, service, findings, body } of rows) {
      const facts = factsAtFirst(Number(findings), String(body))
      await db
        .updateTable('service_states')
        .set({ facts: facts.join(), state: facts.find((fact) => fact !== 'held') ?? 'in-plumb' })
        .where('host', '=', host)
        .where('service', '=', service)
        .execute()
    }
  },
}

const reportAtFirst = z.object({
  failure: z.unknown().optional(),
  hold: z.unknown().optional(),
  unknown: z.object({ seenAt: z.string().optional() }).optional(),
  applied: z.string().optional(),
  pending: z.array(z.unknown()),
})

function factsAtFirst(findings: number, body: string): readonly string[] {
  const report = reportAtFirst.parse(JSON.parse(body))
  const isStale = report.unknown?.seenAt !== undefined
  return [
    ...(report.failure === undefined ? [] : ['failed']),
    ...(findings > 0 && !isStale ? ['drift'] : []),
    ...(report.unknown === undefined ? [] : ['unknown']),
    ...(!isStale && (report.pending.length > 0 || report.applied === undefined) ? ['pending'] : []),
    ...(report.hold === undefined ? [] : ['held']),
  ]
}

const failedApplies: Migration = {
  async up(db: AnySchema) {
    await db.schema
      .createTable('failed_applies')
      .addColumn('host', 'text', (column) => column.notNull().references('hosts.name').onDelete('cascade'))
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('revision', 'text', (column) => column.notNull())
      .addColumn('first_at', 'text', (column) => column.notNull())
      .addColumn('last_at', 'text', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('failed_applies_key', ['host', 'service', 'revision'])
      .execute()
  },
}

const commonCauses: Migration = {
  async up(db: AnySchema) {
    for (const column of ['common_key', 'common_title'])
      await db.schema.alterTable('alerts').addColumn(column, 'text').execute()
  },
}

const writeProbe: Migration = {
  async up(db: AnySchema) {
    await db.schema
      .createTable('write_probe')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('bytes', 'text', (column) => column.notNull())
      .execute()
  },
}

const deliveries: Migration = {
  async up(db: AnySchema) {
    await db.schema.alterTable('channels').addColumn('failing_since', 'text').execute()
    await db.schema
      .alterTable('outbox')
      .addColumn('delivery', 'text', (column) => column.notNull().defaultTo(''))
      .execute()
    for (const column of ['attempts', 'refused'])
      await db.schema
        .alterTable('outbox')
        .addColumn(column, 'integer', (definition) => definition.notNull().defaultTo(0))
        .execute()
    await db.schema.alterTable('outbox').addColumn('error', 'text').execute()
    await sql`update outbox set delivery = lower(hex(randomblob(16)))`.execute(db)
    await db.schema.createIndex('outbox_by_delivery').on('outbox').column('delivery').execute()
    await db.schema.createIndex('outbox_by_alert').on('outbox').columns(['channel', 'alert', 'id']).execute()
    // An attempt alone no longer counts as a failure.
    await sql`delete from told_alerts where exists
      (select 1 from outbox where channel = told_alerts.channel and alert = told_alerts.alert and event = 'opened')`.execute(
      db,
    )
  },
}

const alertEnds: Migration = {
  async up(db: AnySchema) {
    await db.schema.alterTable('alerts').addColumn('end_reason', 'text').execute()
  },
}

/** Renames states and alerts to the glossary's words (`in-sync`, `offline`, `enrollment`), also in queued messages. */
const stateNames: Migration = {
  async up(db: AnySchema) {
    await sql`update service_states set state = 'in-sync' where state = 'in-plumb'`.execute(db)
    for (const [before, after] of [
      ['in-plumb', 'in-sync'],
      ['silent', 'offline'],
      ['heard again', 'online again'],
    ] as const) {
      await sql`update transitions set from_state = ${after} where from_state = ${before}`.execute(db)
      await sql`update transitions set to_state = ${after} where to_state = ${before}`.execute(db)
    }
    await sql`update alerts set title = host || ' is offline'
      where kind = 'host-silent' and title = host || ' is silent'`.execute(db)
    await renameAlerts(db, 'host-silent', 'host-offline')
    await renameAlerts(db, 'enrolment-refused', 'enrollment-refused')
  },
}

/** Keys of causes begin with their kind. */
async function renameAlerts(db: AnySchema, before: string, after: string): Promise<void> {
  for (const column of ['cause', 'open_cause', 'common_key'])
    await sql`update alerts set ${sql.ref(column)} = ${after} || substr(${sql.ref(column)}, ${before.length + 1})
      where ${sql.ref(column)} = ${before} or ${sql.ref(column)} like ${`${before}:%`}`.execute(db)
  await sql`update alerts set kind = ${after} where kind = ${before}`.execute(db)
  await sql`update outbox set body = json_set(body, '$.alert.kind', ${after})
    where json_valid(body) and json_extract(body, '$.alert.kind') = ${before}`.execute(db)
}
