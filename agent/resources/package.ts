// Packages: present or not. Versions are apt's business, upgrades the distribution's.
//
// A package that left the repository stays installed, as with Puppet and ansible: what depends on it is not ours to know
// (removing python3 removes half a host), its data would lose their program, and the same package may have been wanted
// before. It is said once. For the same reason a failed apply does not take packages away again: their scripts cannot be
// undone, and the next attempt needs them; their units are put back by the unit kind.
import type { ResourceId } from '../../shared/names.ts'
import { problemsOf } from '../../shared/problem.ts'
import type { PackageResource } from '../../shared/resource.ts'
import { apt, type PackageProvider } from '../host/apt.ts'
import type { HostReader } from '../host/host.ts'
import { compareAttributes } from './compare.ts'
import type { ApplyHost, AttributeDifference, LiveResource, ResourceChange, ResourceKind, Subject } from './kind.ts'

const provider: PackageProvider = apt

export const packageKind: ResourceKind<PackageResource, never> = {
  kind: 'package',
  attributes,
  observe,
  compare: ({ desired, baseline }, live) =>
    compareAttributes(desired && attributes(), baseline?.attributes, live.attributes),
  describe,
  save: async () => [],
  change,
  restore: async () => {},
}

function attributes() {
  return { installed: 'yes' }
}

async function observe(subjects: readonly Subject<PackageResource>[], host: HostReader) {
  if (subjects.length === 0) return new Map<ResourceId, LiveResource>()
  try {
    const states = await provider.states(
      subjects.map(({ id }) => nameOf(id)),
      host.query,
    )
    return new Map(subjects.map(({ id }) => [id, liveOf(states.get(nameOf(id)) ?? 'no')] as const))
  } catch (error) {
    const [problem] = problemsOf(error)
    return new Map(subjects.map(({ id }) => [id, { attributes: {}, ...(problem ? { problem } : {}) }] as const))
  }
}

function liveOf(installed: string): LiveResource {
  return { attributes: { type: installed === 'no' ? 'missing' : 'package', installed } }
}

function describe(id: ResourceId, differences: readonly AttributeDifference[]): string {
  const [difference] = differences
  if (difference?.name === 'type') return `${nameOf(id)}: no longer in the repository`
  const live = difference?.live ?? 'no'
  return `${nameOf(id)}: ${live === 'no' ? 'not installed' : live}, should be installed`
}

/** One line for each change. */
async function change(
  changes: readonly ResourceChange<PackageResource>[],
  host: ApplyHost,
): Promise<readonly string[]> {
  const wanted = changes.flatMap(({ desired }) => desired?.name ?? [])
  const note = wanted.length === 0 ? '' : await install(wanted, host)
  const last = wanted.at(-1)
  return changes.map(({ id, desired }) => {
    if (desired === undefined) return `left ${nameOf(id)} installed`
    return `installed ${desired.name}${desired.name === last ? note : ''}`
  })
}

/** All in one call; returns what that did beside: ` (with libpcre2-8-0; removed exim4-base, which conflicts)`. */
async function install(wanted: readonly string[], { run }: ApplyHost): Promise<string> {
  const { installed, removed } = await provider.install(wanted, run)
  const others = installed.filter((name) => !wanted.includes(name))
  const notes = [
    ...(others.length === 0 ? [] : [`with ${othersText(others)}`]),
    ...(removed.length === 0 ? [] : [`removed ${removed.join(', ')}, which conflicts`]),
  ]
  return notes.length === 0 ? '' : ` (${notes.join('; ')})`
}

function othersText(names: readonly string[]): string {
  return names.length > 12 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ')
}

function nameOf(id: ResourceId): string {
  return id.slice(id.indexOf(':') + 1)
}
