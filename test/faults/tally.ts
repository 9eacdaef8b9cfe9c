// Counts kills and what was found after them.
import { caseText, type Verdict } from './kills.ts'

export type Summary = {
  /** Meant to be made; fewer when the time was over. */
  readonly wanted: number
  readonly kills: number
  /** Places in an apply at which an agent was killed: an operation, and before, after or in the middle of it. */
  readonly points: number
  /** By name of the operation. */
  readonly byOperation: ReadonlyMap<string, number>
  /** Kills of an agent that was recovering from a kill. */
  readonly second: number
  /** Kills of agents that had lost contact, or were about to. */
  readonly lost: number
  /** Services found old, and new, after a recovery. */
  readonly old: number
  readonly new: number
  readonly failed: readonly Verdict[]
  readonly seconds: number
}

const progressMs = 5000

export class Tally {
  points = 0
  kills = 0
  #second = 0
  #lost = 0
  #old = 0
  #new = 0
  readonly #byOperation = new Map<string, number>()
  readonly #failed: Verdict[] = []
  readonly #wanted: number
  readonly #progress: ((line: string) => void) | undefined
  readonly #startedAt = performance.now()
  #saidAt = performance.now()

  constructor(wanted: number, progress?: (line: string) => void) {
    this.#wanted = wanted
    this.#progress = progress
  }

  add(verdict: Verdict): void {
    for (const { operation } of verdict.killed)
      this.#byOperation.set(operation.name, (this.#byOperation.get(operation.name) ?? 0) + 1)
    this.kills += verdict.killed.length
    this.#second += Math.max(0, verdict.killed.length - 1)
    if (verdict.tried.contact === 'lost') this.#lost += verdict.killed.length
    this.#old += verdict.old.length
    this.#new += verdict.new.length
    if (verdict.faults.length > 0) this.#failed.push(verdict)
    if (performance.now() - this.#saidAt < progressMs) return
    this.#saidAt = performance.now()
    this.#progress?.(`${this.kills} of ${this.#wanted} kills, ${this.#failed.length} failed, ${this.#seconds()} s`)
  }

  summary(): Summary {
    const { kills, points } = this
    const found = { old: this.#old, new: this.#new, failed: this.#failed }
    return {
      wanted: this.#wanted,
      kills,
      points,
      ...found,
      lost: this.#lost,
      second: this.#second,
      byOperation: this.#byOperation,
      seconds: this.#seconds(),
    }
  }

  #seconds(): number {
    return Math.round((performance.now() - this.#startedAt) / 1000)
  }
}

/** For people: counts, then each failure with what repeats it. */
export function summaryText(summary: Summary): string {
  const kinds = [...summary.byOperation].toSorted(([, one], [, other]) => other - one)
  return [
    `${summary.kills} of ${summary.wanted} kills in ${summary.seconds} s, at ${summary.points} points: ${summary.second} while recovering from another, ${summary.lost} with contact lost`,
    ...kinds.map(([name, count]) => `${String(count).padStart(7)}  ${name}`),
    `services found after the recoveries: ${summary.old} old, ${summary.new} new; kills with a fault: ${summary.failed.length}`,
    ...summary.failed.slice(0, 20).flatMap(failureLines),
  ].join('\n')
}

export function failureLines({ tried, killed, faults }: Verdict): readonly string[] {
  const places = killed.map(
    ({ operation, kill }) => `${kill.how} ${operation.name} ${operation.where.replace(/^.*\/world-\d+/, '')}`,
  )
  return [
    `npm run test:faults -- --only ${caseText(tried)}`,
    `  killed ${places.join(', then ').slice(0, 300)}`,
    ...faults.slice(0, 8).map((fault) => `  ${fault.slice(0, 1500)}`),
  ]
}
