// A child process as data: what to run, how it ended, and the words for that. platform/run.ts runs it.

export type Account = { readonly uid: number; readonly gid: number }

export type Command = {
  /** `['systemctl', 'reload', 'nginx.service']`; the first is looked up in a fixed PATH. */
  readonly args: readonly string[]
  readonly stdin?: Uint8Array | string
  /** Added to the minimal environment (PATH, LANG=C.UTF-8, HOME=/root); PATH cannot be replaced by it. */
  readonly environment?: Readonly<Record<string, string>>
  /** Run as this user, with no other groups; default: as the user who runs plumb. */
  readonly user?: Account
  /** Default 60. */
  readonly deadlineSeconds?: number
  /** Open files that it has as 3, 4, ...: `/proc/self/fd/3` is this very file, whatever its name leads to by now. */
  readonly files?: readonly number[]
  /** Aborted: the command is ended as at its deadline. */
  readonly stop?: AbortSignal | undefined
  /** Kept of each stream, the end of it. Default 64 KiB; `query`s that need everything say so. */
  readonly outputLimitBytes?: number
}

export type CommandResult = {
  /** 127 when the program is not there, 126 when it could not be started; `stderr` then says why. */
  readonly code: number | 'deadline' | { readonly signal: string }
  readonly stdout: string
  readonly stderr: string
  /** Output was longer than the limit: its beginning is missing. */
  readonly cut?: true
}

export type Run = (command: Command) => Promise<CommandResult>

/** `apt-get exited with 100`, `docker was killed by SIGKILL`, `systemctl did not end within its time`. */
export function endText(command: Command, result: CommandResult): string {
  const program = command.args[0] ?? ''
  if (result.code === 'deadline') return `${program} did not end within ${command.deadlineSeconds ?? 60} s`
  if (typeof result.code === 'object') return `${program} was killed by ${result.code.signal}`
  return result.code === 127 ? `${program} is not installed` : `${program} exited with ${result.code}`
}

const firstKept = 4
const lastKept = 12
const lineKept = 200

/**
 * What a failed command said, as part of a problem: all of it where that is short, else its first and last lines - a program may name the
 * cause before or after a long listing - and how many are left out between them.
 */
export function outputText({ stdout, stderr, cut }: Pick<CommandResult, 'stdout' | 'stderr' | 'cut'>): string {
  const parts = [stdout, stderr].map((text) => text.trim()).filter((text) => text !== '')
  const lines = parts.flatMap((text) => text.split('\n')).map(shortLine)
  if (cut === true) return ['... what came before is left out', ...lines.slice(-lastKept)].join('\n')
  const left = lines.length - firstKept - lastKept
  if (left <= 1) return lines.join('\n')
  return [...lines.slice(0, firstKept), `... ${left} lines left out`, ...lines.slice(-lastKept)].join('\n')
}

function shortLine(line: string): string {
  return line.length <= lineKept ? line : `${line.slice(0, lineKept)} ... ${line.length - lineKept} characters left out`
}

export function lastLines({ stderr }: Pick<CommandResult, 'stderr'>, count: number): string {
  return stderr.trim().split('\n').slice(-count).join('\n')
}

/** The command's own words, or how it ended; both when it was ended, since its words do not know of that. */
export function whyText(command: Command, result: CommandResult, words: string): string {
  if (words === '') return endText(command, result)
  return result.code === 'deadline' ? `${endText(command, result)}: ${words}` : words
}
