// A path, a unit (`unit:nginx.service`) or a service, as it was typed -> what of the drift is meant by it. Pure.

import { parseResourceId, type ServiceName } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { isOfKind } from '../../shared/resource.ts'
import { type ComparedResource, drifted, type HostComparison, type ServiceComparison } from '../plan/compare.ts'
import { pathInId } from '../resources/paths.ts'

export type Chosen = {
  readonly service: ServiceName
  readonly resource: ComparedResource
  readonly isNamed: boolean
  /** Of a purged directory: the names in it that are meant. */
  readonly extras: readonly string[]
}

/** Throws PlumbError `usage` when it is none of this host; empty when nothing of it drifted. */
export function chosenFrom(target: string, { services, host }: HostComparison): readonly Chosen[] {
  const all = services.flatMap((service) => service.resources.map((resource) => chosen(service, resource)))
  const differing = all.filter(({ resource }) => resource.comparison.drift.length > 0)
  if (isOfKind(target, 'unit')) {
    if (!all.some(({ resource }) => resource.id === target)) throw unknownUnit(target, host)
    return differing.filter(({ resource }) => resource.id === target).map((one) => ({ ...one, isNamed: true }))
  }
  if (!target.startsWith('/')) {
    const service = services.find((one) => one.service === target)
    if (service === undefined) throw unknownService(target, host)
    // What the repository says to ignore is adopted when its own path is given.
    return drifted(service).map((resource) => ({ ...chosen(service, resource), isNamed: false }))
  }
  const exact = differing.filter(({ resource }) => pathInId(resource.id) === target)
  if (exact.length > 0) return exact.map((one) => ({ ...one, isNamed: true }))
  const within = differing.flatMap((one) => {
    const directory = pathInId(one.resource.id)
    const name = one.extras.find(
      (extra) => target === `${directory}/${extra}` || target.startsWith(`${directory}/${extra}/`),
    )
    return name === undefined ? [] : [{ ...one, extras: [target.slice((directory ?? '').length + 1)], isNamed: true }]
  })
  if (within.length > 0) return within.map(onlyExtras)
  const below = differing.filter(({ resource }) => pathInId(resource.id)?.startsWith(`${target}/`) === true)
  if (below.length > 0) return below.map((one) => ({ ...one, isNamed: false }))
  const isManaged = all.some(({ resource }) => {
    const path = pathInId(resource.id)
    return path === target || path?.startsWith(`${target}/`) === true
  })
  if (isManaged) return []
  throw new PlumbError({
    code: 'usage',
    message: `${target} is in no service of ${host}.`,
    remedy: `To take it over: plumb import NAME ${target}`,
  })
}

function chosen({ service }: ServiceComparison, resource: ComparedResource) {
  return { service, resource, extras: resource.live.extras ?? [] }
}

function onlyExtras(one: Chosen): Chosen {
  const { comparison } = one.resource
  const drift = comparison.drift.filter(({ name }) => name === 'extra')
  return { ...one, resource: { ...one.resource, comparison: { ...comparison, drift } } }
}

function unknownService(target: string, host: string): PlumbError {
  return new PlumbError({
    code: 'usage',
    message: `${host} has no service "${target}".`,
    remedy: 'Give a service of this host, or a path that begins with a slash. See: plumb check',
  })
}

function unknownUnit(target: string, host: string): PlumbError {
  return new PlumbError({
    code: 'usage',
    message: `${parseResourceId(target).name} is in no service of ${host}.`,
    remedy: 'Give the unit with its suffix, unit:nginx.service. See: plumb check',
  })
}
