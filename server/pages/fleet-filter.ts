// Which hosts and services the fleet page shows, from its address; pure.
import type { HostName, ServiceName } from '../../shared/names.ts'
import type { CellView, FleetView, HostRow, HostStateName } from '../show/views.ts'
import { states } from './components/state.tsx'

export type FleetFilter = {
  readonly text: string
  readonly state: HostStateName | undefined
  /** `words`: shape and word in each cell; `marks`: the shape, with the word in the legend and for screen readers. */
  readonly cells: 'words' | 'marks' | undefined
}

export type FleetGrid = {
  readonly services: readonly ServiceName[]
  readonly hosts: readonly HostRow[]
  readonly cells: 'words' | 'marks'
}

/** More services than this get marks, unless the address says otherwise. */
const servicesInWords = 10

export function fleetFilterOf(query: Readonly<Record<string, string>>): FleetFilter {
  const { q, state, cells } = query
  return {
    text: (q ?? '').trim().toLowerCase().slice(0, 100),
    state: states.find((name) => name === state),
    cells: cells === 'words' || cells === 'marks' ? cells : undefined,
  }
}

/** A text that is part of a host's name picks hosts; else one that is part of a service's name picks services. */
export function fleetGrid(fleet: FleetView, filter: FleetFilter): FleetGrid {
  const named = fleet.hosts.filter((row) => row.host.includes(filter.text))
  const services =
    named.length > 0 ? fleet.services : fleet.services.filter((service) => service.toLowerCase().includes(filter.text))
  const rows =
    named.length > 0 ? named : fleet.hosts.filter((row) => row.cells.some((cell) => services.includes(cell.service)))
  const state = filter.state
  return {
    services,
    hosts: rows.filter((row) => state === undefined || isSomewhere(row, state)).toSorted(byUrgency),
    cells: filter.cells ?? (services.length > servicesInWords ? 'marks' : 'words'),
  }
}

/** How many hosts are in a state, as a whole or in one of their services. */
export function hostsByState(hosts: readonly HostRow[]): ReadonlyMap<HostStateName, number> {
  return new Map(states.map((state) => [state, hosts.filter((row) => isSomewhere(row, state)).length]))
}

/** How many hosts are in a state as a whole: every host counts once. */
export function hostsByOwnState(hosts: readonly HostRow[]): ReadonlyMap<HostStateName, number> {
  return new Map(states.map((state) => [state, hosts.filter((row) => row.state === state).length]))
}

/** The same page with one part of its address changed. */
export function fleetLink(filter: FleetFilter, change: Partial<FleetFilter>): string {
  const { text, state, cells } = { ...filter, ...change }
  const query = new URLSearchParams()
  if (text !== '') query.set('q', text)
  if (state !== undefined) query.set('state', state)
  if (cells !== undefined) query.set('cells', cells)
  return query.size === 0 ? '/' : `/?${query}`
}

export function cellsByService(row: HostRow): ReadonlyMap<ServiceName, CellView> {
  return new Map(row.cells.map((cell) => [cell.service, cell]))
}

export function notEnrolled(fleet: FleetView): readonly HostName[] {
  return fleet.hosts.filter((row) => row.state === 'not-enrolled').map((row) => row.host)
}

/** `in-plumb` is the host's own: a host with one service out of plumb is not in plumb. */
function isSomewhere(row: HostRow, state: HostStateName): boolean {
  if (row.state === state) return true
  if (state === 'in-plumb' || state === 'unknown' || row.state === 'silent') return false
  return row.cells.some((cell) => cell.state === state)
}

const collator = new Intl.Collator('en', { numeric: true })

function byUrgency(one: HostRow, other: HostRow): number {
  return states.indexOf(one.state) - states.indexOf(other.state) || collator.compare(one.host, other.host)
}
