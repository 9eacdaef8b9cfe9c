// Reads a copy that was fetched over http(s): all objects are in packs (pack/), the few refs are files.
import git from 'isomorphic-git'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { durableFs as fs } from './durable-fs.ts'
import { entriesBelow } from './entries.ts'
import { PackTooLarge } from './pack/limits.ts'
import { PackedObjects } from './pack/packed-objects.ts'
import { corrupt, diskProblem, tooLarge } from './reasons.ts'
import type { Objects } from './transport.ts'

export function createCopyObjects(gitdir: string): Objects {
  const using = createIdlePacks(gitdir, 10)
  const reading = <Result>(work: (packs: PackedObjects) => Promise<Result>): Promise<Result> =>
    using(work).catch((error) => Promise.reject(copyFault(gitdir, error)))
  return {
    hasCommit: (revision) => reading(async (packs) => (await packs.find(revision))?.type === 'commit'),
    descends: (revision, ancestor) => reading((packs) => reaches(packs, revision, ancestor)),
    resolve: async (name) => {
      const oid = await objectNamed(gitdir, name)
      return oid === undefined ? undefined : await reading((packs) => commitOf(packs, oid))
    },
    entries: (revision) =>
      reading(async (packs) => {
        const { bytes } = await packs.read(revision)
        // Sequentially: neighbors in a pack are often deltas of each other, and each base is then inflated once.
        const readTree = async (oid: string) => (await packs.read(oid)).bytes
        return await entriesBelow(headerOf(bytes, 'tree')[0] ?? '', { readTree, atOnce: 1 })
      }),
    sizes: (oids) =>
      reading(async (packs) => {
        const sizes: number[] = []
        for (const oid of oids) sizes.push((await packs.sizeOf(oid)) ?? notThere(packs, oid))
        return sizes
      }),
    readMany: (oids) =>
      reading(async (packs) =>
        (await packs.readMany(oids)).map((bytes) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)),
      ),
  }
}

type UsingPacks = <Result>(work: (packs: PackedObjects) => Promise<Result>) => Promise<Result>

/** Releases open packs and inflated objects, megabytes that an idle agent does not need. */
function createIdlePacks(gitdir: string, idleSeconds: number): UsingPacks {
  let packs: PackedObjects | undefined
  let active = 0
  let timer: NodeJS.Timeout | undefined
  const rest = () => {
    packs?.close()
    packs = undefined
  }
  return async (work) => {
    clearTimeout(timer)
    active += 1
    packs ??= new PackedObjects(gitdir)
    try {
      return await work(packs)
    } finally {
      active -= 1
      if (active === 0) timer = setTimeout(rest, idleSeconds * 1000).unref()
    }
  }
}

/** A history that ends here before the ancestor does not reach it. */
async function reaches(packs: PackedObjects, revision: string, ancestor: string): Promise<boolean> {
  const seen = new Set([revision])
  for (const oid of seen) {
    if (oid === ancestor) return true
    const commit = await packs.find(oid)
    if (commit?.type === 'commit') for (const parent of headerOf(commit.bytes, 'parent')) seen.add(parent)
  }
  return false
}

/** Resolves an annotated tag to its commit. */
async function commitOf(packs: PackedObjects, oid: string): Promise<Revision | undefined> {
  let at: string | undefined = oid
  for (let tags = 0; at !== undefined && tags < 10; tags += 1) {
    const found = await packs.find(at)
    if (found?.type === 'commit') return revisionSchema.parse(at)
    at = found?.type === 'tag' ? headerOf(found.bytes, 'object')[0] : undefined
  }
  return undefined
}

/** The ids in the lines before the message: `tree`, `parent`, `object`. */
function headerOf(object: Buffer, name: string): readonly string[] {
  const end = object.indexOf('\n\n')
  const lines = object.toString('latin1', 0, end < 0 ? object.length : end).split('\n')
  return lines.flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []))
}

async function objectNamed(gitdir: string, name: string): Promise<string | undefined> {
  if (revisionSchema.safeParse(name).success) return name
  for (const ref of [`refs/heads/${name}`, `refs/tags/${name}`]) {
    const oid = await git.resolveRef({ fs, gitdir, ref }).catch(() => undefined)
    if (oid !== undefined) return oid
  }
  if (!/^[0-9a-f]{4,39}$/.test(name)) return undefined
  return await git.expandOid({ fs, gitdir, oid: name, cache: {} }).catch((error) => {
    if (!(error instanceof git.Errors.AmbiguousError)) return undefined
    const message = `"${name}" is the beginning of more than one id.`
    throw new PlumbError({ code: 'usage', message, remedy: 'Give more of its digits.' })
  })
}

function notThere(packs: PackedObjects, oid: string): never {
  if (packs.hasUnindexed()) throw new PackTooLarge(`object ${oid} is a new version of a file that is too large`)
  throw new Error(`object ${oid} is missing`)
}

export function copyFault(directory: string, error: unknown): unknown {
  if (error instanceof PlumbError) return error
  if (error instanceof PackTooLarge) return tooLarge(directory, error)
  return (
    diskProblem(error, directory) ?? corrupt(directory, error instanceof Error ? error.message : String(error), error)
  )
}
