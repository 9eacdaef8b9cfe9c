// The conditions a person must know of, as a table: how each is recognised in plain facts, and what the person is told. A text
// says nothing that changes while the cause is the same (no count of attempts, no age), because a changed text is sent again.
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import { type Problem, type ProblemCode, problemLine } from '../../shared/problem.ts'
import type { ServiceReport } from '../../shared/report.ts'
import { absoluteTime } from '../../shared/time-text.js'
import { waysOut } from '../../shared/ways-out.ts'
import { wayOutLines } from '../../shared/ways-out-text.ts'
import type { Cause, Severity } from '../store/alerts.ts'
import type { RecordedEnd } from '../store/holds.ts'
import type { CopySign, IdentityCopy } from '../store/machines.ts'
import { noCheckFinished, sameDrift, sameFailure, sameProblem, sameSilence } from './common-cause.ts'
import { diffText, findingsText } from './diff-text.ts'
import { endedHoldText, isBehind } from './hold-text.ts'

export type HostFacts = {
  readonly host: HostName
  /** What is desired there now; undefined: the host did not say. */
  readonly revision: Revision | undefined
  readonly services: readonly ServiceReport[]
  /** What the repository gives it; undefined while nothing is known of the repository. */
  readonly given: readonly ServiceName[] | undefined
  /** Its revision is not in the repository, as far as the server has fetched it. */
  readonly isElsewhere: boolean
  /** What the host reports, and the repository does not give it: anybody can make up names. */
  readonly notGiven: readonly ServiceReport[]
  /** The host follows the server's head revision, or no group and no host of that one is meant for it. */
  readonly isComparable: boolean
  /** The repository names the host, or a pattern does; also while nothing is known of the repository. */
  readonly isNamed: boolean
  readonly problems: readonly Problem[]
  readonly endedHolds: readonly RecordedEnd[]
  /** Another machine than the known one shows this host's key. */
  readonly copy?: Pick<IdentityCopy, 'sign' | 'address'> | undefined
  readonly lastSeenAt: string
  readonly silentForMs: number
  /** False: not one word since this server was started. */
  readonly heardSinceStart: boolean
  /** For how long it was heard of without a check. */
  readonly uncheckedForMs: number
  readonly checkedSinceStart: boolean
}

