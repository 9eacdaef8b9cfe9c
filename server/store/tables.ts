// The tables as the query builder sees them. Times are ISO 8601 in UTC with milliseconds, so that text order is time order; JSON is text.
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
  told_alerts: ToldAlertTable
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
  /** SHA-256 over what the last report said: the same again is no transition. */
  report_digest: string | null
}

type ServiceStateTable = {
  host: string
  service: string
  state: string
  /** Facts as factsOf orders them, joined by commas: `drift,held`; empty: in sync. */
  facts: string
  since: string
  /** Counts, so that an overview of the fleet reads no bodies. */
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

/** Ids of reports already recorded: a spooled report that is sent again must not replay old transitions. */
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
  /** The only host it is good for, or null for any new one. */
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

/** The machine that a host's key is known with. */
type MachineTable = {
  host: string
  id: string
  boot: string
  /** string[] as JSON. */
  ended_boots: string
}

/** A machine that showed the key of a host, and is not the known one; at most one row a host. */
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
  /** The same while it is open, null afterwards; unique, so that one cause has one open alert. */
  open_cause: string | null
  /** `host:web-1` or `fleet`: what has to be looked at again to know whether the cause is gone. */
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
  /** A UUID of this body; never used again, as `id` is. */
  delivery: string
  /** Failed ones. */
  attempts: number
  /** Why it was not taken so far. */
  error: string | null
  /** 1: the receiver answered that it does not take it. */
  refused: number
  created_at: string
  due_at: string
}

/** Which credentials were in force when the server last started: what was made with another one has ended. */
type CredentialTable = {
  name: string
  /** A hash of the token's hash: it admits no one. */
  fingerprint: string
}

/** The channel took a message about the alert. */
type ToldAlertTable = {
  channel: string
  alert: number
}

/** One row, written to see whether anything can be. */
type WriteProbeTable = {
  id: number
  bytes: string
}

type SessionTable = {
  hash: string
  created_at: string
  expires_at: string
}

/** What operators want left alone; kept for a while after its end, because hosts end it by their own clocks. */
type HoldTable = {
  id: string
  service: string
  /** Names and patterns, as JSON. */
  hosts: string
  /** Hosts for which it was released, as JSON. */
  but_not: string
  by: string
  why: string
  since: string
  until: string
}

/** Holds that hosts said are over; remembered so that each end is told once. */
type EndedHoldTable = {
  host: string
  service: string
  since: string
  until: string
  by: string
  why: string
  /** Of `holds`, when the server had asked for it. */
  hold: string | null
  /** Who released it on the host; null: its time was over. */
  released_by: string | null
  /** What differed when its end was heard of. */
  findings: number
  pending: number
  /** 0 or 1. */
  told: number
}

type ResourceEventTable = {
  id: Generated<number>
  host: string
  service: string
  /** Null: of the service as a whole. */
  resource: string | null
  /** The repository's file behind the resource. */
  source: string | null
  at: string
  kind: string
  /** The rest of ResourceEvent as JSON. */
  body: string
}
