// The server's own clone, in full: what hosts may take, and where "why" is answered from. URL in, revisions and commits out.
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Credentials } from '../../shared/address.ts'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import type { CommitView } from '../show/views.ts'
import type { Git, GitResult } from './git.ts'
import { createObjects, type Objects } from './objects.ts'
import { serverRemote, uploadPackFlags, writeGitConfiguration } from './remote.ts'

export type CloneOptions = {
  /** Holds the bare repository `fleet.git` and git's configuration for it; nothing else may be in it. */
  readonly directory: string
  readonly url: string
  /** For an address over http(s), which may also carry them itself. */
  readonly credentials?: Credentials
  /** Default: the remote's HEAD. */
  readonly branch?: string
  /** PEM file with the authorities to trust for https, instead of the system's. */
  readonly certificateFile?: string
  readonly git: Git
}

/** After a failure the last good head, if there ever was one, stays readable. */
export type FetchOutcome =
  | { readonly kind: 'moved' | 'unmoved'; readonly head: CommitView }
  | { readonly kind: 'failed'; readonly problem: Problem; readonly head: CommitView | undefined }

export type FleetClone = Objects & {
  readonly gitDirectory: string
  /** A file that stands for the user's configuration in every git that touches the clone. */
  readonly configuration: string
  /** Without credentials. */
  readonly url: string
  /** Undefined until the first fetch has learnt the remote's HEAD, when no branch was given. */
  branch(): Promise<string | undefined>
  /** Undefined until the first fetch succeeded. */
  head(): Promise<CommitView | undefined>
  /** One at a time; calls that arrive during one share the next. Never rejects. */
  fetch(): Promise<FetchOutcome>
}

/** Touches no network. Throws PlumbError `git-missing` when there is no git, `usage` for an address that is none. */
export async function openClone(options: CloneOptions): Promise<FleetClone> {
  const { directory, git } = options
  const remote = serverRemote(options.url, options.credentials)
  await requireGit(git)
  const configuration = await writeGitConfiguration(directory, remote, options.certificateFile)
  const gitDirectory = join(directory, 'fleet.git')
  const at = { gitDirectory, configuration }
  const objects = createObjects(git, at)
  const branch = async () => options.branch ?? (await followedBranch(git, at))
  const head = () => headOf(git, at, objects)
  let sound = false
  const fetchOnce = async (): Promise<FetchOutcome> => {
    try {
      const before = await head()
      if (!sound && existsSync(gitDirectory) && !(await isSound(git, at))) await replaceClone()
      else await fetchInto(gitDirectory)
      sound = true
      const after = await head()
      if (after === undefined) throw unreachable(remote.url, 'it has no commit yet', 'Push a first commit.')
      return { kind: before?.revision === after.revision ? 'unmoved' : 'moved', head: after }
    } catch (error) {
      return { kind: 'failed', problem: problemOf(error), head: await head().catch(() => undefined) }
    }
  }
  return { ...objects, ...at, url: remote.url, branch, head, fetch: oneAtATime(fetchOnce) }

  async function fetchInto(target: string): Promise<void> {
    const call = { gitDirectory: target, configuration }
    if (!existsSync(join(target, 'HEAD'))) await required({ args: ['init', '--bare', '--quiet', '--', target] })
    const followed = options.branch ?? (await remoteHead(call))
    await required({
      ...call,
      args: [
        'fetch',
        ...uploadPackFlags(remote),
        '--quiet',
        '--prune',
        '--no-tags',
        '--update-head-ok',
        '--no-write-fetch-head',
        '--',
        remote.url,
        ...refspecs,
      ],
      deadlineSeconds: 900,
      fileLimitBytes: packLimitBytes,
    })
    await required({ ...call, args: ['symbolic-ref', 'HEAD', `refs/heads/${followed}`] })
    const known = await git({ ...call, args: ['rev-parse', '--verify', '--quiet', `refs/heads/${followed}`] })
    if (known.outcome !== 0)
      throw unreachable(remote.url, `it has no branch "${followed}"`, 'Correct the branch, or push it.')
  }

  /** Beside the damaged one first, so that a remote that is away leaves what can still be read. */
  async function replaceClone(): Promise<void> {
    const incoming = join(directory, 'incoming.git')
    const broken = join(directory, 'broken.git')
    await rm(incoming, { recursive: true, force: true })
    await mkdir(incoming)
    await fetchInto(incoming)
    await rm(broken, { recursive: true, force: true })
    await rename(gitDirectory, broken)
    await rename(incoming, gitDirectory)
  }

  async function remoteHead(call: { gitDirectory: string; configuration: string }): Promise<string> {
    const answer = await required({
      ...call,
      args: ['ls-remote', ...uploadPackFlags(remote), '--symref', '--', remote.url, 'HEAD'],
    })
    const name = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(answer.stdout.toString('utf8'))?.[1]
    if (name !== undefined) return name
    const heads = await required({
      ...call,
      args: ['ls-remote', ...uploadPackFlags(remote), '--heads', '--', remote.url],
    })
    throw unreachable(remote.url, ...noHead(answer.stdout.toString('utf8'), heads.stdout.toString('utf8')))
  }

  async function required(call: Parameters<Git>[0]): Promise<GitResult> {
    const result = await git({ configuration, ...call })
    if (result.outcome === 0) return result
    if (isTooLarge(result)) throw tooLarge(remote.url)
    if (/mismatched algorithms|object-format/.test(result.stderr)) throw unreachable(remote.url, ...sha256)
    throw unreachable(
      remote.url,
      gitReason(result),
      'Check the address, the network and the credentials; it is tried again.',
    )
  }
}

