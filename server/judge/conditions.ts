// The conditions a person must know of, as a table: how each is recognised in plain facts, and what the person is told. A text
// says nothing that changes while the cause is the same (no count of attempts, no age), because a changed text is sent again.
import { keepingLines } from '../../shared/adoptable.ts'
import type { HostName } from '../../shared/names.ts'
import { type Problem, type ProblemCode, problemLine } from '../../shared/problem.ts'
import type { ServiceReport } from '../../shared/report.ts'
import type { Cause, Severity } from '../store/alerts.ts'
import type { RecordedEnd } from '../store/holds.ts'
import { diffText, findingsText } from './diff-text.ts'
import { endedHoldText, isBehind } from './hold-text.ts'

export type HostFacts = {
  readonly host: HostName
  readonly services: readonly ServiceReport[]
  readonly problems: readonly Problem[]
  readonly endedHolds: readonly RecordedEnd[]
  readonly lastSeenAt: string
  readonly silentForMs: number
  /** False: not one word since this server was started. */
  readonly heardSinceStart: boolean
}

export type Surroundings = {
  readonly silentAfterMs: number
  /** The server's own clone says that the head revision is invalid: hosts need not say it each. */
  readonly repositoryInvalid: boolean
}

export type FleetFacts = {
  /** What is wrong with the head revision. */
  readonly invalid: readonly Problem[]
  /** Why the server cannot fetch, once that has lasted long enough to be worth a person's time. */
  readonly unreachable: Problem | undefined
  readonly channelProblems: readonly { readonly key: string; readonly message: string; readonly remedy: string }[]
  readonly refusedEnrolments: readonly {
    readonly cause: string
    readonly host: HostName
    readonly reason: string
    readonly address: string
  }[]
  /** Damaged database files that were set aside and are still there. */
  readonly databasesSetAside: readonly string[]
}

type Found = Omit<Cause, 'scope' | 'kind' | 'severity' | 'host'> & { readonly host?: HostName }
type Context = Surroundings & { readonly isOpen: (key: string) => boolean }

type Condition<Facts extends readonly unknown[]> = {
  readonly kind: string
  readonly severity: Severity
  readonly found: (...facts: Facts) => readonly Found[]
}

export const hostConditions: readonly Condition<[HostFacts, Context]>[] = [
  { kind: 'drift', severity: 'warning', found: drift },
  { kind: 'fight', severity: 'critical', found: fight },
  { kind: 'apply-failed', severity: 'critical', found: applyFailed },
  { kind: 'hold-expired', severity: 'warning', found: holdExpired },
  { kind: 'host-silent', severity: 'critical', found: hostSilent },
  { kind: 'agent-problem', severity: 'warning', found: agentProblem },
]

export const fleetConditions: readonly Condition<[FleetFacts]>[] = [
  { kind: 'repository-invalid', severity: 'critical', found: repositoryInvalid },
  { kind: 'repository-unreachable', severity: 'warning', found: repositoryUnreachable },
  { kind: 'enrolment-refused', severity: 'warning', found: enrolmentRefused },
  { kind: 'channel-unusable', severity: 'warning', found: channelUnusable },
  { kind: 'database-set-aside', severity: 'critical', found: databaseSetAside },
]

/** A held service is meant to be different for a while; what is fought over is an alert of its own. */
function drift({ host, services }: HostFacts): readonly Found[] {
  return services
    .map(({ findings, ...service }) => ({
      ...service,
      findings: findings.filter((finding) => finding.fight === undefined),
    }))
    .filter(({ findings, hold }) => findings.length > 0 && hold === undefined)
    .map(({ service, findings }) => {
      const diff = diffText(findings)
      return {
        key: `drift:${host}:${service}`,
        service,
        title: `${host}: ${service} has drifted`,
        text: findingsText(findings),
        remedy: [
          ...keepingLines(service, findings, { on: ` on ${host}` }),
          `To put it back on ${host}: plumb apply`,
        ].join('\n'),
        ...(diff === undefined ? {} : { diff }),
      }
    })
}

/** Something on the host and the repository's policy each undo what the other does. */
function fight({ host, services }: HostFacts): readonly Found[] {
  return services.flatMap(({ service, findings, hold }) => {
    const fought = findings.filter((finding) => finding.fight !== undefined)
    if (fought.length === 0 || hold !== undefined) return []
    const diff = diffText(fought)
    return {
      key: `fight:${host}:${service}`,
      service,
      title: `${host}: something changes ${service} again each time it is put back`,
      text: findingsText(fought),
      remedy: `Find what writes it (the evidence says who was there) and stop that, or say in service.yaml: onDrift: { ignore: WHY }. It is put back again after plumb apply on ${host}, or a commit that changes it.`,
      ...(diff === undefined ? {} : { diff }),
    }
  })
}

function applyFailed({ host, services }: HostFacts): readonly Found[] {
  return services.flatMap(({ service, failure, applied }) => {
    if (failure === undefined) return []
    const { revision, step, problem } = failure
    return {
      key: `apply-failed:${host}:${service}`,
      service,
      title: `${host}: ${service} could not be applied`,
      text: `Revision ${revision.slice(0, 7)} failed at "${step}": ${lineOf(problem)}\n${runsOnText(applied)}`,
      remedy: problem.remedy ?? 'Fix and push; the service is tried again with the next commit.',
    }
  })
}

function runsOnText(applied: string | undefined): string {
  return applied === undefined
    ? 'It was never applied here before.'
    : `It runs on with revision ${applied.slice(0, 7)}.`
}

