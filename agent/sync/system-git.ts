// ssh and local remotes by the system's git.

import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Account, CommandResult, Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { becoming, closedUploadPack } from '../../shared/platform/git.ts'
import type { PlumbError } from '../../shared/problem.ts'
import { awaitedGitFile, awaitedText } from '../host/git-files.ts'
import { repositoryOwner } from '../host/repository-owner.ts'
import type { Address } from './address.ts'
import { branchOfHead, localHead } from './local-head.ts'
import {
  corrupt,
  danglingHead,
  diskFull,
  noBranch,
  noCommit,
  type Reason,
  sha256,
  tooLarge,
  unreachable,
} from './reasons.ts'
import { createSystemObjects, isPlainName } from './system-objects.ts'
import { createSystemGit, type SystemGit, saidInOneLine } from './system-settings.ts'
import type { Objects, RemoteHead, Transport } from './transport.ts'

export type SystemGitOptions = {
  readonly address: Extract<Address, { kind: 'ssh' | 'local' }>
  readonly branch: string | undefined
  /** Directory of git's configuration. */
  readonly directory: string
  readonly run: Run
}

export function createSystemGitTransport({ address, branch, directory, run }: SystemGitOptions): Transport {
  const git = createSystemGit({ address, directory, run })
  const opened = new Map<string, Objects>()
  const objects = (gitDirectory: string): Objects => {
    const known = opened.get(gitDirectory) ?? createSystemObjects(git, gitDirectory)
    opened.set(gitDirectory, known)
    return known
  }
  const owner = () => requireOwner(address.url, run)
  return transportOf({ git, address, objects, run, owner }, branch)
}

function transportOf(parts: Parts, branch: string | undefined): Transport {
  const { git, objects } = parts
  return {
    within: (stop) => {
      const run: SystemGit['run'] = (args, limits = {}) =>
        git.run(args, { ...limits, stop: AbortSignal.any([stop, ...(limits.stop === undefined ? [] : [limits.stop])]) })
      return transportOf({ ...parts, git: { ...git, run } }, branch)
    },
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
  readonly run: Run
  /** Owner of a local repository; undefined: the user who runs plumb. */
  readonly owner: () => Promise<Account | undefined>
}

/** Reads the files of a local repository; runs git when they do not suffice. */
async function headOf(parts: Parts, branch: string | undefined): Promise<RemoteHead> {
  const { kind, url } = parts.address
  const known = kind === 'local' ? await localHead(url, branch) : undefined
  if (known !== undefined) return known
  if (kind === 'local') await requireDirectory(url)
  const asked = branch === undefined ? 'HEAD' : `refs/heads/${branch}`
  const args = ['ls-remote', ...(await uploadPack(parts)), '--symref', '--', url, asked]
  const answer = await parts.git.run(args, { deadlineSeconds: 60 })
  if (answer.code !== 0) throw gitFailed(url, answer)
  const head = headIn(answer.stdout, asked)
  if (head !== undefined) return head
  if (/^[0-9a-f]{64}\t/m.test(answer.stdout)) throw unreachable(url, sha256)
  throw unreachable(url, branch === undefined ? await noHead(parts) : noBranch(branch))
}

async function noHead(parts: Parts): Promise<Reason> {
  const { kind, url } = parts.address
  const args = ['ls-remote', ...(await uploadPack(parts)), '--heads', '--', url]
  const answer = await parts.git.run(args, { deadlineSeconds: 60, outputLimitBytes: 1024 * 1024 })
  const branches = answer.stdout.split('\n').flatMap((line) => /\trefs\/heads\/(.+)$/.exec(line)?.[1] ?? [])
  if (branches.length === 0) return noCommit
  return danglingHead(kind === 'local' ? await branchOfHead(url) : undefined, branches)
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
    ...(await uploadPack(parts)),
    '--',
    address.url,
    `+${ref}:${fetched}`,
  ]
  for (let attempt = 1; ; attempt += 1) {
    const answer = await git.run(args, { deadlineSeconds: fetchSeconds, fileLimitBytes: packLimitBytes })
    if (answer.code === 0) break
    if (isTooLarge(answer)) throw tooLarge(address.url, new Error('it is larger than a fleet repository may be'))
    const error = await fault(parts, gitDirectory, answer)
    // The git of a killed agent may still have been running here, and have moved the ref in between.
    if (error.code !== 'repository-unreachable' || attempt === 2) throw error
  }
  const revision = await objects(gitDirectory).resolve(fetched)
  if (revision === undefined) throw corrupt(gitDirectory, `${ref} was fetched and is not there`)
  return revision
}