type At = { readonly gitDirectory: string; readonly configuration: string }

/** The server's clone has all branches and the whole history. */
const packLimitBytes = 2 * 1024 * 1024 * 1024

const sha256 = [
  'the repository uses SHA-256 ids, which Plumbline does not read',
  'Make it with git init --object-format=sha1.',
] as const

const refspecs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']

async function requireGit(git: Git): Promise<void> {
  const version = await git({ args: ['--version'], deadlineSeconds: 20 })
  if (version.outcome === 0) return
  throw new PlumbError({
    code: 'git-missing',
    message: 'The server keeps its clone with git, and there is no git on this machine.',
    remedy: 'apt-get install git',
  })
}

async function followedBranch(git: Git, at: At): Promise<string | undefined> {
  const answer = await git({ ...at, args: ['symbolic-ref', '--quiet', 'HEAD'] })
  const name = answer.stdout.toString('utf8').trim()
  return answer.outcome === 0 && existsSync(at.gitDirectory) ? name.replace(/^refs\/heads\//, '') : undefined
}

async function headOf(git: Git, at: At, objects: Objects): Promise<CommitView | undefined> {
  if (!existsSync(at.gitDirectory)) return undefined
  const answer = await git({ ...at, args: ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'] })
  const revision = revisionSchema.safeParse(answer.stdout.toString('utf8').trim())
  return revision.success ? await objects.commit(revision.data as Revision) : undefined
}

/** Every object that a branch or tag needs is there; a truncated pack is found here. */
async function isSound(git: Git, at: At): Promise<boolean> {
  const walk = await git({ ...at, args: ['rev-list', '--objects', '--all', '--quiet'], deadlineSeconds: 300 })
  return walk.outcome === 0
}

function oneAtATime(fetchOnce: () => Promise<FetchOutcome>): () => Promise<FetchOutcome> {
  let running: Promise<FetchOutcome> | undefined
  let next: Promise<FetchOutcome> | undefined
  const start = (): Promise<FetchOutcome> => {
    const fetching = fetchOnce().finally(() => {
      running = undefined
    })
    running = fetching
    return fetching
  }
  return () => {
    if (running === undefined) return start()
    next ??= running.then(() => {
      next = undefined
      return start()
    })
    return next
  }
}

function gitReason(result: GitResult): string {
  if (result.outcome === 'deadline') return 'git did not end within its time'
  const said = result.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('hint:'))
  return `git says: ${said.slice(-4).join(' / ').slice(0, 1500) || result.outcome}`
}

/** Why, and what to do, when HEAD leads to no branch: nothing is there, it is detached, or its branch is gone. */
function noHead(head: string, heads: string): readonly [reason: string, remedy: string] {
  const branches = heads.split('\n').flatMap((line) => /\trefs\/heads\/(.+)$/.exec(line)?.[1] ?? [])
  const [first] = branches
  if (first === undefined) return ['it has no commit yet', 'Push a first commit.']
  const reason = head.trim() === '' ? 'its HEAD names a branch that does not exist' : 'its HEAD names no branch'
  const there = `${branches.slice(0, 5).join(', ')}${branches.length > 5 ? ` and ${branches.length - 5} more` : ''}`
  const remedy = `Correct its default branch (git symbolic-ref HEAD refs/heads/${first}), or give the branch to follow.`
  return [`${reason}; there ${branches.length === 1 ? 'is' : 'are'} ${there}`, remedy]
}

/** By the words of git about an allocation, of the kernel about a file (EFBIG), or by the signal that goes with it. */
function isTooLarge({ stderr }: GitResult): boolean {
  return /attempting to allocate \d+ over limit|File too large|died of signal 25/.test(stderr)
}

function tooLarge(url: string): PlumbError {
  return new PlumbError({
    code: 'repository-invalid',
    message: `${url}: what was fetched is not unpacked: it is larger than a fleet repository may be.`,
    remedy: 'Take large files out of the repository and its history. The last good revision stays in place.',
  })
}

function unreachable(url: string, reason: string, remedy: string): PlumbError {
  return new PlumbError({ code: 'repository-unreachable', message: `${url}: ${reason}.`, remedy })
}

function problemOf(error: unknown): Problem {
  const problem = error instanceof PlumbError ? error.problems[0] : undefined
  return problem ?? { code: 'internal', message: error instanceof Error ? error.message : String(error) }
}
