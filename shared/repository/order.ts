// The order services are applied in, and what keeps them from having one.
import type { ServiceName } from '../names.ts'

export type AfterOf = (service: ServiceName) => readonly ServiceName[]

/** Every service behind those it is `after`; otherwise as listed. Names that are not in the list are passed over. */
export function inOrder(services: readonly ServiceName[], afterOf: AfterOf): readonly ServiceName[] {
  const listed = new Set(services)
  const placed = new Set<ServiceName>()
  const entered = new Set<ServiceName>()
  const place = (service: ServiceName): void => {
    if (entered.has(service)) return
    entered.add(service)
    for (const earlier of afterOf(service)) if (listed.has(earlier)) place(earlier)
    placed.add(service)
  }
  for (const service of services) place(service)
  return [...placed]
}

/** Each cycle once, `[base, web, base]`, starting with its first service as listed. */
export function cyclesIn(services: readonly ServiceName[], afterOf: AfterOf): readonly (readonly ServiceName[])[] {
  const listed = new Set(services)
  const done = new Set<ServiceName>()
  const cycles: (readonly ServiceName[])[] = []
  const follow = (service: ServiceName, path: readonly ServiceName[]): void => {
    const start = path.indexOf(service)
    if (start !== -1) cycles.push([...path.slice(start), service])
    if (start !== -1 || done.has(service)) return
    for (const earlier of afterOf(service)) if (listed.has(earlier)) follow(earlier, [...path, service])
    done.add(service)
  }
  for (const service of services) follow(service, [])
  return cycles
}
