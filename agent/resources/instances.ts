// Instances of a template unit that people started by hand: they leave with the template, since nothing could start them again.
import { absolutePathSchema, type ResourceId, resourceId } from '../../shared/names.ts'
import { isTemplateUnit } from '../../shared/repository/unit-names.ts'
import type { HostReader } from '../host/host.ts'
import { loadedUnits } from '../host/systemd.ts'
import type { Subject } from './kind.ts'
import { pathInId } from './paths.ts'

/** By the template's file. `known`: the ids of what is looked at anyway. */
export async function leavingInstances(
  files: readonly Subject[],
  known: ReadonlySet<ResourceId>,
  host: HostReader,
): Promise<ReadonlyMap<ResourceId, readonly Subject[]>> {
  const templates = files.flatMap(({ id, desired, original }) => {
    if (desired !== undefined || original?.type === 'file') return []
    const unit = templateIn(pathInId(id) ?? '')
    return unit === undefined || isPackaged(unit, host) ? [] : [{ id, unit }]
  })
  if (templates.length === 0 || !host.capabilities.units) return new Map()
  const patterns = templates.map(({ unit }) => unit.replace('@.', '@*.'))
  const loaded = await loadedUnits(patterns, host.query)
  return new Map(
    templates.map(({ id, unit }) => {
      const [before = '', after = ''] = unit.split('@')
      const names = loaded.filter((name) => name.startsWith(`${before}@`) && name.endsWith(after))
      const subjects = names.map((name) => ({ id: resourceId('unit', name), desired: undefined, baseline: running }))
      return [id, subjects.filter((one) => !known.has(one.id))]
    }),
  )
}

/** What is there of it leaves. */
const running = { attributes: { type: 'unit' } }

/** The template behind a unit file, or behind a quadlet. */
function templateIn(path: string): string | undefined {
  const [, unit] = /^\/etc\/systemd\/system\/([^/]+@\.[a-z]+)$/.exec(path) ?? []
  const [, quadlet] = /^\/etc\/containers\/systemd\/(?!users\/)(?:.*\/)?([^/]+@)\.(?:container|kube)$/.exec(path) ?? []
  const name = quadlet === undefined ? unit : `${quadlet}.service`
  return name !== undefined && isTemplateUnit(name) ? name : undefined
}

/** The package's template is there when the repository's has left. */
function isPackaged(unit: string, { files }: HostReader): boolean {
  return ['/usr/lib/systemd/system', '/lib/systemd/system'].some(
    (directory) => files.stat(absolutePathSchema.parse(`${directory}/${unit}`)) !== undefined,
  )
}
