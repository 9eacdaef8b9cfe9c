// http(s) remotes by isomorphic-git: a bare host needs no git.

import git from 'isomorphic-git'
import { compact } from '../../shared/compact.ts'
import { errnoOf } from '../../shared/errno.ts'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Address } from './address.ts'
import { copyFault, createCopyObjects } from './copy-objects.ts'
import { durableFs as fs } from './durable-fs.ts'
import type { GitHttp, HttpAnswer, HttpCall } from './http.ts'
import { incomingPack } from './pack/incoming-pack.ts'
import { PackMalformed, PackTooLarge } from './pack/limits.ts'
import {
  damagedPack,
  danglingHead,
  diskProblem,
  noBranch,
  noCommit,
  noSmartHttp,
  type Reason,
  reasonOfStatus,
  sha256,
  tooLarge,
  unreachable,
} from './reasons.ts'
import type { RemoteHead, Transport } from './transport.ts'

export function createHttpTransport(
  address: Extract<Address, { kind: 'http' }>,
  branch: string | undefined,
  http: GitHttp,
): Transport {
  const { url } = address
  return {
    within: (stop) => createHttpTransport(address, branch, http.within(stop)),
    head: () => remoteHead({ url, branch, http }).catch((error) => Promise.reject(remoteFault(url, error))),
    create: async (directory) => {
      await git.init({ fs, gitdir: directory, bare: true, defaultBranch: 'main' })
      // A fetch needs a remote in the configuration; the address is not stored, but passed to every fetch.
      const refspec = { path: 'remote.origin.fetch', value: '+refs/heads/*:refs/remotes/origin/*' }
      await git.setConfig({ fs, gitdir: directory, ...refspec })
    },
    fetch: (directory, ref, depth) => fetchRef({ url, http, directory, ref, depth }),
    bring: async (directory, name) => {
      const ref = await remoteName({ url, name, http }).catch((error) => Promise.reject(remoteFault(url, error)))
      if (ref === undefined) return undefined
      const oid = await fetchRef({ url, http, directory, ref, depth: 1 })
      return await createCopyObjects(directory).resolve(oid)
    },
    objects: createCopyObjects,
    rest: () => http.rest(),
  }
}

type Asked = { readonly url: string; readonly http: GitHttp }

async function remoteHead({ url, branch, http }: Asked & { branch: string | undefined }): Promise<RemoteHead> {
  const prefix = branch === undefined ? 'HEAD' : `refs/heads/${branch}`
  const format = formatNoting(http)
  const refs = await git
    .listServerRefs({ http: format, url, protocolVersion: 2, prefix, symrefs: true })
    // A SHA-256 repository aborts a SHA-1 request.
    .catch((error) => Promise.reject(format.isSha256() ? unreachable(url, sha256, error) : error))
  const found = refs.find((candidate) => candidate.ref === prefix)
  if (found === undefined) throw unreachable(url, branch === undefined ? await noHead({ url, http }) : noBranch(branch))
  const revision = revisionSchema.safeParse(found.oid)
  if (!revision.success) throw unreachable(url, sha256)
  const ref = branch === undefined ? found.target : prefix
  if (ref === undefined) throw unreachable(url, noDefaultBranch)
  return { ref, revision: revision.data }
}

/** The library ignores the object format that a server announces. */
function formatNoting(http: GitHttp): { request(call: HttpCall): Promise<HttpAnswer>; isSha256(): boolean } {
  let seen = ''
  async function* noting(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      if (seen.length < 4096) seen += Buffer.from(chunk).toString('latin1')
      yield chunk
    }
  }
  return {
    request: (call) => http.request(call, call.method === 'POST' ? undefined : noting),
    isSha256: () => seen.includes('object-format=sha256'),
  }
}

/** Protocol version 2 does not name the branch of a dangling HEAD. */
async function noHead({ url, http }: Asked): Promise<Reason> {
  const prefix = 'refs/heads/'
  const refs = await git.listServerRefs({ http, url, protocolVersion: 2, prefix })
  const branches = refs.filter(({ ref }) => ref.startsWith(prefix)).map(({ ref }) => ref.slice(prefix.length))
  return branches.length === 0 ? noCommit : danglingHead(undefined, branches)
}

/** Branches before tags, as everywhere. An id is requested directly, which not every forge allows. */
async function remoteName({ url, name, http }: Asked & { name: string }): Promise<string | undefined> {
  if (revisionSchema.safeParse(name).success) return name
  for (const prefix of [`refs/heads/${name}`, `refs/tags/${name}`]) {
    const refs = await git.listServerRefs({ http, url, protocolVersion: 2, prefix })
    if (refs.some((candidate) => candidate.ref === prefix)) return prefix
  }
  return undefined
}

type Fetch = Asked & { readonly directory: string; readonly ref: string; readonly depth: number | undefined }

async function fetchRef(fetch: Fetch): Promise<Revision> {
  const { url, directory } = fetch
  try {
    return await fetched(fetch).catch((error) => {
      if (fetch.depth === undefined || errnoOf(error) !== 'RemoteCapabilityError') throw error
      return fetched({ ...fetch, depth: undefined })
    })
  } catch (error) {
    if (error instanceof PackMalformed) throw unreachable(url, damagedPack(error.message), error)
    if (error instanceof PackTooLarge) throw tooLarge(url, error)
    throw (
      diskProblem(error, directory) ?? (isRemoteFault(error) ? remoteFault(url, error) : copyFault(directory, error))
    )
  }
}

/** The library talks to the remote; the pack is extracted from the response and never reaches the library. */
async function fetched({ url, http, directory: gitdir, ref, depth }: Fetch): Promise<Revision> {
  const pack = incomingPack(gitdir)
  const isPack = ({ url: to, method }: HttpCall) => method === 'POST' && to.endsWith('/git-upload-pack')
  const client = { request: (call: HttpCall) => http.request(call, isPack(call) ? pack.through : undefined) }
  // With `singleBranch` the haves come from the local ref of that name: unless it is moved here, every fetch brings
  // everything since the clone again.
  const call = { fs, http: client, gitdir, url, ref, remoteRef: ref, singleBranch: true, tags: false, cache: {} }
  try {
    const result = await git.fetch({ ...call, ...compact({ depth }) })
    await pack.finish()
    const revision = revisionSchema.parse(result.fetchHead)
    const name = ref.startsWith('refs/') ? ref : `refs/heads/${ref}`
    await git.writeRef({ fs, gitdir, ref: name, value: revision, force: true })
    return revision
  } finally {
    await pack.discard()
  }
}

const noDefaultBranch = {
  why: 'its HEAD names no branch',
  remedy: 'Say which one to follow: plumb install --branch NAME.',
}

function remoteFault(url: string, error: unknown): unknown {
  if (error instanceof PlumbError) return error
  const status = statusOf(error)
  if (status !== undefined) return unreachable(url, reasonOfStatus(status), error)
  if (errnoOf(error) === 'SmartHttpError' || errnoOf(error) === 'ParseError')
    return unreachable(url, noSmartHttp, error)
  const why = `it broke off: ${error instanceof Error ? error.message.trim() : String(error)}`
  return unreachable(url, { why, remedy: 'Try git ls-remote on the address.' }, error)
}

/** Maps the library's errors about the remote; a plain Error has the server's own message. */
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
  const code = errnoOf(error)
  return code === undefined ? error instanceof Error && error.constructor === Error : remote.includes(code)
}

function statusOf(error: unknown): number | undefined {
  return error instanceof git.Errors.HttpError ? error.data.statusCode : undefined
}
