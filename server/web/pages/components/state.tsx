// A state as a shape and a word; the shape is drawn by style/states.css from the class.
import type { ServiceFact } from '../../../../shared/report.ts'
import type { HostStateName } from '../../../show/views.ts'

/** What has a shape and a word of its own: a state, or that something is held, which goes with any state. */
export type Mark = HostStateName | 'held'

/** Most urgent first: the order of rows, of filters and of the bar. */
export const states = [
  'failed',
  'drift',
  'offline',
  'unknown',
  'held',
  'pending',
  'no-report',
  'not-enrolled',
  'in-sync',
] as const satisfies readonly Mark[]

export const stateWords: Readonly<Record<Mark, string>> = {
  'in-sync': 'in sync',
  drift: 'drift',
  pending: 'pending',
  failed: 'failed',
  held: 'held',
  offline: 'offline',
  'not-enrolled': 'not enrolled',
  unknown: 'unknown',
  'no-report': 'no report yet',
}

type StateProps = {
  readonly state: Mark
  readonly count?: number | undefined
  /** It was so when last heard of, and is not known to be so now. */
  readonly was?: boolean
}

export function State({ state, count, was = false }: StateProps) {
  return (
    <span class={`state is-${state}${was ? ' was' : ''}`}>
      {was && 'was '}
      {stateWords[state]}
      {count !== undefined && <b> {count}</b>}
    </span>
  )
}

type StatesProps = { readonly state: HostStateName; readonly facts: readonly ServiceFact[]; readonly was?: boolean }

/** The state, and behind it what else is true. */
export function States({ state, facts, was = false }: StatesProps) {
  return (
    <span class="states">
      <State state={state} was={was} />
      {facts
        .filter((fact) => fact !== state)
        .map((fact) => (
          <State state={fact} was={was} />
        ))}
    </span>
  )
}

/** `drift`, `pending` ... when `text` is a state's word or name; undefined for any other text. */
export function stateOfText(text: string): Mark | undefined {
  return states.find((state) => state === text || stateWords[state] === text)
}
