// Alerts, open and resolved. A cause has at most one open alert: the table's unique column says so, not the code's care.

import type { Selectable } from 'kysely'
import { z } from 'zod'
import { type HostName, hostNameSchema, type ServiceName, serviceNameSchema } from '../../shared/names.ts'
import { present } from './rows.ts'
import type { Db, Tables } from './tables.ts'

export type Severity = 'critical' | 'warning'

/** What the judge found true of the world: the content of an alert, without its life. */
export type Cause = {
  /** Stable while the cause is the same, `drift:web-1:nginx`. */
  readonly key: string
  readonly scope: Scope
  readonly kind: string
  readonly severity: Severity
  readonly title: string
  readonly text: string
  readonly remedy?: string
  readonly host?: HostName
  readonly service?: ServiceName
  readonly diff?: string
}

export type Scope = `host:${string}` | 'fleet'

export type Alert = Cause & {
  readonly id: number
  readonly openedAt: string
  readonly updatedAt: string
  readonly resolvedAt?: string
}

export async function insertAlert(db: Db, cause: Cause, at: string): Promise<Alert> {
  const { id } = await db
    .insertInto('alerts')
    .values({
      ...contentOf(cause),
      cause: cause.key,
      open_cause: cause.key,
      scope: cause.scope,
      kind: cause.kind,
      host: cause.host ?? null,
      service: cause.service ?? null,
      opened_at: at,
      updated_at: at,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  return { ...cause, id, openedAt: at, updatedAt: at }
}

export async function updateAlert(db: Db, id: number, cause: Cause, at: string): Promise<void> {
  await db
    .updateTable('alerts')
    .set({ ...contentOf(cause), updated_at: at })
    .where('id', '=', id)
    .execute()
}

export async function resolveAlert(db: Db, id: number, at: string): Promise<void> {
  await db
    .updateTable('alerts')
    .set({ open_cause: null, updated_at: at, resolved_at: at })
    .where('id', '=', id)
    .where('resolved_at', 'is', null)
    .execute()
}

/** Oldest first. */
export async function listOpenAlerts(db: Db, scopes?: readonly Scope[]): Promise<readonly Alert[]> {
  const open = db.selectFrom('alerts').selectAll().where('open_cause', 'is not', null).orderBy('id')
  const rows = await (scopes === undefined ? open : open.where('scope', 'in', [...scopes])).execute()
  return rows.map(alert)
}

export type AlertFilter = { readonly host?: HostName; readonly service?: ServiceName }

/** Open ones first, then the latest resolved, at most `limit` of those. */
export async function listAlerts(db: Db, filter: AlertFilter, limit: number): Promise<readonly Alert[]> {
  let query = db.selectFrom('alerts').selectAll().orderBy('id', 'desc')
  if (filter.host !== undefined) query = query.where('host', '=', filter.host)
  if (filter.service !== undefined) query = query.where('service', '=', filter.service)
  const open = await query.where('open_cause', 'is not', null).execute()
  const resolved = await query.where('open_cause', 'is', null).limit(limit).execute()
  return [...open, ...resolved].map(alert)
}

const resolvedKept = 500

/** Keeps the newest resolved alerts of a scope: a host that drifts and heals for ever does not fill the disk. */
export async function trimAlerts(db: Db, scope: Scope): Promise<void> {
  const resolved = db.selectFrom('alerts').select('id').where('scope', '=', scope).where('open_cause', 'is', null)
  const oldest = await resolved.orderBy('id', 'desc').offset(resolvedKept).limit(1).executeTakeFirst()
  if (oldest === undefined) return
  await db
    .deleteFrom('alerts')
    .where('scope', '=', scope)
    .where('open_cause', 'is', null)
    .where('id', '<=', oldest.id)
    .where('id', 'not in', (query) => query.selectFrom('outbox').select('alert'))
    .execute()
}

const severitySchema = z.enum(['critical', 'warning'])
const scopeSchema = z.union([z.literal('fleet'), z.templateLiteral(['host:', z.string()])])

function contentOf(cause: Cause) {
  return {
    severity: cause.severity,
    title: cause.title,
    text: cause.text,
    remedy: cause.remedy ?? null,
    diff: cause.diff ?? null,
  }
}

function alert(row: Selectable<Tables['alerts']>): Alert {
  return {
    id: row.id,
    key: row.cause,
    scope: scopeSchema.parse(row.scope),
    kind: row.kind,
    severity: severitySchema.parse(row.severity),
    title: row.title,
    text: row.text,
    openedAt: row.opened_at,
    updatedAt: row.updated_at,
    ...present('remedy', row.remedy),
    ...present('host', row.host === null ? undefined : hostNameSchema.parse(row.host)),
    ...present('service', row.service === null ? undefined : serviceNameSchema.parse(row.service)),
    ...present('diff', row.diff),
    ...present('resolvedAt', row.resolved_at),
  }
}
