// Written down before a service is touched: what an undo needs that happens after a reboot. Whatever starts at boot has read the
// files as they were halfway then, also what this apply would only have told of them later.
import { type ResourceId, resourceId } from '../../shared/names.ts'
import type { TriggerAction } from '../../shared/resource.ts'
import type { ServicePlan } from '../plan/plan.ts'
import type { Step } from '../plan/steps.ts'
import type { ApplyHost, ResourceChange } from '../resources/kind.ts'
import { kinds } from '../resources/registry.ts'
import type { ServiceJournal } from './journal.ts'
import { isResting, savedUnitSchema } from './undo.ts'

/** Returns what is saved already. */
export async function begin(
  { steps }: ServicePlan,
  journal: ServiceJournal,
  { host }: { readonly host: ApplyHost },
): Promise<Set<ResourceId>> {
  const actions = steps.flatMap((step) => (step.kind === 'trigger' ? [step.action] : []))
  const projects = steps.flatMap((step) => (step.kind === 'change' && step.resource === 'compose' ? step.changes : []))
  if (actions.length > 0) await journal.begun(actions)
  const { mark } = host.files
  const units = await running(actions, steps, host)
  await journal.saved('unit', mark, units)
  const saved = projects.length === 0 ? [] : await kinds.compose.save(projects, host)
  await journal.saved('compose', mark, saved)
  // While the engine does not answer nothing is: it is saved when this service has started it.
  return new Set([...units.flatMap(idOf), ...(saved.length === 0 ? [] : projects.map(({ id }) => id))])
}

function idOf(point: unknown): readonly ResourceId[] {
  const unit = savedUnitSchema.safeParse(point)
  return unit.success ? [resourceId('unit', unit.data.name)] : []
}

/** One that does not run may yet be started by its package, and is then not to be stopped by an undo. */
async function running(
  actions: readonly TriggerAction[],
  steps: readonly Step[],
  host: ApplyHost,
): Promise<readonly unknown[]> {
  const names = new Set(actions.flatMap((action) => (action.kind === 'run' ? [] : [action.unit])))
  if (names.size === 0) return []
  const changes = steps.flatMap((step) => (step.kind === 'change' && step.resource === 'unit' ? step.changes : []))
  const changeOf = (name: string) => {
    const subject = unitSubject(name)
    return changes.find(({ id }) => id === subject.id) ?? subject
  }
  const saved = await kinds.unit.save([...names].map(changeOf), host)
  return saved.filter((point) => !isResting(point))
}

/** The unit that a trigger speaks to, as a change of nothing. */
export function unitSubject(name: string): ResourceChange {
  const id = resourceId('unit', name)
  return { id, desired: undefined, baseline: undefined, live: { attributes: {} }, differences: [] }
}
