// `/hosts/:host/drift?resource=...`: one finding - what was changed on the host, what a commit changes beside it, and the ways out.
import type { Child } from 'hono/jsx'
import type { Evidence } from '../../../shared/evidence.ts'
import { surroundingTexts } from '../../../shared/evidence-text.ts'
import { hiddenText } from '../../../shared/hidden-text.ts'
import { parseResourceId, type Revision } from '../../../shared/names.ts'
import { stateIn } from '../../../shared/report.ts'
import { isOfKind } from '../../../shared/resource.ts'
import type { DriftView } from '../../show/views.ts'
import { CommitCard, RevisionCode } from './components/commit.tsx'
import { Diff } from './components/diff.tsx'
import { Differences, RevisedValues } from './components/differences.tsx'
import { HeldPart } from './components/hold.tsx'
import { hostLink, hostServiceLink, serviceLink, whyLink } from './components/links.ts'
import { ResourceName } from './components/resource.tsx'
import { ServiceFailure, UnknownPart } from './components/service-parts.tsx'
import { StaleNote } from './components/stale.tsx'
import { States } from './components/state.tsx'
import { ValueChanges } from './components/value-changes.tsx'
import { ClockAhead, ClockNote, HostTime, When } from './components/when.tsx'
import { visibleText } from './visible-text.ts'
import { type OwnAddress, WaysOut } from './ways-out.tsx'

const diffLinesShown = 5000

type DriftProps = {
  readonly drift: DriftView
  readonly server: OwnAddress
  readonly operator: boolean
}

export function DriftPage({ drift, server, operator }: DriftProps) {
  const { finding } = drift
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/">Fleet</a>
        <a href={hostLink(drift.host)}>{drift.host}</a>
        <a href={hostServiceLink(drift.host, drift.service)}>{drift.service}</a>
      </nav>
      <div class="heading">
        <h1>
          <ResourceName resource={finding.resource} />
        </h1>
        <States state={stateIn(drift.facts)} facts={drift.facts} was={drift.staleSince !== undefined} />
      </div>
      <StaleNote host={drift.host} since={drift.staleSince} connected={drift.connected} />
      <ClockNote host={drift.host} aheadSeconds={drift.clockAheadSeconds} />
      <p class="lead">{visibleText(finding.summary)}</p>
      <ClockAhead.Provider value={drift.clockAheadSeconds}>
        <Circumstances drift={drift} operator={operator} />
        <div class="columns is-wide-left">
          <div>
            <OnHost drift={drift} />
            {drift.pending !== undefined && <InRevision drift={drift} pending={drift.pending} />}
          </div>
          <aside>
            <Since drift={drift} />
            <Why drift={drift} />
            <WaysOut drift={drift} server={server} />
          </aside>
        </div>
      </ClockAhead.Provider>
    </>
  )
}

/** Whatever decides what can be done now: the hold first. */
function Circumstances({ drift, operator }: { readonly drift: DriftView; readonly operator: boolean }) {
  const { host, service, hold, failure, unknown } = drift
  if (hold === undefined && failure === undefined && unknown === undefined) return null
  return (
    <section class="host-service" aria-label="What decides what can be done now">
      {hold !== undefined && <HeldPart host={host} service={service} hold={hold} operator={operator} />}
      {failure !== undefined && <ServiceFailure failure={failure} hold={hold} />}
      {unknown !== undefined && <UnknownPart unknown={unknown} />}
    </section>
  )
}

/** Last applied -> live. */
function OnHost({ drift }: { readonly drift: DriftView }) {
  return (
    <section aria-labelledby="on-host">
      <h2 id="on-host">Changed on the host</h2>
      <Differences differences={drift.finding.differences} />
      <ValueChanges finding={drift.finding} />
      <FindingDiff drift={drift} />
    </section>
  )
}

type InRevisionProps = { readonly drift: DriftView; readonly pending: NonNullable<DriftView['pending']> }

/** Last applied -> desired. */
function InRevision({ drift, pending }: InRevisionProps) {
  const { finding, revision } = drift
  const { revised } = finding
  const name = parseResourceId(finding.resource).name
  return (
    <section aria-labelledby="in-revision">
      <h2 id="in-revision">Changed in the repository, not applied yet</h2>
      {pending.commit !== undefined && <CommitCard commit={pending.commit} />}
      {revised === undefined ? (
        <p class="by">{visibleText(pending.summary)}</p>
      ) : (
        <>
          <RevisedValues differences={revised.differences} />
          {revised.diff !== undefined && (
            <>
              <DiffKey
                before="last applied"
                after={<>in revision {revision && <RevisionCode revision={revision} />}</>}
              />
              <Diff diff={revised.diff} label={`Diff of ${name} in the repository`} limit={diffLinesShown} />
            </>
          )}
          {revised.diffCut && <p class="by">The diff was cut by the agent: it is longer than a report may carry.</p>}
        </>
      )}
    </section>
  )
}

