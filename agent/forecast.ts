// What a plan would do to containers: for each compose project of it, its files as they would be are put to compose.

import { parseResourceId, type ResourceId } from '../shared/names.ts'
import { isOfKind } from '../shared/resource.ts'
import type { Agent, HostInspection } from './inspect.ts'
import type { Plan } from './plan/plan.ts'
import { changesIn } from './resources/change-step.ts'
import { type ComposeForecast, composeForecast } from './resources/compose-forecast.ts'
import type { ResourceChange } from './resources/kind.ts'
import { stagedAs } from './staged.ts'

export type Forecasts = ReadonlyMap<ResourceId, ComposeForecast>

/** Writes nothing but to a directory of its own, which is gone at the end. */
export async function forecastsFor(agent: Agent, inspection: HostInspection, { services }: Plan): Promise<Forecasts> {
  const forecasts = new Map<ResourceId, ComposeForecast>()
  const changes = services.flatMap(changesIn)
  for (const change of changes.filter(({ id }) => isOfKind(id, 'compose')))
    forecasts.set(change.id, await forecastOf(change, changes, { agent, inspection }))
  return forecasts
}

type Context = { readonly agent: Agent; readonly inspection: HostInspection }

async function forecastOf(
  { id, desired }: ResourceChange,
  changes: readonly ResourceChange[],
  { agent, inspection }: Context,
): Promise<ComposeForecast> {
  const { query } = agent.host
  const project = parseResourceId(id).name
  const wanted = desired?.kind === 'compose' ? desired : undefined
  if (wanted === undefined || wanted.state === 'stopped')
    return composeForecast({ project, desired: wanted, root: '', changing: new Set() }, query)
  return stagedAs(wanted, changes, { ...inspection, stateDirectory: agent.state.directory }, ({ root, changing }) =>
    composeForecast({ project, desired: wanted, root, changing }, query),
  )
}
