// Reads the head of a local repository from its files, so that a check each minute starts no process.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import type { RemoteHead } from './transport.ts'

/** Undefined when the classic files do not have it (a linked work tree, reftables): then git itself must be run. */
export async function localHead(directory: string, branch: string | undefined): Promise<RemoteHead | undefined> {
  const inside = join(directory, '.git')
  return (await headIn(inside, branch)) ?? (await headIn(directory, branch))
}

/** Also for a branch that does not exist. */
export async function branchOfHead(directory: string): Promise<string | undefined> {
  const head = (await smallText(join(directory, '.git/HEAD'))) ?? (await smallText(join(directory, 'HEAD')))
  return /^ref: refs\/heads\/(\S+)\n?$/.exec(head ?? '')?.[1]
}

async function headIn(gitDirectory: string, branch: string | undefined): Promise<RemoteHead | undefined> {
  const head = await smallText(join(gitDirectory, 'HEAD'))
  if (head === undefined) return undefined
  if (branch !== undefined) return await headOn(gitDirectory, `refs/heads/${branch}`)
  const ref = /^ref: (refs\/heads\/\S+)\n?$/.exec(head)?.[1]
  if (ref !== undefined) return await headOn(gitDirectory, ref)
  const detached = revisionSchema.safeParse(head.trim())
  return detached.success ? { ref: 'HEAD', revision: detached.data } : undefined
}

async function headOn(gitDirectory: string, ref: string): Promise<RemoteHead | undefined> {
  if (/(?:^|\/)\.\.?(?:\/|$)/.test(ref)) return undefined
  const loose = revisionSchema.safeParse((await smallText(join(gitDirectory, ref)))?.trim())
  const revision = loose.success ? loose.data : await packed(gitDirectory, ref)
  return revision === undefined ? undefined : { ref, revision }
}

async function packed(gitDirectory: string, ref: string): Promise<Revision | undefined> {
  const lines = (await smallText(join(gitDirectory, 'packed-refs')))?.split('\n') ?? []
  const line = lines.find((candidate) => candidate.slice(41) === ref)
  const revision = revisionSchema.safeParse(line?.slice(0, 40))
  return revision.success ? revision.data : undefined
}

const smallBytes = 16 * 1024 * 1024

/** Never blocks on a FIFO or a device in its place: another user may own the directory. */
async function smallText(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const found = await file.stat()
    return found.isFile() && found.size <= smallBytes ? await file.readFile('utf8') : undefined
  } finally {
    await file.close()
  }
}
