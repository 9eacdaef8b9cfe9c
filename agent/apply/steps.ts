// The first phase of one service: each of its steps is written down before it is taken, so that a failure undoes them all.
import { compact } from '../../shared/compact.ts'
import { resourceId } from '../../shared/names.ts'
import type { Change } from '../../shared/report.ts'
import { isOfKind, type TriggerAction } from '../../shared/resource.ts'
import { runCheck } from '../host/checks.ts'
import { runTools } from '../host/tools.ts'
import { runTrigger } from '../host/triggers.ts'
import { validateTree } from '../host/validate-tree.ts'
import type { Step } from '../plan/steps.ts'
import { type ChangeStep, changesIn } from '../resources/change-step.ts'
import type { ApplyHost, ResourceChange } from '../resources/kind.ts'
import { kinds } from '../resources/registry.ts'
import { isResting, unitIdOf } from '../resources/unit-restore.ts'
import type { ApplyContext, Transaction } from './context.ts'
import { takePaths } from './shared-changes.ts'
import { isPathKind } from './undo.ts'
import { verifyPaths } from './verify.ts'

/** When it returns every step was taken and every check holds; nothing is committed yet. */
export async function steps(transaction: Transaction, context: ApplyContext): Promise<void> {
  const { servicePlan, changes, host } = transaction
  const lastOfPaths = servicePlan.steps.findLast((step) => step.kind === 'change' && isPathKind(step.resource))
  await saveFirst(transaction)
  for (const step of servicePlan.steps) {
    transaction.at = step
    const done = await take(step, transaction, context)
    for (const change of done) context.onProgress?.(change)
    changes.push(...done)
    if (step === lastOfPaths) await verifyPaths(servicePlan, host.files)
  }
  transaction.at = undefined
  takePaths(servicePlan, context.taken)
}

/**
 * What an undo needs that happens after a reboot: whatever starts at boot has read the files as they were halfway then, also what this
 * apply would only have told of them later.
 */
async function saveFirst({ servicePlan, journal, host, saved }: Transaction): Promise<void> {
  const actions = servicePlan.steps.flatMap((step) => (step.kind === 'trigger' ? [step.action] : []))
  const changes = changesIn(servicePlan)
  const projects = changes.filter(({ id }) => isOfKind(id, 'compose'))
  if (actions.length > 0) await journal.begun(actions)
  const { mark } = host.files
  const units = await running(actions, changes, host)
  await journal.saved('unit', mark, units)
  const points = projects.length === 0 ? [] : await kinds.compose.save(projects, host)
  await journal.saved('compose', mark, points)
  for (const id of units.flatMap(unitIdOf)) saved.add(id)
  // While the engine does not answer nothing is: it is saved when this service has started it.
  if (points.length > 0) for (const { id } of projects) saved.add(id)
}

/** One that does not run may yet be started by its package, and is then not to be stopped by an undo. */
async function running(
  actions: readonly TriggerAction[],
  changes: readonly ResourceChange[],
  host: ApplyHost,
): Promise<readonly unknown[]> {
  const names = new Set(actions.flatMap((action) => (action.kind === 'run' ? [] : [action.unit])))
  if (names.size === 0) return []
  const changeOf = (name: string) => {
    const subject = unitSubject(name)
    return changes.find(({ id }) => id === subject.id) ?? subject
  }
  const saved = await kinds.unit.save([...names].map(changeOf), host)
  return saved.filter((point) => !isResting(point))
}

/** The unit that a trigger speaks to, as a change of nothing. */
function unitSubject(name: string): ResourceChange {
  const id = resourceId('unit', name)
  return { id, desired: undefined, baseline: undefined, live: { attributes: {} }, differences: [] }
}

async function take(step: Step, transaction: Transaction, context: ApplyContext): Promise<readonly Change[]> {
  const { host, journal, containers } = transaction
  const { service } = transaction.servicePlan
  switch (step.kind) {
    case 'change':
      return kinds[step.resource].mayRestartEngine
        ? containers.across(() => changeResources(step, transaction, context))
        : changeResources(step, transaction, context)
    case 'tools': {
      await journal.tools(step.tools)
      return (await runTools(step.tools, host.run)).map((summary) => ({ service, summary }))
    }
    case 'validate': {
      await validateTree(step.command, host.run)
      return []
    }
    case 'trigger':
      return containers.across(() => trigger(step.action, transaction))
    case 'check': {
      await host.waiting(() => runCheck(step.check, host.run, context.checks))
      return []
    }
    case 'restart-agent':
      return []
  }
}

async function changeResources(
  { resource, changes }: ChangeStep,
  { host, journal, servicePlan, started, touched, saved: known }: Transaction,
  { newParents }: ApplyContext,
): Promise<readonly Change[]> {
  const kind = kinds[resource]
  if (resource === 'unit') for (const unit of await unitsToStart(changes, host)) started.add(unit)
  const unsaved = changes.filter(({ id }) => !known.has(id))
  const saved = await kind.save(unsaved, host)
  await journal.saved(resource, host.files.mark, isPathKind(resource) ? newParents.asBefore(saved) : saved)
  if (kind.isSavedOnce) for (const { id } of unsaved) known.add(id)
  const lines = await kind.change(changes, host)
  for (const id of kind.mustStayUp(changes, lines)) touched.add(id)
  return lines.map((summary, index) => ({
    service: servicePlan.service,
    summary,
    ...(lines.length === changes.length ? ofResource(changes[index]) : {}),
  }))
}

function ofResource(change: ResourceChange | undefined): Partial<Change> {
  if (change === undefined) return {}
  const { id, desired, baseline } = change
  const source = desired !== undefined && 'source' in desired ? desired.source : baseline?.source
  return { resource: id, ...compact({ source }) }
}

/** Asked now and not at planning: a package installed since then may have started its unit, with the files it had. */
async function unitsToStart(changes: readonly ResourceChange[], host: ApplyHost): Promise<readonly string[]> {
  const live = await kinds.unit.observe(changes, host)
  return changes.flatMap(({ id, desired }) => {
    if (desired?.kind !== 'unit' || desired.state !== 'running') return []
    const state = live.get(id)?.attributes['state'] ?? 'missing'
    // One that waits to be started again is started with the new files, by systemd or by this.
    return ['running', 'starting'].includes(state) ? [] : [desired.name]
  })
}

async function trigger(
  action: TriggerAction,
  { host, journal, servicePlan, started, touched, saved }: Transaction,
): Promise<readonly Change[]> {
  if (action.kind !== 'run') {
    if (started.has(action.unit)) return []
    const subject = unitSubject(action.unit)
    // So that an undo starts it again when it does not survive this.
    if (!saved.has(subject.id)) await journal.saved('unit', host.files.mark, await kinds.unit.save([subject], host))
    saved.add(subject.id)
  }
  await journal.trigger(action)
  const summary = await runTrigger(action, host.run)
  if (summary !== undefined && action.kind !== 'run') touched.add(unitSubject(action.unit).id)
  return summary === undefined ? [] : [{ service: servicePlan.service, summary }]
}