/** Told once in any case; then open for as long as what was held is not as the repository says. */
function holdExpired({ host, services, endedHolds }: HostFacts, context: Context): readonly Found[] {
  return endedHolds.flatMap((hold) => {
    const key = `hold-expired:${host}:${hold.service}:${hold.until}`
    const isOver = hold.told && !(context.isOpen(key) && isBehind(hold, services))
    if (hold.releasedBy !== undefined || isOver) return []
    return [{ key, ...(hold.service === '*' ? {} : { service: hold.service }), ...endedHoldText(host, hold) }]
  })
}

function hostSilent({ host, lastSeenAt, silentForMs, heardSinceStart }: HostFacts, context: Context): readonly Found[] {
  const key = `host-silent:${host}`
  // A restarted server has not heard anybody: that alone must not end an alert that was open.
  const stillSilent = !heardSinceStart && context.isOpen(key)
  if (silentForMs < context.silentAfterMs && !stillSilent) return []
  return [
    {
      key,
      title: `${host} is silent`,
      text: `Nothing was heard of ${host} since ${lastSeenAt}.`,
      remedy: `Look whether the machine runs and reaches this server, then on it: systemctl status plumb`,
    },
  ]
}

/** One alert per host and code: thirty missing secrets are one thing to look at. */
function agentProblem({ host, problems }: HostFacts, context: Context): readonly Found[] {
  const byCode = Map.groupBy(problems, (problem) => problem.code)
  if (context.repositoryInvalid) byCode.delete('repository-invalid')
  return [...byCode].map(([code, same]) => {
    const remedy = same.find((problem) => problem.remedy !== undefined)?.remedy
    return {
      key: `agent-problem:${host}:${code}`,
      title: `${host}: ${problemTitles[code]}`,
      text: linesOf(same),
      ...(remedy === undefined ? {} : { remedy }),
    }
  })
}

function repositoryInvalid({ invalid }: FleetFacts): readonly Found[] {
  if (invalid.length === 0) return []
  return [
    {
      key: 'repository-invalid',
      title: 'The repository is invalid',
      text: linesOf(invalid),
      remedy:
        'Fix it and push. Every host keeps the last good revision until then; `plumb lint` finds this before a push.',
    },
  ]
}

function repositoryUnreachable({ unreachable }: FleetFacts): readonly Found[] {
  if (unreachable === undefined) return []
  return [
    {
      key: 'repository-unreachable',
      title: 'The server cannot fetch the repository',
      text: lineOf(unreachable),
      remedy: unreachable.remedy ?? 'It is tried again by itself; hosts keep what they have.',
    },
  ]
}

function enrolmentRefused({ refusedEnrolments }: FleetFacts): readonly Found[] {
  return refusedEnrolments.map(({ cause, host, reason, address }) => ({
    key: `enrolment-refused:${cause}`,
    host,
    title: `An enrolment as ${host} was refused`,
    text: `Somebody at ${address} tried to enrol as ${host} with a token of this server: ${reason}.`,
    remedy: `If the machine was set up anew, remove the host and use a new install line. If it was not you, find out who has the token.`,
  }))
}

function channelUnusable({ channelProblems }: FleetFacts): readonly Found[] {
  return channelProblems.map(({ key, message, remedy }) => ({
    key: `channel-unusable:${key}`,
    title: 'Alerts cannot be sent to a channel of plumb.yaml',
    text: message,
    remedy,
  }))
}

function databaseSetAside({ databasesSetAside }: FleetFacts): readonly Found[] {
  return databasesSetAside.map((file) => ({
    key: `database-set-aside:${file}`,
    title: "The server's database was damaged and has been set aside",
    text: `The damaged file is ${file}. The server runs on a new, empty database: no host is enrolled in it.`,
    remedy: 'Stop the server and put a backup back as plumb.sqlite, or enrol the hosts again; then move the file away.',
  }))
}

const problemTitles: Record<ProblemCode, string> = {
  'repository-invalid': 'the repository is invalid',
  'repository-unreachable': 'the repository cannot be reached',
  'repository-rewound': "the repository's history was rewritten",
  'repository-corrupt': 'the clone of the repository is damaged',
  'git-missing': 'git is not installed',
  'host-unknown': 'the repository does not name this host',
  'secret-missing': 'a secret is missing',
  'secret-exposed': 'a secret can be read by others',
  'variable-unknown': 'a template names an unknown variable',
  'path-claimed-twice': 'two services claim one path',
  'apply-failed': 'an apply failed',
  'observe-failed': 'live configuration could not be read',
  'validation-failed': 'a file did not pass its validation',
  'check-failed': 'a check failed',
  'contact-lost': 'an apply cut the host off and was undone',
  'removal-waits': "a removal waits for a person's word",
  'disk-full': 'the disk is full',
  'read-only': 'the file system is read-only',
  'unsafe-path': 'a path is not safe to write to',
  locked: 'another apply holds the lock',
  'state-corrupt': "the agent's state is damaged",
  'token-refused': 'a token was refused',
  'server-unreachable': 'the server cannot be reached',
  'server-untrusted': 'the server is not trusted',
  usage: 'something was asked for in a wrong way',
  internal: 'an unexpected error',
}

const linesShown = 20

function linesOf(problems: readonly Problem[]): string {
  const lines = problems.slice(0, linesShown).map(lineOf)
  const rest = problems.length - lines.length
  return [...lines, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
}

/** Without the remedy, which an alert has for itself. */
function lineOf({ code, message, where }: Problem): string {
  return problemLine({ code, message, ...(where === undefined ? {} : { where }) })
}
