// What can be done about what differs of one service on one host, as data: from the findings, what is pending, who holds it and what failed.
// Pages, alerts, `plumb check` and the API all take it from here, so that none of them offers what another one refuses. Pure.
import {
  adoptTarget,
  fileBehind,
  isAdoptableFinding,
  isBehindUnsafeLink,
  isFailedRun,
  isFault,
  isLeft,
  touchesSecret,
} from './adoptable.ts'
import type { Finding } from './finding.ts'
import type { HoldTarget } from './hold.ts'
import type { ResourceId } from './names.ts'
import type { Problem } from './problem.ts'
import type { Failure, Hold, ServiceReport } from './report.ts'

export type WayOut =
  /** A hold that keeps every apply away; `service`: whose, which may be another one. Always first. */
  | { readonly kind: 'release'; readonly service: string; readonly hold: Hold; readonly commands: Commands }
  /** No apply would get through before its cause is gone. */
  | { readonly kind: 'failing'; readonly failure: Failure }
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'removal' }
  /** A link in the place of a directory, which no apply follows. */
  | { readonly kind: 'unsafe-link' }
  /** Live becomes a commit. Each command by itself; together they take all that can be adopted. */
  | { readonly kind: 'adopt'; readonly commands: Commands }
  /** A person's own commit: of everything, or of the `rest`. `refused`: why adopt does not do it, where that is known. */
  | {
      readonly kind: 'commit'
      readonly files: readonly string[]
      readonly isRest: boolean
      readonly refused: readonly Refusal[]
    }
  /** Its live content must not become a commit, because a secret would be in it. `refused` says where each belongs instead. */
  | { readonly kind: 'secret'; readonly isRest: boolean; readonly refused: readonly Refusal[] }
  /** The revision has what was changed, and more: an apply keeps it. */
  | { readonly kind: 'already' }
  /**
   * Live becomes what the revision says; the commands one after the other. `repair`: as it was last applied. `overwrite`: a commit
   * changes it too, and takes its place. `apply`: nothing drifted; without a hold the agent does that by itself.
   */
  | { readonly kind: 'apply'; readonly effect: 'repair' | 'overwrite' | 'apply'; readonly commands: Commands }
  /** A job's failed run is over with the next one that succeeds. */
  | { readonly kind: 'next-run' }

/** Without `sudo` and options of the place: `plumb adopt /etc/motd`. */
export type Commands = readonly (readonly string[])[]
export type Refusal = { readonly resource: ResourceId; readonly problem: Problem }

/** What a report says of a service; `revision`: what is desired now. */
export type DifferingService = Pick<
  ServiceReport,
  'service' | 'findings' | 'pending' | 'hold' | 'failure' | 'obstacle' | 'unknown'
> & { readonly revision?: string | undefined }

/** Of `findings`, by default all of the service. Empty: nothing of it differs. */
export function waysOut(service: DifferingService, findings: readonly Finding[] = service.findings): readonly WayOut[] {
  if (findings.length + service.pending.length === 0) return []
  return [...releases(service), ...obstacles(service), ...keeping(service, findings), ...applying(service, findings)]
}

function releases({ service, hold, obstacle }: DifferingService): readonly WayOut[] {
  const own = hold === undefined ? [] : [{ service, hold }]
  const other = obstacle?.kind === 'other-held' ? [{ service: obstacle.service, hold: obstacle.hold }] : []
  return [...own, ...other].map((held) => ({
    kind: 'release',
    ...held,
    commands: releaseCommands(held.service, held.hold),
  }))
}

/** What ends every hold that covers a service. An older agent does not say what its holds are on. */
export function releaseCommands(service: string, { targets = [] }: Hold): Commands {
  const released: readonly HoldTarget[] = targets.length === 0 ? [service as HoldTarget] : targets
  return released.map((target) => ['plumb', 'release', target])
}

function obstacles(service: DifferingService): readonly WayOut[] {
  const { failure, revision } = service
  return [
    ...(failure !== undefined && isOfThis(failure, revision) ? [{ kind: 'failing', failure } as const] : []),
    ...(isUnchecked(service) ? [{ kind: 'unchecked' } as const] : []),
    ...(service.obstacle?.kind === 'removal' ? [{ kind: 'removal' } as const] : []),
    ...(service.findings.some(isBehindUnsafeLink) ? [{ kind: 'unsafe-link' } as const] : []),
  ]
}

/** Of a held service the plan does not get as far as to say so. */
function isUnchecked({ obstacle, unknown, hold }: DifferingService): boolean {
  return (
    obstacle?.kind === 'unchecked' || unknown?.seenAt !== undefined || (unknown !== undefined && hold !== undefined)
  )
}

