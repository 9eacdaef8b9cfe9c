// Tools that Linux already has for its well-known directories: which of them a change calls for, and running them.

import { type Command, outputText, type Run, whyText } from '../../shared/command.ts'
import type { AbsolutePath } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'

export type ToolStep = {
  /** Users must be there before files that belong to them; everything else comes after the files, before units start. */
  readonly when: 'before-files' | 'after-files'
  readonly command: Command
  /** Past tense: `created users of /etc/sysusers.d/web.conf`. */
  readonly summary: string
  /** Only where this path exists: udev does not run in a container. */
  readonly needs?: string
  /** The program that it notifies may not be ready, which is not the repository's fault. */
  readonly mayFail?: true
}

export type ChangedPaths = { readonly written: readonly AbsolutePath[]; readonly removed: readonly AbsolutePath[] }

/** Pure. Paths outside the well-known directories call for nothing; nor does removing what only ever adds (users, sysctls). */
export function toolSteps(changed: ChangedPaths): readonly ToolStep[] {
  const all = [...changed.written, ...changed.removed]
  const sysusers = changed.written.filter(isIn('sysusers.d'))
  const tmpfiles = changed.written.filter(isIn('tmpfiles.d'))
  const sysctls = changed.written.filter((path) => isIn('sysctl.d')(path) || path === '/etc/sysctl.conf')
  const udev = all.some((path) => /^\/(?:etc|run|usr\/lib|lib)\/udev\/rules\.d\/[^/]+\.rules$/.test(path))
  return [
    ...(sysusers.length === 0
      ? []
      : [step('before-files', ['systemd-sysusers', ...sysusers], `made the users of ${sysusers.join(', ')}`)]),
    ...(tmpfiles.length === 0
      ? []
      : [
          step(
            'after-files',
            ['systemd-tmpfiles', '--create', ...tmpfiles],
            `made the paths of ${tmpfiles.join(', ')}`,
          ),
        ]),
    // What boot runs; `sysctl` itself is in procps, which a small host may not have.
    ...(sysctls.length === 0
      ? []
      : [step('after-files', ['/usr/lib/systemd/systemd-sysctl', ...sysctls], `set ${sysctls.join(', ')}`)]),
    ...(udev ? udevSteps : []),
    ...(all.some(isReadBySystemd) ? [daemonReloadTool] : []),
    ...(all.some(isReadByUserManagers) ? [userManagersTool] : []),
  ]
}

export const daemonReloadTool = step('after-files', ['systemctl', 'daemon-reload'], 'ran systemctl daemon-reload')

/** Returns the summaries of what was run; throws PlumbError naming the tool and its words. */
export async function runTools(steps: readonly ToolStep[], run: Run): Promise<readonly string[]> {
  const done: string[] = []
  for (const { command, summary, needs, mayFail } of steps) {
    if (needs !== undefined && (await run({ args: ['test', '-e', needs] })).code !== 0) continue
    const result = await run(command)
    const words = outputText({ ...result, stdout: '' })
    if (result.code !== 0 && !mayFail) throw toolProblem(command, whyText(command, result, words))
    done.push(summary)
  }
  return done
}

/**
 * SIGHUP is a daemon-reload to every manager, whatever its version; `systemctl reload user@*.service` is not there before
 * systemd 253. Their units are not restarted: what users have running is theirs.
 */
const userManagersTool: ToolStep = {
  ...step(
    'after-files',
    ['systemctl', 'kill', '--kill-whom=main', '--signal=HUP', 'user@*.service'],
    'reloaded the units of users',
  ),
  mayFail: true,
}

const udevSteps: readonly ToolStep[] = [
  {
    ...step('after-files', ['udevadm', 'control', '--reload'], 'reloaded the rules of udev'),
    needs: '/run/udev/control',
  },
  {
    ...step('after-files', ['udevadm', 'trigger', '--action=change'], 'applied the rules of udev to present devices'),
    needs: '/run/udev/control',
  },
]

function step(when: ToolStep['when'], args: readonly string[], summary: string): ToolStep {
  return { when, command: { args, deadlineSeconds: 120 }, summary }
}

function isIn(directory: string): (path: string) => boolean {
  const pattern = new RegExp(`^/(?:etc|run|usr/lib|usr/local/lib)/${directory.replace('.', '\\.')}/[^/]+\\.conf$`)
  return (path) => pattern.test(path)
}

/** Units, drop-ins, quadlets (a generator makes units of them) and what other generators read. */
function isReadBySystemd(path: string): boolean {
  return (
    /^\/(?:etc|run|usr\/lib|usr\/local\/lib|lib)\/systemd\/system(?:\.control)?\//.test(path) ||
    /^\/(?:etc|run|usr\/share)\/containers\/systemd\/(?!users\/)/.test(path) ||
    path === '/etc/fstab' ||
    path.startsWith('/etc/init.d/')
  )
}

function isReadByUserManagers(path: string): boolean {
  return (
    /^\/(?:etc|run|usr\/lib|usr\/local\/lib|usr\/share|usr\/local\/share)\/systemd\/user\//.test(path) ||
    /^\/(?:etc|run|usr\/share)\/containers\/systemd\/users\//.test(path)
  )
}

function toolProblem(command: Command, why: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${command.args.join(' ')} failed: ${why}`,
    remedy: 'Correct the file it names, and push.',
  })
}
