// Enrolled hosts: their keys and their latest report.
import { z } from 'zod'
import { type HostName, hostNameSchema, type Revision, revisionSchema } from '../../shared/names.ts'
import { type Problem, problemSchema } from '../../shared/problem.ts'
import { fromJson, present } from './rows.ts'
import type { Db } from './tables.ts'

export type EnrolledHost = {
  readonly host: HostName
  readonly publicKey: string
  readonly enrolledAt: string
  readonly lastSeenAt: string
  readonly agentVersion?: string
  readonly platform?: string
  readonly revision?: Revision
  readonly problems: readonly Problem[]
  /** Absent until the first report. */
  readonly reportDigest?: string
}

export type HostReport = {
  readonly agentVersion: string
  readonly platform: string
  readonly revision: Revision | undefined
  readonly problems: readonly Problem[]
  readonly reportDigest: string
}

export async function findHost(db: Db, host: HostName): Promise<EnrolledHost | undefined> {
  const row = await db.selectFrom('hosts').selectAll().where('name', '=', host).executeTakeFirst()
  return row === undefined ? undefined : enrolledHost(row)
}

export async function listHosts(db: Db, only?: readonly HostName[]): Promise<readonly EnrolledHost[]> {
  const all = db.selectFrom('hosts').selectAll().orderBy('name')
  const rows = await (only === undefined ? all : all.where('name', 'in', [...only])).execute()
  return rows.map(enrolledHost)
}

export async function listHostNames(db: Db): Promise<readonly HostName[]> {
  const rows = await db.selectFrom('hosts').select('name').orderBy('name').execute()
  return rows.map((row) => hostNameSchema.parse(row.name))
}

export async function insertHost(db: Db, host: HostName, publicKey: string, at: string): Promise<void> {
  await db
    .insertInto('hosts')
    .values({ name: host, public_key: publicKey, enrolled_at: at, last_seen_at: at, problems: '[]' })
    .execute()
}

/** Deletes all records of the host too. */
export async function deleteHost(db: Db, host: HostName): Promise<boolean> {
  const deleted = await db.deleteFrom('hosts').where('name', '=', host).executeTakeFirst()
  return deleted.numDeletedRows > 0n
}

export async function saveHostReport(db: Db, host: HostName, said: HostReport): Promise<void> {
  await db
    .updateTable('hosts')
    .set({
      agent_version: said.agentVersion,
      platform: said.platform,
      revision: said.revision ?? null,
      problems: JSON.stringify(said.problems),
      report_digest: said.reportDigest,
    })
    .where('name', '=', host)
    .execute()
}

export async function saveLastSeen(db: Db, seen: ReadonlyMap<HostName, string>): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    for (const [host, at] of seen) {
      await transaction.updateTable('hosts').set({ last_seen_at: at }).where('name', '=', host).execute()
    }
  })
}

type HostRow = {
  name: string
  public_key: string
  enrolled_at: string
  last_seen_at: string
  agent_version: string | null
  platform: string | null
  revision: string | null
  problems: string
  report_digest: string | null
}

function enrolledHost(row: HostRow): EnrolledHost {
  return {
    host: hostNameSchema.parse(row.name),
    publicKey: row.public_key,
    enrolledAt: row.enrolled_at,
    lastSeenAt: row.last_seen_at,
    problems: fromJson(z.array(problemSchema), row.problems),
    ...present('agentVersion', row.agent_version),
    ...present('platform', row.platform),
    ...present('revision', row.revision === null ? undefined : revisionSchema.parse(row.revision)),
    ...present('reportDigest', row.report_digest),
  }
}
