// `plumb apply`: makes live as the repository says, drift included. Exits 0 when the host is in plumb afterwards, 1 when it is not.
import { problemLine } from '../../shared/problem.ts'
import { actOn } from '../act.ts'
import type { ApplyResult, ServiceOutcome } from '../apply/apply.ts'
import { type Agent, type Look, serviceReportsOf } from '../look.ts'
import { isInPlumb } from '../plan/compare.ts'
import { holdText } from '../plan/hold-text.ts'
import { onceEach } from '../report-of.ts'
import { desiredHere } from './desired-here.ts'
import { counted, goOnWithoutTerminal, type Output } from './output.ts'
import { tellStatus } from './tell-status.ts'

export type ApplyOptions = {
  readonly revision?: string
  readonly allowRewind?: boolean
  readonly full?: boolean
  readonly allowRemoval?: boolean
}

export async function apply(agent: Agent, options: ApplyOptions, output: Output): Promise<number> {
  const onWait = output.progress
  const lock = await agent.state.lock({ purpose: 'plumb apply', now: new Date(), waitSeconds: 60, onWait })
  try {
    const allowRewind = options.allowRewind === true
    const { desired, problems: fromSync } = await desiredHere(agent, options.revision, { allowRewind })
    const { revision } = desired.desired
    if (options.revision === undefined && fromSync.length === 0) await agent.repository.accept(revision)
    const acted = await actOn(agent, desired, lock, {
      repair: 'everything',
      full: options.full === true,
      allowRemoval: options.allowRemoval === true,
      stop: askedToStop(output),
      onWait,
      onChange: ({ service, summary }) => output.progress(`${service}: ${summary}`),
    })
    const services = await serviceReportsOf(agent, acted.look)
    const unseen = acted.look.comparison.services.flatMap((service) => service.problems)
    const found = { host: agent.name, revision, services, problems: [...fromSync, ...acted.problems, ...unseen] }
    const untold = tellStatus(agent.state, { ...found, apply: acted.report })
    const changes = acted.report?.changes ?? []
    const beside = onceEach([...fromSync, ...acted.problems, ...untold])
    output.print({
      json: { ...found, changes, problems: onceEach([...found.problems, ...untold]) },
      text: [
        ...acted.result.services.flatMap(outcomeLines),
        ...beside.map(problemLine),
        summary(acted.look, acted.result),
      ],
    })
    return isInPlumb(acted.look.comparison) && beside.length === 0 && acted.result.services.every(isWell) ? 0 : 1
  } finally {
    lock.release()
  }
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

function summary({ comparison }: Look, { services, revision }: ApplyResult): string {
  const changed = services.filter(({ kind }) => kind === 'applied').length
  const at = revision.slice(0, 12)
  if (!isInPlumb(comparison) || !services.every(isWell)) return `out of plumb at ${at}`
  return changed === 0
    ? `nothing to change: in plumb at ${at}`
    : `in plumb at ${at}: ${counted(changed, 'service')} changed`
}

function isWell({ kind }: ServiceOutcome): boolean {
  return kind === 'applied' || kind === 'unchanged' || kind === 'held'
}
