// The machine behind each host's key, and the copies that showed the same key.
import { z } from 'zod'
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import { fromJson } from './rows.ts'
import type { Db } from './tables.ts'

export type KnownMachine = {
  readonly id: string
  readonly boot: string
  /** Boots of it that are over, newest first: a machine does not come back with one. */
  readonly endedBoots: readonly string[]
}

/** How a copy gave itself away. */
export const copySigns = ['no-machine', 'other-machine-id', 'ended-boot', 'both-connected'] as const
export type CopySign = (typeof copySigns)[number]

export type IdentityCopy = {
  readonly host: HostName
  readonly sign: CopySign
  /** Where it was first seen. */
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

/** The next machine with the host's key is the known one; copies that were seen are forgotten with it. */
export async function forgetMachine(db: Db, host: HostName): Promise<void> {
  await db.deleteFrom('machines').where('host', '=', host).execute()
  await db.deleteFrom('identity_copies').where('host', '=', host).execute()
}

/** What was first seen stays: an alert says the same as long as its cause is the same. True when it is news. */
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

/** Copies that were not seen any more; returns whose they were. */
export async function forgetCopies(db: Db, lastBefore: string): Promise<readonly HostName[]> {
  const rows = await db.deleteFrom('identity_copies').where('last_at', '<', lastBefore).returning('host').execute()
  return rows.map(({ host }) => hostNameSchema.parse(host))
}
