// http(s) remotes by isomorphic-git, which is imported here alone: a bare host needs no git.
import git from 'isomorphic-git'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Address } from './address.ts'
import { durableFs as fs } from './durable-fs.ts'
import { entriesBelow } from './entries.ts'
import type { GitHttp } from './http.ts'
import { corrupt, diskProblem, noBranch, noCommit, noSmartHttp, reasonOfStatus, unreachable } from './reasons.ts'
import type { Objects, RemoteHead, Transport } from './transport.ts'

export function createHttpTransport(
  { url }: Extract<Address, { kind: 'http' }>,
  branch: string | undefined,
  http: GitHttp,
): Transport {
  return {
    head: () => remoteHead({ url, branch, http }).catch((error) => Promise.reject(remoteFault(url, error))),
    create: async (directory) => {
      await git.init({ fs, gitdir: directory, bare: true, defaultBranch: 'main' })
      // A fetch wants to know where to; the address is not kept, it is given to every fetch.
      const refspec = { path: 'remote.origin.fetch', value: '+refs/heads/*:refs/remotes/origin/*' }
      await git.setConfig({ fs, gitdir: directory, ...refspec })
    },
    fetch: (directory, ref, depth) => fetchRef({ url, http, directory, ref, depth }),
    bring: async (directory, name) => {
      const ref = await remoteName({ url, name, http }).catch((error) => Promise.reject(remoteFault(url, error)))
      if (ref === undefined) return undefined
      const oid = await fetchRef({ url, http, directory, ref, depth: 1 })
      return await createObjects(directory).resolve(oid)
    },
    objects: createObjects,
    rest: () => http.rest(),
  }
}

/** Reads any bare repository here; what it remembers is let go of when nothing was read for a while. */
function createObjects(gitdir: string): Objects {
  const caches = createIdleCache(10)
  const read = (oid: string) => git.readObject({ fs, gitdir, oid, format: 'content', cache: caches.current() })
  const objects: Objects = {
    hasCommit: async (revision) => {
      try {
        return (await read(revision)).type === 'commit'
      } catch (error) {
        if (isNotFound(error)) return false
        throw localFault(gitdir, error)
      }
    },
    descends: async (revision, ancestor) => {
      if (revision === ancestor) return true
      return await git
        .isDescendent({ fs, gitdir, oid: revision, ancestor, depth: -1, cache: caches.current() })
        .catch((error) => Promise.reject(localFault(gitdir, error)))
    },
    resolve: async (name) => {
      const oid = await objectNamed(gitdir, name, caches.current())
      if (oid === undefined) return undefined
      // A tag with a message is an object of its own: the commit behind it is meant.
      const commit = await git.readCommit({ fs, gitdir, oid, cache: caches.current() }).catch(() => undefined)
      return commit === undefined ? undefined : revisionSchema.parse(commit.oid)
    },
    entries: async (revision) => {
      try {
        const commit = await git.readCommit({ fs, gitdir, oid: revision, cache: caches.current() })
        return await entriesBelow(commit.commit.tree, (oids) =>
          inOrder(oids, 16, async (oid) => bytesOf(await read(oid))),
        )
      } catch (error) {
        throw localFault(gitdir, error)
      }
    },
    readMany: async (oids) => {
      try {
        return await inOrder(oids, 16, async (oid) => bytesOf(await read(oid)))
      } catch (error) {
        throw localFault(gitdir, error)
      }
    },
  }
  return objects
}

type Asked = { readonly url: string; readonly http: GitHttp }

async function remoteHead({ url, branch, http }: Asked & { branch: string | undefined }): Promise<RemoteHead> {
  const prefix = branch === undefined ? 'HEAD' : `refs/heads/${branch}`
  const refs = await git.listServerRefs({ http, url, protocolVersion: 2, prefix, symrefs: true })
  const found = refs.find((candidate) => candidate.ref === prefix)
  if (found === undefined) throw unreachable(url, branch === undefined ? noCommit : noBranch(branch))
  const revision = revisionSchema.safeParse(found.oid)
  if (!revision.success) throw unreachable(url, sha256)
  const ref = branch === undefined ? found.target : prefix
  if (ref === undefined) throw unreachable(url, noDefaultBranch)
  return { ref, revision: revision.data }
}

/** Branches before tags, as everywhere; an id is asked for as it is, which not every forge allows. */
async function remoteName({ url, name, http }: Asked & { name: string }): Promise<string | undefined> {
  if (revisionSchema.safeParse(name).success) return name
  for (const prefix of [`refs/heads/${name}`, `refs/tags/${name}`]) {
    const refs = await git.listServerRefs({ http, url, protocolVersion: 2, prefix })
    if (refs.some((candidate) => candidate.ref === prefix)) return prefix
  }
  return undefined
}

