// What an apply started or restarted has to stay up for the settle time of its service: a unit that dies five seconds after
// its start has passed every check by then.
import { setTimeout as sleep } from 'node:timers/promises'
import { resourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import type { HostReader } from '../host/host.ts'
import { watchUnits } from '../host/watch-units.ts'
import { declarationFor } from '../resources/compose-declaration.ts'
import { type WatchedProject, watchContainers } from '../resources/compose-settle.ts'
import type { ApplyContext, Settling, Transaction } from './context.ts'

/** When everything of the service is up: it stays so for its settle time. What was there before is kept until `conclude`. */
export async function stability(transaction: Transaction, { settling: sideBySide }: ApplyContext): Promise<void> {
  const { service } = transaction.servicePlan
  const settling = await settlingOf(transaction)
  if (settling === undefined) return
  transaction.at = settling
  sideBySide.set(service, settling)
  try {
    await transaction.host.waiting(() => settled(settling, () => sideBySide.size), { isStarting: false })
  } finally {
    sideBySide.delete(service)
  }
  transaction.at = undefined
}

/** Undefined: nothing of the service was started, or it has no settle time. */
async function settlingOf({ servicePlan, touched, since, host }: Transaction): Promise<Settling | undefined> {
  const { watched, settleSeconds } = servicePlan
  const { units } = watched
  const projects = watched.projects.filter(({ id }) => touched.has(id))
  if (units.length + projects.length === 0 || settleSeconds === 0) return undefined
  const started = new Set(units.filter((unit) => touched.has(resourceId('unit', unit))))
  const declared = await Promise.all(projects.map((project) => watchedProject(project, host)))
  const watches = [await watchUnits(units, host.query, started), await watchContainers(declared, host.query, since)]
  return { kind: 'settling', seconds: settleSeconds, endsAt: performance.now() + settleSeconds * 1000, watches }
}

export function settleText({ seconds }: Settling): string {
  return `stay up for ${seconds} s`
}

/** Of services that settle side by side. */
export function waitText(settlings: readonly Settling[]): string {
  return `waits for what was started to stay up for ${Math.max(...settlings.map(({ seconds }) => seconds))} s`
}

/**
 * Returns when its time is over; throws PlumbError `check-failed` as soon as something did not stay up. The last look begins
 * when the time is over: what falls over near the end is seen too, however long a look takes. However many settle side by side, there
 * is about one look a second.
 */
export async function settled(settling: Settling | undefined, sideBySide = () => 1): Promise<void> {
  if (settling === undefined) return
  for (let isOver = false; !isOver; ) {
    await sleep(Math.max(0, Math.min(settling.endsAt - performance.now(), 1000 * sideBySide())))
    isOver = performance.now() >= settling.endsAt
    for (const watch of settling.watches) {
      const fault = await watch()
      if (fault !== undefined) throw didNotStay(settling, fault)
    }
  }
}

/** Compose was asked for the declaration when the project was brought up. */
async function watchedProject(project: ComposeResource, host: HostReader): Promise<WatchedProject> {
  const declaration = await declarationFor(project, project.sha256, host)
  return { name: project.project, services: declaration?.services ?? [] }
}

function didNotStay({ seconds }: Settling, fault: string): PlumbError {
  return new PlumbError({
    code: 'check-failed',
    message: `it came up and did not stay up for ${seconds} s: ${fault}`,
  })
}
