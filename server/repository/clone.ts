// The server's own clone, in full: what hosts may take, and where "why" is answered from. URL in, revisions and commits out.
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import type { CommitView } from '../show/views.ts'
import type { Git, GitResult } from './git.ts'
import { createObjects, type Objects } from './objects.ts'
import { serverRemote, writeGitConfiguration } from './remote.ts'

export type CloneOptions = {
  /** Holds the bare repository `fleet.git` and git's configuration for it; nothing else may be in it. */
  readonly directory: string
  readonly url: string
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
  const remote = serverRemote(options.url)
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
    const answer = await required({ ...call, args: ['ls-remote', '--symref', '--', remote.url, 'HEAD'] })
    const name = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(answer.stdout.toString('utf8'))?.[1]
    if (name !== undefined) return name
    throw unreachable(
      remote.url,
      'it has no commit yet, or its HEAD names no branch',
      'Push a first commit, or give a branch.',
    )
  }

  async function required(call: Parameters<Git>[0]): Promise<GitResult> {
    const result = await git({ configuration, ...call })
    if (result.outcome === 0) return result
    throw unreachable(
      remote.url,
      gitReason(result),
      'Check the address, the network and the credentials; it is tried again.',
    )
  }
}

type At = { readonly gitDirectory: string; readonly configuration: string }

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

function unreachable(url: string, reason: string, remedy: string): PlumbError {
  return new PlumbError({ code: 'repository-unreachable', message: `${url}: ${reason}.`, remedy })
}

function problemOf(error: unknown): Problem {
  const problem = error instanceof PlumbError ? error.problems[0] : undefined
  return problem ?? { code: 'internal', message: error instanceof Error ? error.message : String(error) }
}