/** A revision that came after the one that failed may well be applied. */
function isOfThis(failure: Failure, revision: string | undefined): boolean {
  return revision === undefined || failure.revision === revision
}

function keeping(service: DifferingService, findings: readonly Finding[]): readonly WayOut[] {
  const outcomes = findings.map((finding) => ({ finding, outcome: outcomeOf(service, finding) }))
  const of = (wanted: Outcome) => outcomes.flatMap(({ finding, outcome }) => (outcome === wanted ? finding : []))
  const commands = adoptCommands(service.service, of('adopted'))
  const [secret, left] = partition(of('refused'), holdsSecret)
  const files = [...new Set(left.map((finding) => fileBehind(service.service, finding)))]
  const isRest = commands.length > 0
  return [
    ...(commands.length === 0 ? [] : [{ kind: 'adopt', commands } as const]),
    ...(files.length === 0 ? [] : [{ kind: 'commit', files, isRest, refused: left.flatMap(refusals) } as const]),
    ...(secret.length === 0
      ? []
      : [{ kind: 'secret', isRest: isRest || files.length > 0, refused: secret.flatMap(secretRefusals) } as const]),
    ...(of('already').length === 0 ? [] : [{ kind: 'already' } as const]),
  ]
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))]
}

function refusals({ resource, adoption }: Finding): readonly Refusal[] {
  return (adoption?.problems ?? []).map((problem) => ({ resource, problem }))
}

function holdsSecret(finding: Finding): boolean {
  return touchesSecret(finding) || isSecretRefused(finding)
}

function isSecretRefused({ adoption }: Finding): boolean {
  return adoption?.problems.some(({ code }) => code === 'secret-exposed') === true
}

/** The agent may not have established why, or names another reason alone. */
function secretRefusals(finding: Finding): readonly Refusal[] {
  const { resource, source } = finding
  if (isSecretRefused(finding)) return refusals(finding)
  const problem: Problem = {
    code: 'secret-exposed',
    message: 'a line that differs holds a secret',
    ...(source === undefined ? {} : { where: { file: source } }),
    remedy: 'Leave its placeholder in the template, and write a new value to the secret on the hosts.',
  }
  return [{ resource, problem }, ...refusals(finding)]
}

type Outcome = 'adopted' | 'refused' | 'already' | 'fault'

/** Nobody means a fault to stay, and what a link hides is not read. What the agent did not establish is judged by what the finding says of itself. */
function outcomeOf({ unknown, pending }: DifferingService, finding: Finding): Outcome {
  if (isFault(finding) || isBehindUnsafeLink(finding)) return 'fault'
  if (unknown?.seenAt !== undefined || finding.seenAt !== undefined) return 'refused'
  if (finding.adoption !== undefined) return finding.adoption.outcome
  const isRevised = pending.some(({ resource }) => resource === finding.resource)
  return isAdoptableFinding(finding) && !touchesSecret(finding) && !isRevised ? 'adopted' : 'refused'
}

const commandsShown = 3

/** By its own name where one thing can be adopted, else all with the service; what was removed is adopted by its path alone. */
function adoptCommands(service: string, adopted: readonly Finding[]): Commands {
  const removed = adopted.filter(({ differences }) =>
    differences.some(({ name, live }) => name === 'type' && live === 'missing'),
  )
  const isEachByItself = adopted.length === 1 || removed.length === adopted.length
  const named = (isEachByItself ? adopted : removed).map((finding) => adoptTarget(service, finding))
  const targets = new Set(isEachByItself ? named : [service, ...named])
  return [...targets].slice(0, commandsShown).map((target) => ['plumb', 'adopt', target])
}

function applying(service: DifferingService, findings: readonly Finding[]): readonly WayOut[] {
  const jobs = findings.filter(isFailedRun)
  const nextRun: readonly WayOut[] = jobs.length === 0 ? [] : [{ kind: 'next-run' }]
  const isNothingLeft = findings.length > 0 && findings.every(isLeft)
  if (isNothingLeft || obstacles(service).length > 0) return nextRun
  const releasing = releases(service).flatMap((way) => (way.kind === 'release' ? way.commands : []))
  if (findings.length === 0 && releasing.length === 0) return []
  return [
    { kind: 'apply', effect: effectOn(service, findings), commands: [...releasing, ['plumb', 'apply']] },
    ...nextRun,
  ]
}

function effectOn({ pending }: DifferingService, findings: readonly Finding[]): 'repair' | 'overwrite' | 'apply' {
  if (findings.length === 0) return 'apply'
  const revised = new Set<string>(pending.map(({ resource }) => resource))
  return findings.some(({ resource, revised: own }) => own !== undefined || revised.has(resource))
    ? 'overwrite'
    : 'repair'
}
