// `/hosts/:host`: what a host should be, what it is, what was done to it.
import type { CommitView, HostView } from '../../show/views.ts'
import { AlertLines } from './components/alert.tsx'
import { CommitLine, RevisionCode } from './components/commit.tsx'
import { Empty } from './components/empty.tsx'
import { enrollLink } from './components/links.ts'
import { ProblemList } from './components/problem.tsx'
import { StaleNote } from './components/stale.tsx'
import { State } from './components/state.tsx'
import { ClockAhead, ClockNote, When } from './components/when.tsx'
import { FailedApplies } from './failed-applies.tsx'
import { HostApplies, HostTransitions } from './host-history.tsx'
import { HostService } from './host-service.tsx'

type HostProps = {
  readonly host: HostView
  /** By the repository's path: the commits behind the files that recent applies changed. */
  readonly commits: ReadonlyMap<string, CommitView>
  readonly operator: boolean
}

export function HostPage({ host, commits, operator }: HostProps) {
  const open = host.alerts.filter((alert) => alert.resolvedAt === undefined)
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/">Fleet</a>
      </nav>
      <div class="heading">
        <h1>{host.host}</h1>
        <State state={host.state} was={host.staleSince !== undefined && host.state !== 'offline'} />
      </div>
      <StaleNote host={host.host} since={host.staleSince} connected={host.connected} />
      <ClockNote host={host.host} aheadSeconds={host.clockAheadSeconds} />
      <Unplaced host={host} />
      <HostFacts host={host} />
      {host.problems.length > 0 && (
        <section class="panel is-problem" aria-labelledby="problems">
          <h2 id="problems">Problems on the host</h2>
          <ProblemList problems={host.problems} />
        </section>
      )}
      {open.length > 0 && (
        <section class="panel" aria-labelledby="alerts">
          <h2 id="alerts">Open alerts</h2>
          <AlertLines alerts={open} />
        </section>
      )}
      {host.state === 'not-enrolled' && <NotEnrolled host={host} operator={operator} />}
      <ClockAhead.Provider value={host.clockAheadSeconds}>
        <section aria-labelledby="services">
          <h2 id="services">Services</h2>
          {host.services.length === 0 ? <NoServices host={host} /> : <HostServices host={host} operator={operator} />}
        </section>
        <FailedApplies host={host} />
        <HostApplies host={host} commits={commits} />
      </ClockAhead.Provider>
      <HostTransitions host={host} />
    </>
  )
}

/** Why its state is unknown, though its services say nothing of that. */
function Unplaced({ host }: { readonly host: HostView }) {
  if (host.unnamed !== true && host.elsewhere !== true) return null
  return (
    <p class="stale" role="note">
      <b>Nothing says what {host.host} should have.</b>{' '}
      {host.unnamed === true
        ? 'plumb.yaml does not name it: name it there, or remove the host.'
        : 'Its revision is not in the repository, as far as this server has fetched it.'}
    </p>
  )
}

function HostFacts({ host }: { readonly host: HostView }) {
  return (
    <dl class="facts">
      <div class="wide">
        <dt>revision</dt>
        <dd>
          <HostRevision host={host} />
        </dd>
      </div>
      <div>
        <dt>agent</dt>
        <dd>
          {host.connected ? 'connected' : 'not connected'}
          {host.agentVersion !== undefined && <span class="by">, version {host.agentVersion}</span>}
        </dd>
      </div>
      {host.lastSeenAt !== undefined && (
        <div>
          <dt>last heard of</dt>
          <dd>
            <When at={host.lastSeenAt} />
          </dd>
        </div>
      )}
      {host.platform !== undefined && (
        <div>
          <dt>platform</dt>
          <dd>{host.platform}</dd>
        </div>
      )}
      {host.enrolledAt !== undefined && (
        <div>
          <dt>enrolled</dt>
          <dd>
            <When at={host.enrolledAt} />
          </dd>
        </div>
      )}
    </dl>
  )
}

function HostRevision({ host }: { readonly host: HostView }) {
  if (host.commit !== undefined) return <CommitLine commit={host.commit} />
  if (host.revision !== undefined) return <RevisionCode revision={host.revision} />
  return <>none synced yet</>
}

function HostServices({ host, operator }: { readonly host: HostView; readonly operator: boolean }) {
  return (
    <div class="services">
      {host.services.map((service) => (
        <HostService host={host} service={service} operator={operator} />
      ))}
    </div>
  )
}

function NotEnrolled({ host, operator }: { readonly host: HostView; readonly operator: boolean }) {
  return (
    <Empty title={`The repository names ${host.host}; no agent has enrolled as it.`}>
      <p>
        {operator ? (
          <>
            <a href={enrollLink(host.host)}>Enroll {host.host}</a>: one line to run on the machine as root.
          </>
        ) : (
          <>
            <a href="/login">Sign in</a> as the operator to enroll it.
          </>
        )}
      </p>
    </Empty>
  )
}

function NoServices({ host }: { readonly host: HostView }) {
  return (
    <Empty title="No service.">
      <p>
        {host.state === 'no-report'
          ? 'The agent has enrolled and has not reported yet; its first report comes after its first sync.'
          : `List some under hosts.${host.host}.services in plumb.yaml, commit and push.`}
      </p>
    </Empty>
  )
}
