// What an apply started or restarted has to stay up for the settle time of its service: a unit that dies five seconds after
// its start has passed every check by then.
import { setTimeout as sleep } from 'node:timers/promises'
import { type ResourceId, resourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Run } from '../host/run.ts'
import { watchUnits } from '../host/settle.ts'
import type { ServicePlan } from '../plan/plan.ts'
import { watchContainers } from '../resources/compose-settle.ts'

/** Says what is wrong by now, or undefined. */
export type Watch = () => Promise<string | undefined>

export type Settling = {
  readonly seconds: number
  /** Of `performance.now()`. */
  readonly endsAt: number
  readonly watches: readonly Watch[]
}

/** To be called when everything of the service is up. Undefined: nothing of it was started, or it has no settle time. */
export async function settlingOf(
  { watched, settleSeconds }: ServicePlan,
  touched: ReadonlySet<ResourceId>,
  query: Run,
): Promise<Settling | undefined> {
  const { units } = watched
  const projects = watched.projects.filter((project) => touched.has(resourceId('compose', project)))
  if (units.length + projects.length === 0 || settleSeconds === 0) return undefined
  const watches = [await watchUnits(units, query), await watchContainers(projects, query)]
  return { seconds: settleSeconds, endsAt: performance.now() + settleSeconds * 1000, watches }
}

export function settleText({ seconds }: Settling): string {
  return `stay up for ${seconds} s`
}

/** Of services that settle side by side. */
export function waitText(settlings: readonly Settling[]): string {
  return `waits for what was started to stay up for ${Math.max(...settlings.map(({ seconds }) => seconds))} s`
}

/** Returns when its time is over; throws PlumbError `check-failed` as soon as something did not stay up. */
export async function settled(settling: Settling | undefined): Promise<void> {
  if (settling === undefined) return
  for (;;) {
    const left = settling.endsAt - performance.now()
    await sleep(Math.max(0, Math.min(left, 1000)))
    for (const watch of settling.watches) {
      const fault = await watch()
      if (fault !== undefined) throw didNotStay(settling, fault)
    }
    if (left <= 1000) return
  }
}

function didNotStay({ seconds }: Settling, fault: string): PlumbError {
  return new PlumbError({
    code: 'check-failed',
    message: `it came up and did not stay up for ${seconds} s: ${fault}`.slice(0, 4000),
  })
}
