// The one interface every resource kind implements, and the state all of them are compared in.
// A new kind is a new file here and a line in registry.ts.
import type { DriftPolicy } from '../../shared/drift-policy.ts'
import type { DifferenceCode } from '../../shared/finding-kind.ts'
import type { AbsolutePath, ResourceId, Sha256 } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { ContentSource, EngineObject, Resource, ResourceKindName, UnitTrigger } from '../../shared/resource.ts'
import type { Capabilities, HostReader, HostWriter } from '../host/host.ts'
import type { Original } from './removal/originals.ts'

/**
 * The state of one resource as named strings, so that desired, baseline and live compare, store and print alike:
 * `{ type: 'file', content: '<sha256>', mode: '0644', owner: 'root', group: 'root' }`, `{ type: 'missing' }`,
 * `{ enabled: 'yes', state: 'running' }`, `{ installed: 'yes' }`.
 */
export type Attributes = Readonly<Record<string, string>>

/** What a stat said when the content was last hashed; equal now means: not hashed again. Times in ns, all as text. */
export type StatSignature = string

/** What is remembered of a resource that was applied. */
export type BaselineResource = {
  readonly attributes: Attributes
  /** The repository's file behind it. */
  readonly source?: string
  /** Git's id of a file's content, when it is the repository's own: to read it again while the clone has it. */
  readonly blob?: string
  /** Names of secrets in the content, for masking after the resource left the repository. */
  readonly secrets?: readonly string[]
  /** Of a package at any version: the newest that was ever seen here, so that a downgrade is known. */
  readonly newest?: string
  /** Of a unit: it ran while it was applied. */
  readonly ran?: boolean
  /** What is told when it leaves the repository: what it triggered while it was there. */
  readonly triggers?: readonly UnitTrigger[]
}

export type LiveResource = {
  readonly attributes: Attributes
  readonly signature?: StatSignature
  /** Inode times as ISO 8601, for evidence. */
  readonly modifiedAt?: string
  readonly changedAt?: string
  readonly size?: number
  /**
   * Of a purged directory: every name in it that no service has; `attributes.extra` is what is shown of them.
   * Of one that leaves: everything in it.
   */
  readonly extras?: readonly string[]
  /** Of a package at any version: the newest that was ever seen here. */
  readonly newest?: string
  /** Of a unit. */
  readonly unit?: UnitFacts
  /** Of a file that is judged by what it says, and has other bytes than it was applied with. */
  readonly judged?: JudgedLive
  /** Of a path: it was not read, because a link that is not followed stands for a directory above it. */
  readonly isBehindUnsafeLink?: true
  /** Of a compose project that should run. */
  readonly faults?: readonly ContainerFault[]
  /** Why it could not be looked at; the attributes then say nothing. */
  readonly problem?: Problem
}

/** What of a unit's state does not differ from anything, and yet decides what is done to it. */
export type UnitFacts = {
  /** Its file is a package's: when it leaves the repository, it is left as it is. */
  readonly isOfPackage: boolean
  /** systemd has read an older file than the one on disk. */
  readonly isStale: boolean
  /** The same, and not for a file that a package has just brought: somebody forgot the daemon-reload. */
  readonly isForgotten?: boolean
  /** Files that change it beside its package's, the repository's among them. */
  readonly overrides?: readonly AbsolutePath[]
  /** As what is to stay up, and no job. */
  readonly isUp?: boolean
  /** It ran before, and the condition that now keeps it from being started ended it. */
  readonly isEndedByCondition?: boolean
  /** Networks and volumes that it uses, and that exist. */
  readonly objects?: readonly EngineObject[]
  /** Of a quadlet: what its containers have mounted and would not have after an apply, as far as there is data in it. */
  readonly held?: HeldData
  /** Of what it starts, or of itself where something starts it. */
  readonly lastRun?: LastRun
}

export type HeldData = {
  /** By the path in the container, a volume or a path of the host. */
  readonly mounts: Readonly<Record<string, string>>
  readonly image?: string
}

export type LastRun =
  | { readonly kind: 'failed'; readonly unit: string; readonly why: string }
  /** How the run before it ended is not known to systemd any more. */
  | { readonly kind: 'under-way' }

/** One thing that is wrong with the containers of a compose project, with its text for people. */
export type ContainerFault = { readonly code: DifferenceCode; readonly text: string }

export type JudgedLive = {
  /** Digests of what it says, by the text of the rules. */
  readonly meanings: ReadonlyMap<string, string>
  /** Why its bytes count after all: `no longer JSON: 3:5 expected a comma`. */
  readonly note?: string
}

/** The verdict of the three-way comparison; `drift` and `pending` may both hold. */
export type Comparison<Difference extends AttributeDifference = AttributeDifference> = {
  /** Attributes in which live differs from baseline. */
  readonly drift: readonly Difference[]
  /** Attributes in which an apply would change live because desired differs from baseline. */
  readonly pending: readonly Difference[]
}

/** One attribute in which two states differ, as values alone. */
export type AttributeDifference = {
  readonly name: string
  readonly expected: string
  readonly live: string
  /** Of a downgrade: the newest version that was seen. */
  readonly newest?: string
}

/** The same with what its resource kind makes of it: what everything but its text for people is derived from. At least one code. */
export type CodedDifference = AttributeDifference & { readonly codes: readonly DifferenceCode[] }

