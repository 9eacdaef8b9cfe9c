// Alert text for the end of a hold: who held what, why, since when, and what differed at the end.
import { covers } from '../../shared/hold.ts'
import type { HostName } from '../../shared/names.ts'
import { type ServiceReport, stateOf } from '../../shared/report.ts'
import { absoluteTime } from '../../shared/time-text.js'
import { waysOut } from '../../shared/ways-out.ts'
import { wayOutLines } from '../../shared/ways-out-text.ts'
import type { RecordedEnd } from '../store/holds.ts'

/** A service that the hold covered is still out of sync and is not held again. */
export function isBehind(hold: RecordedEnd, services: readonly ServiceReport[]): boolean {
  const covered = services.filter(({ service }) => covers(hold.service, service))
  return covered.some((service) => stateOf(service) !== 'in-sync' && service.hold === undefined)
}

export type HeldHost = {
  readonly host: HostName
  readonly services: readonly ServiceReport[]
  /** The revision that the host last reported. */
  readonly revision: string | undefined
}

export function endedHoldText(hold: RecordedEnd, held: HeldHost) {
  const { host } = held
  const { service, by, why, since, until, findings, pending } = hold
  const what = service === '*' ? 'all services' : service
  const again = `plumb hold ${service === '*' ? "'*'" : service} --for 2h --why "..."`
  const ways = waysAfter(hold, held)
  return {
    title: `${host}: the hold of ${what} has ended`,
    text: `Held by ${by} from ${absoluteTime(since)} until ${absoluteTime(until)}: ${why}\nThe normal policy applies again. ${foundText(hold)}`,
    remedy: [
      ...(findings + pending === 0 ? ['No action is needed.'] : []),
      ...ways,
      `To hold it again on ${host}: ${again}`,
    ].join('\n'),
  }
}

const servicesShown = 5

/** Next steps for the services that the hold covered, by their present state. */
function waysAfter({ service: target }: RecordedEnd, { host, services, revision }: HeldHost): readonly string[] {
  const covered = services
    .filter(({ service, hold }) => covers(target, service) && hold === undefined)
    .map((report) => ({ service: report.service, ways: waysOut({ ...report, revision }) }))
    .filter(({ ways }) => ways.length > 0)
  const lines = covered.slice(0, servicesShown).flatMap(({ service, ways }) => {
    const own = wayOutLines(ways, { on: ` on ${host}` })
    return target === '*' ? own.map((line) => `${service}: ${line}`) : own
  })
  const rest = covered.length - servicesShown
  return rest > 0 ? [...lines, `and ${rest} more services: see plumb check on ${host}`] : lines
}

function foundText({ findings, pending }: RecordedEnd): string {
  const parts = [
    ...(findings === 0 ? [] : [`${findings} ${findings === 1 ? 'finding' : 'findings'}`]),
    ...(pending === 0 ? [] : [`${pending} ${pending === 1 ? 'change' : 'changes'} pending`]),
  ]
  return parts.length === 0 ? 'Nothing differed when it ended.' : `At its end: ${parts.join(', ')}.`
}