function DiffKey({ before, after }: { readonly before: Child; readonly after: Child }) {
  return (
    <p class="diff-key">
      <span class="removed">- {before}</span>
      <span class="added">+ {after}</span>
    </p>
  )
}

function FindingDiff({ drift }: { readonly drift: DriftView }) {
  const { finding } = drift
  if (finding.log !== undefined) return <FailureLog log={finding.log} />
  if (finding.diffHidden !== undefined) return <p class="by">No diff: {visibleText(hiddenText(finding.diffHidden))}.</p>
  if (finding.diff === undefined && finding.diffCut)
    return <p class="by">No diff: the agent left it out, because the report would be longer than it may be.</p>
  if (finding.diff === undefined) {
    const isFile = isOfKind(finding.resource, 'file')
    return isFile ? <p class="by">No diff: not a text, or nothing but the attributes differs.</p> : null
  }
  return (
    <>
      <DiffKey
        before={<>as last applied{drift.applied !== undefined && <AppliedAt revision={drift.applied} />}</>}
        after="on the host"
      />
      <Diff diff={finding.diff} label={`Diff of ${parseResourceId(finding.resource).name}`} limit={diffLinesShown} />
      {finding.diffCut && <p class="by">The diff was cut by the agent: it is longer than a report may carry.</p>}
    </>
  )
}

function AppliedAt({ revision }: { readonly revision: Revision }) {
  return (
    <>
      , at <RevisionCode revision={revision} />
    </>
  )
}

function FailureLog({ log }: { readonly log: string }) {
  return (
    <>
      <p class="by">The end of its journal:</p>
      <pre>{visibleText(log)}</pre>
    </>
  )
}

function Since({ drift }: { readonly drift: DriftView }) {
  return (
    <section class="panel" aria-labelledby="since">
      <h2 id="since">Since when</h2>
      <p>
        Noticed <When at={drift.since} exact />
      </p>
      <EvidenceFacts evidence={drift.finding.evidence} />
    </section>
  )
}

function EvidenceFacts({ evidence }: { readonly evidence: Evidence }) {
  const { modifiedAt, changedAt, stateChangedAt, directoryChangedAt, owner, group, mode, size } = evidence
  const around = surroundingTexts(evidence)
  const owners = [owner, group].filter((name) => name !== undefined).join(':')
  return (
    <>
      <dl class="evidence">
        {modifiedAt !== undefined && <EvidenceTime name="content written" at={modifiedAt} />}
        {changedAt !== undefined && <EvidenceTime name="inode changed" at={changedAt} />}
        {stateChangedAt !== undefined && <EvidenceTime name="in this state since" at={stateChangedAt} />}
        {directoryChangedAt !== undefined && <EvidenceTime name="its directory changed" at={directoryChangedAt} />}
        {owners !== '' && <EvidenceFact name="owner" value={owners} />}
        {mode !== undefined && <EvidenceFact name="mode" value={mode} />}
        {size !== undefined && <EvidenceFact name="size" value={`${size.toLocaleString('en')} bytes`} />}
      </dl>
      {around.length > 0 && (
        <>
          <h3>Evidence, not proof</h3>
          <ul class="surroundings">
            {around.map((text) => (
              <li>{visibleText(text)}</li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}

function EvidenceFact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{visibleText(value)}</dd>
    </div>
  )
}

function EvidenceTime({ name, at }: { readonly name: string; readonly at: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <HostTime at={at} exact />
      </dd>
    </div>
  )
}

/** Of what was last applied, which is what a person changed; of a pending change its own commit is told beside it. */
function Why({ drift }: { readonly drift: DriftView }) {
  const { finding, host, service, why } = drift
  return (
    <section class="panel" aria-labelledby="why">
      <h2 id="why">
        {drift.pending === undefined ? 'Why the repository says otherwise' : 'Why it was as last applied'}
      </h2>
      {finding.source !== undefined && (
        <p>
          <a href={whyLink(finding.source, host)}>
            <code>{visibleText(finding.source)}</code>
          </a>
        </p>
      )}
      {why === undefined ? (
        <p class="by">
          No commit is known for it; it follows from <a href={serviceLink(service)}>{service}</a> as a whole.
        </p>
      ) : (
        <CommitCard commit={why} />
      )}
    </section>
  )
}