type Fetch = Asked & { readonly directory: string; readonly ref: string; readonly depth: number | undefined }

async function fetchRef({ url, http, directory: gitdir, ref, depth }: Fetch): Promise<Revision> {
  // With `singleBranch` the haves come from the local ref of that name: unless it is moved here, every fetch brings
  // everything since the clone again. `cache` is new, since a fetch fills it with the pack.
  const call = { fs, http, gitdir, url, ref, remoteRef: ref, singleBranch: true, tags: false, cache: {} }
  try {
    const result = await git
      .fetch({ ...call, ...(depth === undefined ? {} : { depth }) })
      .catch((error) => (codeOf(error) === 'RemoteCapabilityError' ? git.fetch(call) : Promise.reject(error)))
    const revision = revisionSchema.parse(result.fetchHead)
    const name = ref.startsWith('refs/') ? ref : `refs/heads/${ref}`
    await git.writeRef({ fs, gitdir, ref: name, value: revision, force: true })
    return revision
  } catch (error) {
    throw diskProblem(error, gitdir) ?? (isRemoteFault(error) ? remoteFault(url, error) : localFault(gitdir, error))
  }
}

async function objectNamed(gitdir: string, name: string, cache: object): Promise<string | undefined> {
  if (revisionSchema.safeParse(name).success) return name
  for (const ref of [`refs/heads/${name}`, `refs/tags/${name}`]) {
    const oid = await git.resolveRef({ fs, gitdir, ref }).catch(() => undefined)
    if (oid !== undefined) return oid
  }
  if (!/^[0-9a-f]{4,39}$/.test(name)) return undefined
  return await git.expandOid({ fs, gitdir, oid: name, cache }).catch((error) => {
    if (codeOf(error) !== 'AmbiguousError') return undefined
    const message = `"${name}" is the beginning of more than one id.`
    throw new PlumbError({ code: 'usage', message, remedy: 'Give more of its digits.' })
  })
}

async function inOrder<In, Out>(
  items: readonly In[],
  atOnce: number,
  make: (item: In) => Promise<Out>,
): Promise<readonly Out[]> {
  const made: Out[] = new Array(items.length)
  const queue = items.entries()
  const work = async () => {
    for (const [index, item] of queue) made[index] = await make(item)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
  return made
}

function bytesOf(result: Awaited<ReturnType<typeof git.readObject>>): Uint8Array {
  if (result.object instanceof Uint8Array) return Uint8Array.from(result.object)
  throw new Error(`object ${result.oid} was not read as bytes`)
}

/** Packs and inflated objects stay in the cache for as long as it lives: megabytes that an agent at rest does not need. */
function createIdleCache(seconds: number): { current(): object } {
  let cache: object = {}
  let timer: NodeJS.Timeout | undefined
  return {
    current: () => {
      timer ??= setTimeout(() => {
        cache = {}
        timer = undefined
      }, seconds * 1000).unref()
      timer.refresh()
      return cache
    },
  }
}

const sha256 = {
  why: 'the repository uses SHA-256 ids, which Plumbline does not read',
  remedy: 'Make it with git init --object-format=sha1.',
}

const noDefaultBranch = {
  why: 'its HEAD names no branch',
  remedy: 'Say which one to follow: plumb install --branch NAME.',
}

function remoteFault(url: string, error: unknown): unknown {
  if (error instanceof PlumbError) return error
  const status = statusOf(error)
  if (status !== undefined) return unreachable(url, reasonOfStatus(status), error)
  if (codeOf(error) === 'SmartHttpError' || codeOf(error) === 'ParseError') return unreachable(url, noSmartHttp, error)
  const why = `it broke off: ${error instanceof Error ? error.message.trim() : String(error)}`
  return unreachable(url, { why, remedy: 'Try git ls-remote on the address.' }, error)
}

/** What the library says of the other side; a plain Error is the text of the server's own complaint. */
function isRemoteFault(error: unknown): boolean {
  if (error instanceof PlumbError) return true
  const remote = [
    'HttpError',
    'SmartHttpError',
    'ParseError',
    'RemoteCapabilityError',
    'EmptyServerResponseError',
    'InvalidOidError',
  ]
  const code = codeOf(error)
  return code === undefined ? error instanceof Error && error.constructor === Error : remote.includes(code)
}

function localFault(directory: string, error: unknown): unknown {
  if (error instanceof PlumbError) return error
  return (
    diskProblem(error, directory) ?? corrupt(directory, error instanceof Error ? error.message : String(error), error)
  )
}

function isNotFound(error: unknown): boolean {
  return codeOf(error) === 'NotFoundError'
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function statusOf(error: unknown): number | undefined {
  return error instanceof git.Errors.HttpError ? error.data.statusCode : undefined
}
