// ssh and local remotes by the system's git; everything it is told stands in argument arrays and one configuration file.
import { readFile, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { entriesOfListing } from '../../shared/repository/listing.ts'
import { type CommandResult, endText, type Run } from '../host/run.ts'
import { makeStateDirectory, replaceFile } from '../state/durable.ts'
import type { Address } from './address.ts'
import { CatFile } from './cat-file.ts'
import { localHead } from './local-head.ts'
import { corrupt, diskFull, later, noBranch, noCommit, unreachable } from './reasons.ts'
import type { Objects, RemoteHead, Transport } from './transport.ts'

export type SystemGitOptions = {
  readonly address: Extract<Address, { kind: 'ssh' | 'local' }>
  readonly branch: string | undefined
  /** Where git's configuration is kept. */
  readonly directory: string
  readonly run: Run
}

export function createSystemGitTransport({ address, branch, directory, run }: SystemGitOptions): Transport {
  const { url } = address
  const configuration = join(directory, 'gitconfig')
  const environment = gitEnvironment(configuration)
  const catFiles = new Map<string, CatFile>()
  let configured = false

  /** Exit codes are for the caller; a missing git and a deadline are the same for all. */
  const git = async (args: readonly string[], limits: Limits = {}): Promise<CommandResult> => {
    if (!configured) await keepSettings(configuration)
    configured = true
    const command = { args: ['git', ...args], environment, cwd: '/', ...limits }
    const result = await run(command)
    if (result.code === 127) throw gitMissing(address)
    if (result.code === 'deadline' || typeof result.code === 'object')
      throw unreachable(url, { why: `${endText(command, result)} (git ${verbOf(args)})`, remedy: later })
    return result
  }

  const remoteHead = async (): Promise<RemoteHead> => {
    if (address.kind === 'local') {
      await requireDirectory(url)
      const head = await localHead(url, branch)
      if (head !== undefined) return head
    }
    const asked = branch === undefined ? 'HEAD' : `refs/heads/${branch}`
    const answer = await git(['ls-remote', '--symref', '--', url, asked], { deadlineSeconds: 60 })
    if (answer.code !== 0) throw gitFailed(url, answer)
    const head = headIn(answer.stdout, asked)
    if (head === undefined) throw unreachable(url, branch === undefined ? noCommit : noBranch(branch))
    return head
  }

  const fetch = async (gitDirectory: string, ref: string, depth?: number): Promise<Revision> => {
    const deepening = depth === undefined ? [] : [`--depth=${depth}`]
    const flags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--update-shallow', ...deepening]
    const args = [`--git-dir=${gitDirectory}`, 'fetch', ...flags, '--', url, `+${ref}:${fetched}`]
    const answer = await git(args, { deadlineSeconds: 900 })
    if (answer.code !== 0) throw await fetchFault(gitDirectory, answer)
    const revision = await createObjects(gitDirectory).resolve(fetched)
    if (revision === undefined) throw corrupt(gitDirectory, `${ref} was fetched and is not there`)
    return revision
  }

  /** The remote has just answered for its head, so that what fails now may well be this side. */
  const fetchFault = async (gitDirectory: string, answer: CommandResult): Promise<PlumbError> => {
    const space = await statfs(gitDirectory).catch(() => undefined)
    if (space !== undefined && space.bavail * space.bsize < 1024 * 1024) return diskFull(gitDirectory)
    const sound = await git([`--git-dir=${gitDirectory}`, 'rev-list', '--objects', '--all', '--quiet'], {
      deadlineSeconds: 300,
    })
    return sound.code === 0 ? gitFailed(url, answer) : corrupt(gitDirectory, lastLines(sound.stderr))
  }

  const catFileOf = (gitDirectory: string): CatFile => {
    const known =
      catFiles.get(gitDirectory) ?? new CatFile({ gitDirectory, environment: { ...environment, PATH: searchPath } })
    catFiles.set(gitDirectory, known)
    return known
  }

  const createObjects = (gitDirectory: string): Objects => {
    const here = [`--git-dir=${gitDirectory}`]
    return {
      hasCommit: async (revision) => (await git([...here, 'cat-file', '-e', `${revision}^{commit}`])).code === 0,
      descends: async (revision, ancestor) => {
        if (revision === ancestor) return true
        const known = await git([...here, 'cat-file', '-e', `${ancestor}^{commit}`])
        if (known.code !== 0) return false
        const answer = await git([...here, 'merge-base', '--is-ancestor', '--', ancestor, revision])
        if (answer.code === 0 || answer.code === 1) return answer.code === 0
        throw corrupt(gitDirectory, lastLines(answer.stderr))
      },
      resolve: async (name) => {
        if (!isPlainName(name)) return undefined
        const answer = await git([...here, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`])
        const revision = revisionSchema.safeParse(answer.stdout.trim())
        return answer.code === 0 && revision.success ? revision.data : undefined
      },
      entries: async (revision) => {
        const args = [...here, 'ls-tree', '-r', '-z', '--full-tree', '--end-of-options', revision]
        const answer = await git(args, { outputLimitBytes: listingLimit })
        if (answer.code !== 0) throw corrupt(gitDirectory, lastLines(answer.stderr))
        if (answer.cut === true) throw tooManyFiles(url)
        return entriesOfListing(answer.stdout)
      },
      readMany: async (oids) => {
        const files = catFileOf(gitDirectory)
        try {
          return await Promise.all(oids.map((oid) => files.read(oid)))
        } catch (error) {
          throw corrupt(gitDirectory, error instanceof Error ? error.message : String(error), error)
        }
      },
    }
  }

  return {
    head: remoteHead,
    create: async (gitDirectory) => {
      const answer = await git(['init', '--bare', '--quiet', '--template=', '--', gitDirectory])
      if (answer.code !== 0) throw corrupt(gitDirectory, lastLines(answer.stderr))
    },
    fetch,
    bring: async (gitDirectory, name) => {
      if (!isPlainName(name)) return undefined
      const full =
        address.kind === 'local' ? ((await createObjects(await gitDirectoryOf(url)).resolve(name)) ?? name) : name
      const args = [
        'fetch',
        '--quiet',
        '--no-tags',
        '--no-write-fetch-head',
        '--update-shallow',
        '--depth=1',
        '--',
        url,
      ]
      const answer = await git([`--git-dir=${gitDirectory}`, ...args, `+${full}:${fetched}`], { deadlineSeconds: 900 })
      return answer.code === 0 ? await createObjects(gitDirectory).resolve(fetched) : undefined
    },
    objects: createObjects,
    rest: () => {},
  }
}

type Limits = { readonly deadlineSeconds?: number; readonly outputLimitBytes?: number }

const fetched = 'refs/plumb/fetched'
const listingLimit = 64 * 1024 * 1024
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

// The copy is made anew beside itself when it has grown: nothing here is collected behind the agent's back. Packs are kept
// as they come, so that their sizes alone tell whether the copy is whole.
const settings = `[safe]
	directory = *
[core]
	hooksPath = /dev/null
	fsmonitor = false
	fsync = committed
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	unpackLimit = 1
[transfer]
	unpackLimit = 1
[advice]
	detachedHead = false
`

async function keepSettings(configuration: string): Promise<void> {
  const kept = await readFile(configuration, 'utf8').catch(() => undefined)
  if (kept === settings) return
  makeStateDirectory(dirname(configuration))
  replaceFile({ path: configuration, content: settings })
}

function gitEnvironment(configuration: string): Readonly<Record<string, string>> {
  const agentSocket = process.env['SSH_AUTH_SOCK']
  return {
    HOME: process.env['HOME'] ?? '/root',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    // A file, not GIT_CONFIG_COUNT: git does not pass that on to the upload-pack of a local remote.
    GIT_CONFIG_GLOBAL: configuration,
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 -oServerAliveCountMax=3',
    GIT_ALLOW_PROTOCOL: 'ssh:file',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    ...(agentSocket === undefined ? {} : { SSH_AUTH_SOCK: agentSocket }),
  }
}

function headIn(output: string, asked: string): RemoteHead | undefined {
  const lines = output.split('\n').map((line) => line.split('\t'))
  const oid = lines.find(([left, name]) => name === asked && !left?.startsWith('ref: '))?.[0]
  const target = lines.find(([left, name]) => name === asked && left?.startsWith('ref: '))?.[0]?.slice('ref: '.length)
  const revision = revisionSchema.safeParse(oid)
  return revision.success ? { ref: target ?? asked, revision: revision.data } : undefined
}

/** What git's own syntax would make of `a..b`, `:/text` or `@{u}` is not meant here. */
function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_./+-]*$/.test(name) && !name.includes('..') && !name.endsWith('.lock')
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

function gitMissing(address: Address): PlumbError {
  const kind = address.kind === 'ssh' ? 'over ssh' : 'in a directory'
  return new PlumbError({
    code: 'git-missing',
    message: `${address.url}: a repository ${kind} is read with git, and there is no git on this host.`,
    remedy: 'apt-get install git, or give an https:// address, which needs none.',
  })
}

function gitFailed(url: string, answer: CommandResult): PlumbError {
  const remedy = 'Try it by hand, as root: git ls-remote on the address. The last good revision stays in place.'
  return unreachable(url, { why: `git says: ${lastLines(answer.stderr)}`, remedy })
}

function lastLines(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim())
  const said = lines.filter((line) => line !== '' && !line.startsWith('hint:')).slice(-5)
  return said.join(' / ').slice(0, 1500).replace(/\.$/, '') || 'nothing'
}

function verbOf(args: readonly string[]): string {
  return args.find((arg) => !arg.startsWith('-')) ?? ''
}

function tooManyFiles(url: string): PlumbError {
  return new PlumbError({
    code: 'repository-invalid',
    message: `${url}: the revision has more files than Plumbline reads.`,
    remedy: 'Keep large trees out of the fleet repository.',
  })
}
