// `plumb apply`: makes live as the repository says, drift included. Exits 0 when the host is in sync afterwards, 1 when it is not.
import { isLeft } from '../../shared/adoptable.ts'
import { problemLine } from '../../shared/problem.ts'
import type { ServiceReport } from '../../shared/report.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import { restartGuarded } from '../agent-restart.ts'
import type { ServiceOutcome } from '../apply/result.ts'
import { type ApplyRun, runApply } from '../apply-run.ts'
import { restartAgent } from '../host/restart-agent.ts'
import { type Agent, serviceReportsOf } from '../inspect.ts'
import { isInSync } from '../plan/compare.ts'
import { holdText } from '../plan/hold-text.ts'
import { dedupeProblems } from '../report/build.ts'
import type { AgentRestart } from '../state/agent-restart.ts'
import { startAgentIfDown } from './agent-down.ts'
import { defaultState } from './configuration.ts'
import { desiredHere } from './desired-here.ts'
import { person } from './hold.ts'
import { counted, goOnWithoutTerminal, type Output } from './output.ts'
import { tellStatus } from './tell-status.ts'

export type ApplyOptions = {
  readonly revision?: string
  readonly allowRewind?: boolean
  readonly allowBranchChange?: boolean
  readonly full?: boolean
  readonly allowRemoval?: boolean
}

export async function apply(agent: Agent, options: ApplyOptions, output: Output): Promise<number> {
  const onWait = output.progress
  const lock = await agent.state.lock({ purpose: 'plumb apply', now: new Date(), waitSeconds: 60, onWait })
  const places = { root: agent.host.root, state: agent.state.directory }
  let restart: AgentRestart | undefined
  try {
    const allowed = {
      allowRewind: options.allowRewind === true,
      allowBranchChange: options.allowBranchChange === true,
    }
    const { desired, problems: fromSync } = await desiredHere(agent, options.revision, allowed)
    const { revision } = desired.desired
    if (options.revision === undefined && fromSync.length === 0) await agent.repository.accept(revision)
    const acted = await runApply(agent, desired, lock, {
      repair: 'everything',
      full: options.full === true,
      allowRemoval: options.allowRemoval === true,
      stop: askedToStop(output),
      onWait,
      onChange: ({ service, summary }) => output.progress(`${service}: ${summary}`),
    })
    restart = acted.restartsAgent
    const services = await serviceReportsOf(agent, acted.inspection)
    const unseen = acted.inspection.comparison.services.flatMap((service) => service.problems)
    const found = { host: agent.name, revision, services, problems: [...fromSync, ...acted.problems, ...unseen] }
    const untold = tellStatus(agent.state, { ...found, apply: acted.report })
    if (acted.report !== undefined) agent.state.personApplies.add({ ...acted.report, by: `${person()}@${agent.name}` })
    const changes = acted.report?.changes ?? []
    const beside = dedupeProblems([...fromSync, ...acted.problems, ...untold])
    output.print({
      json: { ...found, changes, problems: dedupeProblems([...found.problems, ...untold]) },
      text: [
        ...acted.result.services.flatMap(outcomeLines),
        ...beside.map(problemLine),
        ...services.flatMap(leftLines),
        summary(acted, services, { isLastGood: fromSync.length > 0, problems: beside.length }),
      ],
    })
    return isInSync(acted.inspection.comparison) && beside.length === 0 && acted.result.services.every(isWell) ? 0 : 1
  } finally {
    lock.release()
    if (restart !== undefined) await restarted(restart, agent)
    if (await startAgentIfDown(places, agent.host.run))
      output.progress(`started the agent, which did not run: ${agentUnit}`)
  }
}

/** An agent with another memory than this one's could not say that it has come up. */
async function restarted(restart: AgentRestart, { host, state }: Agent): Promise<void> {
  if (state.directory === defaultState) await restartGuarded(restart, host, state)
  else restartAgent()
}

/**
 * A terminal that is lost - the apply may be what cuts it off - ends nothing; Ctrl-C ends it after the service under way.
 * A second one kills it, and what was half done is put back at the next start.
 */
function askedToStop(output: Output): AbortSignal {
  const stop = new AbortController()
  goOnWithoutTerminal()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      output.progress(
        'stops after the service under way; again: at once, and what is half done is put back at the next start',
      )
      stop.abort()
    })
  return stop.signal
}

function outcomeLines(outcome: ServiceOutcome): readonly string[] {
  switch (outcome.kind) {
    case 'failed':
      return [
        `${outcome.service}: not applied, put back as it was: ${outcome.failure.step}: ${problemLine(outcome.failure.problem)}`,
      ]
    case 'skipped':
      return [`${outcome.service}: not applied: ${outcome.reason}`]
    case 'held':
      return [`${outcome.service}: ${holdText(outcome.hold)}: not applied`]
    case 'applied':
    case 'unchanged':
      return []
  }
}

/** What no apply puts right. */
function leftLines({ service, findings }: ServiceReport): readonly string[] {
  return findings.filter(isLeft).map((finding) => `${service}: ${finding.summary}`)
}

type Beside = {
  /** The head of the repository could not be fetched, or is not valid for this host. */
  readonly isLastGood: boolean
  readonly problems: number
}

function summary(
  { inspection, result, changedSince }: ApplyRun,
  reports: readonly ServiceReport[],
  { isLastGood, problems }: Beside,
): string {
  const { services, revision } = result
  const changed = services.filter(({ kind }) => kind === 'applied').length
  const at = `${revision.slice(0, 12)}${isLastGood ? ', the last good revision; the head of the repository could not be taken' : ''}`
  if (!isInSync(inspection.comparison) || !services.every(isWell))
    return `out of sync at ${at}${differingText(reports, { services, changedSince })}`
  const what = changed === 0 ? 'nothing to change' : `${counted(changed, 'service')} changed`
  if (isLastGood) return `${what} at ${at}`
  if (problems > 0) return `${what} at ${at}, with ${counted(problems, 'problem')}`
  return changed === 0 ? `${what}: in sync at ${at}` : `in sync at ${at}: ${what}`
}

const differingShown = 3

/** `: web: /etc/a: content differs (changed after this apply: by a command or package that it ran, or by a program)` */
export function differingText(
  reports: readonly ServiceReport[],
  {
    services,
    changedSince,
  }: { readonly services: readonly ServiceOutcome[]; readonly changedSince: ReadonlySet<string> },
): string {
  const well = new Set(services.filter(isWell).map(({ service }) => service))
  const differing = reports.flatMap(({ service, findings }) =>
    well.has(service) ? findings.filter((one) => !isLeft(one)).map((finding) => ({ service, finding })) : [],
  )
  if (differing.length === 0) return ''
  const shown = differing.slice(0, differingShown).map(({ service, finding: { resource, summary: differs } }) => {
    const why = changedSince.has(resource) ? ` (${changedAfter})` : ''
    return `${service}: ${differs}${why}`
  })
  const more = differing.length > differingShown ? ` and ${differing.length - differingShown} more` : ''
  return `: ${shown.join('; ')}${more}`
}

const changedAfter = 'changed after this apply made it so: by a command or a package that it ran, or by a program'

function isWell({ kind }: ServiceOutcome): boolean {
  return kind === 'applied' || kind === 'unchanged' || kind === 'held'
}
