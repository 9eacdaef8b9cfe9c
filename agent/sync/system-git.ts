// ssh and local remotes by the system's git.
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import type { PlumbError } from '../../shared/problem.ts'
import type { CommandResult, Run } from '../host/run.ts'
import type { Address } from './address.ts'
import { localHead } from './local-head.ts'
import { corrupt, diskFull, noBranch, noCommit, unreachable } from './reasons.ts'
import { createSystemObjects, isPlainName } from './system-objects.ts'
import { createSystemGit, lastLines, type SystemGit } from './system-settings.ts'
import type { Objects, RemoteHead, Transport } from './transport.ts'

export type SystemGitOptions = {
  readonly address: Extract<Address, { kind: 'ssh' | 'local' }>
  readonly branch: string | undefined
  /** Where git's configuration is kept. */
  readonly directory: string
  readonly run: Run
}

export function createSystemGitTransport({ address, branch, directory, run }: SystemGitOptions): Transport {
  const git = createSystemGit(address, directory, run)
  const opened = new Map<string, Objects>()
  const objects = (gitDirectory: string): Objects => {
    const known = opened.get(gitDirectory) ?? createSystemObjects(git, gitDirectory)
    opened.set(gitDirectory, known)
    return known
  }
  const parts = { git, address, objects }
  return {
    head: () => headOf(parts, branch),
    create: async (gitDirectory) => {
      const answer = await git.run(['init', '--bare', '--quiet', '--template=', '--', gitDirectory])
      if (answer.code !== 0) throw await fault(parts, gitDirectory, answer)
    },
    fetch: (gitDirectory, ref, depth) => fetchRef(parts, { gitDirectory, ref, depth }),
    bring: (gitDirectory, name) => bringNamed(parts, gitDirectory, name),
    objects,
    rest: () => {},
  }
}

type Parts = {
  readonly git: SystemGit
  readonly address: SystemGitOptions['address']
  readonly objects: (gitDirectory: string) => Objects
}

/** A local repository tells by its files; git is asked when they do not. */
async function headOf({ git, address: { kind, url } }: Parts, branch: string | undefined): Promise<RemoteHead> {
  const told = kind === 'local' ? await localHead(url, branch) : undefined
  if (told !== undefined) return told
  if (kind === 'local') await requireDirectory(url)
  const asked = branch === undefined ? 'HEAD' : `refs/heads/${branch}`
  const answer = await git.run(['ls-remote', '--symref', '--', url, asked], { deadlineSeconds: 60 })
  if (answer.code !== 0) throw gitFailed(url, answer)
  const head = headIn(answer.stdout, asked)
  if (head === undefined) throw unreachable(url, branch === undefined ? noCommit : noBranch(branch))
  return head
}

type Fetch = { readonly gitDirectory: string; readonly ref: string; readonly depth: number | undefined }

async function fetchRef(parts: Parts, { gitDirectory, ref, depth }: Fetch): Promise<Revision> {
  const { git, address, objects } = parts
  const deepening = depth === undefined ? [] : [`--depth=${depth}`]
  const args = [
    `--git-dir=${gitDirectory}`,
    'fetch',
    ...fetchFlags,
    ...deepening,
    '--',
    address.url,
    `+${ref}:${fetched}`,
  ]
  for (let attempt = 1; ; attempt += 1) {
    const answer = await git.run(args, { deadlineSeconds: 900 })
    if (answer.code === 0) break
    const error = await fault(parts, gitDirectory, answer)
    // The git of an agent that was killed may still have been at work here, and have moved the ref in between.
    if (error.code !== 'repository-unreachable' || attempt === 2) throw error
  }
  const revision = await objects(gitDirectory).resolve(fetched)
  if (revision === undefined) throw corrupt(gitDirectory, `${ref} was fetched and is not there`)
  return revision
}

/** A local remote also knows the beginnings of ids; any other gives what it has a name for, or a whole id. */
async function bringNamed(
  { git, address, objects }: Parts,
  gitDirectory: string,
  name: string,
): Promise<Revision | undefined> {
  if (!isPlainName(name)) return undefined
  const full = address.kind === 'local' ? await objects(await gitDirectoryOf(address.url)).resolve(name) : undefined
  const args = ['fetch', ...fetchFlags, '--depth=1', '--', address.url, `+${full ?? name}:${fetched}`]
  const answer = await git.run([`--git-dir=${gitDirectory}`, ...args], { deadlineSeconds: 900 })
  return answer.code === 0 ? await objects(gitDirectory).resolve(fetched) : undefined
}

const fetched = 'refs/plumb/fetched'
const fetchFlags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--update-shallow']

function headIn(output: string, asked: string): RemoteHead | undefined {
  const lines = output.split('\n').map((line) => line.split('\t'))
  const oid = lines.find(([left, name]) => name === asked && left?.startsWith('ref: ') === false)?.[0]
  const target = lines.find(([left, name]) => name === asked && left?.startsWith('ref: ') === true)?.[0]
  const revision = revisionSchema.safeParse(oid)
  return revision.success ? { ref: target?.slice('ref: '.length) ?? asked, revision: revision.data } : undefined
}

async function requireDirectory(url: string): Promise<void> {
  const found = await stat(url).catch(() => undefined)
  if (found?.isDirectory() === true) return
  const why = found === undefined ? 'there is no such directory' : 'it is not a directory'
  throw unreachable(url, { why, remedy: 'Give the directory of a git repository, or its address.' })
}

async function gitDirectoryOf(url: string): Promise<string> {
  const inside = join(url, '.git')
  return (await stat(inside).catch(() => undefined)) === undefined ? url : inside
}

/** The remote has just answered for its head, so that what fails now may well be this side. */
async function fault({ git, address }: Parts, gitDirectory: string, answer: CommandResult): Promise<PlumbError> {
  const space = await statfs(gitDirectory).catch(() => undefined)
  if (space !== undefined && space.bavail * space.bsize < 1024 * 1024) return diskFull(gitDirectory)
  // Whoever calls holds the lock of the copy, so that no other git is at work in it.
  const left = (await readdir(gitDirectory, { recursive: true })).find((name) => name.endsWith('.lock'))
  if (left !== undefined) return corrupt(gitDirectory, `a git that was killed has left ${left} behind`)
  const walk = [`--git-dir=${gitDirectory}`, 'rev-list', '--objects', '--all', '--quiet']
  const sound = await git.run(walk, { deadlineSeconds: 300 })
  return sound.code === 0 ? gitFailed(address.url, answer) : corrupt(gitDirectory, lastLines(sound.stderr))
}

function gitFailed(url: string, answer: CommandResult): PlumbError {
  const remedy = 'Try it by hand, as root: git ls-remote on the address. The last good revision stays in place.'
  return unreachable(url, { why: `git says: ${lastLines(answer.stderr)}`, remedy })
}
