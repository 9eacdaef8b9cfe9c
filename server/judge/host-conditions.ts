// The alert conditions of a host, as a table: how each is detected from facts, and its text.
// A text must stay the same while its cause does (no attempt counts, no ages), because a changed text is sent again.
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

/** Notices are sent once. Their end must not cancel a message that is still queued, or it would never be sent. */
export const noticeKinds: ReadonlySet<string> = new Set(['hold-expired'])

/** Skips held services, which are expected to differ, and repair loops, which have their own alert. */
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

/** A program on the host and the repair policy keep reverting each other. */
function repairLoop({ host, services, revision }: HostFacts): readonly Found[] {
  return services.flatMap((report) => {
    const { service, findings, hold } = report
    const looping = findings.filter((finding) => finding.fight !== undefined)
    if (looping.length === 0 || hold !== undefined) return []
    const diff = diffText(looping)
    return {
      key: `fight:${host}:${service}`,
      service,
      title: `${host}: something keeps undoing repairs of ${service}`,
      common: sameDrift('fight', service, looping),
      text: findingsText(looping),
      remedy: [
        'Find and stop the program that writes it (the evidence names who was on the host), or set in service.yaml: onDrift: { ignore: WHY }.',
        ...wayOutLines(
          waysOut({ ...report, revision }, looping).filter(
            ({ kind }) => kind !== 'adopt' && kind !== 'commit' && kind !== 'secret',
          ),
          {
            on: ` on ${host}`,
          },
        ),
        'A commit that changes it also starts repairs again.',
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
        problem.remedy ?? 'Fix and push; the service is retried with the next commit.',
      ].join('\n'),
    }
  })
}

function runsOnText(applied: string | undefined): string {
  return applied === undefined
    ? 'It was never applied here before.'
    : `It runs on with revision ${applied.slice(0, 7)}.`
}

/** With one of these problems the host itself explains why it still has unassigned services. */
const reasonsToKeep: ReadonlySet<ProblemCode> = new Set(['removal-waits', 'host-unknown'])

/** A host at another revision may be right: it is evaluated again when it reaches the head. */
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
      title: `${host} reports services that the repository does not assign to it`,
      text: firstLines(lines),
      remedy: `Assign them to ${host} in plumb.yaml, or find out on the host why they are not removed: plumb status`,
    },
  ]
}

/** Sent once in any case; then open until the services that were held are in sync or held again. */
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
  // A restarted server has not heard from any host yet, which alone must not resolve an open alert.
  const stillOffline = !heardSinceStart && context.isOpen(key)
  if (unheardForMs < context.offlineAfterMs && !stillOffline) return []
  return [
    {
      key,
      title: `${host} is offline`,
      common: bothOffline,
      text: `Nothing was received from ${host} since ${absoluteTime(lastSeenAt)}.`,
      remedy: `Check that the machine runs and reaches this server, then run on it: systemctl status plumb`,
    },
  ]
}

/** The agent is connected but finishes no check. An offline host has its own alert. */
function checkOverdue(facts: HostFacts, context: Context): readonly Found[] {
  const { host, uncheckedForMs, checkedSinceStart, unheardForMs } = facts
  const key = `check-overdue:${host}`
  const stillOverdue = !checkedSinceStart && context.isOpen(key)
  if (unheardForMs >= context.offlineAfterMs) return []
  if (uncheckedForMs < context.checkOverdueAfterMs && !stillOverdue) return []
  return [
    {
      key,
      title: `${host}: no check finishes`,
      common: noCheckFinished,
      text: `The agent of ${host} is connected and has finished no check for ${lengthOf(context.checkOverdueAfterMs / 1000)}. The host's state shown here is older than that.`,
      remedy: `See on the host what the agent is doing: plumb status, journalctl -u plumb. It may be in a long apply; if it hangs: systemctl restart plumb`,
    },
  ]
}

/** Reports of only one of the two machines are recorded. Which of them is the real host only a person can say. */
function identityShared({ host, copy }: HostFacts): readonly Found[] {
  if (copy === undefined) return []
  return [
    {
      key: `identity-shared:${host}`,
      title: `${host}: two machines use its key`,
      text: `A machine at ${copy.address} uses the key of ${host} and is not the machine known by that name: ${copySignText[copy.sign]}. Nothing that it reports is recorded.`,
      remedy: `If it is a copy (a cloned disk or container), plumb status there says how to enroll it with a name of its own. If it is ${host} itself, with a new machine-id or restored from a snapshot, forget the machine that is known: DELETE /api/v1/hosts/${host}/machine`,
    },
  ]
}

const copySignText: Record<CopySign, string> = {
  'no-machine': 'it does not identify its machine',
  'other-machine-id': 'it has another machine-id',
  'ended-boot': "it has been running since before the known machine's latest restart",
  'both-connected': 'both were connected at the same time',
}

/** One alert per host and code: thirty missing secrets are one alert. */
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
