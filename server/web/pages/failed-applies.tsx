// What could not be applied on a host: one row for each service and revision, with its attempts, what was said, and when it is tried again.
import type { FailedApplyView, HostView } from '../../show/views.ts'
import { CommitLine, RevisionCode } from './components/commit.tsx'
import { hostServiceLink } from './components/links.ts'
import { ProblemText } from './components/problem.tsx'
import { NextAttempt } from './components/service-parts.tsx'
import { State } from './components/state.tsx'
import { HostTime, When } from './components/when.tsx'
import { visibleText } from './visible-text.ts'

export function FailedApplies({ host }: { readonly host: HostView }) {
  if (host.failedApplies.length === 0) return null
  return (
    <section aria-labelledby="failed-applies">
      <h2 id="failed-applies">Failed applies</h2>
      <div class="applies">
        {host.failedApplies.map((failed) => (
          <FailedApply failed={failed} host={host.host} />
        ))}
      </div>
    </section>
  )
}

function FailedApply({ failed, host }: { readonly failed: FailedApplyView; readonly host: string }) {
  const { service, failure, isCurrent, commit } = failed
  return (
    <details id={`failed-${encodeURIComponent(service)}-${failure.revision}`} open={isCurrent}>
      <summary>
        <State state="failed" /> <b>{service}</b> <span>{attemptsText(failure.attempts)}</span>
        {commit === undefined ? <RevisionCode revision={failure.revision} /> : <CommitLine commit={commit} />}
        <span class="by">
          {' '}
          · {isCurrent ? 'last tried' : 'over; last tried'} <HostTime at={failure.at} />
        </span>
      </summary>
      <p class="what">
        Failed at <code>{visibleText(failure.step)}</code>; first heard of <When at={failed.firstAt} />
        {isCurrent && <NextAttempt failure={failure} hold={failed.hold} />}.{' '}
        <a href={hostServiceLink(host, service)}>{isCurrent ? `Why, and ${service} now` : `${service} now`}</a>
      </p>
      {!isCurrent && <ProblemText problem={failure.problem} />}
    </details>
  )
}

function attemptsText(attempts: number): string {
  return attempts === 1 ? '1 attempt' : `${attempts} attempts`
}
