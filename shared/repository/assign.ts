// Which services and variables plumb.yaml gives to a host.
import { type HostName, hostNameSchema, type ServiceName } from '../names.ts'
import type { Problem } from '../problem.ts'
import type { Fleet, FleetHost, Variables } from './fleet.ts'
import { invalid, quoted } from './invalid.ts'
import { suggestion } from './nearest.ts'

export type Assignment =
  | { readonly kind: 'assigned'; readonly services: readonly ServiceName[]; readonly vars: Variables }
  | { readonly kind: 'unknown'; readonly problem: Problem }

/**
 * Services in the order plumb.yaml gives them: its groups' from top to bottom, then the host's own, each once.
 * A group's variables override the fleet's, a later group's an earlier one's, a host's own all of them.
 */
export function servicesFor(fleet: Fleet, host: HostName): Assignment {
  const own = fleet.hosts.get(host)
  const groups = [...fleet.groups.values()].filter((group) =>
    group.hosts.some((pattern) => matchesPattern(pattern, host)),
  )
  if (own === undefined && groups.length === 0) return { kind: 'unknown', problem: unknownHost(fleet, host) }
  const parts: readonly FleetHost[] = own === undefined ? groups : [...groups, own]
  return {
    kind: 'assigned',
    services: [...new Set(parts.flatMap((part) => part.services))],
    vars: new Map([fleet.vars, ...parts.map((part) => part.vars)].flatMap((vars) => [...vars])),
  }
}

/** Every host that plumb.yaml names in full, under hosts or in a group, in that order. */
export function namedHosts(fleet: Fleet): readonly HostName[] {
  return sampleHosts(fleet).flatMap(({ host, written }) => (isPattern(written) ? [] : [host]))
}

/** `written`: as plumb.yaml has it, `edge-*` for the made-up host `edge-x`. */
export type SampleHost = { readonly host: HostName; readonly written: string }

/** The named hosts, and for each pattern of a group one made-up host that matches it: what only such hosts get is looked at too. */
export function sampleHosts(fleet: Fleet): readonly SampleHost[] {
  const inGroups = [...fleet.groups.values()].flatMap((group) => group.hosts)
  const literal = [...fleet.hosts.keys(), ...inGroups.filter((written) => !isPattern(written))]
  const samples = new Map<HostName, SampleHost>()
  for (const written of [...literal, ...inGroups.filter(isPattern)]) {
    const host = hostNameSchema.safeParse(written.replaceAll(/[*?]/g, 'x')).data
    if (host !== undefined && !samples.has(host)) samples.set(host, { host, written })
  }
  return [...samples.values()]
}

/** `*` stands for any text, `?` for one character. No regular expression: `*a*a*a*b` would take one for ever. */
export function matchesPattern(pattern: string, name: string): boolean {
  if (!isPattern(pattern)) return pattern === name
  let reached = new Set([0])
  for (const symbol of pattern) {
    const next = new Set<number>()
    for (const at of reached) {
      if (symbol === '*') for (let end = at; end <= name.length; end += 1) next.add(end)
      else if (at < name.length && (symbol === '?' || symbol === name[at])) next.add(at + 1)
    }
    reached = next
  }
  return reached.has(name.length)
}

function unknownHost(fleet: Fleet, host: HostName): Problem {
  return invalid(
    `there is no host ${quoted(host)}, and no group's pattern matches it`,
    { file: 'plumb.yaml', key: 'hosts' },
    { code: 'host-unknown', remedy: suggestion(host, namedHosts(fleet), 'hosts') ?? 'Add it under hosts:.' },
  )
}

function isPattern(pattern: string): boolean {
  return /[*?]/.test(pattern)
}
