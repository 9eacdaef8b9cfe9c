// What is wrong with a project's containers, in words; pure.
import { createHash } from 'node:crypto'
import type { EngineObject } from '../../shared/resource.ts'
import { judgedDigest, type ProjectFile } from '../../shared/resource.ts'
import type { DeclaredService } from '../host/compose-model.ts'
import type { Container } from '../host/docker.ts'

/** What a compose file asks for, worked out when the files on disk were those of the revision. */
export type Declaration = {
  readonly services: readonly DeclaredService[]
  readonly objects: readonly EngineObject[]
  /** Per service, digest of the files it mounts; the label of its containers. */
  readonly labels: Readonly<Record<string, string>>
  /** Per service, compose's own configuration hash with that label. */
  readonly hashes: ReadonlyMap<string, string>
  readonly composeVersion: string
  /** Variables without a value. */
  readonly unset: readonly string[]
}

export const asDeclared = 'as declared'

/**
 * Compose's own hash leaves out the content of what is mounted and of configs: a digest of both, as a label, makes it a
 * part of the hash. So a changed configuration file makes exactly the containers anew that see it - which a single
 * mounted file needs anyway, as the mount holds on to the replaced file's inode - and nothing else does.
 */
export function labelsFor(
  services: readonly DeclaredService[],
  files: readonly ProjectFile[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    services.flatMap((service) => {
      const seen = files
        .filter(({ path }) => service.mounts.some(({ source }) => path === source || path.startsWith(`${source}/`)))
        .map((file) => `${file.path}\0${judgedDigest(file)}\n`)
        .toSorted()
      const parts = [...seen, ...service.definitions]
      if (parts.length === 0) return []
      return [[service.name, createHash('sha256').update(parts.join('')).digest('hex')] as const]
    }),
  )
}

export type LiveParts = {
  /** By container, targets of mounts that hold on to what was replaced. */
  readonly replaced?: ReadonlyMap<string, readonly string[]>
  /** Networks and volumes with other settings, as text. */
  readonly objects?: readonly string[]
}

/** `as declared`, or `web: stopped; db: missing; cache: other configuration; network app_a has internal false instead of true`. */
export function containersText(
  listed: readonly Container[],
  declared: Declaration | undefined,
  { replaced = new Map(), objects = [] }: LiveParts = {},
): string {
  // The engine lists one for a moment longer that is on its way out.
  const containers = listed.filter(({ state }) => state !== 'removing')
  if (containers.length === 0)
    return declared?.services.every(({ replicas }) => replicas === 0) ? asDeclared : 'missing'
  if (declared === undefined) return asDeclared
  const faults = declared.services.flatMap((service) => {
    const own = containers.filter((container) => container.service === service.name)
    const fault = faultOf(service, own, declared) ?? mountFault(service, own, replaced)
    return fault === undefined ? [] : [`${service.name}: ${fault}`]
  })
  const known = new Set(declared.services.map(({ name }) => name))
  const others = [...new Set(containers.map(({ service }) => service))].filter((name) => !known.has(name))
  const all = [...faults, ...others.map((name) => `${name}: not declared`), ...objects]
  return all.length === 0 ? asDeclared : all.join('; ').slice(0, 2000)
}

/** Services whose containers have the right files but another hash than was worked out for them. */
export function hashMismatches(containers: readonly Container[], declared: Declaration): readonly Container[] {
  return containers.filter(
    ({ service, files, composeVersion, configHash }) =>
      declared.hashes.has(service) &&
      (declared.labels[service] ?? '') === files &&
      declared.composeVersion === composeVersion &&
      declared.hashes.get(service) !== configHash,
  )
}

/** `running`: at least one container runs or tries to. */
export function projectState(containers: readonly Container[]): 'running' | 'stopped' {
  return containers.some(({ state }) => ['running', 'restarting', 'paused'].includes(state)) ? 'running' : 'stopped'
}

function faultOf(service: DeclaredService, own: readonly Container[], declared: Declaration): string | undefined {
  if (own.length < service.replicas)
    return own.length === 0 ? 'missing' : `${own.length} of ${service.replicas} containers`
  if (own.length > service.replicas) return `${own.length} containers instead of ${service.replicas}`
  for (const container of own) {
    const fault = runFault(service, container) ?? configurationFault(service, container, declared)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Only mounts that the compose file names: a container may hold on to others of its own. */
export function mountFault(
  { mounts }: DeclaredService,
  own: readonly Container[],
  replaced: ReadonlyMap<string, readonly string[]>,
): string | undefined {
  const targets = own.flatMap(({ id }) => replaced.get(id) ?? [])
  const stale = mounts.find(({ target }) => targets.includes(target))
  return stale && `still has the replaced ${stale.target} mounted`
}

function runFault(service: DeclaredService, container: Container): string | undefined {
  switch (container.state) {
    case 'running':
      return container.health === 'unhealthy' ? 'unhealthy' : undefined
    case 'exited':
      if (service.ends && container.exitCode === 0) return undefined
      return container.exitCode === 0 ? 'stopped' : `stopped (exit code ${container.exitCode})`
    case 'created':
      return 'never started'
    default:
      return container.state
  }
}

export function configurationFault(
  service: DeclaredService,
  container: Container,
  declared: Declaration,
): string | undefined {
  if ((declared.labels[service.name] ?? '') !== container.files) return 'other configuration'
  // After an upgrade of compose every hash differs, though nobody changed anything.
  const isComparable = container.composeVersion === declared.composeVersion
  if (isComparable && declared.hashes.get(service.name) !== container.configHash) return 'other configuration'
  // The name of its image has moved on: docker then shows the image by its id.
  const isById = /^(?:sha256:)?[0-9a-f]{12,64}$/.test(container.image)
  return isById && service.image !== container.image ? 'other image' : undefined
}
