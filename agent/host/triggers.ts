// What a changed file sets off: a unit is told to reload or is restarted, or a command of the repository is run.
import { PlumbError } from '../../shared/problem.ts'
import type { TriggerAction } from '../../shared/resource.ts'
import { type Command, endText, type Run } from './run.ts'
import { type UnitStatus, unitStatuses } from './systemd.ts'
import { reloadUnit, restartUnits } from './unit-start.ts'

/** Returns a past-tense line; undefined when the unit does not run and so has nothing to be told. Throws PlumbError. */
export async function runTrigger(action: TriggerAction, run: Run): Promise<string | undefined> {
  if (action.kind === 'run') return runCommand(action.command, run)
  const unit = (await unitStatuses([action.unit], run)).get(action.unit)
  if (unit === undefined || !isRunning(unit)) return undefined
  // One whose start has not ended cannot be told to reload, and may have read the old files: it is started anew.
  if (action.kind === 'restart' || unit.activeState === 'activating') {
    await restartUnits([action.unit], run)
    return `restarted ${action.unit}`
  }
  if (!unit.canReload) throw cannotReload(action.unit)
  await reloadUnit(action.unit, run)
  return `reloaded ${action.unit}`
}

async function runCommand(text: string, run: Run): Promise<string> {
  const command: Command = { args: ['sh', '-c', text], deadlineSeconds: 300 }
  const result = await run(command)
  if (result.code === 0) return `ran ${text}`
  const output = `${result.stdout}${result.stderr}`.trim().split('\n').slice(-8).join('\n')
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
