// `plumb adopt PATH|SERVICE` on a host: what was changed by hand here becomes a commit on a branch of the repository. The host stays as it is.
// Exits 0 when something was adopted (or would be, with --dry-run), 1 when nothing was.
import { resolve } from 'node:path'
import { policyOf } from '../../shared/drift-policy.ts'
import { problemLine } from '../../shared/problem.ts'
import type { ServiceReport } from '../../shared/report.ts'
import { adoptionOf } from '../adopt/adoption.ts'
import { type Chosen, chosenFrom } from '../adopt/chosen.ts'
import type { Drifted } from '../adopt/drifted.ts'
import { fetched, inClone } from '../adopt/place.ts'
import { reaching } from '../adopt/reaching.ts'
import { appliedSource, type OpenRevision } from '../adopt/revision.ts'
import { driftedOf, openRevisions } from '../adoptions.ts'
import { secretsOf } from '../desire/secrets.ts'
import { knownName } from '../host/known-name.ts'
import { type Agent, contentsOf, type HostInspection, inspectHost, maskOf, serviceReportsOf } from '../inspect.ts'
import { ownPolicy } from '../plan/compare.ts'
import { pathInId } from '../resources/paths.ts'
import { addressOf } from '../sync/address.ts'
import { carryOut, type Planned } from './adopt-outcome.ts'
import type { AdoptOptions } from './adopt-words.ts'
import { type Configuration, followsMirror } from './configuration.ts'
import { desiredHere } from './desired-here.ts'
import { pathOption } from './import-findings.ts'
import { givenWords, type HostOptions, openAgent } from './open.ts'
import type { Output } from './output.ts'

export async function adopt(target: string, options: HostOptions & AdoptOptions, output: Output): Promise<number> {
  const { agent, configuration } = await openAgent(options)
  const { desired, problems } = await desiredHere(agent, undefined)
  for (const problem of problems) output.progress(problemLine(problem))
  const inspection = await inspectHost(agent, desired, { full: false })
  const chosen = chosenFrom(nameOf(target, inspection, agent), inspection.comparison)
  const drifted = await driftedIn(agent, inspection, chosen)
  const services = new Set(chosen.map(({ service }) => service))
  const revisions = await openRevisions(inspection.comparison, agent.repository, services)
  const [head] = revisions
  const secrets = await secretsOf(agent.secretsDirectory)
  const mask = await maskOf(agent, inspection)
  const adoption = await adoptionOf(drifted, {
    head,
    appliedOf: (source, sha256) => appliedSource({ source, sha256 }, revisions, { host: agent.name, secrets }),
    mask,
    notSecret: new Set(options.notSecret?.map(pathOption)),
  })
  return await carryOut(
    {
      adoption,
      head,
      host: agent.name,
      applied: inspection.comparison.services.find(({ service }) => service === chosen[0]?.service)?.baseline?.revision,
      mask,
      unheld: unheldOf(inspection, chosen),
      holding: { options: givenWords(options) },
      placeFor: placeFor(head, configuration, options),
    },
    { options, output },
  )
}

/** A path is known by the name that the repository has for it. */
function nameOf(target: string, { comparison }: HostInspection, { host }: Agent): string {
  if (!target.startsWith('/')) return target
  const known = comparison.services.flatMap(({ resources }) => resources.flatMap(({ id }) => pathInId(id) ?? []))
  return knownName(pathOption(target), known, host.files)
}

/** What is live, read from the host; and the evidence, as `plumb check` tells it. */
async function driftedIn(
  agent: Agent,
  inspection: HostInspection,
  chosen: readonly Chosen[],
): Promise<readonly Drifted[]> {
  const differing = chosen.map(({ resource }) => ({ ...resource, differences: resource.comparison.drift }))
  const [contents, reports] = await Promise.all([
    contentsOf(agent, inspection, differing),
    serviceReportsOf(agent, inspection),
  ])
  const { files } = agent.host
  return await Promise.all(
    chosen.map((one) => driftedOf(one, { files, contents, evidence: findingIn(reports, one)?.evidence })),
  )
}

function findingIn(reports: readonly ServiceReport[], { service, resource }: Chosen) {
  const report = reports.find((one) => one.service === service)
  return report?.findings.find((finding) => finding.resource === resource.id)
}

/** Services that the agent, or an apply, would put back before the commit is merged. */
function unheldOf({ desired, holds }: HostInspection, chosen: readonly Chosen[]): Planned['unheld'] {
  const byService = Map.groupBy(chosen, ({ service }) => service)
  return [...byService].flatMap(([service, own]) => {
    const policies = desired.services.find(({ name }) => name === service)
    const isRepaired = own.some(({ resource }) => policyOf(policies, ownPolicy(resource)) === 'repair')
    return holds.of(service) === undefined ? [{ service, isRepaired }] : []
  })
}

function placeFor(
  head: OpenRevision,
  configuration: Configuration,
  options: HostOptions & AdoptOptions,
): Planned['placeFor'] {
  const { revision } = head.reader
  return async (operator, scratch) => {
    const { clone, remote } = options
    const { url: to, operator: able } = reaching(remote, operator)
    if (clone !== undefined)
      return { ...(await inClone({ directory: resolve(clone), remote: to, head: revision }, able)), isOwnClone: true }
    if (!options.push) return { said: undefined }
    const { repository, branch } = configuration
    if (remote === undefined && followsMirror(configuration))
      return { said: "this host follows the server's copy of it, which takes no push. To push from here: --remote URL" }
    const address = addressOf({ url: to ?? repository })
    // A directory is counted from here, not from the scratch clone. The agent's own credentials are not the operator's.
    const url = to === undefined || address.kind === 'local' ? address.url : to
    const place = await fetched({ url, branch, head: revision }, able, scratch)
    return 'said' in place ? place : { ...place, isOwnClone: false }
  }
}
