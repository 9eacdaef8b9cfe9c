// Everything at and below a path, as needed to copy it elsewhere: types, modes, names of owners, contents up to a limit.
// No link is followed, no mount entered.
import { createHash } from 'node:crypto'
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { FileReader, FileStat } from './files.ts'

export type HostEntry = { readonly path: AbsolutePath } & (
  | (Owned & {
      readonly kind: 'file'
      /** Bytes. */
      readonly size: number
      /** Undefined: larger than `contentLimitBytes`. */
      readonly content: Uint8Array | undefined
      /** As dpkg notes it; undefined without content. */
      readonly md5: string | undefined
    })
  | { readonly kind: 'symlink'; readonly link: string }
  | (Owned & { readonly kind: 'directory'; readonly isEmpty: boolean })
  /** What no repository can hold; `why` is a noun phrase: `a socket`. */
  | { readonly kind: 'other'; readonly why: string }
)

type Owned = {
  readonly mode: number
  /** A name, or a number where it has none. */
  readonly owner: string
  readonly group: string
}

export const contentLimitBytes = 1 << 20
const entriesLimit = 20_000

/** Parents first, sorted. Throws PlumbError `usage` when there is nothing at the path, or more than can be taken stock of. */
export async function entriesBelow(path: AbsolutePath, files: FileReader): Promise<readonly HostEntry[]> {
  if (files.stat(path) === undefined)
    throw new PlumbError({
      code: 'usage',
      message: `There is nothing at ${path} on this host.`,
      remedy: 'Give paths as they are on this host.',
    })
  const found: HostEntry[] = []
  await files.pass(() => collect({ found, files, mounts: files.mounts() }, path))
  return found
}

type Walk = { readonly found: HostEntry[]; readonly files: FileReader; readonly mounts: ReadonlySet<string> }

async function collect(walk: Walk, path: AbsolutePath): Promise<void> {
  const stat = walk.files.stat(path)
  // It may go away while it is looked at.
  if (stat === undefined) return
  if (walk.found.length >= entriesLimit) throw tooMany(path)
  if (stat.type !== 'directory') {
    walk.found.push(await leafOf(path, stat, walk.files))
    return
  }
  const names = walk.files.list(path)
  const isMount = walk.found.length > 0 && walk.mounts.has(path)
  if (isMount) {
    walk.found.push({ kind: 'other', path, why: 'another file system mounted there' })
    return
  }
  walk.found.push({ kind: 'directory', path, ...(await ownedBy(stat, walk.files)), isEmpty: names.length === 0 })
  for (const name of names) {
    const child = absolutePathSchema.safeParse(path === '/' ? `/${name}` : `${path}/${name}`)
    if (child.success && !name.includes('\\')) await collect(walk, child.data)
    else walk.found.push({ kind: 'other', path, why: `a name that a repository cannot have: ${name.slice(0, 100)}` })
  }
}

async function leafOf(path: AbsolutePath, stat: FileStat, files: FileReader): Promise<HostEntry> {
  if (stat.type === 'symlink') return { kind: 'symlink', path, link: files.readLink(path) ?? '' }
  if (stat.type !== 'file') return { kind: 'other', path, why: stat.type === 'fifo' ? 'a FIFO' : `a ${stat.type}` }
  const content = await files.read(path, contentLimitBytes)
  const md5 = content === undefined ? undefined : createHash('md5').update(content).digest('hex')
  return { kind: 'file', path, ...(await ownedBy(stat, files)), size: stat.size, content, md5 }
}

async function ownedBy({ mode, uid, gid }: FileStat, { accounts }: FileReader): Promise<Owned> {
  const owner = (await accounts.userName(uid, 'root')) ?? (uid === 0 ? 'root' : String(uid))
  const group = (await accounts.groupName(gid, 'root')) ?? (gid === 0 ? 'root' : String(gid))
  return { mode, owner, group }
}

function tooMany(path: string): PlumbError {
  return new PlumbError({
    code: 'usage',
    message: `There are more than ${entriesLimit} files and directories, at ${path} and before.`,
    remedy: 'Name directories that hold configuration alone.',
  })
}
