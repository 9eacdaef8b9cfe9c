// Instances of a template unit that people started by hand: they leave with the template, since nothing could start them again.
import { absolutePathSchema, type ResourceId, resourceId } from '../../shared/names.ts'
import { quadletAt } from '../../shared/repository/quadlet.ts'
import { isTemplateUnit } from '../../shared/repository/unit-names.ts'
import { generatedUnits } from '../host/generated-units.ts'
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
  const leaving = files.filter(({ desired, original }) => desired === undefined && original?.type !== 'file')
  const templates = leaving.flatMap(({ id }) => {
    const unit = templateAt(pathInId(id) ?? '')
    return unit === undefined || isPackaged(unit, host) ? [] : [{ id, unit }]
  })
  const quadlets = leaving.flatMap(({ id }) => {
    const path = pathInId(id) ?? ''
    const quadlet = quadletAt(path)
    return quadlet?.main === path && quadlet.stem.endsWith('@') ? [{ id, path }] : []
  })
  if (templates.length + quadlets.length === 0 || !host.capabilities.units) return new Map()
  const patterns = templates.map(({ unit }) => unit.replace('@.', '@*.'))
  const loaded = patterns.length === 0 ? [] : await loadedUnits(patterns, host.query)
  const generated = await generatedUnits(new Set(quadlets.map(({ path }) => path)), host.query)
  const found = [
    ...templates.map(({ id, unit }) => [id, loaded.filter((name) => isInstanceOf(unit, name))] as const),
    ...quadlets.map(({ id, path }) => {
      const own = generated.filter(({ name, source }) => source === path && isInstance(name))
      return [id, own.map(({ name }) => name)] as const
    }),
  ]
  return new Map(
    found.map(([id, names]) => {
      const subjects = names.map((name) => ({ id: resourceId('unit', name), desired: undefined, baseline: running }))
      return [id, subjects.filter((one) => !known.has(one.id))]
    }),
  )
}

/** What is there of it leaves. */
const running = { attributes: { type: 'unit' } }

function templateAt(path: string): string | undefined {
  const [, unit] = /^\/etc\/systemd\/system\/([^/]+@\.[a-z]+)$/.exec(path) ?? []
  return unit !== undefined && isTemplateUnit(unit) ? unit : undefined
}

function isInstanceOf(template: string, name: string): boolean {
  const [before = '', after = ''] = template.split('@')
  return name.startsWith(`${before}@`) && name.endsWith(after)
}

function isInstance(name: string): boolean {
  return /@[^@]+\.service$/.test(name)
}

/** The package's template is there when the repository's has left. */
function isPackaged(unit: string, { files }: HostReader): boolean {
  return ['/usr/lib/systemd/system', '/lib/systemd/system'].some(
    (directory) => files.stat(absolutePathSchema.parse(`${directory}/${unit}`)) !== undefined,
  )
}
