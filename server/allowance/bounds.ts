// How much of the server one client can take. Every limit is named here, with whom it is counted for and what happens beyond it;
// docs/install.md shows the same table, and a test compares the two.
import { frameLimitBeforeHello } from '../../shared/protocol.ts'

export type Bound = {
  readonly limit: number
  readonly unit: 'items' | 'bytes'
  /** Whose share it is: one client that takes all of its own leaves the others theirs. */
  readonly per:
    | 'host'
    | 'host and channel'
    | 'resource'
    | 'apply'
    | 'report'
    | 'session or address'
    | 'address'
    | 'connection'
    | 'request'
    | 'server'
  readonly what: string
  readonly beyond: string
}

const KiB = 1024
const MiB = 1024 * KiB

export const bounds = {
  // Before anybody knows who it is.
  sockets: items(1024, 'address', 'connections other than those of agents', 'closed'),
  requestsAhead: items(
    8,
    'connection',
    'requests that wait for the answer to the one before',
    'the connection is closed',
  ),
  requests: items(
    1000,
    'address',
    'requests at once, and 200 more each second',
    'waits; after 10 seconds refused with 429',
  ),
  strangers: items(256, 'address', 'agent connections that have not proved a host', 'refused with 503'),
  allStrangers: items(4096, 'server', 'agent connections that have not proved a host', 'refused with 503'),
  logIns: items(10, 'address', 'failed attempts to sign in, and one more each 6 seconds', 'refused with 429'),
  enrollments: items(300, 'address', 'attempts to enroll, and 10 more each second', 'refused with 429'),

  strangersBody: bytes(4 * KiB, 'request', 'body of a request that proves no operator', 'refused with 413'),
  body: bytes(64 * KiB, 'request', 'body of a request of an operator', 'refused with 413'),
  bodyBytes: bytes(256 * KiB, 'session or address', 'bodies that are being received', 'refused with 503'),
  allBodyBytes: bytes(16 * MiB, 'server', 'bodies that are being received', 'refused with 503'),
  beforeHello: bytes(
    frameLimitBeforeHello,
    'connection',
    'what an agent sends before it has proved its host',
    'the connection is closed',
  ),

  // What is going on at a time.
  streams: items(50, 'session or address', 'open pages that are live', 'not live'),
  allStreams: items(500, 'server', 'open pages that are live', 'not live'),
  mirrorTurns: items(2, 'host', 'fetches from the mirror at once', 'waits'),
  allMirrorTurns: items(8, 'server', 'fetches from the mirror at once', 'waits'),
  mirrorWaiting: items(4, 'host', 'fetches that wait for the mirror', 'refused with 503, to come back'),
  allMirrorWaiting: items(4096, 'server', 'fetches that wait for the mirror', 'refused with 503, to come back'),
  mirrorBody: bytes(4 * MiB, 'request', 'body of a fetch from the mirror', 'refused with 413'),
  mirrorBodyBytes: bytes(
    8 * MiB,
    'host',
    'bodies of fetches that are received or wait',
    'refused with 503, to come back',
  ),
  allMirrorBodyBytes: bytes(
    64 * MiB,
    'server',
    'bodies of fetches that are received or wait',
    'refused with 503, to come back',
  ),
  messages: items(1000, 'host', 'messages at once, and 20 more each second', 'the connection is closed'),
  messageBytes: bytes(64 * MiB, 'host', 'messages at once, and 1 MiB more each second', 'read later'),
  reportRows: items(
    10_000,
    'host',
    'rows of services that reports read or write at once, and 100 more each second',
    'read later',
  ),
  frameSlice: bytes(256 * KiB, 'server', 'part of a message that is parsed at once', 'parsed in the next turn'),

  // What is kept of one report. The rest is counted, and a problem of the host says so.
  findings: items(2000, 'report', 'findings that are kept', 'left out; an alert says how many'),
  findingBytes: bytes(3 * MiB, 'report', 'size of the findings that are kept', 'left out; an alert says how many'),
  pending: items(5000, 'report', 'pending changes that are kept', 'left out; an alert says how many'),
  ignored: items(2000, 'report', 'ignored differences that are kept', 'left out; an alert says how many'),
  problems: items(500, 'report', 'problems that are kept', 'left out, but one of each service; an alert says how many'),
  problemBytes: bytes(
    256 * KiB,
    'report',
    'size of the problems that are kept',
    'left out, or cut; an alert says how many',
  ),
  changesPerApply: items(200, 'apply', 'changes of an apply that are shown', 'the first are kept, the rest is counted'),

  // What is kept of one host over time. The oldest is forgotten first.
  applies: items(200, 'host', 'applies', 'the oldest are forgotten'),
  applyBytes: bytes(2 * MiB, 'host', 'size of the applies', 'the oldest are forgotten'),
  failedApplies: items(100, 'host', 'failed applies, one for each service and revision', 'the oldest are forgotten'),
  transitions: items(5000, 'host', 'transitions', 'the oldest are forgotten'),
  reportIds: items(500, 'host', 'reports that are recognized when they come again', 'the oldest are forgotten'),
  resourceEvents: items(5000, 'host', 'events of resources', 'the oldest are forgotten'),
  eventsPerResource: items(200, 'resource', 'events of one resource', 'the oldest are forgotten'),
  eventBytes: bytes(4 * MiB, 'host', 'size of the events of resources', 'the oldest are forgotten'),
  resolvedAlerts: items(500, 'host', 'resolved alerts', 'the oldest are forgotten'),
  resolvedAlertBytes: bytes(4 * MiB, 'host', 'size of the resolved alerts', 'the oldest are forgotten'),

  messagesWaiting: items(
    50,
    'host and channel',
    'messages that wait for a channel',
    'queued when there is room; what is over by then is not sent',
  ),
} as const satisfies Record<string, Bound>

function items(limit: number, per: Bound['per'], what: string, beyond: string) {
  return { limit, unit: 'items', per, what, beyond } as const
}

function bytes(limit: number, per: Bound['per'], what: string, beyond: string) {
  return { limit, unit: 'bytes', per, what, beyond } as const
}