/** What a kind is of; `Resource` is the union of those of the product. */
export type AnyResource = { readonly kind: string; readonly id: ResourceId }

/** A resource some stage looks at: desired now, applied before, or both. */
export type Subject<R extends AnyResource = Resource> = {
  readonly id: ResourceId
  readonly desired: R | undefined
  readonly baseline: BaselineResource | undefined
  /** Of a path that leaves and is to be as it was before the first apply. */
  readonly original?: Original
  /** Of a file that nobody's revision has, and that changes a desired unit. */
  readonly overrides?: OverriddenUnit
}

/** With the unit's own policy. */
export type OverriddenUnit = { readonly unit: string; readonly onDrift?: DriftPolicy }

/** One resource that an apply makes as desired; `desired` undefined: the revision no longer has it. */
export type ResourceChange<R extends AnyResource = Resource> = Subject<R> & {
  readonly live: LiveResource
  readonly differences: readonly CodedDifference[]
}

/** Bytes of desired content, in the order asked. */
export type ReadContents = (sources: readonly ContentSource[]) => Promise<readonly Uint8Array[]>

/** Does `wait`, which changes nothing itself; other services go on meanwhile. `isStarting`: false where nothing heavy is under way. */
export type Waiting = <Result>(
  wait: () => Promise<Result>,
  options?: { readonly isStarting?: boolean },
) => Promise<Result>

/** What a change is made with. */
export type ApplyHost = HostWriter & {
  readonly waiting: Waiting
  readonly contents: ReadContents
  /** What the agent itself has kept, in parts. */
  readonly kept: (sha256: Sha256) => AsyncIterable<Uint8Array>
}

/** Kinds that are named by a path of the host. */
export type PathKindName = Extract<ResourceKindName, 'file' | 'symlink' | 'directory'>

/** When its changes are made within a service (plan/steps.ts); kinds of one order go as the registry lists them. */
type KindOrder<Name extends string> = Name extends PathKindName
  ? 'paths'
  : /** `before-paths`: may bring files. `after-paths`: uses them; what leaves goes before everything else. */
    'before-paths' | 'after-paths'

/** What to listen to, so that a change is seen at once; `units` and `containers` are signals of systemd and the engine. */
export type Watches = {
  readonly paths?: readonly AbsolutePath[]
  readonly trees?: readonly AbsolutePath[]
  readonly units?: readonly string[]
  readonly containers?: true
}

/** `why` completes `/etc/motd: `; `remedy`: what to do instead. */
export type NotAdopted = { readonly why: string; readonly remedy: string }

/** Everything the agent knows of a kind: every field is asked for, so that a stage can loop over the registry. */
export type ResourceKind<R extends AnyResource, Saved = unknown> = {
  readonly kind: R['kind']
  readonly order: KindOrder<R['kind']>
  /** Without it nothing of the kind is looked at on a host, or in a sandbox; undefined: every host has it. */
  readonly needs: Exclude<keyof Capabilities, 'ownership' | 'commands'> | undefined
  /** Differences that the tools of an apply correct, such as a daemon-reload: they need no step of their own. */
  readonly correctedByTools: readonly string[]
  /** Pure: the attributes live must have. */
  attributes(desired: R): Attributes
  /** Pure. */
  watches(desired: R): Watches
  /** Reads all subjects of this kind in few steps; every subject has an entry in the result. */
  observe(subjects: readonly Subject<R>[], host: HostReader): Promise<ReadonlyMap<ResourceId, LiveResource>>
  /** Pure. Most kinds are `compareAttributes`. */
  compare(subject: Subject<R>, live: LiveResource): Comparison
  /** Pure: what a difference is; at least one code. */
  codes(difference: AttributeDifference, live: LiveResource): readonly DifferenceCode[]
  /** Pure: whether `plumb adopt` can make a commit of it. A difference that is newer than this is not: nothing is passed over. */
  isAdoptable(difference: Pick<AttributeDifference, 'name' | 'live'>): boolean
  /** Why nothing of the kind is ever adopted. */
  readonly notAdopted: NotAdopted | undefined
  /** Since when its state is as it is, as ISO 8601; undefined where its inode says so. */
  readonly changedAt: ChangedAt | undefined
  /** Pure: one line for a person, of what differs (`nginx.service: stopped, should be running`). */
  describe(id: ResourceId, differences: readonly CodedDifference[]): string
  /** Pure: what an apply will do (`write /etc/motd (content)`). */
  planText(change: ResourceChange<R>): string
  /** Pure: a step of such changes, for when it fails (`write /etc/motd`); `path`: of the change that failed, where that is known. */
  stepText(path: string | undefined): string
  /** Reads what a change will overwrite. */
  save(changes: readonly ResourceChange<R>[], host: HostReader): Promise<readonly Saved[]>
  /** Makes live as desired; returns one past-tense line per thing done (`installed nginx`). Throws PlumbError. */
  change(changes: readonly ResourceChange<R>[], host: ApplyHost): Promise<readonly string[]>
  /** Puts back what `save` read; called after a failed change, whatever part of it was done. */
  restore(saved: readonly Saved[], host: HostWriter): Promise<void>
}

/** `drift`: what differs, by name. */
export type ChangedAt = (
  name: string,
  drift: readonly AttributeDifference[],
  host: HostReader & { readonly deadlineSeconds: number },
) => Promise<string | undefined>
