// Which container engine a host has - docker, else podman - and how each is asked the same things.
import type { Command, Run } from '../../shared/command.ts'

export type Engine = {
  readonly name: 'docker' | 'podman'
  /** `['docker', 'compose']`: compose 2 itself, whatever it runs the containers with. */
  readonly compose: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** Undefined when there is neither. Found once for each way of running commands, until its program is gone. */
export async function engineOf(run: Run): Promise<Engine | undefined> {
  const known = found.get(run)
  if (known !== undefined) return known
  const docker = await run({ args: ['docker', '--version'] })
  // Debian's podman-docker is a `docker` that is podman.
  const isDocker = docker.code === 0 && !docker.stdout.startsWith('podman')
  const isPodman = !isDocker && (await run({ args: ['podman', '--version'] })).code === 0
  const engine = isDocker ? dockerEngine : isPodman ? podmanEngine : undefined
  if (engine !== undefined) found.set(run, engine)
  return engine
}

/** To be called when its program turned out to be gone: another engine may have taken its place. */
export function forgetEngine(run: Run): void {
  found.delete(run)
}

export function composeCommand({ compose, environment }: Engine, args: readonly string[]): Command {
  return { args: [...compose, ...args], environment, deadlineSeconds: 60 }
}

export function socketUnit({ name }: Engine): string {
  return name === 'docker' ? 'docker' : 'podman.socket'
}

const found = new WeakMap<Run, Engine>()

const dockerEngine: Engine = { name: 'docker', compose: ['docker', 'compose'], environment: {} }

/** Runs docker's compose 2 (Debian: docker-compose) on podman's socket; without the variable it says so each time. */
const podmanEngine: Engine = {
  name: 'podman',
  compose: ['podman', 'compose'],
  environment: { PODMAN_COMPOSE_WARNING_LOGS: 'false' },
}
