// A state as a shape and a word; the shape is drawn by style.css from the class.
import type { HostStateName } from '../../show/views.ts'

/** Most urgent first: the order of rows, of filters and of the bar. */
export const states = [
  'failed',
  'drift',
  'silent',
  'held',
  'pending',
  'unknown',
  'not-enrolled',
  'in-plumb',
] as const satisfies readonly HostStateName[]

export const stateWords: Readonly<Record<HostStateName, string>> = {
  'in-plumb': 'in plumb',
  drift: 'drift',
  pending: 'pending',
  failed: 'failed',
  held: 'held',
  silent: 'silent',
  'not-enrolled': 'not enrolled',
  unknown: 'no report yet',
}

export function State({ state, count }: { readonly state: HostStateName; readonly count?: number | undefined }) {
  return (
    <span class={`state is-${state}`}>
      {stateWords[state]}
      {count !== undefined && <b> {count}</b>}
    </span>
  )
}

/** `drift`, `pending` ... when `text` is a state's word or name; undefined for any other text. */
export function stateOfText(text: string): HostStateName | undefined {
  return states.find((state) => state === text || stateWords[state] === text)
}
