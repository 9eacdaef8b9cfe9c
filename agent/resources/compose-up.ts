// Bringing a project's containers up until they stay up, and saying which were touched.
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import { eventually } from '../host/backoff.ts'
import {
  type Container,
  composeUp,
  containersOf,
  listedContainers,
  logEnd,
  type Project,
  replacedMounts,
} from '../host/docker.ts'
import type { Run } from '../host/run.ts'
import { corrected, declare } from './compose-declaration.ts'
import { asDeclared, containersText, type Declaration } from './compose-state.ts'

/** What was done to its containers, past tense; undefined when none had to be touched. */
export async function bringUp(
  desired: ComposeResource,
  own: readonly Container[],
  run: Run,
): Promise<string | undefined> {
  const declared = await corrected(desired, own, await declare(desired, run), run)
  const replaced = await replacedMountsOf(own, declared.services, run)
  const build = declared.services.some(({ builds }) => builds)
  // Compose would run services again that are meant to end, such as migrations.
  if (!build && containersText(own, declared, replaced) === asDeclared) return undefined
  const project = { ...desired, labels: declared.labels }
  await composeUp(project, run, { build })
  await remountReplaced(project, declared.services, run)
  const touched = changedServices(own, await settled(desired, declared, run))
  return touched.length === 0 ? undefined : `brought up ${desired.project}: ${touched.join(', ')}`
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
async function settled(desired: ComposeResource, declared: Declaration, run: Run): Promise<readonly Container[]> {
  let own: readonly Container[] = []
  let fault: Container | undefined
  const look = async () => {
    const before = own
    own = containersOf(desired.project, await listedContainers(run))
    fault = own.find((container) => isFaulty(container, declared))
    if (fault?.state === 'exited') return 'over' as const
    const isSettled = fault === undefined && own.every(({ id, health }) => health !== 'starting' && has(before, id))
    return isSettled ? ('well' as const) : undefined
  }
  if ((await eventually(look, { seconds: 120, pauseMs: 1000 })) === 'well') return own
  const faulty = fault ?? own.find(({ health }) => health === 'starting')
  const text = containersText(own, declared)
  const state = text === asDeclared ? `${faulty?.service}: ${faulty?.health ?? 'not steady'}` : text
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

function isFaulty(container: Container, { services }: Declaration): boolean {
  if (container.health === 'unhealthy') return true
  if (container.state !== 'exited') return container.state !== 'running'
  return container.exitCode !== 0 || !services.some(({ name, ends }) => ends && name === container.service)
}

function has(containers: readonly Container[], id: string): boolean {
  return containers.some((container) => container.id === id)
}

function changedServices(before: readonly Container[], after: readonly Container[]) {
  const services = [...new Set([...before, ...after].map(({ service }) => service))].toSorted()
  return services.flatMap((service) => {
    const old = before.filter((container) => container.service === service)
    const now = after.filter((container) => container.service === service)
    if (now.length === 0) return [`removed ${service}`]
    if (old.length === 0) return [`started ${service}`]
    if (now.some(({ id }) => !has(old, id))) return [`made ${service} anew`]
    return old.some(({ state }) => state !== 'running') ? [`started ${service} again`] : []
  })
}

/** Services that hold on to a file that was replaced, though their configuration is the same. */
export async function remountReplaced(project: Project, services: Declaration['services'], run: Run): Promise<void> {
  const own = containersOf(project.project, await listedContainers(run))
  const stale = staleServices(own, services, await replacedMountsOf(own, services, run))
  if (stale.length > 0) await composeUp(project, run, { recreate: stale })
}

export async function replacedMountsOf(own: readonly Container[], services: Declaration['services'], query: Run) {
  const mounting = new Set(services.filter(({ mounts }) => mounts.length > 0).map(({ name }) => name))
  return replacedMounts(
    own.filter(({ service, state }) => state === 'running' && mounting.has(service)).map(({ id }) => id),
    query,
  )
}
