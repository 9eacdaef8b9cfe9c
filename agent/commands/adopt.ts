// `plumb adopt PATH|SERVICE` on a host: what was changed by hand here becomes a commit on a branch of the repository. The host stays as it is.
// Exits 0 when something was adopted (or would be, with --dry-run), 1 when nothing was.
import { resolve } from 'node:path'
import { policyOf } from '../../shared/drift-policy.ts'
import { absolutePathSchema } from '../../shared/names.ts'
import { PlumbError, problemLine } from '../../shared/problem.ts'
import type { ServiceReport } from '../../shared/report.ts'
import { adoptionOf } from '../adopt/adoption.ts'
import { type Chosen, chosenFrom } from '../adopt/chosen.ts'
import { type Drifted, refusal } from '../adopt/drifted.ts'
import { fetched, inClone } from '../adopt/place.ts'
import { appliedSource, type OpenRevision, openRevision } from '../adopt/revision.ts'
import { secretsOf } from '../desire/secrets.ts'
import { entriesBelow, type HostEntry } from '../host/entries-below.ts'
import { type Agent, contentsOf, type Look, lookAt, maskOf, serviceReportsOf } from '../look.ts'
import type { ContentSides } from '../observe/contents.ts'
import { ownPolicy } from '../plan/compare.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import { addressOf } from '../sync/address.ts'
import { carryOut, type Planned } from './adopt-outcome.ts'
import type { AdoptOptions } from './adopt-words.ts'
import type { Configuration } from './configuration.ts'
import { desiredHere } from './desired-here.ts'
import { pathOption } from './import-findings.ts'
import { type HostOptions, openAgent } from './open.ts'
import type { Output } from './output.ts'

export async function adopt(target: string, options: HostOptions & AdoptOptions, output: Output): Promise<number> {
  const { agent, configuration } = await openAgent(options)
  const { desired, problems } = await desiredHere(agent, undefined)
  for (const problem of problems) output.progress(problemLine(problem))
  const look = await lookAt(agent, desired, { full: false })
  const chosen = chosenFrom(target.startsWith('/') ? pathOption(target) : target, look.comparison)
  const drifted = await driftedOf(agent, look, chosen)
  const head = await openRevision(await agent.repository.readerAt(look.desired.revision), agent.name)
  const revisions = [head, ...(await appliedRevisions(agent, look, chosen))]
  const secrets = await secretsOf(agent.secretsDirectory)
  const mask = await maskOf(agent, look)
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
      applied: look.comparison.services.find(({ service }) => service === chosen[0]?.service)?.baseline?.revision,
      mask,
      unheld: unheldOf(look, chosen),
      placeFor: placeFor(head, configuration, options),
    },
    { options, output },
  )
}

/** What is live, read from the host; and the evidence, as `plumb check` tells it. */
async function driftedOf(agent: Agent, look: Look, chosen: readonly Chosen[]): Promise<readonly Drifted[]> {
  const differing = chosen.map(({ resource }) => ({ ...resource, differences: resource.comparison.drift }))
  const [contents, reports] = await Promise.all([contentsOf(agent, look, differing), serviceReportsOf(agent, look)])
  return await Promise.all(
    chosen.map(async (one): Promise<Drifted> => {
      const { service, resource, isNamed } = one
      const { id, desired, baseline, comparison } = resource
      const isContent = comparison.drift.some(({ name }) => name === 'content')
      return {
        id,
        service,
        source: baseline?.source ?? (desired !== undefined && 'source' in desired ? desired.source : undefined),
        summary: kinds[kindNameOf(id)].describe(id, comparison.drift),
        differences: comparison.drift,
        live: isContent ? (contents.get(id)?.live ?? unread(contents.get(id))) : undefined,
        extras: await extrasOf(agent, one),
        isNamed,
        evidence: findingIn(reports, one)?.evidence ?? {},
      }
    }),
  )
}

function unread(sides: ContentSides | undefined) {
  const message =
    sides === undefined ? 'what is live was not read' : 'what is live cannot be read, or is larger than 1 MiB'
  return refusal(message, { remedy: 'Copy it by hand.' })
}

async function extrasOf({ host }: Agent, { resource, extras }: Chosen): Promise<readonly HostEntry[]> {
  const directory = resource.id.slice(resource.id.indexOf(':') + 1)
  if (resource.overrides !== undefined) return await entriesBelow(absolutePathSchema.parse(directory), host.files)
  if (!resource.comparison.drift.some(({ name }) => name === 'extra')) return []
  const found = extras.map((name) => entriesBelow(absolutePathSchema.parse(`${directory}/${name}`), host.files))
  return (await Promise.all(found)).flat()
}

function findingIn(reports: readonly ServiceReport[], { service, resource }: Chosen) {
  const report = reports.find((one) => one.service === service)
  return report?.findings.find((finding) => finding.resource === resource.id)
}

/** Beside the head: what the services were last applied at. One that is nowhere any more is done without. */
async function appliedRevisions(
  agent: Agent,
  { comparison, desired }: Look,
  chosen: readonly Chosen[],
): Promise<readonly OpenRevision[]> {
  const services = new Set(chosen.map(({ service }) => service))
  const applied = comparison.services.flatMap(({ service, baseline }) =>
    services.has(service) && baseline !== undefined && baseline.revision !== desired.revision
      ? [baseline.revision]
      : [],
  )
  const opened: OpenRevision[] = []
  for (const revision of new Set(applied)) {
    const reader = await agent.repository.readerAt(revision).catch((error: unknown) => {
      if (error instanceof PlumbError) return undefined
      throw error
    })
    if (reader !== undefined) opened.push(await openRevision(reader, agent.name))
  }
  return opened
}

/** Services that the agent, or an apply, would put back before the commit is merged. */
function unheldOf({ desired, holds }: Look, chosen: readonly Chosen[]): Planned['unheld'] {
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
    if (clone !== undefined)
      return { ...(await inClone({ directory: resolve(clone), remote, head: revision }, operator)), isOwnClone: true }
    if (!options.push) return { said: undefined }
    const { repository, branch, server } = configuration
    const isMirror = server !== undefined && URL.parse(repository)?.origin === new URL(server).origin
    if (remote === undefined && isMirror)
      return { said: "this host follows the server's copy of it, which takes no push. To push from here: --remote URL" }
    // Without the credentials that it may carry: they are the agent's, and would stand in an argument.
    const url = remote ?? addressOf({ url: repository }).url
    const place = await fetched({ url, branch, head: revision }, operator, scratch)
    return 'said' in place ? place : { ...place, isOwnClone: false }
  }
}
