// What becomes of each thing found: taken, left out because nothing is lost by that, or refused because it must not be in a repository.
import { isUtf8 } from 'node:buffer'
import { unitDirectory } from '../../shared/repository/layout.ts'
import { isReserved } from '../../shared/repository/reserved.ts'
import type { HostEntry } from '../host/entries-below.ts'
import type { Original } from '../host/packages/inventory.ts'
import { secretPlaces } from '../writing/likely-secrets.ts'

export type Verdict =
  | { readonly kind: 'taken' }
  /** Reasons are noun phrases or begin with a small letter: they stand behind the path. */
  | { readonly kind: 'left'; readonly why: string }
  | { readonly kind: 'refused'; readonly why: string }

export type Circumstances = {
  readonly originals: ReadonlyMap<string, Original>
  /** Directories and files that packages have. */
  readonly owners: ReadonlyMap<string, readonly string[]>
  /** Paths that were given one by one: taken also when they are as their package has them. */
  readonly named: ReadonlySet<string>
  /** Files that are as their package has them are wanted too. */
  readonly all: boolean
  /** Paths that somebody said to leave. */
  readonly leave: ReadonlySet<string>
}

export function verdictOn(entry: HostEntry, circumstances: Circumstances): Verdict {
  const { path } = entry
  if (circumstances.leave.has(path)) return left('as asked')
  if (entry.kind === 'other') return refused(entry.why)
  if (isReserved(path)) return refused("the system's or the agent's own")
  const own = hostsOwn.find(({ pattern }) => pattern.test(path))
  if (own !== undefined) return refused(own.why)
  if (backup.test(path)) return left('a backup copy')
  if (gitRepository.test(path)) return left('of another git repository')
  if (gitSettings.test(path)) return left('git would obey it in this repository as well')
  switch (entry.kind) {
    case 'symlink':
      return onLink(path, entry.link)
    case 'directory':
      return { kind: 'taken' }
    case 'file':
      return onFile(entry, circumstances)
  }
}

const backup =
  /(?:~|\.(?:bak|orig|old|rej|sw[op]|save|tmp|dpkg-(?:old|dist|new|bak|tmp)|ucf-(?:old|dist|new)|rpm(?:save|new|orig)))$/

const gitRepository = /\/\.git(?:\/|$)/

/** What they ignore or convert would be missing or different in the commit, and so on the next host. */
const gitSettings = /\/\.git(?:ignore|attributes|modules)$/

/** Made on each host anew, or telling one host from the others: another host with the same would be wrong. */
const hostsOwn: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /^\/etc\/ssh\/ssh_host_/, why: "this host's own key" },
  { pattern: /^\/etc\/(?:machine-id|hostname|adjtime|mtab|\.pwd\.lock|ld\.so\.cache)$/, why: "this host's own" },
  { pattern: /^\/etc\/(?:passwd|shadow|group|gshadow|subuid|subgid)-?$/, why: "this host's accounts: use sysusers.d" },
  { pattern: /^\/etc\/plumb(?:\/|$)/, why: "the agent's own" },
  { pattern: /^\/etc\/ssl\/private\/|\.(?:keytab|p12|pfx|jks)$/, why: 'private keys' },
  { pattern: /^\/etc\/letsencrypt\/(?:archive|live|accounts|keys|csr)\//, why: "this host's certificates" },
  {
    pattern: /^\/etc\/(?:ssl\/certs|ca-certificates)\/.*\.0$|^\/etc\/ssl\/certs\/ca-certificates\.crt$/,
    why: 'generated',
  },
]

function onLink(path: string, link: string): Verdict {
  const below = path.startsWith(`${unitDirectory}/`)
  if (below && /\.(?:wants|requires|upholds)\//.test(path)) return left('made by systemctl enable')
  // A mask, an alias or a link to a unit elsewhere: said by `units` where it is said.
  if (below && !path.slice(unitDirectory.length + 1).includes('/'))
    return left(link === '/dev/null' ? 'a mask' : 'made by systemctl enable')
  return link === '' ? refused('a link to nowhere') : { kind: 'taken' }
}

const binaryLimitBytes = 64 << 10

/** Beside a compose file, what the layout of a service takes for something else than a file of the project. */
export function verdictOnPlace(at: string): Verdict | undefined {
  if (at === 'README.md') return left("the service's README.md has its place: copy from it what is worth keeping")
  const top = /^(?:service\.ya?ml$|files\/|units\/)/.exec(at)?.[0]
  return top === undefined
    ? undefined
    : refused(`${top} of a service has a meaning of its own: give it another name, also where it is mounted`)
}

type FileEntry = Extract<HostEntry, { readonly kind: 'file' }>

function onFile({ path, content, md5, size }: FileEntry, { originals, named, all }: Circumstances): Verdict {
  if (content === undefined) return refused(`${Math.ceil(size / 1024)} KiB, more than the 1 MiB of a file here`)
  const original = originals.get(path)
  if (original !== undefined && original.md5 === md5 && !all && !named.has(path))
    return left(`as ${original.package === '' ? 'its package' : original.package} has it`)
  const isText = isUtf8(content) && !content.includes(0)
  if (!isText) return content.length > binaryLimitBytes ? refused('binary, of more than 64 KiB') : { kind: 'taken' }
  const isKey = secretPlaces(Buffer.from(content).toString('utf8')).some(({ isKeyBlock }) => isKeyBlock)
  return isKey ? refused('a private key') : { kind: 'taken' }
}

function left(why: string): Verdict {
  return { kind: 'left', why }
}

function refused(why: string): Verdict {
  return { kind: 'refused', why }
}