export type Surroundings = {
  readonly silentAfterMs: number
  readonly checkOverdueAfterMs: number
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
export type Context = Surroundings & { readonly isOpen: (key: string) => boolean }

type Condition<Facts extends readonly unknown[]> = {
  readonly kind: string
  readonly severity: Severity
  readonly found: (...facts: Facts) => readonly Found[]
}

export const hostConditions: readonly Condition<[HostFacts, Context]>[] = [
  { kind: 'drift', severity: 'warning', found: drift },
  { kind: 'fight', severity: 'critical', found: fight },
  { kind: 'apply-failed', severity: 'critical', found: applyFailed },
  { kind: 'services-not-given', severity: 'warning', found: servicesNotGiven },
  { kind: 'hold-expired', severity: 'warning', found: holdExpired },
  { kind: 'host-silent', severity: 'critical', found: hostSilent },
  { kind: 'check-overdue', severity: 'warning', found: checkOverdue },
  { kind: 'agent-problem', severity: 'warning', found: agentProblem },
  { kind: 'identity-shared', severity: 'critical', found: identityShared },
]

export const fleetConditions: readonly Condition<[FleetFacts]>[] = [
  { kind: 'repository-invalid', severity: 'critical', found: repositoryInvalid },
  { kind: 'repository-unreachable', severity: 'warning', found: repositoryUnreachable },
  { kind: 'enrolment-refused', severity: 'warning', found: enrolmentRefused },
  { kind: 'channel-unusable', severity: 'warning', found: channelUnusable },
  { kind: 'database-set-aside', severity: 'critical', found: databaseSetAside },
]

/** Said once, and over with that: nobody would hear of them if their end canceled what still waits. */
export const noticeKinds: ReadonlySet<string> = new Set(['hold-expired'])

/** A held service is meant to be different for a while; what is fought over is an alert of its own. */
function drift({ host, services, revision }: HostFacts): readonly Found[] {
  return services
    .map(({ findings, ...service }) => ({
      ...service,
      findings: findings.filter((finding) => finding.fight === undefined),
    }))
    .filter(({ findings, hold }) => findings.length > 0 && hold === undefined)
    .map((report) => {
      const { service, findings } = report
      const diff = diffText(findings)
      return {
        key: `drift:${host}:${service}`,
        service,
        title: `${host}: ${service} has drifted`,
        common: sameDrift('drift', service, findings),
        text: findingsText(findings),
        remedy: wayOutLines(waysOut({ ...report, revision }), { on: ` on ${host}` }).join('\n'),
        ...(diff === undefined ? {} : { diff }),
      }
    })
}

/** Something on the host and the repository's policy each undo what the other does. */
function fight({ host, services, revision }: HostFacts): readonly Found[] {
  return services.flatMap((report) => {
    const { service, findings, hold } = report
    const fought = findings.filter((finding) => finding.fight !== undefined)
    if (fought.length === 0 || hold !== undefined) return []
    const diff = diffText(fought)
    return {
      key: `fight:${host}:${service}`,
      service,
      title: `${host}: something changes ${service} again each time it is put back`,
      common: sameDrift('fight', service, fought),
      text: findingsText(fought),
      remedy: [
        'Find what writes it (the evidence says who was there) and stop that, or say in service.yaml: onDrift: { ignore: WHY }.',
        ...wayOutLines(
          waysOut({ ...report, revision }, fought).filter(
            ({ kind }) => kind !== 'adopt' && kind !== 'commit' && kind !== 'secret',
          ),
          {
            on: ` on ${host}`,
          },
        ),
        'A commit that changes it has it repaired again, too.',
      ].join('\n'),
      ...(diff === undefined ? {} : { diff }),
    }
  })
}

function applyFailed({ host, services }: HostFacts): readonly Found[] {
  return services.flatMap((report) => {
    const { service, failure, applied } = report
    if (failure === undefined) return []
    const { revision, step, problem } = failure
    const holds = waysOut(report).filter(({ kind }) => kind === 'release')
    return {
      key: `apply-failed:${host}:${service}`,
      service,
      title: `${host}: ${service} could not be applied`,
      common: sameFailure(service, failure),
      text: `Revision ${revision.slice(0, 7)} failed at "${step}": ${lineOf(problem)}\n${runsOnText(applied)}`,
      remedy: [
        ...wayOutLines(holds, { on: ` on ${host}` }),
        problem.remedy ?? 'Fix and push; the service is tried again with the next commit.',
      ].join('\n'),
    }
  })
}

function runsOnText(applied: string | undefined): string {
  return applied === undefined
    ? 'It was never applied here before.'
    : `It runs on with revision ${applied.slice(0, 7)}.`
}

/** With these the host says itself why it still has services that it is not given. */
const reasonsToKeep: ReadonlySet<ProblemCode> = new Set(['removal-waits', 'host-unknown'])

/** A host at another revision may be right: it is judged again when it has followed. */
function servicesNotGiven(facts: HostFacts, context: Context): readonly Found[] {
  const { host, notGiven, isComparable, isNamed, problems } = facts
  const key = `services-not-given:${host}`
  if (!isNamed || problems.some(({ code }) => reasonsToKeep.has(code))) return []
  if (notGiven.length === 0 || !(isComparable || context.isOpen(key))) return []
  const lines = notGiven.map(({ service, failure }) =>
    failure === undefined ? service : `${service}: ${lineOf(failure.problem)}`,
  )
  return [
    {
      key,
      title: `${host} reports services that the repository does not give it`,
      text: firstLines(lines),
      remedy: `Give them to ${host} in plumb.yaml, or look on it why they are not removed: plumb status`,
    },
  ]
}

/** Told once in any case; then open for as long as what was held is not as the repository says. */
function holdExpired({ host, services, endedHolds, revision }: HostFacts, context: Context): readonly Found[] {
  return endedHolds.flatMap((hold) => {
    const key = `hold-expired:${host}:${hold.service}:${hold.until}`
    const isOver = hold.told && !(context.isOpen(key) && isBehind(hold, services))
    if (hold.releasedBy !== undefined || isOver) return []
    return [
      {
        key,
        ...(hold.service === '*' ? {} : { service: hold.service }),
        ...endedHoldText(hold, { host, services, revision }),
      },
    ]
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
      common: sameSilence,
      text: `Nothing was heard of ${host} since ${absoluteTime(lastSeenAt)}.`,
      remedy: `Look whether the machine runs and reaches this server, then on it: systemctl status plumb`,
    },
  ]
}

/** An agent that answers and does not get to the end of a check. Of a silent host nothing is known. */
function checkOverdue(facts: HostFacts, context: Context): readonly Found[] {
  const { host, uncheckedForMs, checkedSinceStart, silentForMs } = facts
  const key = `check-overdue:${host}`
  const stillOverdue = !checkedSinceStart && context.isOpen(key)
  if (silentForMs >= context.silentAfterMs) return []
  if (uncheckedForMs < context.checkOverdueAfterMs && !stillOverdue) return []
  return [
    {
      key,
      title: `${host}: no check is finished`,
      common: noCheckFinished,
      text: `The agent of ${host} is connected and has finished no check for ${context.checkOverdueAfterMs / 60_000} minutes. What is shown of the host is older than that.`,
      remedy: `Look on it what the agent does: plumb status, journalctl -u plumb. It may be in a long apply; if it hangs: systemctl restart plumb`,
    },
  ]
}

/** Only one of the two is recorded. Which of them is the right one is for a person to know. */
function identityShared({ host, copy }: HostFacts): readonly Found[] {
  if (copy === undefined) return []
  return [
    {
      key: `identity-shared:${host}`,
      title: `${host}: two machines use its key`,
      text: `A machine at ${copy.address} shows the key of ${host} and is not the machine that is known as it: ${copySignText[copy.sign]}. Nothing that it reports is recorded.`,
      remedy: `If it is a copy (a cloned disk or container), plumb status there says how to enroll it with a name of its own. If it is ${host} itself, with a new machine-id or restored from a snapshot, forget the machine that is known: DELETE /api/v1/hosts/${host}/machine`,
    },
  ]
}

const copySignText: Record<CopySign, string> = {
  'no-machine': 'it does not say which machine it is',
  'other-machine-id': 'it has another machine-id',
  'ended-boot': 'it runs since before the latest restart of the known one',
  'both-connected': 'both were connected at the same time',
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
      common: sameProblem(code, problemTitles[code], same),
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
  'sync-slow': 'the repository answers slowly',
  'repository-rewound': "the repository's history was rewritten",
  'branch-changed': "the repository's default branch was changed",
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
  'agent-not-running': 'the agent is not running',
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
  'report-too-large': 'it reports more than the server keeps',
  'identity-shared': 'another machine uses the same key',
  usage: 'something was asked for in a wrong way',
  internal: 'an unexpected error',
}

const linesShown = 20

function linesOf(problems: readonly Problem[]): string {
  return firstLines(problems.map(lineOf))
}

function firstLines(lines: readonly string[]): string {
  const rest = lines.length - linesShown
  return [...lines.slice(0, linesShown), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
}

/** Without the remedy, which an alert has for itself. */
function lineOf({ code, message, where }: Problem): string {
  return problemLine({ code, message, ...(where === undefined ? {} : { where }) })
}
