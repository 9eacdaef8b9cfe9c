// Types of the views: plain data, built by show/ from the store and the repository, rendered by pages/, served as JSON by api/.

import type { Finding } from '../../shared/finding.ts'
import type { HoldTarget } from '../../shared/hold.ts'
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Failure, Hold, ServiceFact, ServiceReport, ServiceStateName } from '../../shared/report.ts'
import type { WayOut } from '../../shared/ways-out.ts'
import type { Blame, Commit, LineWhy, OnHost } from '../../shared/why.ts'
import type { AlertEnd } from '../alert-end.ts'
import type { KeptApply } from '../store/history.ts'

/** A commit as shown beside its changes. */
export type CommitView = Readonly<Commit>

/**
 * `not-enrolled`: the repository names the host, no agent ever did. `no-report`: enrolled, no report yet. `unknown`:
 * something could not be checked or was not reported, or nothing says what the host should have: `unnamed`,
 * `elsewhere`.
 */
export type HostStateName = ServiceStateName | 'offline' | 'not-enrolled' | 'no-report'

/** One cell of hosts x services; undefined where the repository does not assign the service to the host. */
export type CellView = {
  readonly service: ServiceName
  /** The most urgent of the facts. */
  readonly state: ServiceStateName | 'no-report'
  /** All facts that apply at once, `held` last. */
  readonly facts: readonly ServiceFact[]
  readonly findings: number
  readonly pending: number
  /** Since when it has been in this state, ISO 8601. */
  readonly since?: string
}

/** Why the desired state of a host is unknown. */
type Unplaced = {
  /** plumb.yaml does not name it. */
  readonly unnamed?: true
  /** Its revision is missing from the server's clone. */
  readonly elsewhere?: true
}

export type HostRow = Unplaced & {
  readonly host: HostName
  readonly state: HostStateName
  readonly revision?: Revision
  readonly lastSeenAt?: string
  readonly connected: boolean
  /** ISO 8601: the last time that the state of its services was known to be current. Absent while it is current. */
  readonly staleSince?: string
  /** Present: the host's clock differs from the server's by more than two minutes; below zero, it is behind. */
  readonly clockAheadSeconds?: number
  readonly cells: readonly CellView[]
}

export type RepositoryView = {
  readonly url: string
  readonly branch: string
  /** Absent until the first clone succeeded. */
  readonly head?: CommitView
  readonly fetchedAt?: string
  readonly problems: readonly Problem[]
}

export type FleetView = {
  readonly repository: RepositoryView
  readonly services: readonly ServiceName[]
  readonly hosts: readonly HostRow[]
  readonly openAlerts: readonly AlertView[]
  readonly holds: readonly HoldView[]
}

/** What is held: by the server for hosts that match, or by a person on one host. */
export type HoldView = {
  /** Id of a hold of the server, by which it can be released. */
  readonly id?: string
  /** `*`: all. */
  readonly services: readonly HoldTarget[]
  /** As requested, `web-*`. */
  readonly patterns?: readonly string[]
  readonly by: string
  readonly why: string
  /** ISO 8601, as `until`. */
  readonly since?: string
  readonly until: string
  readonly hosts: readonly HoldHostView[]
}

/** `asked`: the host has not confirmed the hold yet: it is offline, or its agent predates holds. */
export type HoldHostView = {
  readonly host: HostName
  readonly state: 'in-force' | 'asked' | 'released'
  readonly releasedBy?: string
}

/** A managed path with the commit that gave it its present content. */
export type PathView = {
  /** Where it lives on a host (`/etc/nginx/nginx.conf`), or the repository's path for files that travel with a compose file. */
  readonly path: string
  readonly source: string
  readonly why?: CommitView
  /** The commit that removed it, when it is no longer in the repository. */
  readonly removed?: CommitView
  /** Blame of the requested line. */
  readonly line?: LineWhy
  /** Blame of all lines, when requested. */
  readonly blame?: Blame
  /** Its state and history on the requested host. */
  readonly onHost?: OnHost
}

export type WhyAsked = {
  /** Limits the answer to this host. */
  readonly host?: HostName | undefined
  /** Adds its state and history on this host. */
  readonly history?: boolean | undefined
  /** Default: the head. */
  readonly revision?: Revision | undefined
  /** One line, counted from 1, or all lines. For files only, not for paths below a directory. */
  readonly lines?: number | 'all' | undefined
}

