// One service on a host: a line when it is in sync, and below the line whatever keeps it from that.

import type { Evidence } from '../../../shared/evidence.ts'
import { evidenceLine } from '../../../shared/evidence-text.ts'
import type { Finding } from '../../../shared/finding.ts'
import type { HostName, Revision } from '../../../shared/names.ts'
import { repairLoopText } from '../../../shared/repair-loop-text.ts'
import type { IgnoredDrift, Pending } from '../../../shared/report.ts'
import type { CommitView, HostStateName, HostView } from '../../show/views.ts'
import { CommitLine, RevisionCode } from './components/commit.tsx'
import { Differences } from './components/differences.tsx'
import { AskedPart, HeldPart, HoldForm } from './components/hold.tsx'
import { driftLink, serviceAnchor, serviceLink, whyLink } from './components/links.ts'
import { ResourceName, WhyAnchor } from './components/resource.tsx'
import { ServiceFailure, UnknownPart } from './components/service-parts.tsx'
import { States } from './components/state.tsx'
import { HostTime } from './components/when.tsx'
import { visibleText } from './visible-text.ts'

type ServiceOnHost = HostView['services'][number]

type HostServiceProps = {
  readonly host: Pick<HostView, 'host' | 'state' | 'staleSince'>
  readonly service: ServiceOnHost
  readonly operator: boolean
}

const findingsShown = 100
const pendingShown = 100

export function HostService({ host: { host, state: hostState, staleSince }, service, operator }: HostServiceProps) {
  const isStale = staleSince !== undefined
  const state = hostState === 'not-enrolled' ? 'not-enrolled' : service.state
  return (
    <article class={`host-service is-${state}${isStale ? ' was' : ''}`} id={serviceAnchor(service.service)}>
      <header>
        <h3>
          <a href={serviceLink(service.service)}>{service.service}</a>
        </h3>
        <States state={state} facts={state === 'not-enrolled' ? [] : service.facts} was={isStale} />
        {service.unreported !== true && (
          <span class="applied">
            <Applied revision={service.applied} at={service.appliedAt} commit={service.commit} />
          </span>
        )}
      </header>
      {service.hold !== undefined && (
        <HeldPart host={host} service={service.service} hold={service.hold} operator={operator} />
      )}
      {service.unknown !== undefined && <UnknownPart unknown={service.unknown} />}
      {service.unreported === true && (
        <p class="part is-unknown">
          <b>Not reported</b>: the repository gives it to {host}, whose latest report says nothing of it
        </p>
      )}
      {service.failure !== undefined && <ServiceFailure failure={service.failure} hold={service.hold} />}
      {service.asked.map((hold) => (
        <AskedPart host={host} hold={hold} operator={operator} />
      ))}
      {service.findings.length > 0 && <Findings host={host} findings={service.findings} />}
      {service.pending.length > 0 && <PendingChanges host={host} pending={service.pending} />}
      {service.ignored !== undefined && <IgnoredPart ignored={service.ignored} />}
      {operator && isHoldable(service, hostState) && <HoldForm host={host} service={service.service} />}
    </article>
  )
}

/** One hold at a time: whoever wants another length releases the first. */
function isHoldable({ hold, asked }: ServiceOnHost, hostState: HostStateName): boolean {
  return hostState !== 'not-enrolled' && hold === undefined && asked.length === 0
}

type AppliedProps = {
  readonly revision: Revision | undefined
  readonly at: string | undefined
  readonly commit: CommitView | undefined
}

function Applied({ revision, at, commit }: AppliedProps) {
  if (revision === undefined) return <span class="by">never applied</span>
  return (
    <>
      {commit === undefined ? <RevisionCode revision={revision} /> : <CommitLine commit={commit} />}
      {at !== undefined && (
        <span class="by">
          {' '}
          · applied <HostTime at={at} />
        </span>
      )}
    </>
  )
}

function EvidenceLine({ evidence }: { readonly evidence: Evidence }) {
  const line = evidenceLine(evidence)
  return line === undefined ? null : <p class="by">{line}</p>
}

function Findings({ host, findings }: { readonly host: HostName; readonly findings: readonly Finding[] }) {
  return (
    <div class="part is-drift">
      <p class="what">
        <b>{findings.length === 1 ? 'One finding' : `${findings.length} findings`}</b>: the host was changed outside of
        the repository
      </p>
      <ul class="findings">
        {findings.slice(0, findingsShown).map((finding) => (
          <li>
            <a href={driftLink(host, finding.resource)}>
              <ResourceName resource={finding.resource} />
            </a>{' '}
            <WhyAnchor source={finding.source} host={host} />
            <Differences differences={finding.differences} />
            <EvidenceLine evidence={finding.evidence} />
            {finding.seenAt !== undefined && (
              <p class="by">
                Found <HostTime at={finding.seenAt} />; it could not be checked again since.
              </p>
            )}
            {finding.fight !== undefined && <p class="by">{repairLoopText(finding.fight)}</p>}
          </li>
        ))}
      </ul>
      <Left count={findings.length - findingsShown} command="plumb check" />
    </div>
  )
}

function PendingChanges({ host, pending }: { readonly host: HostName; readonly pending: readonly Pending[] }) {
  return (
    <div class="part is-pending">
      <p class="what">
        <b>{pending.length === 1 ? 'One change' : `${pending.length} changes`} pending</b>: in the repository, not
        applied yet
      </p>
      <ul class="changes">
        {pending.slice(0, pendingShown).map((change) => (
          <li>
            <span>{visibleText(change.summary)}</span>
            {change.source !== undefined && (
              <a class="source" href={whyLink(change.source, host)}>
                <code>{visibleText(change.source)}</code>
              </a>
            )}
          </li>
        ))}
      </ul>
      <Left count={pending.length - pendingShown} command="plumb plan" />
    </div>
  )
}

function IgnoredPart({ ignored }: { readonly ignored: readonly IgnoredDrift[] }) {
  return (
    <div class="part is-ignored">
      <p class="what">
        <b>{ignored.length === 1 ? 'One difference' : `${ignored.length} differences`} ignored</b>: left as it is, by
        the repository's word
      </p>
      <ul class="changes">
        {ignored.slice(0, findingsShown).map(({ summary, why }) => (
          <li>
            <span>{visibleText(summary)}</span>
            <span class="by">{visibleText(why)}</span>
          </li>
        ))}
      </ul>
      <Left count={ignored.length - findingsShown} command="plumb check" />
    </div>
  )
}

function Left({ count, command }: { readonly count: number; readonly command: string }) {
  if (count <= 0) return null
  return (
    <p class="more">
      and {count} more; <code>{command}</code> on the host lists all
    </p>
  )
}
