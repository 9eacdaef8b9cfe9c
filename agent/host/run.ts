// Starts child processes: argument arrays, a deadline, a process group that is killed whole, bounded output, a minimal environment.

export type Command = {
  /** `['systemctl', 'reload', 'nginx.service']`; the first is looked up in a fixed PATH. */
  readonly args: readonly string[]
  readonly stdin?: Uint8Array | string
  readonly cwd?: string
  /** Added to the minimal environment (PATH, LANG=C.UTF-8, HOME=/root). */
  readonly environment?: Readonly<Record<string, string>>
  /** Default 60. */
  readonly deadlineSeconds?: number
  /** Kept of each stream, the end of it. Default 64 KiB; `query`s that need everything say so. */
  readonly outputLimitBytes?: number
}

export type CommandResult = {
  /** 127 when the program is not there. */
  readonly code: number | 'deadline' | { readonly signal: string }
  readonly stdout: string
  readonly stderr: string
}

export type Run = (command: Command) => Promise<CommandResult>
