// What happened on a host: its applies with the commit behind each changed file, and its transitions.
import type { Change } from '../../../shared/report.ts'
import type { CommitView, HostView, TransitionView } from '../../show/views.ts'
import type { KeptApply } from '../../store/history.ts'
import { wroteIt } from './change-commits.ts'
import { CommitLine, RevisionCode } from './components/commit.tsx'
import { hostServiceLink, serviceLink } from './components/links.ts'
import { Repaired } from './components/repaired.tsx'
import { WhyAnchor } from './components/resource.tsx'
import { State, stateOfText } from './components/state.tsx'
import { HostTime, When } from './components/when.tsx'
import { visibleText } from './visible-text.ts'

const changesShown = 200

type AppliesProps = { readonly host: HostView; readonly commits: ReadonlyMap<string, CommitView> }

export function HostApplies({ host, commits }: AppliesProps) {
  if (host.applies.length === 0) return null
  return (
    <section aria-labelledby="applies">
      <h2 id="applies">Recent applies</h2>
      <div class="applies">
        {host.applies.map((apply, index) => (
          <details id={`apply-${apply.at}`} open={index === 0}>
            <summary>
              <ApplyHeading apply={apply} />
            </summary>
            <FailedServices apply={apply} host={host} />
            <ApplyChanges apply={apply} commits={commits} host={host.host} />
          </details>
        ))}
      </div>
    </section>
  )
}

function ApplyHeading({ apply }: { readonly apply: HostView['applies'][number] }) {
  const { commit } = apply
  return (
    <>
      <b>{changesText(apply.changes.length + (apply.changesLeftOut ?? 0))}</b>
      {apply.failed.length > 0 && (
        <span>
          <State state="failed" /> {apply.failed.join(', ')}
        </span>
      )}
      {commit === undefined ? <RevisionCode revision={apply.revision} /> : <CommitLine commit={commit} />}
      <span class="by">
        · applied <HostTime at={apply.at} />
        {apply.by !== undefined && ` by ${visibleText(apply.by)}`}
      </span>
    </>
  )
}

/** Not in the heading: that is a button already, and a link in a button is neither. */
function FailedServices({ apply, host }: { readonly apply: KeptApply; readonly host: HostView }) {
  if (apply.failed.length === 0) return null
  return (
    <p>
      Why it failed:{' '}
      {apply.failed.map((service, index) => (
        <>
          {index > 0 && ', '}
          <a href={hostServiceLink(host.host, service)}>{service}</a>
        </>
      ))}
    </p>
  )
}

function changesText(count: number): string {
  if (count === 0) return 'no change'
  return count === 1 ? '1 change' : `${count} changes`
}

type ChangesProps = {
  readonly apply: KeptApply
  readonly commits: ReadonlyMap<string, CommitView>
  readonly host: string
}

function ApplyChanges({ apply, commits, host }: ChangesProps) {
  const left = Math.max(0, apply.changes.length - changesShown) + (apply.changesLeftOut ?? 0)
  return (
    <>
      <ul class="changes">
        {apply.changes.slice(0, changesShown).map((change) => (
          <ApplyChange change={change} commit={commitOf(change, apply, commits)} host={host} />
        ))}
      </ul>
      {left > 0 && <p class="more">and {left} more</p>}
      {apply.repaired !== undefined && <Repaired repaired={apply.repaired} host={host} />}
    </>
  )
}

type ChangeProps = { readonly change: Change; readonly commit: CommitView | undefined; readonly host: string }

function ApplyChange({ change, commit, host }: ChangeProps) {
  return (
    <li>
      <span>
        <a href={serviceLink(change.service)}>{change.service}</a>: {visibleText(change.summary)}{' '}
        <WhyAnchor source={change.source} host={host} />
      </span>
      {commit !== undefined && <CommitLine commit={commit} />}
    </li>
  )
}

function commitOf(change: Change, apply: KeptApply, commits: ReadonlyMap<string, CommitView>): CommitView | undefined {
  const commit = change.source === undefined ? undefined : commits.get(change.source)
  return commit !== undefined && wroteIt(commit, apply) ? commit : undefined
}

export function HostTransitions({ host }: { readonly host: HostView }) {
  if (host.transitions.length === 0) return null
  return (
    <section aria-labelledby="transitions">
      <h2 id="transitions">Transitions</h2>
      <section class="table-box" aria-label="Transitions, as a table" tabindex={0}>
        <table class="list">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Service</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col">Revision</th>
            </tr>
          </thead>
          <tbody>
            {host.transitions.map((transition) => (
              <TransitionRow transition={transition} />
            ))}
          </tbody>
        </table>
      </section>
    </section>
  )
}

function TransitionRow({ transition }: { readonly transition: TransitionView }) {
  const { at, service, from, to, revision } = transition
  return (
    <tr>
      <td>
        <When at={at} />
      </td>
      <td>{service === undefined ? <span class="by">the host</span> : <a href={serviceLink(service)}>{service}</a>}</td>
      <td>{from !== undefined && <StateText text={from} />}</td>
      <td>
        <StateText text={to} />
      </td>
      <td>{revision !== undefined && <RevisionCode revision={revision} />}</td>
    </tr>
  )
}

function StateText({ text }: { readonly text: string }) {
  const state = stateOfText(text)
  return state === undefined ? visibleText(text) : <State state={state} />
}
