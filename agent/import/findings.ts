// What was found on a host for one service: what a draft is made from.
import type { AbsolutePath } from '../../shared/names.ts'
import type { HostEntry } from '../host/entries-below.ts'
import type { Listener } from '../host/listening.ts'
import type { InstalledPackage } from '../host/packages/inventory.ts'
import type { FoundUnit } from './units.ts'
import type { Circumstances } from './verdict.ts'

export type Findings = {
  readonly service: string
  readonly host: string
  readonly at: Date
  /** The paths that were given. */
  readonly paths: readonly string[]
  readonly entries: readonly HostEntry[]
  readonly circumstances: Circumstances
  readonly packages: readonly InstalledPackage[]
  readonly units: readonly FoundUnit[]
  /** Undefined: it could not be told. */
  readonly listeners: readonly Listener[] | undefined
  /** Likely secrets are to give way to names. */
  readonly hide: boolean
  /** Paths whose likely secrets are none, as somebody says. */
  readonly notSecret: ReadonlySet<string>
  /** Files of a compose project, by path in its directory, and what is to be told of it. */
  readonly compose?: {
    readonly files: readonly HostEntry[]
    readonly directory: AbsolutePath
    readonly notes: readonly string[]
  }
}

/** Left where it is, and why. */
export type Untaken = { readonly path: string; readonly why: string }
