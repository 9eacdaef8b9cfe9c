// The end of a hold as an alert tells it: who held what, why, since when, and what was found at its end.
import { covers } from '../../shared/hold.ts'
import type { HostName } from '../../shared/names.ts'
import { type ServiceReport, stateOf } from '../../shared/report.ts'
import type { RecordedEnd } from '../store/holds.ts'

/** Something that it covered is not as the repository says, and nobody holds it again. */
export function isBehind(hold: RecordedEnd, services: readonly ServiceReport[]): boolean {
  const covered = services.filter(({ service }) => covers(hold.service, service))
  return covered.some((service) => stateOf(service) !== 'in-plumb' && service.hold === undefined)
}

export function endedHoldText(host: HostName, hold: RecordedEnd) {
  const { service, by, why, since, until, findings, pending } = hold
  const what = service === '*' ? 'all services' : service
  const isClean = findings + pending === 0
  const again = `plumb hold ${service === '*' ? "'*'" : service} --for 2h --why "..."`
  return {
    title: `${host}: the hold of ${what} has ended`,
    text: `Held by ${by} from ${timeText(since)} until ${timeText(until)}: ${why}\nThe normal policy applies again. ${foundText(hold)}`,
    remedy: isClean
      ? `Nothing has to be done. To hold it again, on ${host}: ${again}`
      : `${stayText(hold)}, or run on ${host}: plumb apply. To hold it again: ${again}`,
  }
}

/** What was found is not known one by one any more. */
function stayText({ service, findings }: RecordedEnd): string {
  if (findings === 0) return 'Commit what is to stay'
  return `Keep what is to stay (there: plumb adopt ${service === '*' ? 'SERVICE' : service})`
}

function foundText({ findings, pending }: RecordedEnd): string {
  const parts = [
    ...(findings === 0 ? [] : [`${findings} ${findings === 1 ? 'finding' : 'findings'}`]),
    ...(pending === 0 ? [] : [`${pending} ${pending === 1 ? 'change' : 'changes'} pending`]),
  ]
  return parts.length === 0 ? 'At its end nothing differed.' : `At its end: ${parts.join(', ')}.`
}

/** `2026-11-23 14:00 UTC`; what a host wrote that is no time is shown as it is. */
function timeText(at: string): string {
  return Number.isNaN(Date.parse(at)) ? at : `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
