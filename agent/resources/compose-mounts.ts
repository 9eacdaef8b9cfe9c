// What a compose file may not mount without being allowed to: whoever has it has the host, or the agent. Pure.
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import type { DeclaredService } from '../host/compose-model.ts'

export type ReachedPath = {
  readonly service: string
  readonly path: string
  /** The same with links followed. */
  readonly resolved: string
}

/** Every path of the host that a container gets, each once for a service. */
export function reachedPaths(services: readonly DeclaredService[]): readonly Pick<ReachedPath, 'service' | 'path'>[] {
  return services.flatMap(({ name, mounts, reaches }) => {
    const paths = new Set([...mounts.map(({ source }) => source), ...reaches])
    return [...paths].filter((path) => path.startsWith('/')).map((path) => ({ service: name, path }))
  })
}

/** Undefined when every one may be mounted. */
export function mountRefusal(
  { project, directory, file, allowMounts }: ComposeResource,
  reached: readonly ReachedPath[],
): PlumbError | undefined {
  const allowed = new Set<string>(allowMounts)
  const refused = reached.flatMap(({ service, path, resolved }) => {
    if (allowed.has(path) || allowed.has(resolved)) return []
    const why = [resolved, path].map((each) => dangerOf(each, directory)).find((reason) => reason !== undefined)
    return why === undefined ? [] : [{ service, path, why, resolved }]
  })
  if (refused.length === 0) return undefined
  const texts = refused.map(({ service, path, why, resolved }) => {
    const link = resolved === path ? '' : `, which is ${resolved}`
    return `${service} mounts ${path}${link}: ${why}`
  })
  const paths = [...new Set(refused.map(({ path }) => path))].join(', ')
  return new PlumbError({
    code: 'unsafe-path',
    message: `The containers of ${project} are left as they are: ${texts.join('; ')}.`.slice(0, 4000),
    where: { file },
    remedy: `If that is meant, say so in service.yaml: compose: { allowMounts: [${paths}] }`.slice(0, 2000),
  })
}

type Danger = { readonly path: string; readonly why: string }

const agents = "it is the agent's own"
const kernels = "it is the kernel's"

/** They, and what is below them. */
const dangers: readonly Danger[] = [
  { path: '/var/lib/plumb', why: agents },
  { path: '/etc/plumb', why: agents },
  { path: '/run/podman', why: 'with it a container is root here' },
  { path: '/run/docker', why: 'with it a container is root here' },
  { path: '/run/containerd', why: 'with it a container is root here' },
  { path: '/proc', why: kernels },
  { path: '/sys', why: kernels },
]

function dangerOf(written: string, directory: string): string | undefined {
  const path = written.replace(/^\/var\/run(?=\/|$)/, '/run')
  if (isWithin(path, directory)) return undefined
  if (path === '/') return 'it is the whole host'
  if (path === '/dev') return kernels
  if (/\/(?:docker|podman|containerd|crio)\.sock$/.test(path)) return 'with it a container is root here'
  if (/^\/run\/plumb[^/]*(?:\/|$)/.test(path)) return agents
  const danger = dangers.find((one) => isWithin(path, one.path))
  if (danger !== undefined) return danger.why
  const inside = dangers.find((one) => isWithin(one.path, path))
  return inside && `${inside.path} is in it, and ${inside.why}`
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}
