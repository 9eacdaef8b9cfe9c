// Time as an input, so that tests control it. Two clocks: the wall clock, which can be set, and a monotonic one, by which the
// server measures how long a host has been offline.
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
