// `/`: is the fleet in sync, at which commit, what is open, and the grid of hosts and services.
import type { Child } from 'hono/jsx'
import type { FleetView, HostRow } from '../../show/views.ts'
import { AlertLines } from './components/alert.tsx'
import { CommitLine } from './components/commit.tsx'
import { Empty } from './components/empty.tsx'
import { countText } from './components/first-of.tsx'
import { HoldLines } from './components/hold.tsx'
import { enrollLink } from './components/links.ts'
import { ProblemList } from './components/problem.tsx'
import { type Mark, State, states, stateWords } from './components/state.tsx'
import { When } from './components/when.tsx'
import {
  countedState,
  type FleetFilter,
  fleetGrid,
  fleetLink,
  hostsByOwnState,
  hostsByState,
  notEnrolled,
} from './fleet-filter.ts'
import { FleetGridTable } from './fleet-grid.tsx'
import { FleetPages } from './fleet-pages.tsx'

const alertsShown = 5
/** The others are folded: what needs attention stays on the first screen. */
const holdsShown = 3

/** They come critical first; none of these is ever hidden. */
function alertLines(alerts: FleetView['openAlerts']): number {
  return Math.max(alertsShown, alerts.filter(({ severity }) => severity === 'critical').length)
}

type FleetProps = { readonly fleet: FleetView; readonly filter: FleetFilter; readonly operator: boolean }

export function FleetPage({ fleet, filter, operator }: FleetProps) {
  const { repository, openAlerts, holds } = fleet
  return (
    <>
      <FleetSummary fleet={fleet} />
      {repository.problems.length > 0 && (
        <section class="panel is-problem" aria-labelledby="problems">
          <h2 id="problems">Problems</h2>
          <ProblemList problems={repository.problems} />
        </section>
      )}
      {openAlerts.length > 0 && (
        <section class="panel" aria-labelledby="open-alerts">
          <h2 id="open-alerts">Open alerts</h2>
          <AlertLines alerts={openAlerts.slice(0, alertLines(openAlerts))} />
          {openAlerts.length > alertLines(openAlerts) && (
            <p class="more">
              <a href="/alerts">All {openAlerts.length} open alerts</a>
            </p>
          )}
        </section>
      )}
      {holds.length > 0 && (
        <section class="panel" aria-labelledby="holds">
          <h2 id="holds">Held</h2>
          <HoldLines holds={holds.slice(0, holdsShown)} operator={operator} />
          {holds.length > holdsShown && (
            <details id="more-holds">
              <summary>{holds.length - holdsShown} more</summary>
              <HoldLines holds={holds.slice(holdsShown)} operator={operator} />
            </details>
          )}
        </section>
      )}
      <FleetHosts fleet={fleet} filter={filter} operator={operator} />
    </>
  )
}

function FleetSummary({ fleet }: { readonly fleet: FleetView }) {
  const { repository, hosts } = fleet
  const inSync = hosts.filter((row) => countedState(row) === 'in-sync').length
  const whole = hosts.length > 0 && inSync === hosts.length
  return (
    <section class="summary" aria-label="Summary">
      <div class="verdict">
        <h1 class={whole ? 'is-in-sync' : ''}>{verdictOf(inSync, hosts.length)}</h1>
        {hosts.length > 0 && <StateBar counts={hostsByOwnState(hosts)} total={hosts.length} />}
        <StaleHosts hosts={hosts.filter((row) => row.staleSince !== undefined)} />
      </div>
      <dl class="facts">
        <Fact name={repository.branch === '' ? 'head' : repository.branch}>
          {repository.head === undefined ? 'no commit yet' : <CommitLine commit={repository.head} />}
        </Fact>
        <Fact name="fetched">
          {repository.fetchedAt === undefined ? 'not yet' : <When at={repository.fetchedAt} />}
          <span class="by"> from {repository.url}</span>
        </Fact>
        <Fact name="alerts">
          {fleet.openAlerts.length === 0 ? 'none open' : <a href="/alerts">{fleet.openAlerts.length} open</a>}
        </Fact>
      </dl>
    </section>
  )
}

function StaleHosts({ hosts }: { readonly hosts: readonly HostRow[] }) {
  if (hosts.length === 0) return null
  const away = hosts.filter(({ connected }) => !connected).length
  const late = hosts.length - away
  const reasons = [
    ...(away === 0 ? [] : [`${countText(away)} ${away === 1 ? 'host is' : 'hosts are'} not connected`]),
    ...(late === 0 ? [] : [`${countText(late)} ${late === 1 ? 'host has' : 'hosts have'} finished no check lately`]),
  ]
  return <p class="stale-hosts">{reasons.join(', ')}: dashed, with “was” before what was last reported.</p>
}

function verdictOf(inSync: number, hosts: number): string {
  if (hosts === 0) return 'No hosts yet'
  return `${countText(inSync)} of ${countText(hosts)} ${hosts === 1 ? 'host' : 'hosts'} in sync`
}

