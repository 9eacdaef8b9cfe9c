// Which of the hosts are shown, and the way to the others; nothing where all are.
import { countText } from './components/first-of.tsx'
import { type FleetFilter, fleetLink, type GridPages } from './fleet-filter.ts'

type PagesProps = {
  readonly pages: GridPages
  readonly shown: number
  readonly filter: FleetFilter
  /** It stands above the grid and below it. */
  readonly place: 'above' | 'below'
}

export function FleetPages({ pages, shown, filter, place }: PagesProps) {
  const { page, last, offset, found } = pages
  if (last === 1 && filter.page !== 'all') return null
  return (
    <nav class="grid-pages" aria-label={`Pages of hosts, ${place} the grid`}>
      <span>
        Hosts {countText(offset + 1)} to {countText(offset + shown)} of {countText(found)}, the most urgent first
      </span>
      {page > 1 && <a href={fleetLink(filter, { page: page - 1 })}>Previous</a>}
      {page < last && <a href={fleetLink(filter, { page: page + 1 })}>Next</a>}
      {filter.page === 'all' ? (
        <a href={fleetLink(filter, { page: 1 })}>Page by page</a>
      ) : (
        <a href={fleetLink(filter, { page: 'all' })}>Show all {countText(found)}</a>
      )}
    </nav>
  )
}
