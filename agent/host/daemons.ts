// Commands that only speak to a daemon - docker's to dockerd, systemctl's to PID 1 - while an apply restarts that
// daemon: such a failure says nothing of what was asked, so the command is run again once the daemon is back. Detected
// by errno and by the daemon's own files.
import { statSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command, CommandResult, Run } from '../../shared/command.ts'

export type Daemon = {
  /** The program that speaks to it. */
  readonly program: string
  /** Where it listens. */
  readonly socket: string
  /** Files that the daemon creates again at each start. */
  readonly marks: readonly string[]
}

const usualDaemons: readonly Daemon[] = [
  { program: 'docker', socket: '/run/docker.sock', marks: ['/run/docker.pid', '/run/containerd/containerd.sock'] },
  { program: 'podman', socket: '/run/podman/podman.sock', marks: ['/run/podman/podman.sock'] },
  { program: 'systemctl', socket: '/run/systemd/private', marks: ['/run/systemd/private'] },
]

/** A daemon that was there so lately is restarting; one that was away for longer is not waited for. */
const restartMs = 60_000
const pauseMs = 200

/** `run`, with commands that a restart of their daemon has broken run again within their deadline. */
export function withRestarts(run: Run, daemons: readonly Daemon[] = usualDaemons): Run {
  const seenAt = new Map<string, number>()
  const isSeen = (daemon: Daemon): boolean => {
    if (startOf(daemon) !== '') seenAt.set(daemon.program, performance.now())
    return performance.now() - (seenAt.get(daemon.program) ?? Number.NEGATIVE_INFINITY) < restartMs
  }
  return async (command) => {
    const daemon = daemons.find(({ program }) => program === command.args[0])
    if (daemon === undefined || !isSeen(daemon)) return run(command)
    const giveUpAt = performance.now() + (command.deadlineSeconds ?? 60) * 1000
    for (;;) {
      const before = startOf(daemon)
      const result = await run(within(command, giveUpAt))
      if (!mayBeBroken(result) || !(await isRestarted(daemon, before))) return result
      if (!(await isBack(daemon, giveUpAt))) return result
    }
  }
}

/** Another text after each start of the daemon that this program speaks to; empty while it does not run. */
export function daemonStart(program: string): string {
  const daemon = usualDaemons.find((one) => one.program === program)
  return daemon === undefined ? '' : startOf(daemon)
}

/** True for a while after a restart of docker since this object was created: its containers are still being started again. */
export function dockerRestarts(): () => boolean {
  let start = daemonStart('docker')
  let until = Number.NEGATIVE_INFINITY
  return () => {
    const now = daemonStart('docker')
    if (now !== start) until = performance.now() + containersBackMs
    start = now
    return performance.now() < until
  }
}

const containersBackMs = 30_000

function startOf({ marks }: Daemon): string {
  return marks
    .map((path) => statSync(path, { throwIfNoEntry: false }))
    .map((stat) => (stat === undefined ? '' : `${stat.ino}:${stat.ctimeMs}`))
    .join(' ')
    .trim()
}

function within(command: Command, giveUpAt: number): Command {
  return { ...command, deadlineSeconds: Math.max(1, (giveUpAt - performance.now()) / 1000) }
}

/** Excludes expired deadlines, which a retry cannot meet, and a missing program (127), which contacts no daemon. */
function mayBeBroken({ code }: CommandResult): boolean {
  return code !== 0 && code !== 127 && code !== 126 && code !== 'deadline'
}

async function isRestarted(daemon: Daemon, before: string): Promise<boolean> {
  return startOf(daemon) !== before || !(await isListening(daemon))
}

async function isBack(daemon: Daemon, giveUpAt: number): Promise<boolean> {
  const until = Math.min(giveUpAt, performance.now() + restartMs)
  while (performance.now() < until) {
    if (startOf(daemon) !== '' && (await isListening(daemon))) return true
    await sleep(pauseMs)
  }
  return false
}

/** False for ECONNREFUSED and ENOENT alike; also for a daemon that takes no connection in time. */
function isListening({ socket }: Daemon): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket)
    const answer = (isOpen: boolean) => {
      connection.destroy()
      resolve(isOpen)
    }
    connection.setTimeout(5000, () => answer(false))
    connection.on('error', () => answer(false))
    connection.once('connect', () => answer(true))
  })
}
