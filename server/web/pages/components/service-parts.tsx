// What keeps a service on a host from being applied or checked, the same on the pages of a host and of a finding.
import type { Failure, Hold, Unknown } from '../../../../shared/report.ts'
import { visibleText } from '../visible-text.ts'
import { RevisionCode } from './commit.tsx'
import { ProblemList, ProblemText } from './problem.tsx'
import { HostTime, When } from './when.tsx'

export function UnknownPart({ unknown: { problems, seenAt } }: { readonly unknown: Unknown }) {
  return (
    <div class="part is-unknown">
      <p class="what">
        {seenAt === undefined ? (
          <>
            <b>Not checked in full</b>: what is below does not cover all of the service
          </>
        ) : (
          <>
            <b>Not checked</b>: what is below was found <HostTime at={seenAt} />
          </>
        )}
      </p>
      <ProblemList problems={problems} />
    </div>
  )
}

type FailureProps = { readonly failure: Failure; readonly hold: Hold | undefined }

export function ServiceFailure({ failure, hold }: FailureProps) {
  return (
    <div class="part is-failed">
      <p class="what">
        <b>Not applied</b>: failed at <code>{visibleText(failure.step)}</code>, revision{' '}
        <RevisionCode revision={failure.revision} />, <HostTime at={failure.at} />
        {failure.attempts > 1 && `, ${failure.attempts} attempts`}
        <NextAttempt failure={failure} hold={hold} />
      </p>
      <ProblemText problem={failure.problem} />
    </div>
  )
}

/** A held service is not tried again, whatever the agent had in mind. */
export function NextAttempt({ failure: { nextAttemptAt }, hold }: FailureProps) {
  if (hold !== undefined)
    return (
      <>
        ; not tried again before the hold of {visibleText(hold.by)} ends, <When at={hold.until} />
      </>
    )
  if (nextAttemptAt === undefined) return null
  return (
    <>
      ; next attempt <HostTime at={nextAttemptAt} />, or with the next commit
    </>
  )
}
