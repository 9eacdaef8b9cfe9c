// Time as it comes in from the outside, so that tests can hold it. Two clocks: one that people read and that may be set, one
// that only ever runs forward and by which silence is measured.
import { performance } from 'node:perf_hooks'

export type Clock = {
  now(): Date
  /** Milliseconds since some fixed moment. */
  elapsed(): number
}

export const systemClock: Clock = {
  now: () => new Date(),
  elapsed: () => performance.now(),
}

export function later(time: Date, milliseconds: number): Date {
  return new Date(time.getTime() + milliseconds)
}
