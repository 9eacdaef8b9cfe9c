// The timer beside a restart of the agent, which outlives the agent and a reboot of the host: units of its own in /etc/systemd/system, enabled
// until the new agent has come up.
import { lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isSea } from 'node:sea'
import { type Run, whyText } from '../../shared/command.ts'
import { removeIfThere, replaceDurably } from '../../shared/platform/durable.ts'
import { PlumbError, problemsOf } from '../../shared/problem.ts'
import { agentUnit, restartGuard } from '../../shared/repository/reserved.ts'
import { firstLine, systemctl } from './systemd.ts'

/** How long a restarted agent may take to come up. */
export const restartSeconds = 90

/** Of main.ts: what the timer runs. */
export const takeBackVerb = 'take-back-agent-restart'

const directory = '/etc/systemd/system'

export type GuardHost = { readonly root: string; readonly run: Run }

/** `changed`: paths of the drop-ins that the agent is restarted for. Throws PlumbError when systemd does not set the timer. */
export async function armRestartGuard(
  { stateDirectory, changed }: { readonly stateDirectory: string; readonly changed: readonly string[] },
  host: GuardHost,
): Promise<void> {
  try {
    await placeUnits(stateDirectory, host.root)
    for (const name of changed.filter(isOfAllServices).map((path) => basename(path))) maskDropIn(name, host.root)
    for (const args of [
      ['daemon-reload'],
      ['enable', '--quiet', `${restartGuard}.timer`],
      // Re-arms a timer that an earlier restart armed; a start alone would leave it running.
      ['stop', `${restartGuard}.timer`],
      ['start', `${restartGuard}.timer`],
    ])
      await succeed(args, host.run)
  } catch (error) {
    await disarmRestartGuard(host)
    throw notArmed(error)
  }
}

/** Nothing of it is left. */
export async function disarmRestartGuard({ root, run }: GuardHost): Promise<void> {
  const units = ['service', 'timer'].map((suffix) => join(root, directory, `${restartGuard}.${suffix}`))
  if (units.every((path) => lstatSync(path, { throwIfNoEntry: false }) === undefined)) return
  await run(systemctl(['disable', '--now', '--quiet', `${restartGuard}.timer`]))
  rmSync(join(root, directory, `${restartGuard}.service.d`), { recursive: true, force: true })
  // The timer last: while it is there, this is done again.
  for (const path of units) removeIfThere(path)
  await run(systemctl(['daemon-reload']))
}

async function placeUnits(stateDirectory: string, root: string): Promise<void> {
  const own = isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, process.argv[1] ?? '']
  const command = [...own, takeBackVerb, '--state', stateDirectory].map(quoted).join(' ')
  const description = `Takes back a change of ${agentUnit} that the agent does not come up with`
  const service = `[Unit]\nDescription=${description}\n\n[Service]\nType=oneshot\nExecStart=${command}\n`
  // After a boot the agent needs the network for its proof, as it had it before.
  const timer = [
    `[Unit]\nDescription=${description}\nAfter=network-online.target\nWants=network-online.target\n`,
    `[Timer]\nOnActiveSec=${restartSeconds}\nAccuracySec=1s\n`,
    '[Install]\nWantedBy=timers.target\n',
  ].join('\n')
  mkdirSync(join(root, directory), { recursive: true })
  // An empty timer would be none after the power cut that it is to outlive.
  await replaceDurably([
    { path: join(root, directory, `${restartGuard}.service`), content: service, mode: 0o644 },
    { path: join(root, directory, `${restartGuard}.timer`), content: timer, mode: 0o644 },
  ])
}

function isOfAllServices(path: string): boolean {
  return basename(dirname(path)) === 'service.d'
}

/** What keeps the agent from coming up would keep the guard from it, too: a drop-in of one unit stands in for that of all by its name. */
function maskDropIn(name: string, root: string): void {
  const at = join(root, directory, `${restartGuard}.service.d`, name)
  mkdirSync(dirname(at), { recursive: true })
  rmSync(at, { force: true })
  symlinkSync('/dev/null', at)
}

function quoted(word: string): string {
  return `"${word.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`
}

async function succeed(args: readonly string[], run: Run): Promise<void> {
  const command = systemctl(args)
  const result = await run(command)
  if (result.code !== 0) throw new Error(whyText(command, result, firstLine(result)))
}

function notArmed(error: unknown): PlumbError {
  const why = error instanceof Error ? error.message : problemsOf(error)[0]?.message
  return new PlumbError(
    {
      code: 'apply-failed',
      message: `${agentUnit} is not restarted for its changed unit, for nothing would take the change back if it did not come up: ${why}.`,
      remedy: `Restart it by hand: systemctl restart ${agentUnit}`,
    },
    { cause: error },
  )
}
