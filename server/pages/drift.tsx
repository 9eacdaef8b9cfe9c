// `/hosts/:host/drift?resource=...`: one finding - what differs, since when, why the repository says otherwise, and the ways out.
import type { Evidence } from '../../shared/evidence.ts'
import { surroundingTexts } from '../../shared/evidence-text.ts'
import type { DriftView } from '../show/views.ts'
import { CommitCard } from './components/commit.tsx'
import { Diff } from './components/diff.tsx'
import { Differences } from './components/differences.tsx'
import { hostLink, hostServiceLink, serviceLink, whyLink } from './components/links.ts'
import { ResourceName, resourceParts } from './components/resource.tsx'
import { State } from './components/state.tsx'
import { ValueChanges } from './components/value-changes.tsx'
import { When } from './components/when.tsx'
import { visibleText } from './visible-text.ts'
import { type OwnAddress, WaysOut } from './ways-out.tsx'

const diffLinesShown = 5000

export function DriftPage({ drift, server }: { readonly drift: DriftView; readonly server: OwnAddress }) {
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
        <State state="drift" />
      </div>
      <p class="lead">{visibleText(finding.summary)}</p>
      <div class="columns is-wide-left">
        <div>
          <Differences differences={finding.differences} />
          <ValueChanges finding={drift.finding} />
          <FindingDiff drift={drift} />
        </div>
        <aside>
          <Since drift={drift} />
          <Why drift={drift} />
          <WaysOut drift={drift} server={server} />
        </aside>
      </div>
    </>
  )
}

function FindingDiff({ drift }: { readonly drift: DriftView }) {
  const { finding } = drift
  if (finding.diff === undefined) return <p class="by">No diff: not a text, or nothing but the attributes differs.</p>
  return (
    <>
      <p class="diff-key">
        <span class="removed">- the repository says</span>
        <span class="added">+ is on the host</span>
      </p>
      <Diff diff={finding.diff} label={`Diff of ${resourceParts(finding.resource).name}`} limit={diffLinesShown} />
      {finding.diffCut && <p class="by">The diff was cut by the agent: it is longer than a report may carry.</p>}
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
        {stateChangedAt !== undefined && <EvidenceTime name="as it is since" at={stateChangedAt} />}
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
        <When at={at} exact />
      </dd>
    </div>
  )
}

function Why({ drift }: { readonly drift: DriftView }) {
  return (
    <section class="panel" aria-labelledby="why">
      <h2 id="why">Why the repository says otherwise</h2>
      {drift.finding.source !== undefined && (
        <p>
          <a href={whyLink(drift.finding.source, drift.host)}>
            <code>{visibleText(drift.finding.source)}</code>
          </a>
        </p>
      )}
      {drift.why === undefined ? (
        <p class="by">
          No commit is known for it; it follows from <a href={serviceLink(drift.service)}>{drift.service}</a> as a
          whole.
        </p>
      ) : (
        <CommitCard commit={drift.why} />
      )}
    </section>
  )
}
