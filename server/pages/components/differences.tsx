// What differs, attribute by attribute: what is on the host and what the repository says.
import type { Difference } from '../../../shared/finding.ts'
import { visibleText } from '../visible-text.ts'

export function Differences({ differences }: { readonly differences: readonly Difference[] }) {
  if (differences.length === 0) return null
  return (
    <dl class="differences">
      {differences.map((difference) => (
        <div>
          <dt>{visibleText(difference.name)}</dt>
          <dd>
            {isHash(difference.live) && isHash(difference.expected) ? 'differs' : <Values difference={difference} />}
          </dd>
        </div>
      ))}
    </dl>
  )
}

function Values({ difference }: { readonly difference: Difference }) {
  return (
    <>
      <span>
        <code>{visibleText(difference.live)}</code> <span class="by">on the host</span>
      </span>
      <span>
        <code>{visibleText(difference.expected)}</code> <span class="by">in the repository</span>
      </span>
    </>
  )
}

/** Two SHA-256 sums tell a person nothing but that they differ. */
function isHash(value: string): boolean {
  return /^[0-9a-f]{64}$/.test(value)
}
