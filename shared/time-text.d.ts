/** `2026-11-23 03:12:45 UTC`. Text that is no time, as a host may have sent it, stays as it is: escape it like any other. */
export function absoluteTime(at: string | Date): string

/** `just now`, `40 s ago`, `3 min ago`, `in 29 min`; 90 days away and more, the date. Text that is no time stays as it is. */
export function relativeTime(at: string | Date, now: Date): string

/** `40 s`, `3 min`, `1 h 40 min`, `5 h`, `12 d`: rounded to the nearest. */
export function lengthOf(seconds: number): string
