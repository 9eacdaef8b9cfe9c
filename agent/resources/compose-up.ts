// Bringing a project's containers up until they stay up, and saying which were touched.

import type { Run } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import { coalesced } from '../host/coalesce.ts'
import { composeDown, composeUp, type Project, servicesToRecreate } from '../host/compose-command.ts'
import { dockerRestarts } from '../host/daemons.ts'
import {
  type Container,
  containersOf,
  listedContainers,
  logEnd,
  removeContainers,
  restartContainers,
  stopContainers,
  unpause,
} from '../host/docker.ts'
import { pollUntil } from '../host/poll.ts'
import { withLogins } from '../host/registry-login.ts'
import { startTimes } from '../host/start-times.ts'
import { slotByObject } from '../memory.ts'
import {
  actionsBetween,
  doneText,
  foreseenActions,
  hasEndedJobs,
  needsAsking,
  servicesToBringUp,
  undeclaredContainers,
} from './compose-actions.ts'
import { type Asking, corrected, declare } from './compose-declaration.ts'
import { guardProject } from './compose-guard.ts'
import { containerFaults, type Declaration, faultsText } from './compose-state.ts'
import type { ApplyHost } from './kind.ts'
import { type Mounting, replacedMountsOf } from './replaced-mounts.ts'

/** What was done to its containers, past tense; undefined when none had to be touched. */
export async function bringUp(
  desired: ComposeResource,
  own: readonly Container[],
  { run, waiting, memory }: Pick<ApplyHost, 'run' | 'waiting' | 'memory'>,
): Promise<string | undefined> {
  const declared = await corrected(desired, own, await declare(desired, { run, memory }), { run, memory })
  const listing = await listedContainers(run)
  await guardProject({ desired, model: declared, root: '' }, listing, run)
  const { replaceProject } = desired
  const isReplacing = replaceProject !== undefined && containersOf(replaceProject, listing).length > 0
  const mounting = { services: declared.services, files: desired.files }
  const replaced = await replacedMountsOf(own, mounting, run)
  const project = { ...desired, labels: declared.labels }
  const isAsked = hasEndedJobs(own, { declared, replaced }) && needsAsking(own, declared)
  const recreated = isAsked ? await servicesToRecreate(project, own, run) : undefined
  const foreseen = foreseenActions(own, { declared, replaced, changing: new Set(), recreated })
  if (foreseen.length === 0) return undefined
  if (isReplacing) await composeDown(replaceProject, run)
  await unpause(own, run)
  const startedAt = await startTimes(idsOf(own), run)
  const build = declared.services.some(({ builds }) => builds)
  const services = servicesToBringUp(own, foreseen, { declared, replaced }) ?? declared.services.map(({ name }) => name)
  const isAll = services.length === declared.services.length
  const undeclared = idsOf(undeclaredContainers(own, declared))
  // What comes may need their ports. They are removed when it is there: until then an undo has the same containers.
  await stopContainers(undeclared, run)
  if (services.length > 0)
    await withLogins(desired.registries, run, (environment) =>
      composeUp(project, run, { build, environment, ...(isAll ? {} : { services }) }),
    )
  await removeContainers(undeclared, run)
  await recreateStale(project, mounting, run, unhealthyIn(own))
  await restartLooping(desired.project, own, run)
  const now = await waiting(() => settled(desired, declared, { run, memory }))
  const restarted = await startTimes(idsOf(own.filter(({ id }) => has(now, id))), run)
  const again = new Set([...restarted].flatMap(([id, at]) => (startedAt.get(id) === at ? [] : [id])))
  const actions = actionsBetween(own, now, again)
  const removed = isReplacing ? `, removed the containers of ${replaceProject}` : ''
  return actions.length === 0
    ? undefined
    : `brought up ${desired.project}: ${actions.map(doneText).join(', ')}${removed}`
}

function idsOf(containers: readonly Container[]): readonly string[] {
  return containers.map(({ id }) => id)
}

