// `plumb import --scan`: what is configured by hand on this host, and what of it the repository - as last applied here - does not have.
// Changes nothing. Exits 0 when all of it is in the repository, 2 when not.

import { resolve } from 'node:path'
import { compact } from '../../shared/compact.ts'
import { absolutePathSchema, type ResourceId } from '../../shared/names.ts'
import { createRun } from '../../shared/platform/run.ts'
import { PlumbError, type Problem, problemLine } from '../../shared/problem.ts'
import { entriesBelow } from '../host/entries-below.ts'
import { openHost, readerOf } from '../host/host.ts'
import { emptyInventory, ownersBelow, takeInventory } from '../host/packages/inventory.ts'
import { type Coverage, coverageOf } from '../import/coverage.ts'
import { desiredAt } from '../inspect.ts'
import { readConfiguration } from './configuration.ts'
import { runningProjects } from './import-project.ts'
import { type HostOptions, openAgent } from './open.ts'
import { counted, type Output } from './output.ts'

export async function scan(options: HostOptions, output: Output): Promise<number> {
  const host = readerOf(openHost({ root: resolve(options.root), run: createRun() }))
  const { packages: canAsk, containers } = host.capabilities
  const etc = absolutePathSchema.parse('/etc')
  const { managed, revision, problems } = await managedHere(options)
  const coverage = coverageOf({
    entries: await entriesBelow(etc, host.files),
    inventory: canAsk ? await takeInventory(host.query) : emptyInventory,
    owners: canAsk ? await ownersBelow([etc], host.query) : new Map(),
    projects: containers ? (await runningProjects(host)).map(({ name }) => name) : [],
    managed,
  })
  output.print({
    json: { ...coverage, of: coverage.things.length, ...compact({ revision }), problems },
    text: [...problems.map(problemLine), ...lines(coverage)],
  })
  return coverage.managed === coverage.things.length ? 0 : 2
}

type Managed = {
  readonly managed: ReadonlySet<ResourceId>
  readonly revision?: string
  readonly problems: readonly Problem[]
}

/** A machine that follows no repository yet has everything still to import. */
async function managedHere(options: HostOptions): Promise<Managed> {
  const nothing = { managed: new Set<ResourceId>(), problems: [] }
  if (options.repo === undefined && (await readConfiguration(resolve(options.root))) === undefined) return nothing
  const { agent } = await openAgent(options)
  try {
    const good = await agent.repository.lastGood()
    if (good === undefined) return nothing
    const { desired } = await desiredAt(agent, good)
    const ids = desired.services.flatMap(({ resources }) => resources.map(({ id }) => id))
    return { managed: new Set(ids), revision: good.revision, problems: [] }
  } catch (error) {
    if (error instanceof PlumbError) return { ...nothing, problems: error.problems }
    throw error
  }
}

function lines({ managed, things, proposals, packages }: Coverage): readonly string[] {
  return [
    ...proposals.flatMap(({ service, things: count, command }) => [
      `${service}: ${counted(count, 'thing')} not in the repository${details(things.filter((thing) => thing.service === service && !thing.isManaged))}`,
      `  ${command}`,
    ]),
    ...(packages.length === 0 ? [] : [`installed by hand, named by no service: ${packages.join(', ')}`]),
    `managed ${managed} of ${counted(things.length, 'thing')} configured by hand`,
  ]
}

/** ` (2 differ from their package, 1 of no package)` */
function details(things: Coverage['things']): string {
  const words = { changed: 'changed', unowned: 'of no package', unit: 'units and drop-ins', compose: 'compose project' }
  const byKind = Map.groupBy(things, ({ kind }) => kind)
  return ` (${[...byKind].map(([kind, all]) => `${all.length} ${words[kind]}`).join(', ')})`
}
