// What differs, attribute by attribute: from what was last applied to what is on the host, or to what a revision says.
import type { Difference, Revised } from '../../../../shared/finding.ts'
import { visibleText } from '../visible-text.ts'

export function Differences({ differences }: { readonly differences: readonly Difference[] }) {
  return (
    <ValueList
      values={differences.map(({ name, expected, live }) => ({
        name,
        applied: expected,
        now: live,
        where: 'on the host',
      }))}
    />
  )
}

export function RevisedValues({ differences }: Pick<Revised, 'differences'>) {
  return (
    <ValueList
      values={differences.map(({ name, applied, desired }) => ({
        name,
        applied,
        now: desired,
        where: 'in the revision',
      }))}
    />
  )
}

type ValueNow = {
  readonly name: string
  readonly applied: string | undefined
  readonly now: string
  readonly where: string
}

function ValueList({ values }: { readonly values: readonly ValueNow[] }) {
  if (values.length === 0) return null
  return (
    <dl class="differences">
      {values.map((value) => (
        <div>
          <dt>{visibleText(value.name)}</dt>
          <dd>{isHash(value.now) && isHash(value.applied ?? value.now) ? 'differs' : <Values value={value} />}</dd>
        </div>
      ))}
    </dl>
  )
}

function Values({ value: { applied, now, where } }: { readonly value: ValueNow }) {
  return (
    <>
      <span>
        <code>{visibleText(now)}</code> <span class="by">{where}</span>
      </span>
      {applied !== undefined && (
        <span>
          <code>{visibleText(applied)}</code> <span class="by">last applied</span>
        </span>
      )}
    </>
  )
}

/** Two SHA-256 sums tell a person nothing but that they differ. */
function isHash(value: string): boolean {
  return /^[0-9a-f]{64}$/.test(value)
}
