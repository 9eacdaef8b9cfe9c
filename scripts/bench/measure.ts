// Timing whole commands side by side: medians of several runs, so that one busy moment of a shared machine does not decide.
import { spawnSync } from 'node:child_process'

export type Measured = { readonly name: string; readonly seconds: number }

export type Timed = {
  readonly name: string
  readonly args: readonly [string, ...string[]]
  /** Exit codes that count as done; default 0. */
  readonly codes?: readonly number[]
  /** Run before each timing, not timed. */
  readonly before?: () => void
}

/** Rounds go through all commands in turn: what slows one round slows them all. */
export function measureInTurn(commands: readonly Timed[], rounds: number): readonly Measured[] {
  const seconds = commands.map((): number[] => [])
  for (let round = 0; round < rounds; round += 1)
    for (const [index, command] of commands.entries()) seconds[index]?.push(time(command))
  return commands.map(({ name }, index) => ({ name, seconds: median(seconds[index] ?? []) }))
}

/** Something done inside this process, beside commands. */
export type TimedHere = { readonly name: string; readonly work: () => Promise<void> }

/** As `measureInTurn`, with work of this process among the commands; the first round warms up and does not count. */
export async function measureAllInTurn(
  all: readonly (Timed | TimedHere)[],
  rounds: number,
): Promise<readonly Measured[]> {
  const seconds = all.map((): number[] => [])
  for (let round = 0; round <= rounds; round += 1)
    for (const [index, one] of all.entries()) {
      const took = 'work' in one ? await timeHere(one) : time(one)
      if (round > 0) seconds[index]?.push(took)
    }
  return all.map(({ name }, index) => ({ name, seconds: median(seconds[index] ?? []) }))
}

/** Seconds of each, and how many times what the first one takes. */
export function tableText(title: string, rows: readonly Measured[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const reference = rows[0]?.seconds ?? Number.NaN
  const lines = rows.map(
    ({ name, seconds }) =>
      `  ${name.padEnd(width)}  ${seconds.toFixed(3).padStart(8)} s  ${(seconds / reference).toFixed(2).padStart(6)} x`,
  )
  return [title, ...lines, ''].join('\n')
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0
}

function time({ name, args: [program, ...rest], codes = [0], before }: Timed): number {
  before?.()
  const start = process.hrtime.bigint()
  const run = spawnSync(program, rest, { encoding: 'utf8', maxBuffer: 1 << 28 })
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  if (!codes.includes(run.status ?? -1))
    throw new Error(`${name} exited with ${run.status}: ${run.stderr}${run.stdout}`.slice(0, 2000))
  return seconds
}

async function timeHere({ work }: TimedHere): Promise<number> {
  const start = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - start) / 1e9
}