/** A local remote also resolves abbreviated ids; any other only names and full ids. */
async function bringNamed(parts: Parts, gitDirectory: string, name: string): Promise<Revision | undefined> {
  if (!isPlainName(name)) return undefined
  const { git, address, objects } = parts
  const full = address.kind === 'local' ? await fullId(parts, name) : undefined
  const from = [...(await uploadPack(parts)), '--', address.url]
  const args = ['fetch', ...fetchFlags, '--depth=1', ...from, `+${full ?? name}:${fetched}`]
  const answer = await git.run([`--git-dir=${gitDirectory}`, ...args], {
    deadlineSeconds: fetchSeconds,
    fileLimitBytes: packLimitBytes,
  })
  return answer.code === 0 ? await objects(gitDirectory).resolve(fetched) : undefined
}

async function fullId({ address, run, owner }: Parts, name: string): Promise<Revision | undefined> {
  const user = await owner()
  const git = createSystemGit({ address, run, ...compact({ user }) })
  return await createSystemObjects(git, await gitDirectoryOf(address.url)).resolve(name)
}

/** Over ssh, the remote machine chooses the program that serves the repository. */
async function uploadPack({ address, owner }: Parts): Promise<readonly string[]> {
  return address.kind === 'local' ? [`--upload-pack=${closedUploadPack(await owner())}`] : []
}

/** Probed, because a host may lack a program to change the user. */
async function requireOwner(url: string, run: Run): Promise<Account | undefined> {
  const awaited = await awaitedGitFile(url, { workTree: false })
  if (awaited !== undefined)
    throw unreachable(url, { why: awaitedText(awaited), remedy: 'Remove it. The last good revision stays in place.' })
  const owner = await repositoryOwner(url, run)
  if (owner === undefined || (await run({ args: [...becoming(owner), 'true'] })).code === 0) return owner
  throw unreachable(url, {
    why: `it belongs to another user (uid ${owner.uid}), and there is no setpriv here to read it as that user`,
    remedy: 'Install util-linux (on Alpine: setpriv), or give an address over https or ssh.',
  })
}

const fetchSeconds = 900
/** The same limits as over http(s). */
const packLimitBytes = 512 * 1024 * 1024

/** Recognized by git's allocation error, by EFBIG, or by the signal that accompanies it. */
function isTooLarge({ stderr }: CommandResult): boolean {
  return /attempting to allocate \d+ over limit|File too large|died of signal 25/.test(stderr)
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

/** The remote has just answered for its head, so a failure now is more likely on this side. */
async function fault({ git, address }: Parts, gitDirectory: string, answer: CommandResult): Promise<PlumbError> {
  const space = await statfs(gitDirectory).catch(() => undefined)
  if (space !== undefined && space.bavail * space.bsize < 1024 * 1024) return diskFull(gitDirectory)
  // The caller holds the lock of the copy, so no other git is running in it.
  const left = (await readdir(gitDirectory, { recursive: true })).find((name) => name.endsWith('.lock'))
  if (left !== undefined) return corrupt(gitDirectory, `a git that was killed has left ${left} behind`)
  const walk = [`--git-dir=${gitDirectory}`, 'rev-list', '--objects', '--all', '--quiet']
  const sound = await git.run(walk, { deadlineSeconds: 300 })
  return sound.code === 0 ? gitFailed(address.url, answer) : corrupt(gitDirectory, saidInOneLine(sound.stderr))
}

function gitFailed(url: string, answer: CommandResult): PlumbError {
  const remedy = 'Try it by hand, as root: git ls-remote on the address. The last good revision stays in place.'
  return unreachable(url, { why: `git says: ${saidInOneLine(answer.stderr)}`, remedy })
}