function staleServices(
  own: readonly Container[],
  services: Declaration['services'],
  replaced: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const isStale = ({ name, mounts }: Declaration['services'][number]) =>
    own.some(
      ({ id, service }) => service === name && mounts.some(({ target }) => replaced.get(id)?.includes(target) ?? false),
    )
  return services.filter(isStale).map(({ name }) => name)
}

/**
 * `up --wait` is not used: it fails for services that are meant to end, and takes a container that crashes a moment
 * later for a success. Twice the same containers, well, a second apart, is asked for.
 */
async function settled(
  desired: ComposeResource,
  declared: Declaration,
  { run, memory }: Asking,
): Promise<readonly Container[]> {
  let own: readonly Container[] = []
  let fault: Container | undefined
  const list = sharedListing({ run, memory })
  const isRestarting = dockerRestarts()
  const attempt = async () => {
    const before = own
    own = containersOf(desired.project, await list())
    fault = own.find((container) => isFaulty(container, declared))
    // Another service of this apply restarts docker, and what ran before is started again.
    if (fault !== undefined && isRestarting()) return undefined
    if (fault?.state === 'exited' || fault?.health === 'unhealthy') return 'over' as const
    const isSettled = fault === undefined && own.every(({ id, health }) => health !== 'starting' && has(before, id))
    return isSettled ? ('well' as const) : undefined
  }
  if ((await pollUntil(attempt, { seconds: 120, pauseMs: 1000 })) === 'well') return own
  const faulty = fault ?? own.find(({ health }) => health === 'starting')
  const faults = containerFaults(own, declared)
  const state = faults.length === 0 ? `${faulty?.service}: ${faulty?.health ?? 'not steady'}` : faultsText(faults)
  const log = faulty === undefined ? '' : await logEnd(faulty.id, run)
  throw new PlumbError({
    code: 'apply-failed',
    message: `${desired.project} did not come up: ${state}.${log === '' ? '' : ` Its log ends:\n${log}`}`.slice(
      0,
      4000,
    ),
    remedy: `See more: docker compose --project-name ${desired.project} logs ${faulty?.service ?? ''}`.trim(),
  })
}

/** Projects that come up side by side look at one listing of all containers. */
function sharedListing({ run, memory }: Asking): () => ReturnType<typeof listedContainers> {
  const listings = memory.at(listingsByRun)
  const known = listings.get(run) ?? coalesced(() => listedContainers(run))
  listings.set(run, known)
  return known
}

const listingsByRun = slotByObject<Run, () => ReturnType<typeof listedContainers>>()

function isFaulty(container: Container, { services }: Declaration): boolean {
  if (container.health === 'unhealthy') return true
  if (container.state !== 'exited') return container.state !== 'running'
  return container.exitCode !== 0 || !services.some(({ name, ends }) => ends && name === container.service)
}

function has(containers: readonly Container[], id: string): boolean {
  return containers.some((container) => container.id === id)
}

/**
 * What `up` leaves as it is, since its configuration is the same: services that hold on to a file that was replaced, and
 * containers that were unhealthy before.
 */
export async function recreateStale(
  project: Project,
  mounting: Mounting,
  run: Run,
  unhealthy: readonly string[] = [],
): Promise<void> {
  const own = containersOf(project.project, await listedContainers(run))
  const stale = staleServices(own, mounting.services, await replacedMountsOf(own, mounting, run))
  const still = own.flatMap(({ id, service }) => (unhealthy.includes(id) ? [service] : []))
  const recreate = [...new Set([...stale, ...still])]
  if (recreate.length > 0) await composeUp(project, run, { recreate, isOffline: true })
}

/** Those that were, and are the same still: whatever made them die, they are given another start. */
async function restartLooping(project: string, before: readonly Container[], run: Run): Promise<void> {
  const looping = idsOf(before.filter(({ state }) => state === 'restarting'))
  if (looping.length === 0) return
  const now = containersOf(project, await listedContainers(run))
  await restartContainers(
    looping.filter((id) => has(now, id)),
    run,
  )
}

function unhealthyIn(containers: readonly Container[]): readonly string[] {
  return idsOf(containers.filter(({ health }) => health === 'unhealthy'))
}