function Fact({ name, children }: { readonly name: string; readonly children: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

type StateBarProps = { readonly counts: ReadonlyMap<Mark, number>; readonly total: number }

/** Widths are attributes of the drawing, because the content security policy refuses inline styles. */
function StateBar({ counts, total }: StateBarProps) {
  const shown = states.toReversed().filter((state) => (counts.get(state) ?? 0) > 0)
  const label = shown.map((state) => `${counts.get(state)} ${stateWords[state]}`).join(', ')
  let left = 0
  return (
    <svg class="bar" viewBox={`0 0 ${total} 1`} preserveAspectRatio="none" role="img" aria-label={label}>
      {shown.map((state) => {
        const width = counts.get(state) ?? 0
        const x = left
        left += width
        return <rect class={`is-${state}`} x={x} y="0" width={width} height="1" />
      })}
    </svg>
  )
}

function FleetHosts({ fleet, filter, operator }: FleetProps) {
  if (fleet.hosts.length === 0) return <NoHosts fleet={fleet} />
  const grid = fleetGrid(fleet, filter)
  const missing = notEnrolled(fleet)
  return (
    <section aria-label="Hosts and services">
      {missing.length === fleet.hosts.length && <NobodyEnrolled host={missing[0] ?? ''} operator={operator} />}
      <FleetToolbar fleet={fleet} filter={filter} cells={grid.cells} />
      {grid.hosts.length === 0 ? (
        <Empty title={nothingFound(filter)}>
          <p>
            <a href="/">Show all {fleet.hosts.length} hosts</a>
          </p>
        </Empty>
      ) : (
        <>
          <FleetPages pages={grid.pages} shown={grid.hosts.length} filter={filter} place="above" />
          <FleetGridTable grid={grid} head={fleet.repository.head?.revision} operator={operator} />
          <FleetPages pages={grid.pages} shown={grid.hosts.length} filter={filter} place="below" />
        </>
      )}
    </section>
  )
}

function nothingFound(filter: FleetFilter): string {
  const state = filter.state === undefined ? '' : ` is ${stateWords[filter.state]}`
  if (filter.text === '') return `No host${state}.`
  return `No host or service named like “${filter.text}”${state}.`
}

type ToolbarProps = { readonly fleet: FleetView; readonly filter: FleetFilter; readonly cells: 'words' | 'marks' }

function FleetToolbar({ fleet, filter, cells }: ToolbarProps) {
  const counts = hostsByState(fleet.hosts)
  const shown = states.filter((state) => (counts.get(state) ?? 0) > 0 || filter.state === state)
  return (
    <div class="toolbar">
      <form method="get" action="/" data-filter="as-typed">
        <label class="unseen" for="q">
          Filter hosts or services by name
        </label>
        <input id="q" name="q" type="search" value={filter.text} placeholder="Filter hosts or services" />
        {filter.state !== undefined && <input type="hidden" name="state" value={filter.state} />}
        {filter.cells !== undefined && <input type="hidden" name="cells" value={filter.cells} />}
        <button type="submit">Filter</button>
      </form>
      <nav class="chips" aria-label="Filter by state">
        <a
          href={fleetLink(filter, { state: undefined })}
          aria-current={filter.state === undefined ? 'true' : undefined}
        >
          all <b>{fleet.hosts.length}</b>
        </a>
        {shown.map((state) => (
          <a href={fleetLink(filter, { state })} aria-current={filter.state === state ? 'true' : undefined}>
            <State state={state} count={counts.get(state) ?? 0} />
          </a>
        ))}
      </nav>
      <a class="density" href={fleetLink(filter, { cells: cells === 'words' ? 'marks' : 'words' })}>
        {cells === 'words' ? 'Compact' : 'With words'}
      </a>
    </div>
  )
}

function NobodyEnrolled({ host, operator }: { readonly host: string; readonly operator: boolean }) {
  return (
    <Empty title="The repository names these hosts; none has an agent yet.">
      <p>
        {operator ? (
          <>
            <a href={enrollLink(host)}>Enroll {host}</a>: one line to run on the machine as root. It then applies its
            services and appears here.
          </>
        ) : (
          <>
            <a href="/login">Sign in</a> as the operator to enroll the first one.
          </>
        )}
      </p>
    </Empty>
  )
}

function NoHosts({ fleet }: { readonly fleet: FleetView }) {
  const { repository } = fleet
  if (repository.head === undefined) {
    return (
      <Empty title="The repository has not been cloned yet.">
        <p>
          The server is fetching <code>{repository.url}</code>. If this stays, check that the address is right and that
          this server may read it.
        </p>
      </Empty>
    )
  }
  return (
    <Empty title="plumb.yaml names no host.">
      <p>Name one, commit and push; it appears here as not enrolled, and enrolling is one line.</p>
      <pre>{'hosts:\n  web-1: { services: [base] }'}</pre>
    </Empty>
  )
}
