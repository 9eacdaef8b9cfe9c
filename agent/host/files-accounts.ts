// Names of users and groups: from this root's own etc/passwd and etc/group; on `/` getent answers for the rest (LDAP, systemd).

import type { Run } from '../../shared/command.ts'
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import type { Accounts, FileReader, FileStat } from './files.ts'

const sizeLimit = 16 * 1024 * 1024
/** A name that getent does not know is asked for again after this. */
const askAgainMs = 30_000

/** `getent`: absent in a sandbox, whose users the machine's own directory does not know. */
export function accountsOf(files: Pick<FileReader, 'stat' | 'read'>, getent: Run | undefined): Accounts {
  const users = database({ path: absolutePathSchema.parse('/etc/passwd'), table: 'passwd', files, getent })
  const groups = database({ path: absolutePathSchema.parse('/etc/group'), table: 'group', files, getent })
  const complete = getent !== undefined
  return {
    userName: (uid, preferred) => nameIn(users, { id: uid, preferred, complete }),
    groupName: (gid, preferred) => nameIn(groups, { id: gid, preferred, complete }),
    userId: (name) => idIn(users, name),
    groupId: (name) => idIn(groups, name),
  }
}

type Source = {
  readonly path: AbsolutePath
  readonly table: 'passwd' | 'group'
  readonly files: Pick<FileReader, 'stat' | 'read'>
  readonly getent: Run | undefined
}

type Known = { readonly ids: Map<string, number>; readonly names: Map<number, string> }

type Database = {
  /** As the file is now. */
  known(): Promise<Known>
  /** Asks getent; what it answers is in `known` afterwards. */
  ask(key: string): Promise<void>
}

function database(source: Source): Database {
  let read: { readonly stat: FileStat | undefined; readonly known: Known } | undefined
  const asked = new Map<string, number>()
  const known = async (): Promise<Known> => {
    const stat = source.files.stat(source.path)
    if (read !== undefined && sameFile(read.stat, stat)) return read.known
    const bytes = stat === undefined ? undefined : await source.files.read(source.path, sizeLimit)
    read = { stat, known: { ids: new Map(), names: new Map() } }
    asked.clear()
    add(read.known, bytes === undefined ? '' : Buffer.from(bytes).toString('utf8'))
    return read.known
  }
  return {
    known,
    ask: async (key) => {
      if (source.getent === undefined || performance.now() - (asked.get(key) ?? -askAgainMs) < askAgainMs) return
      asked.set(key, performance.now())
      const { code, stdout } = await source.getent({ args: ['getent', source.table, key], deadlineSeconds: 10 })
      if (code === 0) add(await known(), stdout)
    },
  }
}

/** The first entry of an id or a name counts, as in getpwuid(3). */
function add({ ids, names }: Known, lines: string): void {
  for (const line of lines.split('\n')) {
    const [name, , number] = line.split(':')
    if (name === undefined || name === '' || number === undefined || !/^\d+$/.test(number)) continue
    const id = Number(number)
    if (!ids.has(name)) ids.set(name, id)
    if (!names.has(id)) names.set(id, name)
  }
}

type Wanted = { readonly id: number; readonly preferred: string | undefined; readonly complete: boolean }

async function nameIn(from: Database, { id, preferred, complete }: Wanted): Promise<string | undefined> {
  if (preferred !== undefined) {
    const wanted = await idIn(from, preferred)
    if (wanted === id) return preferred
    if (wanted === undefined && !complete) return undefined
  }
  const known = (await from.known()).names.get(id)
  if (known !== undefined) return known
  await from.ask(String(id))
  return (await from.known()).names.get(id) ?? String(id)
}

async function idIn(from: Database, name: string): Promise<number | undefined> {
  const known = (await from.known()).ids.get(name)
  if (known !== undefined) return known
  if (/^\d+$/.test(name)) return Number(name)
  await from.ask(name)
  return (await from.known()).ids.get(name)
}

function sameFile(one: FileStat | undefined, other: FileStat | undefined): boolean {
  return one?.inode === other?.inode && one?.changedMs === other?.changedMs && one?.size === other?.size
}
