// What a changed file triggers: a unit is reloaded or restarted, or a command of the repository is run.

import { type Command, endText, outputText, type Run } from '../../shared/command.ts'
import { PlumbError, problemsOf } from '../../shared/problem.ts'
import type { TriggerAction, UnitTrigger } from '../../shared/resource.ts'
import { hasMounted } from './mounted.ts'
import { type UnitStatus, unitStatuses } from './systemd.ts'
import { reloadUnit, restartUnits } from './unit-start.ts'

/** Returns a past-tense line; undefined when the unit does not run, so there is nothing to trigger. Throws PlumbError. */
export async function runTrigger(action: TriggerAction, run: Run): Promise<string | undefined> {
  if (action.kind === 'run') return runCommand(action.command, run)
  const unit = (await unitStatuses([action.unit], run)).get(action.unit)
  // One whose file is gone runs on until it is stopped: systemd cannot start it again.
  if (unit === undefined || !isRunning(unit) || unit.loadState === 'not-found') return undefined
  switch (await whatToDo(action, unit, run)) {
    case 'nothing':
      return undefined
    case 'restart':
      await restartUnits([action.unit], run)
      return `restarted ${action.unit}`
    case 'remount':
      await remountUnit(action.unit, run)
      return `reloaded ${action.unit}`
    case 'reload':
      if (!unit.canReload) throw cannotReload(action.unit)
      await reloadUnit(action.unit, run)
      return `reloaded ${action.unit}`
  }
}

async function whatToDo(
  { kind, unit: name }: UnitTrigger,
  unit: UnitStatus,
  run: Run,
): Promise<'nothing' | 'restart' | 'reload' | 'remount'> {
  // A unit that is still starting cannot reload, and may have read the old files: it is restarted.
  if (kind === 'restart' || unit.activeState === 'activating') return 'restart'
  if (kind === 'reload') return 'reload'
  // An automount takes away with itself whatever is mounted by it.
  if (name.endsWith('.automount')) return unit.subState === 'running' ? 'nothing' : 'restart'
  return (await hasMounted(name, run)) ? 'remount' : 'restart'
}

/** What a remount refuses (NFS its version) is not forced: unmounting is for a person, or the repository, to ask for. */
async function remountUnit(name: string, run: Run): Promise<void> {
  try {
    await reloadUnit(name, run)
  } catch (error) {
    const [problem] = problemsOf(error)
    const remedy = `To have it unmounted and mounted again, say so in service.yaml, for its file: triggers: [restart ${name}]`
    throw problem === undefined ? error : new PlumbError({ ...problem, remedy }, { cause: error })
  }
}

async function runCommand(text: string, run: Run): Promise<string> {
  const command: Command = { args: ['sh', '-c', text], deadlineSeconds: 300 }
  const result = await run(command)
  if (result.code === 0) return `ran ${text}`
  const output = outputText(result)
  throw new PlumbError({
    code: 'apply-failed',
    message: `The trigger \`${text}\` failed: ${endText(command, result)}${output === '' ? '.' : `:\n${output}`}`.slice(
      0,
      4000,
    ),
  })
}

function isRunning(unit: UnitStatus): boolean {
  return ['active', 'reloading', 'refreshing', 'activating'].includes(unit.activeState)
}

function cannotReload(unit: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${unit} cannot reload: its unit has no ExecReload=.`,
    remedy: `Use the trigger "restart ${unit}" instead.`,
  })
}
