// The only place that names git. A repository's own settings can name programs: `closedGit` runs none of them, and who owns a
// repository decides which user reads it. `personsGit` is for a commit in the operator's name, with their settings.

import type { Account, Command } from '../command.ts'
import { compact } from '../compact.ts'

export type ClosedGit = {
  /** A file that stands for the user's and the system's settings. Default: there are none. */
  readonly configuration?: string
  /** What git may reach a remote by. Default: none. */
  readonly transports?: readonly ('ssh' | 'file' | 'http' | 'https')[]
  /** A repository that we keep ourselves: git may clean it up, and use the credential helper of `configuration`. */
  readonly isOwn?: boolean
  /** No file that it writes becomes larger: the pack of a fetch. */
  readonly fileLimitBytes?: number
  readonly stdin?: Uint8Array | string
  /** Aborted: git is ended as at its deadline. */
  readonly stop?: AbortSignal | undefined
  /** Added to the closed environment. */
  readonly environment?: Readonly<Record<string, string>>
  /** Default: the user who runs plumb. */
  readonly user?: Account
  readonly deadlineSeconds?: number
  readonly outputLimitBytes?: number
}

/**
 * What shows differences has to be given `--no-ext-diff --no-textconv` in `args`: their programs have names of the repository's choice,
 * which no setting can turn off.
 */
export function closedGit(
  args: readonly string[],
  { configuration, transports = [], isOwn = false, environment, fileLimitBytes, ...more }: ClosedGit = {},
): Command {
  const settings = isOwn ? closedSettings : [...closedSettings, ...foreignSettings]
  return {
    ...more,
    args: limited(['git', ...settings.flatMap((setting) => ['-c', setting]), ...args], fileLimitBytes),
    environment: { ...closedEnvironment(configuration, transports), ...environment },
  }
}

/**
 * For `--upload-pack`, which git gives to a shell: what serves a repository of this host reads it as its owner, and fetches nothing itself.
 */
export function closedUploadPack(owner: Account | undefined): string {
  const reader = owner === undefined ? [] : becoming(owner)
  return ['env', 'GIT_CONFIG_GLOBAL=/dev/null', 'GIT_ALLOW_PROTOCOL=', 'HOME=/', ...reader, 'git', 'upload-pack'].join(
    ' ',
  )
}

/** Before the words of another command. util-linux has it; busybox's cannot do it. */
export function becoming({ uid, gid }: Account): readonly string[] {
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--inh-caps=-all']
}

export type GitPerson = {
  readonly environment: Readonly<Record<string, string>>
  /** Undefined: the user who runs plumb. */
  readonly user: Account | undefined
}

export type PersonsGitOptions = {
  readonly stdin?: Uint8Array | string
  readonly environment?: Readonly<Record<string, string>>
}

/** With the person's identity, hooks, keys and credentials: git itself refuses a repository that is not theirs. */
export function personsGit(
  { environment, user }: GitPerson,
  args: readonly string[],
  { stdin, environment: more }: PersonsGitOptions = {},
): Command {
  return {
    args: ['git', ...args],
    environment: { ...environment, ...more },
    deadlineSeconds: 300,
    outputLimitBytes: 64 * 1024 * 1024,
    ...compact({ user, stdin }),
  }
}

/** The file system monitor, hooks, pagers, signature checkers and askers for passwords are programs that a repository can name. */
const closedSettings = [
  ...['core.fsmonitor=false', 'core.hooksPath=/dev/null', 'core.attributesFile=/dev/null', 'core.pager=cat'],
  ...['log.showSignature=false', 'gpg.program=false', 'gpg.ssh.program=false', 'gpg.x509.program=false'],
  ...['diff.external=', 'submodule.recurse=false'],
]
const foreignSettings = ['credential.helper=', 'gc.auto=0', 'maintenance.auto=false']

/** git has no limit of its own for what it fetches; the kernel has one for every file. */
function limited(command: readonly string[], bytes: number | undefined): readonly string[] {
  if (bytes === undefined) return command
  return ['sh', '-c', 'ulimit -f "$0" && exec "$@"', String(Math.floor(bytes / 512)), ...command]
}

function closedEnvironment(
  configuration: string | undefined,
  transports: readonly string[],
): Readonly<Record<string, string>> {
  return {
    LC_ALL: 'C.UTF-8',
    HOME: '/',
    GIT_CONFIG_NOSYSTEM: '1',
    // A file, not GIT_CONFIG_COUNT: git does not pass that on to the upload-pack of a local remote.
    GIT_CONFIG_GLOBAL: configuration ?? '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_ALLOW_PROTOCOL: transports.join(':'),
    // Of a partial clone, missing objects are not fetched from where its settings say, by the program they name.
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    GIT_PAGER: 'cat',
    // git's own bound on one allocation. Files above bigFileThreshold are streamed; what a delta makes has to be in memory.
    GIT_ALLOC_LIMIT: '128m',
  }
}
