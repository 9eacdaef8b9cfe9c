// ACLs and capabilities of files, by the tools of the field: Node knows no extended attributes.
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import type { HostReader } from './host.ts'

type Reader = Pick<HostReader, 'files' | 'query'>

/** Named entries as `user:anna:r--`, sorted; `none`; or a text that says why they cannot be read. */
export async function aclOf(path: AbsolutePath, { files, query }: Reader): Promise<string> {
  const args = ['getfacl', '--absolute-names', '--omit-header', '--', files.commandPath(path)]
  const { code, stdout } = await query({ args })
  if (code === 127) return 'unknown, getfacl is not installed'
  if (code !== 0) return 'unknown, getfacl failed'
  return aclText(namedEntries(stdout))
}

/** `cap_net_bind_service=ep`, `none`, or a text that says why they cannot be read. */
export async function capabilitiesOf(path: AbsolutePath, { files, query }: Reader): Promise<string> {
  const at = files.commandPath(path)
  const { code, stdout } = await query({ args: ['getcap', '--', at] })
  if (code === 127) return 'unknown, getcap is not installed'
  if (code !== 0) return 'unknown, getcap failed'
  // libcap before 2.41 writes `PATH = cap_x+ep`.
  const listed = stdout
    .trim()
    .slice(at.length)
    .replace(/^\s*=\s+/, '')
    .trim()
  return listed === '' ? 'none' : listed.split(' ').map(capabilitiesText).join(' ')
}

export type Extended = {
  /** Named entries, as `user:anna:r--`. */
  readonly acl?: readonly string[]
  readonly capabilities?: string
}

/** What at and below the paths has an ACL with names or capabilities; nothing where the tools are not installed. */
export async function extendedBelow(
  paths: readonly AbsolutePath[],
  { files, query }: Reader,
): Promise<ReadonlyMap<string, Extended>> {
  const at = paths.map((path) => files.commandPath(path))
  const root = files.commandPath(absolutePathSchema.parse('/')).replace(/\/$/, '')
  const limit = { outputLimitBytes: 16 << 20 }
  const acls = await query({ args: [...getfaclBelow, '--', ...at], ...limit })
  const capabilities = await query({ args: ['getcap', '-r', '--', ...at], ...limit })
  const found = new Map<string, Extended>()
  const add = (path: string, extended: Extended) => {
    const own = path.slice(root.length)
    found.set(own, { ...found.get(own), ...extended })
  }
  for (const block of acls.stdout.split(/\n\n+/)) {
    const file = /^# file: (.*)$/m.exec(block)?.[1]
    const acl = namedEntries(block)
    if (file !== undefined && acl.length > 0) add(unescaped(file), { acl })
  }
  for (const line of capabilities.stdout.split('\n')) {
    // libcap before 2.41 writes `PATH = cap_x+ep`.
    const [, file, listed] = /^(.*?)(?: =)? (cap_[a-z0-9_,]+[=+][eip]+)$/.exec(line) ?? []
    if (file !== undefined && listed !== undefined) add(file, { capabilities: capabilitiesText(listed) })
  }
  return found
}

const getfaclBelow = ['getfacl', '--recursive', '--physical', '--absolute-names', '--skip-base'] as const

export function namedEntries(output: string): readonly string[] {
  const lines = output.split('\n').map((line) => line.replace(/\s*#.*$/, ''))
  return lines.filter((line) => /^(?:user|group):[^:]+:/.test(line))
}

/** getfacl writes white space and backslashes in names as `\\040`. */
function unescaped(name: string): string {
  return name.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

export function aclText(entries: readonly string[]): string {
  return entries.length === 0 ? 'none' : [...new Set(entries)].toSorted().join(', ')
}

/** One order of names and flags, whatever was written. */
export function capabilitiesText(written: string): string {
  const [, names = '', flags = ''] = /^([a-z0-9_,]+)[=+]([eip]+)$/.exec(written) ?? []
  if (names === '') return written
  return `${names.split(',').toSorted().join(',')}=${[...flags].toSorted().join('')}`
}
