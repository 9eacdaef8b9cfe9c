// Which hosts and services the fleet page shows, from its address; pure.
import type { HostName, ServiceName } from '../../../shared/names.ts'
import type { CellView, FleetView, HostRow, HostStateName } from '../../show/views.ts'
import { type Mark, states } from './components/state.tsx'

export type FleetFilter = {
  readonly text: string
  readonly state: Mark | undefined
  /** `words`: shape and word in each cell; `marks`: the shape, with the word in the legend and for screen readers. */
  readonly cells: 'words' | 'marks' | undefined
  /** Counted from 1. */
  readonly page: number | 'all'
}

export type FleetGrid = {
  readonly services: readonly ServiceName[]
  readonly hosts: readonly HostRow[]
  readonly cells: 'words' | 'marks'
  readonly pages: GridPages
}

/** Which of the hosts that the filter found are shown. */
export type GridPages = {
  /** Counted from 1; `last` is the number of pages. */
  readonly page: number
  readonly last: number
  /** Position of the first host shown, from 0. */
  readonly offset: number
  readonly found: number
}

/** More services than this get marks, unless the address says otherwise. */
const servicesInWords = 10

/** Bounds of one page: a browser lays out 6,000 cells at once without a pause that one feels. */
const hostsPerPage = { most: 200, least: 25 } as const
const cellsPerPage = 6000

export function fleetFilterOf(query: Readonly<Record<string, string>>): FleetFilter {
  const { q, state, cells, page } = query
  return {
    text: (q ?? '').trim().toLowerCase().slice(0, 100),
    state: states.find((name) => name === state),
    cells: cells === 'words' || cells === 'marks' ? cells : undefined,
    page: page === 'all' ? page : /^[1-9]\d{0,5}$/.test(page ?? '') ? Number(page) : 1,
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
  const found = rows.filter((row) => state === undefined || isSomewhere(row, state)).toSorted(byUrgency)
  const { shown, pages } = pageOf(found, filter.page, services.length)
  return {
    services,
    hosts: shown,
    cells: filter.cells ?? (services.length > servicesInWords ? 'marks' : 'words'),
    pages,
  }
}

/** A page beyond the last one is the last one: hosts may have left since its address was made. */
function pageOf(found: readonly HostRow[], asked: FleetFilter['page'], services: number) {
  const fitting = Math.floor(cellsPerPage / Math.max(1, services))
  const size =
    asked === 'all' ? Math.max(1, found.length) : Math.max(hostsPerPage.least, Math.min(hostsPerPage.most, fitting))
  const last = Math.max(1, Math.ceil(found.length / size))
  const page = asked === 'all' ? 1 : Math.min(asked, last)
  const offset = (page - 1) * size
  return { shown: found.slice(offset, offset + size), pages: { page, last, offset, found: found.length } }
}

/** What a host counts as. One that was in sync when last heard of, and may be otherwise now, counts as unknown. */
export function countedState({ state, staleSince }: Pick<HostRow, 'state' | 'staleSince'>): HostStateName {
  return state === 'in-sync' && staleSince !== undefined ? 'unknown' : state
}

/** How many hosts are in a state, as a whole or in one of their services. */
export function hostsByState(hosts: readonly HostRow[]): ReadonlyMap<Mark, number> {
  return new Map(states.map((state) => [state, hosts.filter((row) => isSomewhere(row, state)).length]))
}

/** How many hosts are in a state as a whole: every host counts once. */
export function hostsByOwnState(hosts: readonly HostRow[]): ReadonlyMap<Mark, number> {
  return new Map(states.map((state) => [state, hosts.filter((row) => countedState(row) === state).length]))
}

/** The same page with one part of its address changed; what finds other hosts begins at their first page. */
export function fleetLink(filter: FleetFilter, change: Partial<FleetFilter>): string {
  const { text, state, cells, page } = { ...filter, ...('cells' in change ? {} : { page: 1 }), ...change }
  const query = new URLSearchParams()
  if (text !== '') query.set('q', text)
  if (state !== undefined) query.set('state', state)
  if (cells !== undefined) query.set('cells', cells)
  if (page !== 1) query.set('page', String(page))
  return query.size === 0 ? '/' : `/?${query}`
}

export function cellsByService(row: HostRow): ReadonlyMap<ServiceName, CellView> {
  return new Map(row.cells.map((cell) => [cell.service, cell]))
}

export function notEnrolled(fleet: FleetView): readonly HostName[] {
  return fleet.hosts.filter((row) => row.state === 'not-enrolled').map((row) => row.host)
}

/**
 * `in-sync` is the host's own: a host with one service out of sync is not in sync. Of a host that is not heard of, what was last
 * known counts: its row says "was drift", and alerts of it are still open.
 */
function isSomewhere(row: HostRow, mark: Mark): boolean {
  return countedState(row) === mark || row.cells.some(({ facts }) => facts.some((fact) => fact === mark))
}

const collator = new Intl.Collator('en', { numeric: true })

function byUrgency(one: HostRow, other: HostRow): number {
  return (
    states.indexOf(countedState(one)) - states.indexOf(countedState(other)) || collator.compare(one.host, other.host)
  )
}
