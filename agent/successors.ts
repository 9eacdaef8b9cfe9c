// Compose projects that take the place of others: judged before anything of those is removed, since a refusal that comes later leaves
// the containers without their compose file, or their data without containers.

import type { Run } from '../shared/command.ts'
import { compact } from '../shared/compact.ts'
import { parseResourceId, type ResourceId, type ServiceName } from '../shared/names.ts'
import { PlumbError, type Problem } from '../shared/problem.ts'
import { type ComposeResource, isOfKind } from '../shared/resource.ts'
import type { ComparedResource, HostComparison, ServiceComparison } from './plan/compare.ts'
import { judgeStaged } from './resources/compose-forecast.ts'
import { refusedMoves } from './resources/moved-mounts.ts'
import { type Staging, stagedAs } from './staged.ts'

/** With what is wrong told of both: the service that comes, and the one whose project leaves. */
export async function withRefusedSuccessors(
  comparison: HostComparison,
  staging: Staging,
  query: Run,
): Promise<HostComparison> {
  const { services } = comparison
  const leaving = services.flatMap((service) =>
    service.resources.filter(isLeavingProject).map(({ id }) => ({ service: service.service, project: projectIn(id) })),
  )
  const coming = services.flatMap((service) =>
    service.problems.length > 0 ? [] : service.resources.flatMap((one) => comingProject(one, service, services)),
  )
  if (leaving.length === 0 && coming.every(({ formerOwners }) => formerOwners === undefined)) return comparison
  const problems = new Map<ServiceName, readonly Problem[]>()
  const add = (service: ServiceName, problem: Problem) =>
    problems.set(service, [...(problems.get(service) ?? []), { ...problem, service }])
  const changes = services.flatMap(({ differing }) => differing)
  for (const { wanted, service, formerOwners } of coming) {
    if (leaving.length === 0 && formerOwners === undefined) continue
    const projects = leaving.map(({ project }) => project)
    const { refusal, formers } = await stagedAs(wanted, changes, staging, ({ root }) =>
      refusalOf(wanted, { root, leaving: projects }, query),
    )
    const kept = leaving.filter(({ project }) => formers.has(project))
    if (refusal === undefined || (formerOwners === undefined && kept.length === 0)) continue
    const [problem] = refusal.problems
    if (problem === undefined) continue
    add(service, problem)
    const owners = new Set([...(formerOwners ?? []), ...kept.map((one) => one.service)])
    for (const owner of owners) if (owner !== service) add(owner, keptProblem(wanted, service, problem))
  }
  if (problems.size === 0) return comparison
  const told = services.map((one) => ({ ...one, problems: [...one.problems, ...(problems.get(one.service) ?? [])] }))
  return { ...comparison, services: told }
}

function isLeavingProject({ id, desired, live }: ComparedResource): boolean {
  return isOfKind(id, 'compose') && desired === undefined && live.attributes['type'] === 'project'
}

type Coming = {
  readonly wanted: ComposeResource
  readonly service: ServiceName
  /** Services that had the project of this name until now. */
  readonly formerOwners: readonly ServiceName[] | undefined
}

/** With the same files as before under another service nothing of the project itself differs. */
function comingProject(
  { id, desired, differences }: ComparedResource,
  { service }: ServiceComparison,
  services: readonly ServiceComparison[],
): readonly Coming[] {
  if (desired?.kind !== 'compose') return []
  const owners = services.filter((one) => one.service !== service && one.baseline?.resources.has(id) === true)
  const formerOwners = owners.length === 0 ? undefined : owners.map((one) => one.service)
  return differences.length === 0 && formerOwners === undefined ? [] : [{ wanted: desired, service, formerOwners }]
}

type Refused = { readonly refusal: PlumbError | undefined; readonly formers: ReadonlySet<string> }

async function refusalOf(
  wanted: ComposeResource,
  { root, leaving }: { readonly root: string; readonly leaving: readonly string[] },
  query: Run,
): Promise<Refused> {
  try {
    const { refusal, moved } = await judgeStaged({ desired: wanted, root, leaving }, query)
    const formers = refusedMoves(wanted, moved).flatMap(({ former }) => former?.project ?? [])
    return { refusal, formers: new Set(formers) }
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
    const message = error.problems.map(({ message: text }) => text.replaceAll(root, '')).join('; ')
    const [problem] = error.problems
    return { refusal: problem && new PlumbError({ ...problem, message }), formers: new Set() }
  }
}

function keptProblem({ project, file }: ComposeResource, service: ServiceName, { remedy }: Problem): Problem {
  return {
    code: 'unsafe-path',
    message: `Nothing of it is removed while ${service}, whose compose project ${project} would take its place, is refused.`,
    where: { file },
    ...compact({ remedy }),
  }
}

function projectIn(id: ResourceId): string {
  return parseResourceId(id).name
}
