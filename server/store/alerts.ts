// Alerts, open and resolved. A unique column ensures at most one open alert per cause.

import { type Selectable, sql } from 'kysely'
import { z } from 'zod'
import { type HostName, hostNameSchema, type ServiceName, serviceNameSchema } from '../../shared/names.ts'
import { type AlertEnd, alertEndSchema } from '../alert-end.ts'
import { bounds } from '../allowance/bounds.ts'
import { fromJson, present } from './rows.ts'
import type { Db, Tables } from './tables.ts'

export type Severity = 'critical' | 'warning'

/** The content of an alert as found by judge, without its lifecycle. */
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
  /** Groups alerts of one cause on several hosts; absent when the cause cannot be shared. */
  readonly common?: CommonCause
}

/** Alerts with the same key are one row and one message; `title` has `{hosts}` where these are named or counted. */
export type CommonCause = { readonly key: string; readonly title: string }

export type Scope = `host:${string}` | 'fleet'

export type Alert = Cause & {
  readonly id: number
  readonly openedAt: string
  readonly updatedAt: string
  readonly resolvedAt?: string
  /** Why it was resolved; not recorded by earlier versions. */
  readonly end?: AlertEnd
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

export type Ended = { readonly at: string; readonly end: AlertEnd }

export async function resolveAlert(db: Db, id: number, { at, end }: Ended): Promise<void> {
  await db
    .updateTable('alerts')
    .set({ open_cause: null, updated_at: at, resolved_at: at, end_reason: JSON.stringify(end) })
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

/** Without the texts and diffs, which may be megabytes: to count them, on every page. */
export async function listOpenAlertTitles(db: Db): Promise<readonly Alert[]> {
  const rows = await db
    .selectFrom('alerts')
    .select(['id', 'cause', 'open_cause', 'scope', 'kind', 'severity', 'title', 'host', 'service'])
    .select(['common_key', 'common_title', 'opened_at', 'updated_at', 'resolved_at', 'end_reason'])
    .where('open_cause', 'is not', null)
    .execute()
  return rows.map((row) => alert({ ...row, text: '', remedy: null, diff: null }))
}

export async function listAlertsById(db: Db, ids: readonly number[]): Promise<readonly Alert[]> {
  const rows = await db
    .selectFrom('alerts')
    .selectAll()
    .where('id', 'in', [...ids])
    .orderBy('id')
    .execute()
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

/** Keeps the newest resolved alerts of a scope, so that a host that keeps drifting cannot fill the disk. */
export async function trimAlerts(db: Db, scope: Scope): Promise<void> {
  const resolved = db.selectFrom('alerts').where('scope', '=', scope).where('open_cause', 'is', null)
  const ranked = resolved.select((row) => [
    'id',
    row.fn
      .agg<number>('row_number')
      .over((over) => over.orderBy('id', 'desc'))
      .as('place'),
    sql<number>`sum(length(text) + ifnull(length(diff), 0)) over (order by id desc)`.as('bytes'),
  ])
  const beyond = db
    .selectFrom(ranked.as('ranked'))
    .select('id')
    .where((row) =>
      row.or([row('place', '>', bounds.resolvedAlerts.limit), row('bytes', '>', bounds.resolvedAlertBytes.limit)]),
    )
  await db
    .deleteFrom('alerts')
    .where('id', 'in', beyond)
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
    common_key: cause.common?.key ?? null,
    common_title: cause.common?.title ?? null,
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
    ...present('common', row.common_key === null ? undefined : { key: row.common_key, title: row.common_title ?? '' }),
    ...present('resolvedAt', row.resolved_at),
    ...present('end', row.end_reason === null ? undefined : fromJson(alertEndSchema, row.end_reason)),
  }
}
