// What the pages show, as plain data: made by show/ from the store and the repository, rendered by pages/, served as JSON by api/.

import type { Finding } from '../../shared/finding.ts'
import type { HoldTarget } from '../../shared/hold.ts'
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { ApplyReport, Hold, ServiceReport, ServiceStateName } from '../../shared/report.ts'
import type { Blame, Commit, LineWhy, OnHost } from '../../shared/why.ts'

/** A commit as shown beside what it changed. */
export type CommitView = Readonly<Commit>

/** `not-enrolled`: the repository names the host, no agent ever did. `unknown`: enrolled, no report yet. */
export type HostStateName = ServiceStateName | 'silent' | 'not-enrolled' | 'unknown'

/** One cell of hosts x services; undefined where the repository does not give the service to the host. */
export type CellView = {
  readonly service: ServiceName
  readonly state: ServiceStateName | 'unknown'
  readonly findings: number
  readonly pending: number
  /** Since when it has been in this state, ISO 8601. */
  readonly since?: string
}

export type HostRow = {
  readonly host: HostName
  readonly state: HostStateName
  readonly revision?: Revision
  readonly lastSeenAt?: string
  readonly connected: boolean
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

export type HostView = {
  readonly host: HostName
  readonly state: HostStateName
  readonly connected: boolean
  readonly enrolledAt?: string
  readonly lastSeenAt?: string
  readonly agentVersion?: string
  readonly platform?: string
  /** What the agent desires now, with the commit when the clone has it. */
  readonly revision?: Revision
  readonly commit?: CommitView
  readonly services: readonly (ServiceReport & {
    readonly state: ServiceStateName | 'unknown'
    readonly commit?: CommitView
    /** Holds of the server that the host does not keep (yet). */
    readonly asked: readonly HoldView[]
  })[]
  readonly problems: readonly Problem[]
  /** Newest first. */
  readonly applies: readonly ApplyReport[]
  readonly transitions: readonly TransitionView[]
  readonly alerts: readonly AlertView[]
}

export type ServiceView = {
  readonly service: ServiceName
  /** README.md as sanitised HTML. */
  readonly readmeHtml: string
  readonly hosts: readonly {
    readonly host: HostName
    readonly state: ServiceStateName | 'unknown'
    readonly applied?: Revision
    readonly hold?: Hold
  }[]
  readonly paths: readonly PathView[]
  /** The newest commits that touched the service's directory, newest first. */
  readonly history: readonly CommitView[]
  readonly alerts: readonly AlertView[]
}

export type DriftView = {
  readonly host: HostName
  readonly service: ServiceName
  readonly finding: Finding
  /** ISO 8601: when the server first heard of it. */
  readonly since: string
  /** Why the repository says otherwise. */
  readonly why?: CommitView
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
  readonly service?: ServiceName
  readonly openedAt: string
  readonly resolvedAt?: string
  readonly diff?: string
}

/** `drift`, `in plumb again`, `applied abc1234`, ... in the order they were recorded, newest first. */
export type TransitionView = {
  readonly at: string
  readonly service?: ServiceName
  readonly from?: string
  readonly to: string
  readonly revision?: Revision
}

export type EnrolView = {
  /** The one line for a bare host. */
  readonly installLine: string
  readonly expiresAt: string
}

/** Everything a page or an API route can ask for; undefined: there is no such thing (404). */
export type Views = {
  fleet(): Promise<FleetView>
  host(host: HostName): Promise<HostView | undefined>
  service(service: ServiceName): Promise<ServiceView | undefined>
  drift(host: HostName, resource: string): Promise<DriftView | undefined>
  holds(): Promise<readonly HoldView[]>
  /** Open ones first, then the latest resolved. */
  alerts(): Promise<readonly AlertView[]>
  /** The commit behind a path on a host, or behind a path of the repository. */
  why(path: string, asked?: WhyAsked): Promise<readonly PathView[]>
}
