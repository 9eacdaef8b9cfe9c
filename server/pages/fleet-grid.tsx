// The grid of hosts and services. Up to 200 x 30 cells: each is one element and a link, nothing more.
import type { Revision } from '../../shared/names.ts'
import type { CellView, HostRow, HostStateName } from '../show/views.ts'
import { shortRevision } from './components/commit.tsx'
import { enrolLink, hostLink, hostServiceLink, serviceLink } from './components/links.ts'
import { State, stateWords } from './components/state.tsx'
import { When } from './components/when.tsx'
import { cellsByService, type FleetGrid } from './fleet-filter.ts'
import { absoluteTime } from './relative-time.ts'

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
  const inPlumb = row.cells.filter((cell) => cell.state === 'in-plumb').length
  return (
    <tr id={`host-${row.host}`} class={row.state === 'silent' ? 'was' : undefined}>
      <th scope="row">
        <div class="who">
          <a href={hostLink(row.host)}>{row.host}</a>
          <HostState row={row} operator={operator} />
        </div>
        {grid.cells === 'marks' && (
          <span class="tally">
            {inPlumb} of {row.cells.length} services in plumb
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

function HostState({ row, operator }: { readonly row: HostRow; readonly operator: boolean }) {
  return (
    <span class="host-state">
      {row.state === 'not-enrolled' && operator ? (
        <a href={enrolLink(row.host)} title={`Enrol ${row.host}`}>
          <State state={row.state} />
        </a>
      ) : (
        <State state={row.state} />
      )}
      {row.state === 'silent' && row.lastSeenAt !== undefined && <When at={row.lastSeenAt} />}
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
  return (
    <td class={`is-${state}`} data-service={cell.service}>
      <a href={hostServiceLink(row.host, cell.service)} title={cellTitle(row, cell, state)}>
        <span>
          {row.state === 'silent' && 'was '}
          {stateWords[state]}
        </span>
        {count > 1 && <b> {count}</b>}
      </a>
    </td>
  )
}

/** Quiet cells have none: their word says it all, and the page stays light. */
function cellTitle(row: HostRow, cell: CellView, state: HostStateName): string | undefined {
  if (state === 'in-plumb' || state === 'not-enrolled') return undefined
  const counts = [
    counted(cell.findings, 'finding', 'findings'),
    counted(cell.pending, 'change pending', 'changes pending'),
  ]
  const since = cell.since === undefined ? undefined : sinceText(cell.since)
  return [`${cell.service} on ${row.host}: ${stateWords[state]}`, ...counts, since].filter(Boolean).join(', ')
}

function counted(count: number, one: string, many: string): string | undefined {
  return count === 0 ? undefined : `${count} ${count === 1 ? one : many}`
}

function sinceText(at: string): string {
  const moment = new Date(at)
  return `since ${Number.isNaN(moment.getTime()) ? at : absoluteTime(moment)}`
}
