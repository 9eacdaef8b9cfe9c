// The tables as the query builder sees them. Times are ISO 8601 in UTC with milliseconds, so that text order is time
// order; JSON is text.
import type { Generated, Kysely } from 'kysely'

export type Tables = {
  hosts: HostTable
  service_states: ServiceStateTable
  findings: FindingTable
  reports: ReportTable
  transitions: TransitionTable
  applies: ApplyTable
  failed_applies: FailedApplyTable
  enrolment_tokens: EnrollmentTokenTable
  refused_enrolments: RefusedEnrollmentTable
  machines: MachineTable
  identity_copies: IdentityCopyTable
  alerts: AlertTable
  channels: ChannelTable
  outbox: OutboxTable
  told_alerts: DeliveredAlertTable
  write_probe: WriteProbeTable
  sessions: SessionTable
  credentials: CredentialTable
  holds: HoldTable
  ended_holds: EndedHoldTable
  resource_events: ResourceEventTable
}

/** The database or a transaction on it: every query takes one, so that callers decide what is one transaction. */
export type Db = Kysely<Tables>

type HostTable = {
  name: string
  /** Ed25519, SPKI DER in base64. */
  public_key: string
  enrolled_at: string
  /** Coarse: at most once a minute. */
  last_seen_at: string
  agent_version: string | null
  platform: string | null
  revision: string | null
  /** Problem[] as JSON. */
  problems: string
  /** SHA-256 of the last report's content: an equal report is no transition. */
  report_digest: string | null
}

type ServiceStateTable = {
  host: string
  service: string
  state: string
  /** Facts as factsOf orders them, joined by commas: `drift,held`; empty: in sync. */
  facts: string
  since: string
  /** Counts, so that the fleet's overview need not read bodies. */
  findings: number
  pending: number
  /** ServiceReport without its findings, as JSON. */
  body: string
}

type FindingTable = {
  host: string
  service: string
  resource: string
  first_seen_at: string
  /** Finding as JSON. */
  body: string
}

/** Ids of recorded reports: a spooled report that is sent again must not repeat old transitions. */
type ReportTable = {
  host: string
  id: string
  received_at: string
}

type TransitionTable = {
  id: Generated<number>
  host: string
  service: string | null
  at: string
  from_state: string | null
  to_state: string
  revision: string | null
}

type ApplyTable = {
  id: Generated<number>
  host: string
  received_at: string
  /** ApplyReport as JSON. */
  body: string
}

type FailedApplyTable = {
  host: string
  service: string
  revision: string
  first_at: string
  last_at: string
  /** Failure as JSON, of the latest attempt. */
  body: string
}

type EnrollmentTokenTable = {
  id: Generated<number>
  /** SHA-256 of the token: what is stored cannot be used. */
  hash: string
  /** The only host that may use it; null: any new host. */
  host: string | null
  uses_left: number
  created_at: string
  expires_at: string
}

type RefusedEnrollmentTable = {
  cause: string
  host: string
  reason: string
  address: string
  last_at: string
}

/** The known machine of a host's key. */
type MachineTable = {
  host: string
  id: string
  boot: string
  /** string[] as JSON. */
  ended_boots: string
}

/** A copy that presented a host's key; at most one row per host. */
type IdentityCopyTable = {
  host: string
  sign: string
  address: string
  last_at: string
}

type AlertTable = {
  id: Generated<number>
  /** What the alert is about, `drift:web-1:nginx`. */
  cause: string
  /** Equals the key while the alert is open, null afterwards; unique, so that a cause has at most one open alert. */
  open_cause: string | null
  /** `host:web-1` or `fleet`: what must be evaluated again to resolve the alert. */
  scope: string
  kind: string
  severity: string
  title: string
  text: string
  remedy: string | null
  host: string | null
  service: string | null
  diff: string | null
  common_key: string | null
  common_title: string | null
  opened_at: string
  updated_at: string
  resolved_at: string | null
  /** AlertEnd as JSON; null: open, or resolved by an earlier version. */
  end_reason: string | null
}

type ChannelTable = {
  key: string
  /** Alert target as JSON, as plumb.yaml has it: secrets by name. */
  body: string
  added_at: string
  /** Failed attempts since the last delivery. */
  attempts: number
  next_attempt_at: string
  /** The first failed attempt since the last delivery. */
  failing_since: string | null
  last_error: string | null
}

type OutboxTable = {
  id: Generated<number>
  channel: string
  alert: number
  event: string
  /** AlertMessage as JSON. */
  body: string
  /** UUID of this body; unlike `id`, never reused. */
  delivery: string
  /** Failed ones. */
  attempts: number
  /** Error of the last attempt. */
  error: string | null
  /** 1: the receiver rejected the message. */
  refused: number
  created_at: string
  due_at: string
}

/** Credentials in force at the last start: sessions and tokens made with a different credential have ended. */
type CredentialTable = {
  name: string
  /** A hash of the token's hash, useless for signing in. */
  fingerprint: string
}

/** The channel accepted a message about the alert. */
type DeliveredAlertTable = {
  channel: string
  alert: number
}

/** The single row of the write probe. */
type WriteProbeTable = {
  id: number
  bytes: string
}

type SessionTable = {
  hash: string
  created_at: string
  expires_at: string
}

/** Holds made by operators; kept for a while after their end, because hosts end them by their own clocks. */
type HoldTable = {
  id: string
  service: string
  /** Names and patterns, as JSON. */
  hosts: string
  /** Hosts for which the hold was released, as JSON. */
  but_not: string
  by: string
  why: string
  since: string
  until: string
}

/** Ended holds as reported by hosts; kept so that each end is notified once. */
type EndedHoldTable = {
  host: string
  service: string
  since: string
  until: string
  by: string
  why: string
  /** Id in `holds`, for a hold made by the server. */
  hold: string | null
  /** Who released it on the host; null when it expired. */
  released_by: string | null
  /** Number of differences when the end was reported. */
  findings: number
  pending: number
  /** 0 or 1. */
  told: number
}

type ResourceEventTable = {
  id: Generated<number>
  host: string
  service: string
  /** Null for an event of the whole service. */
  resource: string | null
  /** The resource's source file in the repository. */
  source: string | null
  at: string
  kind: string
  /** The rest of ResourceEvent as JSON. */
  body: string
}
