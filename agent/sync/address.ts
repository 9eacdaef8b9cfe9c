// Classifies the address of a remote, and strips credentials from it.

import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { splitAddress, withoutUserInformation } from '../../shared/address.ts'
import { compact } from '../../shared/compact.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Remote } from './revision.ts'

export type Address =
  | { readonly kind: 'http'; readonly url: string; readonly credentials?: Remote['credentials'] }
  | { readonly kind: 'ssh'; readonly url: string }
  | { readonly kind: 'local'; readonly url: string }

/** Throws PlumbError `usage` when it is not an address. `url` is safe for messages and argument lists. */
export function addressOf(remote: Remote): Address {
  const { url, credentials } = splitAddress(remote.url)
  if (url === '' || url.startsWith('-') || /^[\w+]+::/.test(url) || url.includes('\0')) throw noAddress(url)
  if (/^https?:\/\//i.test(url))
    return httpAddress(url, remote.credentials ?? (credentials === undefined ? undefined : () => credentials))
  if (/^(?:ssh|git\+ssh|ssh\+git):\/\//i.test(url)) return { kind: 'ssh', url }
  if (/^file:\/\//i.test(url)) return { kind: 'local', url: fileURLToPath(url) }
  if (/^[\w+.-]+:\/\//.test(url)) throw noAddress(url)
  // git's own rule for `user@host:path`: a colon before the first slash.
  return /^[^/]+:/.test(url) ? { kind: 'ssh', url } : { kind: 'local', url: resolve(url) }
}

function httpAddress(url: string, credentials: Remote['credentials']): Address {
  const parsed = URL.parse(url)
  if (parsed === null) throw noAddress(url)
  const plain = parsed.href.replace(/\/+$/, '')
  return { kind: 'http', url: plain, ...compact({ credentials }) }
}

function noAddress(url: string): PlumbError {
  return new PlumbError({
    code: 'usage',
    message: `"${withoutUserInformation(url)}" is not the address of a repository.`,
    remedy: 'Give http(s)://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or a directory.',
  })
}
