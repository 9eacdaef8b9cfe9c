// The server's remote: its URL freed of credentials, and the configuration file that stands for every other one.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Credentials, splitAddress, withoutUserInformation } from '../../shared/address.ts'
import { replaceFile } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'

export type ServerRemote = {
  /** Without user and password: fit for argument lists, logs and pages. */
  readonly url: string
  /** Lines for git's credential store; undefined when the URL carried none. */
  readonly credentials?: string
}

/** `https://bot:key@forge/fleet` becomes a plain URL and a credential, since arguments of processes are public. */
export function serverRemote(address: string, given?: Credentials): ServerRemote {
  const { url, credentials = given } = splitAddress(address)
  if (url.startsWith('-') || /^\w+::/.test(url))
    throw new PlumbError({
      code: 'usage',
      message: `"${withoutUserInformation(url)}" is not the address of a repository.`,
      remedy: 'Give http(s)://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or a directory.',
    })
  if (credentials === undefined) return { url }
  const stored = new URL(new URL(url).origin)
  stored.username = encodeURIComponent(credentials.username)
  stored.password = encodeURIComponent(credentials.password)
  return { url, credentials: `${stored.href.replace(/\/$/, '')}\n` }
}

/** Writes the configuration beside the clone, readable by nobody else; returns its path. */
export async function writeGitConfiguration(
  directory: string,
  remote: ServerRemote,
  certificateFile: string | undefined,
): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const credentials = join(directory, 'credentials')
  if (remote.credentials === undefined) await rm(credentials, { force: true })
  else replaceFile({ path: credentials, content: remote.credentials })
  const configuration = join(directory, 'gitconfig')
  const sections = [
    '[safe]\n\tdirectory = *',
    '[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tbigFileThreshold = 16m\n\tdeltaBaseCacheLimit = 16m',
    '[pack]\n\tthreads = 1',
    // The fetch waits for its own tidying up; a detached one would outlive the server and hold locks.
    '[gc]\n\tautoDetach = false\n[maintenance]\n\tautoDetach = false',
    '[fetch]\n\twriteCommitGraph = false\n\tunpackLimit = 1',
    '[http]\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 30',
    '[uploadpack]\n\tallowAnySHA1InWant = true',
    ...(remote.credentials === undefined ? [] : [`[credential]\n\thelper = ${quoted(`store --file=${credentials}`)}`]),
    ...(certificateFile === undefined ? [] : [`[http]\n\tsslCAInfo = ${quoted(certificateFile)}`]),
  ]
  replaceFile({ path: configuration, content: `${sections.join('\n')}\n` })
  return configuration
}

/**
 * After `fetch` or `ls-remote`: a repository of this machine may be another user's, and what serves it must fetch nothing by the
 * programs that its settings name.
 */
export function uploadPackFlags({ url }: ServerRemote): readonly string[] {
  const isLocal = /^file:/i.test(url) || !/^[^/]+:/.test(url)
  return isLocal ? ['--upload-pack=env GIT_ALLOW_PROTOCOL= git upload-pack'] : []
}

function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
