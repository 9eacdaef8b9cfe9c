// What is wrong with a project's containers, and how it is put; pure.
import { createHash } from 'node:crypto'
import type { EngineObject } from '../../shared/resource.ts'
import { judgedDigest, type ProjectFile } from '../../shared/resource.ts'
import type { DeclaredService } from '../host/compose-model.ts'
import type { Container } from '../host/docker.ts'
import type { ContainerFault } from './kind.ts'

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
export function faultsText(faults: readonly ContainerFault[]): string {
  return faults.length === 0
    ? asDeclared
    : faults
        .map(({ text }) => text)
        .join('; ')
        .slice(0, 2000)
}

/** Of each service the first; none: the containers are as declared. */
export function containerFaults(
  listed: readonly Container[],
  declared: Declaration | undefined,
  { replaced = new Map(), objects = [] }: LiveParts = {},
): readonly ContainerFault[] {
  // The engine lists one for a moment longer that is on its way out.
  const containers = listed.filter(({ state }) => state !== 'removing')
  if (containers.length === 0) return declared?.services.every(({ replicas }) => replicas === 0) ? [] : [allMissing]
  if (declared === undefined) return []
  const faults = declared.services.flatMap((service) => {
    const own = containers.filter((container) => container.service === service.name)
    const fault = faultOf(service, own, declared) ?? mountFault(service, own, replaced)
    return fault === undefined ? [] : [{ ...fault, text: `${service.name}: ${fault.text}` }]
  })
  const known = new Set(declared.services.map(({ name }) => name))
  const others = [...new Set(containers.map(({ service }) => service))].filter((name) => !known.has(name))
  return [
    ...faults,
    ...others.map((name) => ({ code: 'container-undeclared', text: `${name}: not declared` }) as const),
    ...objects.map((text) => ({ code: 'container-other', text }) as const),
  ]
}

const allMissing: ContainerFault = { code: 'container-missing', text: 'missing' }

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

function faultOf(
  service: DeclaredService,
  own: readonly Container[],
  declared: Declaration,
): ContainerFault | undefined {
  const { replicas } = service
  if (own.length === 0 && replicas > 0) return allMissing
  if (own.length < replicas) return { code: 'container-count', text: `${own.length} of ${replicas} containers` }
  if (own.length > replicas) return { code: 'container-count', text: `${own.length} containers instead of ${replicas}` }
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
): ContainerFault | undefined {
  const targets = own.flatMap(({ id }) => replaced.get(id) ?? [])
  const stale = mounts.find(({ target }) => targets.includes(target))
  return stale && { code: 'container-mount', text: `still has the replaced ${stale.target} mounted` }
}

function runFault({ ends }: DeclaredService, { state, health, exitCode }: Container): ContainerFault | undefined {
  switch (state) {
    case 'running':
      return health === 'unhealthy' ? { code: 'container-unhealthy', text: 'unhealthy' } : undefined
    case 'exited':
      if (ends && exitCode === 0) return undefined
      return { code: 'container-stopped', text: exitCode === 0 ? 'stopped' : `stopped (exit code ${exitCode})` }
    case 'created':
      return { code: 'container-stopped', text: 'never started' }
    default:
      return { code: codesByState.get(state) ?? 'container-other', text: state }
  }
}

/** Of the engines' own states those that are wrong by themselves. */
const codesByState: ReadonlyMap<string, ContainerFault['code']> = new Map([
  ['restarting', 'container-restarting'],
  ['unhealthy', 'container-unhealthy'],
  ...['stopped', 'stopping', 'dead', 'paused'].map((state) => [state, 'container-stopped'] as const),
])

export function configurationFault(
  service: DeclaredService,
  container: Container,
  declared: Declaration,
): ContainerFault | undefined {
  if ((declared.labels[service.name] ?? '') !== container.files) return otherConfiguration
  // After an upgrade of compose every hash differs, though nobody changed anything.
  const isComparable = container.composeVersion === declared.composeVersion
  if (isComparable && declared.hashes.get(service.name) !== container.configHash) return otherConfiguration
  // The name of its image has moved on: docker then shows the image by its id.
  const isById = /^(?:sha256:)?[0-9a-f]{12,64}$/.test(container.image)
  return isById && service.image !== container.image ? { code: 'container-image', text: 'other image' } : undefined
}

const otherConfiguration: ContainerFault = { code: 'container-configuration', text: 'other configuration' }
