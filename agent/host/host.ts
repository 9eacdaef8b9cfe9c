// What a host offers to the stages, as two capabilities: reading (observe) and writing (apply only).
import type { AbsolutePath } from '../../shared/names.ts'
import type { FileReader, FileWriter } from './files.ts'
import type { Run } from './run.ts'

/** What may be looked at and changed here. In a sandbox (`--root DIR`) everything but files and directories is left out. */
export type Capabilities = {
  /** Owners and groups are compared and set; false without root or where the sandbox has no such user. */
  readonly ownership: boolean
  readonly packages: boolean
  readonly units: boolean
  readonly containers: boolean
  /** Validation commands, tools, triggers and checks are run. */
  readonly commands: boolean
}

export type HostReader = {
  /** `/`, or the sandbox directory that stands for it. Paths given to `files` are as on the host, without it. */
  readonly root: AbsolutePath
  readonly capabilities: Capabilities
  readonly files: FileReader
  /** Starts a command that only reads (`systemctl show`, `dpkg-query`). */
  readonly query: Run
}

/** Held by apply/ alone. */
export type HostWriter = Omit<HostReader, 'files'> & {
  readonly files: FileWriter
  readonly run: Run
}
