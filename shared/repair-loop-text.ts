// A repair loop in one sentence, for alerts, pages and the command alike.

import type { RepairLoop } from './finding.ts'
import { absoluteTime } from './time-text.js'

export function repairLoopText({ repairs, since }: RepairLoop): string {
  return `repaired ${repairs} times since ${absoluteTime(since)}, and changed again each time: no longer repaired`
}
