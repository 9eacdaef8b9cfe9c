// The grid of hosts and services. Up to 6,000 cells on a page: a quiet one is two elements, one with news a link.
// Only the names are stops of the Tab key: a row is one stop, and its host's page leads to each of its services.
// With a script, the arrow keys go from cell to cell.
import type { Revision } from '../../../shared/names.ts'
import type { ServiceFact } from '../../../shared/report.ts'
import { absoluteTime } from '../../../shared/time-text.js'
import type { CellView, HostRow, HostStateName } from '../../show/views.ts'
import { shortRevision } from './components/commit.tsx'
import { enrollLink, hostLink, hostServiceLink, serviceLink } from './components/links.ts'
import { State, stateWords } from './components/state.tsx'
import { When } from './components/when.tsx'
import { cellsByService, type FleetGrid } from './fleet-filter.ts'

type GridProps = {
  readonly grid: FleetGrid
  readonly head: Revision | undefined
  readonly operator: boolean
}

export function FleetGridTable({ grid, head, operator }: GridProps) {
  return (
    <div class={`grid-box ${grid.cells}`} id="grid">
      <table class="grid">
        <thead>
          <tr>
            <th scope="col" class="corner">
              Host
            </th>
            <th scope="col">Revision</th>
            {grid.services.map((service) => (
              <th scope="col" class="service">
                <a href={serviceLink(service)}>{service}</a>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {grid.hosts.map((row) => (
            <GridRow row={row} grid={grid} head={head} operator={operator} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

type RowProps = GridProps & { readonly row: HostRow }

function GridRow({ row, grid, head, operator }: RowProps) {
  const cells = cellsByService(row)
  const inSync = row.cells.filter((cell) => cell.state === 'in-sync').length
  return (
    <tr id={`host-${row.host}`} class={isStale(row) ? 'was' : undefined}>
      <th scope="row">
        <div class="who">
          <a href={hostLink(row.host)}>{row.host}</a>
          <HostState row={row} operator={operator} />
        </div>
        {grid.cells === 'marks' && (
          <span class="tally">
            {inSync} of {row.cells.length} services {isStale(row) && 'were '}in sync
          </span>
        )}
      </th>
      <td class="at">
        <RowRevision revision={row.revision} head={head} />
      </td>
      {grid.services.map((service) => {
        const cell = cells.get(service)
        return cell === undefined ? <td class="none" /> : <GridCell row={row} cell={cell} />
      })}
    </tr>
  )
}

/** A host that is not connected counts as offline only after a time. */
function HostState({ row, operator }: { readonly row: HostRow; readonly operator: boolean }) {
  return (
    <span class="host-state">
      {row.state === 'not-enrolled' && operator ? (
        <a href={enrollLink(row.host)} title={`Enroll ${row.host}`}>
          <State state={row.state} />
        </a>
      ) : (
        <State state={row.state} was={isStale(row) && row.state !== 'offline'} />
      )}
      {row.staleSince !== undefined && (
        <>
          {' '}
          <When at={row.staleSince} />
          {row.state !== 'offline' && <span class="by">{row.connected ? ', no check since' : ', not connected'}</span>}
        </>
      )}
    </span>
  )
}

function RowRevision({
  revision,
  head,
}: {
  readonly revision: Revision | undefined
  readonly head: Revision | undefined
}) {
  if (revision === undefined) return <span class="by">–</span>
  const isHead = revision === head
  return (
    <code
      class={isHead ? 'revision' : 'revision is-other'}
      title={isHead ? revision : `${revision}, not the head of the branch`}
    >
      {shortRevision(revision)}
    </code>
  )
}

function GridCell({ row, cell }: { readonly row: HostRow; readonly cell: CellView }) {
  const state: HostStateName = row.state === 'not-enrolled' ? 'not-enrolled' : cell.state
  const count = state === 'drift' ? cell.findings : state === 'pending' ? cell.pending : 0
  const word = (
    <span>
      {isStale(row) && 'was '}
      {stateWords[state]}
    </span>
  )
  return (
    <td class={`is-${state}`} data-service={cell.service}>
      {isQuiet(state) && alsoIn(cell, state).length === 0 ? (
        <i>{word}</i>
      ) : (
        <a href={hostServiceLink(row.host, cell.service)} title={cellTitle(row, cell, state)} tabindex={-1}>
          {word}
          {count > 1 && <b> {count}</b>}
          <CellAlso cell={cell} state={state} />
        </a>
      )}
    </td>
  )
}

function isStale(row: HostRow): boolean {
  return row.staleSince !== undefined
}

/** Its word says it all. */
function isQuiet(state: HostStateName): boolean {
  return state === 'in-sync' || state === 'not-enrolled' || state === 'no-report'
}

/** What else is true of it, as shapes with their words for those who do not see them. */
function CellAlso({ cell, state }: { readonly cell: CellView; readonly state: HostStateName }) {
  return (
    <>
      {alsoIn(cell, state).map((fact) => (
        <em class={`also is-${fact}`}>
          <span class="unseen">, {stateWords[fact]}</span>
        </em>
      ))}
    </>
  )
}

function alsoIn({ facts }: CellView, state: HostStateName): readonly ServiceFact[] {
  return state === 'not-enrolled' ? [] : facts.filter((fact) => fact !== state)
}

function cellTitle(row: HostRow, cell: CellView, state: HostStateName): string {
  const also = alsoIn(cell, state).map((fact) => stateWords[fact])
  const counts = [
    counted(cell.findings, 'finding', 'findings'),
    counted(cell.pending, 'change pending', 'changes pending'),
  ]
  const since = cell.since === undefined ? undefined : `since ${absoluteTime(cell.since)}`
  const asOf = row.staleSince === undefined ? undefined : `as of ${absoluteTime(row.staleSince)}`
  return [`${cell.service} on ${row.host}: ${stateWords[state]}`, ...also, ...counts, since, asOf]
    .filter(Boolean)
    .join(', ')
}

function counted(count: number, one: string, many: string): string | undefined {
  return count === 0 ? undefined : `${count} ${count === 1 ? one : many}`
}
