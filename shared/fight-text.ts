// A fight in one sentence, for alerts, pages and the command alike.
import { moment } from './evidence-text.ts'
import type { Fight } from './finding.ts'

export function fightText({ repairs, since }: Fight): string {
  return `put back ${repairs} times since ${moment(since)}, and changed again each time: it is not put back any more`
}
