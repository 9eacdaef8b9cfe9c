// The conditions of a host that a person must know of, as a table: how each is recognized in plain facts, and its text.
// A text says nothing that changes while the cause is the same (no count of attempts, no age): a changed text is sent again.
import { compact } from '../../shared/compact.ts'
import type { ProblemCode } from '../../shared/problem.ts'
import { absoluteTime, lengthOf } from '../../shared/time-text.js'
import { waysOut } from '../../shared/ways-out.ts'
import { wayOutLines } from '../../shared/ways-out-text.ts'
import type { CopySign } from '../store/machines.ts'
import { bothOffline, noCheckFinished, sameDrift, sameFailure, sameProblem } from './common-cause.ts'
import { diffText, findingsText } from './diff-text.ts'
import type { Condition, Context, Found, HostFacts } from './facts.ts'
import { endedHoldText, isBehind } from './hold-text.ts'
import { firstLines, lineOf, linesOf, problemTitles } from './problem-text.ts'

export const hostConditions: readonly Condition<[HostFacts, Context]>[] = [
  { kind: 'drift', severity: 'warning', found: drift },
  { kind: 'fight', severity: 'critical', found: repairLoop },
  { kind: 'apply-failed', severity: 'critical', found: applyFailed },
  { kind: 'services-not-given', severity: 'warning', found: servicesNotGiven },
  { kind: 'hold-expired', severity: 'warning', found: holdExpired },
  { kind: 'host-offline', severity: 'critical', found: hostOffline },
  { kind: 'check-overdue', severity: 'warning', found: checkOverdue },
  { kind: 'agent-problem', severity: 'warning', found: agentProblem },
  { kind: 'identity-shared', severity: 'critical', found: identityShared },
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
        ...compact({ diff }),
      }
    })
}

/** Something on the host and the repository's policy each undo what the other does. */
function repairLoop({ host, services, revision }: HostFacts): readonly Found[] {
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
      ...compact({ diff }),
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
    const isOver = hold.notified && !(context.isOpen(key) && isBehind(hold, services))
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

function hostOffline(
  { host, lastSeenAt, unheardForMs, heardSinceStart }: HostFacts,
  context: Context,
): readonly Found[] {
  const key = `host-offline:${host}`
  // A restarted server has not heard anybody: that alone must not end an alert that was open.
  const stillOffline = !heardSinceStart && context.isOpen(key)
  if (unheardForMs < context.offlineAfterMs && !stillOffline) return []
  return [
    {
      key,
      title: `${host} is offline`,
      common: bothOffline,
      text: `Nothing was heard of ${host} since ${absoluteTime(lastSeenAt)}.`,
      remedy: `Look whether the machine runs and reaches this server, then on it: systemctl status plumb`,
    },
  ]
}

/** An agent that answers and does not get to the end of a check. Of an offline host nothing is known. */
function checkOverdue(facts: HostFacts, context: Context): readonly Found[] {
  const { host, uncheckedForMs, checkedSinceStart, unheardForMs } = facts
  const key = `check-overdue:${host}`
  const stillOverdue = !checkedSinceStart && context.isOpen(key)
  if (unheardForMs >= context.offlineAfterMs) return []
  if (uncheckedForMs < context.checkOverdueAfterMs && !stillOverdue) return []
  return [
    {
      key,
      title: `${host}: no check is finished`,
      common: noCheckFinished,
      text: `The agent of ${host} is connected and has finished no check for ${lengthOf(context.checkOverdueAfterMs / 1000)}. What is shown of the host is older than that.`,
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
      ...compact({ remedy }),
    }
  })
}
