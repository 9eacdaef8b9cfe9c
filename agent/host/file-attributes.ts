// ACLs and capabilities of files, by the tools of the field: Node knows no extended attributes.
import type { AbsolutePath } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { HostReader, HostWriter } from './host.ts'
import { type Command, lastLines, whyText } from './run.ts'

type Reader = Pick<HostReader, 'files' | 'query'>

/** Named entries as `user:anna:r--`, sorted; `none`; or in words why they cannot be told. */
export async function aclOf(path: AbsolutePath, { files, query }: Reader): Promise<string> {
  const args = ['getfacl', '--absolute-names', '--omit-header', '--', files.commandPath(path)]
  const { code, stdout } = await query({ args })
  if (code === 127) return 'unknown, getfacl is not installed'
  if (code !== 0) return 'unknown, getfacl failed'
  const named = stdout.split('\n').map((line) => line.replace(/\s*#.*$/, ''))
  return aclText(named.filter((line) => /^(?:user|group):[^:]+:/.test(line)))
}

/** `cap_net_bind_service=ep`, `none`, or in words why they cannot be told. */
export async function capabilitiesOf(path: AbsolutePath, { files, query }: Reader): Promise<string> {
  const at = files.commandPath(path)
  const { code, stdout } = await query({ args: ['getcap', '--', at] })
  if (code === 127) return 'unknown, getcap is not installed'
  if (code !== 0) return 'unknown, getcap failed'
  // libcap before 2.41 writes `PATH = cap_x+ep`.
  const told = stdout
    .trim()
    .slice(at.length)
    .replace(/^\s*=\s+/, '')
    .trim()
  return told === '' ? 'none' : told.split(' ').map(capabilitiesText).join(' ')
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

/** On a staged file, before it goes live. The group bits of its mode are the mask of its ACL, as `ls` shows them. */
export async function setExtended(
  staged: string,
  wanted: { readonly acl?: readonly string[]; readonly capabilities?: string; readonly mode: number },
  { run }: Pick<HostWriter, 'run'>,
): Promise<void> {
  const { acl, capabilities, mode } = wanted
  if (acl !== undefined) {
    const mask = [0o040, 0o020, 0o010].map((bit, index) => ((mode & bit) === 0 ? '-' : 'rwx'[index])).join('')
    const entries = acl.length === 0 ? [] : ['--no-mask', '--modify', [...acl, `mask::${mask}`].join(',')]
    await must({ args: ['setfacl', '--remove-all', ...entries, '--', staged] }, run, 'acl')
  }
  if (capabilities !== undefined && capabilities !== 'none')
    await must({ args: ['setcap', capabilities, staged] }, run, 'libcap2-bin')
}

async function must(command: Command, run: HostWriter['run'], debianPackage: string): Promise<void> {
  const result = await run(command)
  if (result.code === 0) return
  throw new PlumbError({
    code: 'apply-failed',
    message: `${command.args[0]} failed: ${whyText(command, result, lastLines(result, 3))}`.slice(0, 4000),
    remedy:
      result.code === 127
        ? `Add its package to the service, on Debian: packages: [${debianPackage}]`
        : 'Correct it in service.yaml, or use a file system that has it.',
  })
}
