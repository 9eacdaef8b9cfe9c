// What the pages show, as plain data: made by show/ from the store and the repository, rendered by pages/, served as JSON by api/.

import type { Finding } from '../../shared/finding.ts'
import type { HoldTarget } from '../../shared/hold.ts'
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Failure, Hold, ServiceFact, ServiceReport, ServiceStateName } from '../../shared/report.ts'
import type { WayOut } from '../../shared/ways-out.ts'
import type { Blame, Commit, LineWhy, OnHost } from '../../shared/why.ts'
import type { AlertEnd } from '../alert-end.ts'
import type { KeptApply } from '../store/history.ts'

/** A commit as shown beside what it changed. */
export type CommitView = Readonly<Commit>

/**
 * `not-enrolled`: the repository names the host, no agent ever did. `no-report`: enrolled, no report yet. `unknown`: something could
 * not be checked or was not reported, or nothing says what the host should have: `unnamed`, `elsewhere`.
 */
export type HostStateName = ServiceStateName | 'offline' | 'not-enrolled' | 'no-report'

/** One cell of hosts x services; undefined where the repository does not give the service to the host. */
export type CellView = {
  readonly service: ServiceName
  /** The most urgent of the facts. */
  readonly state: ServiceStateName | 'no-report'
  /** All that is true of it at once, `held` last. */
  readonly facts: readonly ServiceFact[]
  readonly findings: number
  readonly pending: number
  /** Since when it has been in this state, ISO 8601. */
  readonly since?: string
}

/** Why nothing here says what a host should have. */
type Unplaced = {
  /** plumb.yaml does not name it. */
  readonly unnamed?: true
  /** Its revision is not in the repository, as far as the server has fetched it. */
  readonly elsewhere?: true
}

export type HostRow = Unplaced & {
  readonly host: HostName
  readonly state: HostStateName
  readonly revision?: Revision
  readonly lastSeenAt?: string
  readonly connected: boolean
  /** ISO 8601: what is said of its services was so then, and is not known to be so now. */
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
  /** Of one that the server keeps, and can release. */
  readonly id?: string
  /** `*`: all. */
  readonly services: readonly HoldTarget[]
  /** As it was asked for, `web-*`. */
  readonly patterns?: readonly string[]
  readonly by: string
  readonly why: string
  /** ISO 8601, as `until`. */
  readonly since?: string
  readonly until: string
  readonly hosts: readonly HoldHostView[]
}

/** `asked`: the host has not said yet that it keeps it - it is away, or its agent is older than holds. */
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
  /** It is in the repository no more: the commit that took it out. */
  readonly removed?: CommitView
  /** Of the line that was asked for. */
  readonly line?: LineWhy
  /** Of all lines, when they were asked for. */
  readonly blame?: Blame
  /** What happened to it on the host that was asked for. */
  readonly onHost?: OnHost
}

export type WhyAsked = {
  /** Only as this host has it. */
  readonly host?: HostName | undefined
  /** And what happened to it there. */
  readonly history?: boolean | undefined
  /** Default: the head. */
  readonly revision?: Revision | undefined
  /** Number of one line, from 1 on, or all of them; of files, not of what is below a directory. */
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
  /** What the agent desires now, with the commit when the clone has it. */
  readonly revision?: Revision
  readonly commit?: CommitView
  readonly services: readonly (ServiceReport & {
    readonly state: ServiceStateName | 'no-report'
    readonly facts: readonly ServiceFact[]
    /** The host follows the head, which gives it the service, and says nothing of it. */
    readonly unreported?: true
    readonly commit?: CommitView
    /** Holds of the server that the host does not keep (yet). */
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
  /** With the number of attempts, what failed in the latest one, and when it is tried again. */
  readonly failure: Failure
  /** ISO 8601: when the server first heard of it. */
  readonly firstAt: string
  /** False: the service was applied since, or another revision is tried. */
  readonly isCurrent: boolean
  /** It is not tried again before that ends. */
  readonly hold?: Hold
  readonly commit?: CommitView
}

export type ServiceView = {
  readonly service: ServiceName
  /** README.md as sanitised HTML. */
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

/** Three versions are told apart: what is live, what was last applied, and what the revision desired now makes of it. */
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
  /** The commit behind what was last applied. */
  readonly why?: CommitView
  /** Present: the revision changes it too; `commit`: the last one to the file. */
  readonly pending?: { readonly summary: string; readonly commit?: CommitView }
  readonly waysOut: readonly WayOut[]
  /** The repository's file behind it is filled in with secrets, which hosts alone have. */
  readonly holdsSecrets: boolean
}

export type AlertView = {
  readonly id: number
  readonly kind: string
  readonly severity: 'critical' | 'warning'
  readonly title: string
  readonly text: string
  readonly host?: HostName
  /** One cause on many hosts is one alert here: their names, and the ids of all that are in it. `id`, text and diff are the newest one's. */
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

/** Everything a page or an API route can ask for; undefined: there is no such thing (404). */
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
  /** The commit behind a path on a host, or behind a path of the repository. */
  why(path: string, asked?: WhyAsked): Promise<readonly PathView[]>
}
