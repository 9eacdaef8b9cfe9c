// A fight in one sentence, for alerts, pages and the command alike.

import type { RepairLoop } from './finding.ts'
import { absoluteTime } from './time-text.js'

export function repairLoopText({ repairs, since }: RepairLoop): string {
  return `put back ${repairs} times since ${absoluteTime(since)}, and changed again each time: it is not put back any more`
}
