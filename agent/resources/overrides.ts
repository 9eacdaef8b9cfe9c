// The files that change a desired unit and that nobody's revision has, as resources to be looked at: each a finding of its own,
// with its diff and evidence, and set aside like any other file when it is put right.
import { compact } from '../../shared/compact.ts'
import { resourceId } from '../../shared/names.ts'
import { claimsOf, type DesiredHost, type ResourceKindName } from '../../shared/resource.ts'
import type { FileReader } from '../host/files.ts'
import type { LiveResource, Subject } from './kind.ts'

type Observed = {
  readonly desired: DesiredHost
  readonly subjects: ReadonlyMap<ResourceKindName, readonly Subject[]>
  readonly live: ReadonlyMap<Subject['id'], LiveResource>
}

/** By the unit. A file that changes two units - instances of one template - is the first one's. */
export function unitOverrides(
  { desired: host, subjects, live }: Observed,
  files: FileReader,
): ReadonlyMap<Subject['id'], readonly Subject[]> {
  const found = new Map<Subject['id'], readonly Subject[]>()
  const seen = new Set<string>()
  const withheld = new Set(
    host.services.flatMap((service) => (service.withheld === undefined ? [] : claimsOf(service))).map(({ id }) => id),
  )
  const isOwn = (path: string) =>
    pathKinds.some((kind) => live.has(resourceId(kind, path)) || withheld.has(resourceId(kind, path)))
  for (const { id, desired } of subjects.get('unit') ?? []) {
    if (desired?.kind !== 'unit' || desired.masked) continue
    const { name: unit, onDrift } = desired
    const others = (live.get(id)?.unit?.overrides ?? []).flatMap((path): readonly Subject[] => {
      const type = files.stat(path)?.type
      if (seen.has(path) || isOwn(path) || (type !== 'file' && type !== 'symlink')) return []
      seen.add(path)
      const overrides = { unit, ...compact({ onDrift }) }
      return [{ id: resourceId(type, path), desired: undefined, baseline: undefined, overrides }]
    })
    if (others.length > 0) found.set(id, others)
  }
  return found
}

const pathKinds = ['file', 'symlink', 'directory'] as const