export type HostView = Unplaced & {
  readonly host: HostName
  readonly state: HostStateName
  readonly connected: boolean
  readonly staleSince?: string
  /** As of a row, here and of a finding. */
  readonly clockAheadSeconds?: number
  readonly enrolledAt?: string
  readonly lastSeenAt?: string
  readonly agentVersion?: string
  readonly platform?: string
  /** The revision that the agent follows, with its commit when the clone has it. */
  readonly revision?: Revision
  readonly commit?: CommitView
  readonly services: readonly (ServiceReport & {
    readonly state: ServiceStateName | 'no-report'
    readonly facts: readonly ServiceFact[]
    /** Assigned services that a host at the head has not reported. */
    readonly unreported?: true
    readonly commit?: CommitView
    /** Holds of the server that the host has not confirmed. */
    readonly asked: readonly HoldView[]
    readonly waysOut: readonly WayOut[]
  })[]
  readonly problems: readonly Problem[]
  /** Newest first. */
  readonly applies: readonly (KeptApply & { readonly commit?: CommitView })[]
  /** One for each service and revision, the latest attempt first. */
  readonly failedApplies: readonly FailedApplyView[]
  readonly transitions: readonly TransitionView[]
  readonly alerts: readonly AlertView[]
}

export type FailedApplyView = {
  readonly service: ServiceName
  /** The latest failure, with the number of attempts and the time of the next one. */
  readonly failure: Failure
  /** ISO 8601: when the server first heard of it. */
  readonly firstAt: string
  /** False when the service was applied since, or another revision is being tried. */
  readonly isCurrent: boolean
  /** A hold that delays the next attempt. */
  readonly hold?: Hold
  readonly commit?: CommitView
}

export type ServiceView = {
  readonly service: ServiceName
  /** README.md as sanitized HTML. */
  readonly readmeHtml: string
  readonly hosts: readonly {
    readonly host: HostName
    readonly state: ServiceStateName | 'no-report'
    readonly facts: readonly ServiceFact[]
    readonly applied?: Revision
    readonly hold?: Hold
    /** As of a host. */
    readonly staleSince?: string
  }[]
  readonly paths: readonly PathView[]
  /** The newest commits that touched the service's directory, newest first. */
  readonly history: readonly CommitView[]
  readonly alerts: readonly AlertView[]
}

/** Distinguishes three versions: live, last applied, and desired now. */
export type DriftView = Pick<ServiceReport, 'applied' | 'appliedAt' | 'hold' | 'failure' | 'unknown'> & {
  readonly host: HostName
  readonly connected: boolean
  /** As of a host. */
  readonly staleSince?: string
  readonly clockAheadSeconds?: number
  readonly facts: readonly ServiceFact[]
  readonly service: ServiceName
  readonly finding: Finding
  /** ISO 8601: when the server first heard of it. */
  readonly since: string
  /** Desired now. */
  readonly revision?: Revision
  /** The commit of the last applied version. */
  readonly why?: CommitView
  /** Present when the desired revision changes the resource too; `commit` is the last commit to the file. */
  readonly pending?: { readonly summary: string; readonly commit?: CommitView }
  readonly waysOut: readonly WayOut[]
  /** The source file is rendered with secrets, which only hosts have. */
  readonly holdsSecrets: boolean
}

export type AlertView = {
  readonly id: number
  readonly kind: string
  readonly severity: 'critical' | 'warning'
  readonly title: string
  readonly text: string
  readonly host?: HostName
  /**
   * One cause on several hosts is one alert here, with the hosts' names and the ids of all its alerts. `id`, text and
   * diff are of the newest.
   */
  readonly hosts?: readonly HostName[]
  readonly members?: readonly number[]
  readonly service?: ServiceName
  readonly openedAt: string
  readonly resolvedAt?: string
  /** Why it was resolved. */
  readonly end?: AlertEnd
  readonly diff?: string
}

/** `drift`, `in sync again`, `applied abc1234`, ... in the order they were recorded, newest first. */
export type TransitionView = {
  readonly at: string
  readonly service?: ServiceName
  readonly from?: string
  readonly to: string
  readonly revision?: Revision
}

/** Every view that a page or an API route can request; undefined means not found (404). */
export type Views = {
  fleet(): Promise<FleetView>
  host(host: HostName): Promise<HostView | undefined>
  service(service: ServiceName): Promise<ServiceView | undefined>
  drift(host: HostName, resource: string): Promise<DriftView | undefined>
  holds(): Promise<readonly HoldView[]>
  /** Open ones first - critical, then newest - and after them the latest resolved. */
  alerts(): Promise<readonly AlertView[]>
  /** How many of them are open. */
  openAlertCount(): Promise<number>
  /** The commit of a path on a host, or of a path of the repository. */
  why(path: string, asked?: WhyAsked): Promise<readonly PathView[]>
}
