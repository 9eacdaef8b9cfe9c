// What a staged file has beside content, owner and mode, before it goes live: what the repository sets, and of all else what the file that
// it replaces has - ACL, extended attributes, capabilities, SELinux label. By open files: names in a directory of a user may lead elsewhere.

import { type Command, lastLines, type Run, whyText } from '../../shared/command.ts'
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { namedEntries } from './file-attributes.ts'
import type { OpenStaged } from './files.ts'
import type { HostWriter } from './host.ts'

export type WantedAttributes = {
  readonly path: AbsolutePath
  readonly mode: number
  /** Named entries; absent: those of the live file. */
  readonly acl?: readonly string[]
  /** Absent: those of the live file. */
  readonly capabilities?: string
}

/** Throws PlumbError. */
export async function setStagedAttributes(open: OpenStaged, wanted: WantedAttributes, host: HostWriter): Promise<void> {
  const { path, acl, capabilities, mode } = wanted
  if (open.live !== undefined) await keepExtended(open, open.live, host, wanted)
  if (capabilities !== undefined) open.clearCapabilities()
  const entries = acl ?? (open.live === undefined ? undefined : await aclToKeep(open.staged, open.live, host, path))
  if (entries !== undefined) await setAcl(open.staged, { path, acl: entries, mode }, host)
  // setcap follows no links, /proc/self/fd included.
  if (capabilities !== undefined && capabilities !== 'none')
    await must({ args: ['setcap', capabilities, host.files.stagedPath(path)] }, host, { path, package: 'libcap2-bin' })
}

const first = '/proc/self/fd/3'
const second = '/proc/self/fd/4'

/** cp leaves ACLs and labels out, which have commands of their own. */
async function keepExtended(
  { staged, setMode }: OpenStaged,
  live: number,
  host: HostWriter,
  { path, mode }: WantedAttributes,
): Promise<void> {
  if (!(await isAble(host))) return
  const files = [live, staged]
  await must({ args: ['cp', '--attributes-only', '--preserve=xattr', '--', first, second], files }, host, { path })
  // Where /etc/xattr.conf is missing, cp does copy the ACL, and with it the former mode.
  setMode(mode)
  if (host.files.stat(selinux) !== undefined)
    await must({ args: ['chcon', `--reference=${first}`, '--', second], files }, host, { path })
}

/** There where SELinux is enabled. */
const selinux = absolutePathSchema.parse('/sys/fs/selinux/enforce')

/** The cp of busybox copies no extended attributes, and has no --version. Asked once. */
function isAble({ run }: HostWriter): Promise<boolean> {
  const answer = able.get(run) ?? run({ args: ['cp', '--version'] }).then(({ code }) => code === 0)
  able.set(run, answer)
  return answer
}

const able = new WeakMap<Run, Promise<boolean>>()

/** The group bits of the mode are the mask of the ACL, as `ls` shows them. */
async function setAcl(
  staged: number,
  { path, acl, mode }: { readonly path: AbsolutePath; readonly acl: readonly string[]; readonly mode: number },
  host: HostWriter,
): Promise<void> {
  const mask = [0o040, 0o020, 0o010].map((bit, index) => ((mode & bit) === 0 ? '-' : 'rwx'[index])).join('')
  const entries = acl.length === 0 ? [] : ['--no-mask', '--modify', [...acl, `mask::${mask}`].join(',')]
  const args = ['setfacl', '--remove-all', ...entries, '--', first]
  await must({ args, files: [staged] }, host, { path, package: 'acl' })
}

/** Undefined: neither file has one. The staged one may have what its directory gives to new files. */
async function aclToKeep(
  staged: number,
  live: number,
  { run }: HostWriter,
  path: AbsolutePath,
): Promise<readonly string[] | undefined> {
  const files = [live, staged]
  const options = ['--absolute-names', '--omit-header', '--numeric']
  const { code, stdout } = await run({ args: ['getfacl', ...options, '--', first, second], files })
  if (code === 0) {
    const [former = [], own = []] = stdout.split(/\n\n+/).map(namedEntries)
    return former.length + own.length === 0 ? undefined : former
  }
  const shown = await run({ args: ['ls', '-ldL', '--', first], files })
  if (/^\S{10}\+/.test(shown.stdout)) throw aclLost(path)
  return undefined
}

function aclLost(path: AbsolutePath): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: 'it has an ACL, which a new version cannot be given: getfacl is not installed.',
    where: { file: path },
    remedy: 'Add its package to the service (packages: [acl]), or take the ACL off the file.',
  })
}

async function must(
  command: Command,
  { run }: HostWriter,
  about: { readonly path: AbsolutePath; readonly package?: string },
): Promise<void> {
  const result = await run(command)
  if (result.code === 0) return
  throw new PlumbError({
    code: 'apply-failed',
    message: `${command.args[0]} failed: ${whyText(command, result, lastLines(result, 3))}`,
    where: { file: about.path },
    remedy:
      result.code === 127 && about.package !== undefined
        ? `Add its package to the service, on Debian: packages: [${about.package}]`
        : 'Correct acl or capabilities in service.yaml or on the file, or use a file system that has them.',
  })
}
