// Who listens on this host: TCP ports with the unit that the listening process belongs to.
import type { Run } from '../../shared/command.ts'

export type Listener = {
  /** `0.0.0.0:80`, `[::]:80`. */
  readonly address: string
  /** `nginx`, as the process is called. */
  readonly program: string
  /** `nginx.service`; undefined for what no unit started. */
  readonly unit?: string
}

/** Undefined where there is no `ss`. */
export async function listeners(query: Run): Promise<readonly Listener[] | undefined> {
  const { code, stdout } = await query({ args: ['ss', '-H', '-t', '-l', '-n', '-p'], outputLimitBytes: 1 << 20 })
  if (code !== 0) return undefined
  const found = parseListeners(stdout)
  const files = [...new Set(found.map(({ pid }) => `/proc/${pid}/cgroup`))]
  if (files.length === 0) return []
  const groups = await query({ args: ['grep', '-H', '-s', '.', ...files], outputLimitBytes: 1 << 20 })
  const units = parseGroups(groups.stdout)
  return found.map(({ pid, ...listener }) => {
    const unit = units.get(pid)
    return unit === undefined ? listener : { ...listener, unit }
  })
}

export function parseListeners(stdout: string): readonly (Omit<Listener, 'unit'> & { readonly pid: string })[] {
  return stdout.split('\n').flatMap((line) => {
    const [, , , address] = line.trim().split(/\s+/)
    const user = /users:\(\("([^"]*)",pid=(\d+)/.exec(line)
    if (address === undefined || user === null) return []
    return [{ address, program: user[1] ?? '', pid: user[2] ?? '' }]
  })
}

/** `/proc/12/cgroup:0::/system.slice/nginx.service` */
export function parseGroups(stdout: string): ReadonlyMap<string, string> {
  const lines = stdout.matchAll(/^\/proc\/(\d+)\/cgroup:0::.*?\/([^/\n]+\.service)(?:\/.*)?$/gm)
  return new Map([...lines].map(([, pid = '', unit = '']) => [pid, unit]))
}
