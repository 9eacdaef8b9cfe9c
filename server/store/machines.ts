// The known machine of each host's key, and copies that presented the same key.
import { z } from 'zod'
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import { fromJson } from './rows.ts'
import type { Db } from './tables.ts'

export type KnownMachine = {
  readonly id: string
  readonly boot: string
  /** Boot ids that have ended, newest first: a machine never returns with one of them. */
  readonly endedBoots: readonly string[]
}

/** The sign by which a copy was recognized. */
export const copySigns = ['no-machine', 'other-machine-id', 'ended-boot', 'both-connected'] as const
export type CopySign = (typeof copySigns)[number]

export type IdentityCopy = {
  readonly host: HostName
  readonly sign: CopySign
  /** Address at which it was first seen. */
  readonly address: string
}

export async function findMachine(db: Db, host: HostName): Promise<KnownMachine | undefined> {
  const row = await db.selectFrom('machines').selectAll().where('host', '=', host).executeTakeFirst()
  if (row === undefined) return undefined
  return { id: row.id, boot: row.boot, endedBoots: fromJson(z.array(z.string()), row.ended_boots) }
}

export async function saveMachine(db: Db, host: HostName, { id, boot, endedBoots }: KnownMachine): Promise<void> {
  const known = { id, boot, ended_boots: JSON.stringify(endedBoots) }
  await db
    .insertInto('machines')
    .values({ host, ...known })
    .onConflict((conflict) => conflict.column('host').doUpdateSet(known))
    .execute()
}

/** Forgets the known machine and its copies: the next machine with the host's key becomes the known one. */
export async function forgetMachine(db: Db, host: HostName): Promise<void> {
  await db.deleteFrom('machines').where('host', '=', host).execute()
  await db.deleteFrom('identity_copies').where('host', '=', host).execute()
}

/** Keeps the first sighting, so that the text of the alert stays the same. True when the copy is new. */
export async function saveCopy(db: Db, { host, sign, address }: IdentityCopy, at: string): Promise<boolean> {
  const known = await db.selectFrom('identity_copies').select('host').where('host', '=', host).executeTakeFirst()
  await db
    .insertInto('identity_copies')
    .values({ host, sign, address, last_at: at })
    .onConflict((conflict) => conflict.column('host').doUpdateSet({ last_at: at }))
    .execute()
  return known === undefined
}

export async function listCopies(db: Db, hosts: readonly HostName[]): Promise<readonly IdentityCopy[]> {
  if (hosts.length === 0) return []
  const rows = await db
    .selectFrom('identity_copies')
    .selectAll()
    .where('host', 'in', [...hosts])
    .execute()
  return rows.map(({ host, sign, address }) => ({
    host: hostNameSchema.parse(host),
    sign: z.enum(copySigns).parse(sign),
    address,
  }))
}

/** Deletes copies that are no longer seen; returns their hosts. */
export async function forgetCopies(db: Db, lastBefore: string): Promise<readonly HostName[]> {
  const rows = await db.deleteFrom('identity_copies').where('last_at', '<', lastBefore).returning('host').execute()
  return rows.map(({ host }) => hostNameSchema.parse(host))
}
