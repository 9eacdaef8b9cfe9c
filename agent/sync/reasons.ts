// Why a remote could not be reached: errors classified by their codes, each with a remedy.
import { errnoOf } from '../../shared/errno.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Address } from './address.ts'

export type Reason = { readonly why: string; readonly remedy: string }

export function unreachable(url: string, reason: Reason, cause?: unknown): PlumbError {
  return new PlumbError(
    { code: 'repository-unreachable', message: `${url}: ${reason.why}.`, remedy: reason.remedy },
    cause === undefined ? {} : { cause },
  )
}

export function corrupt(directory: string, what: string, cause?: unknown): PlumbError {
  return new PlumbError(
    {
      code: 'repository-corrupt',
      message: `The copy of the repository in ${directory} is damaged: ${what}.`,
      remedy: 'The next sync moves it away and clones again: plumb apply.',
    },
    cause === undefined ? {} : { cause },
  )
}

/** For an errno of the network, of TLS, or of this host's disk; undefined when the code says nothing of either. */
export function unreachableByCode(url: string, error: unknown): PlumbError | undefined {
  const code = codeOf(error)
  const reason = code === undefined ? undefined : (networkReasons[code] ?? tlsReason(code))
  return reason === undefined ? undefined : unreachable(url, reason, error)
}

export function diskProblem(error: unknown, directory: string): PlumbError | undefined {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(directory, error)
  if (code !== 'EROFS') return undefined
  return new PlumbError(
    {
      code: 'read-only',
      message: `${directory} cannot be written: the file system is read-only.`,
      remedy: 'Look at dmesg, then: mount -o remount,rw on it.',
    },
    { cause: error },
  )
}

export function diskFull(directory: string, cause?: unknown): PlumbError {
  return new PlumbError(
    { code: 'disk-full', message: `No space is left for the repository in ${directory}.`, remedy: 'Make room: df -h.' },
    cause === undefined ? {} : { cause },
  )
}

/** For a pack beyond the limits. The content is at fault, so a retry does not help. */
export function tooLarge(where: string, cause: Error): PlumbError {
  return new PlumbError(
    {
      code: 'repository-invalid',
      message: `${where}: what was fetched is not unpacked: ${cause.message}.`,
      remedy:
        'Take large files out of the repository and its history. After a rewritten history: plumb apply --allow-rewind. ' +
        'The last good revision stays in place.',
    },
    { cause },
  )
}

export function damagedPack(what: string): Reason {
  return { why: `the pack that it sent is damaged (${what})`, remedy: later }
}

export function reasonOfStatus(status: number): Reason {
  if (status === 401)
    return {
      why: 'it asks for credentials, or does not accept the ones it got (401)',
      remedy: 'Check the user and the token in the address.',
    }
  if (status === 403) return { why: 'it does not allow this host to read (403)', remedy: 'Give the token read access.' }
  if (status === 404)
    return {
      why: 'there is no repository at this address (404)',
      remedy: 'Check the address; some forges say the same without credentials.',
    }
  if (status === 429) return { why: 'it asks to be called less often (429)', remedy: 'Raise syncEvery in plumb.yaml.' }
  if (status >= 500) return { why: `it has a fault of its own (${status})`, remedy: later }
  return { why: `it answered ${status}`, remedy: 'Open the address in a browser: it must be the one git clones from.' }
}

export function gitMissing({ kind, url }: Address): PlumbError {
  return new PlumbError({
    code: 'git-missing',
    message: `${url}: a repository ${kind === 'ssh' ? 'over ssh' : 'in a directory'} is read with git, and there is no git here.`,
    remedy: 'apt-get install git, or give an https:// address, which needs none.',
  })
}

export const noSmartHttp: Reason = {
  why: 'what answers there does not speak git over smart HTTP',
  remedy: 'Open the address in a browser: it must be the one git clones from.',
}

export const noCommit: Reason = { why: 'the repository has no commit yet', remedy: 'Push a first commit.' }

/** There are commits, but HEAD leads nowhere, as after the default branch was renamed. */
export function danglingHead(named: string | undefined, branches: readonly string[]): Reason {
  const missing = named === undefined ? 'a branch that does not exist' : `the branch "${named}", which does not exist`
  const more = branches.length > 5 ? ` and ${branches.length - 5} more` : ''
  const [first = 'NAME'] = branches
  return {
    why: `its HEAD names ${missing}; there ${branches.length === 1 ? 'is' : 'are'} ${branches.slice(0, 5).join(', ')}${more}`,
    remedy: `Correct its default branch (git symbolic-ref HEAD refs/heads/${first}), or name the one to follow: --branch ${first}.`,
  }
}

export const sha256: Reason = {
  why: 'the repository uses SHA-256 ids, which Plumbline does not read',
  remedy: 'Make it with git init --object-format=sha1.',
}

export function noBranch(branch: string): Reason {
  return { why: `there is no branch "${branch}"`, remedy: 'Correct the branch, or push it.' }
}

export const later = 'It is tried again; the last good revision stays in place.'

const networkReasons: Readonly<Record<string, Reason>> = {
  ENOTFOUND: { why: 'the name is not known to DNS', remedy: 'Check the address and /etc/resolv.conf.' },
  EAI_AGAIN: { why: 'DNS does not answer', remedy: 'Check the network and /etc/resolv.conf.' },
  ECONNREFUSED: {
    why: 'nothing listens there (connection refused)',
    remedy: 'Check that the server runs, and the port.',
  },
  ECONNRESET: { why: 'the connection broke off', remedy: later },
  EPIPE: { why: 'the connection broke off', remedy: later },
  ETIMEDOUT: { why: 'no answer in time', remedy: 'Check the network and firewalls on the way.' },
  EHOSTUNREACH: { why: 'no route to that machine', remedy: 'Check the network: ip route.' },
  ENETUNREACH: { why: 'no route to that network', remedy: 'Check the network: ip route.' },
  EPROTO: {
    why: 'it does not speak TLS there',
    remedy: 'Check whether the address should be http:// or another port.',
  },
}

const certificateReasons: Readonly<Record<string, Reason>> = {
  CERT_HAS_EXPIRED: { why: 'its TLS certificate has expired', remedy: "Renew it, or check this host's clock." },
  CERT_NOT_YET_VALID: { why: 'its TLS certificate is not valid yet', remedy: "Check this host's clock." },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    why: 'its TLS certificate is for another name',
    remedy: 'Use the name that the certificate carries.',
  },
}

const untrusted: Reason = {
  why: 'its TLS certificate is not signed by an authority that this host trusts',
  remedy: "Add the authority to the system's (update-ca-certificates), or pin it: plumb install --certificate FILE.",
}

function tlsReason(code: string): Reason | undefined {
  const known = certificateReasons[code]
  if (known !== undefined) return known
  if (/^(?:DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|INVALID_CA|HOSTNAME_MISMATCH)/.test(code)) return untrusted
  return /^ERR_SSL_|^ERR_TLS_/.test(code)
    ? { why: `TLS failed (${code})`, remedy: 'Check the address and the port.' }
    : undefined
}

function codeOf(error: unknown): string | undefined {
  // Several addresses of one name were tried: the last error stands for all.
  return errnoOf(error) ?? (error instanceof AggregateError ? codeOf(error.errors.at(-1)) : undefined)
}
