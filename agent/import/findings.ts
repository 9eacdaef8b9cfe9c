// What was found on a host for one service: what a draft is made from.
import type { AbsolutePath } from '../../shared/names.ts'
import type { HostEntry } from '../host/entries-below.ts'
import type { Extended } from '../host/file-attributes.ts'
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
  /** By path, the ACLs and capabilities there are. */
  readonly extended: ReadonlyMap<string, Extended>
  readonly packages: readonly InstalledPackage[]
  readonly units: readonly FoundUnit[]
  /** Undefined: unknown. */
  readonly listeners: readonly Listener[] | undefined
  /** Likely secrets are replaced by names. */
  readonly hide: boolean
  /** Files in which they are in any case, each with the secret's name where one was given. */
  readonly hideIn: ReadonlyMap<string, string | undefined>
  /** Paths whose likely secrets are none, by option. */
  readonly notSecret: ReadonlySet<string>
  /** Files of a compose project, by path in its directory, and what the README says of it. */
  readonly compose?: {
    readonly files: readonly HostEntry[]
    readonly directory: AbsolutePath
    /** As it is called now: its volumes have that name in theirs. */
    readonly project: string
    /** When they are more than one: in the order in which each overrides the ones before it. */
    readonly composeFiles?: readonly string[]
    readonly notes: readonly string[]
  }
}

/** Left where it is, and why. */
export type Untaken = { readonly path: string; readonly why: string }
