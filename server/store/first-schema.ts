// The schema of the first release. `integer primary key` is SQLite's auto-numbering, the one type that differs in other
// databases.
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

export type AnySchema = Kysely<Record<string, Record<string, unknown>>>

export const firstSchema: Migration = {
  async up(db: AnySchema) {
    await createHosts(db)
    await createHistory(db)
    await createEnrolment(db)
    await createAlerts(db)
  },
}

async function createHosts(db: AnySchema): Promise<void> {
  await db.schema
    .createTable('hosts')
    .addColumn('name', 'text', (column) => column.primaryKey().notNull())
    .addColumn('public_key', 'text', (column) => column.notNull())
    .addColumn('enrolled_at', 'text', (column) => column.notNull())
    .addColumn('last_seen_at', 'text', (column) => column.notNull())
    .addColumn('agent_version', 'text')
    .addColumn('platform', 'text')
    .addColumn('revision', 'text')
    .addColumn('problems', 'text', (column) => column.notNull())
    .addColumn('report_digest', 'text')
    .execute()
  await db.schema
    .createTable('service_states')
    .addColumn('host', 'text', (column) => column.notNull().references('hosts.name').onDelete('cascade'))
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('since', 'text', (column) => column.notNull())
    .addColumn('findings', 'integer', (column) => column.notNull())
    .addColumn('pending', 'integer', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('service_states_key', ['host', 'service'])
    .execute()
  await db.schema.createIndex('service_states_by_service').on('service_states').column('service').execute()
  await db.schema
    .createTable('findings')
    .addColumn('host', 'text', (column) => column.notNull().references('hosts.name').onDelete('cascade'))
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('resource', 'text', (column) => column.notNull())
    .addColumn('first_seen_at', 'text', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('findings_key', ['host', 'service', 'resource'])
    .execute()
}

async function createHistory(db: AnySchema): Promise<void> {
  await db.schema
    .createTable('reports')
    .addColumn('host', 'text', (column) => column.notNull().references('hosts.name').onDelete('cascade'))
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('received_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('reports_key', ['host', 'id'])
    .execute()
  await db.schema
    .createTable('transitions')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('host', 'text', (column) => column.notNull().references('hosts.name').onDelete('cascade'))
    .addColumn('service', 'text')
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('from_state', 'text')
    .addColumn('to_state', 'text', (column) => column.notNull())
    .addColumn('revision', 'text')
    .execute()
  await db.schema.createIndex('transitions_by_host').on('transitions').columns(['host', 'id']).execute()
  await db.schema
    .createTable('applies')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('host', 'text', (column) => column.notNull().references('hosts.name').onDelete('cascade'))
    .addColumn('received_at', 'text', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('applies_by_host').on('applies').columns(['host', 'id']).execute()
}

async function createEnrolment(db: AnySchema): Promise<void> {
  await db.schema
    .createTable('enrolment_tokens')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('hash', 'text', (column) => column.notNull().unique())
    .addColumn('host', 'text')
    .addColumn('uses_left', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('refused_enrolments')
    .addColumn('cause', 'text', (column) => column.primaryKey().notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('last_at', 'text', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('sessions')
    .addColumn('hash', 'text', (column) => column.primaryKey().notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .execute()
}

async function createAlerts(db: AnySchema): Promise<void> {
  await db.schema
    .createTable('alerts')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('cause', 'text', (column) => column.notNull())
    .addColumn('open_cause', 'text', (column) => column.unique())
    .addColumn('scope', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('severity', 'text', (column) => column.notNull())
    .addColumn('title', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('remedy', 'text')
    .addColumn('host', 'text')
    .addColumn('service', 'text')
    .addColumn('diff', 'text')
    .addColumn('opened_at', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .addColumn('resolved_at', 'text')
    .execute()
  await db.schema.createIndex('alerts_by_host').on('alerts').columns(['host', 'id']).execute()
  await db.schema.createIndex('alerts_by_scope').on('alerts').columns(['scope', 'open_cause', 'id']).execute()
  await db.schema
    .createTable('channels')
    .addColumn('key', 'text', (column) => column.primaryKey().notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('added_at', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('next_attempt_at', 'text', (column) => column.notNull())
    .addColumn('last_error', 'text')
    .execute()
  await db.schema
    .createTable('outbox')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('channel', 'text', (column) => column.notNull().references('channels.key').onDelete('cascade'))
    .addColumn('alert', 'integer', (column) => column.notNull().references('alerts.id'))
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('due_at', 'text', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('outbox_by_channel').on('outbox').columns(['channel', 'id']).execute()
}
