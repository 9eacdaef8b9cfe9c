// `npm run test:faults`: the fault suite in its bounded form. Options make kills alone, without vitest:
//   --long              10,000 kills, or PLUMB_FAULTS_LONG=1
//   --kills N           another number of them
//   --minutes N         end after so long, with what was made by then
//   --seed N            begin with these revisions instead of those of seed 1
//   --only CASE         one case again, as a failure names it: 1:234:torn,17:before
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Arena } from '../test/faults/arena.ts'
import { caseIn, verdictOn } from '../test/faults/kills.ts'
import { killMany } from '../test/faults/suite.ts'
import { failureLines, summaryText } from '../test/faults/tally.ts'

const { values } = parseArgs({
  options: {
    long: { type: 'boolean', default: process.env['PLUMB_FAULTS_LONG'] === '1' },
    kills: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

if (values.only !== undefined) process.exitCode = await one(values.only)
else if (values.long || values.kills !== undefined) process.exitCode = await many(Number(values.kills ?? 10_000))
else process.exitCode = spawnSync('vitest', ['run', '--project', 'faults'], { stdio: 'inherit' }).status ?? 1

async function one(text: string): Promise<number> {
  const arena = await Arena.open()
  try {
    const verdict = await verdictOn(arena, caseIn(text))
    console.log(verdict.faults.length === 0 ? 'all is well' : failureLines(verdict).join('\n'))
    return verdict.faults.length === 0 ? 0 : 1
  } finally {
    await arena.close()
  }
}

async function many(kills: number): Promise<number> {
  const summary = await killMany({
    kills,
    firstSeed: Number(values.seed),
    everyRecovery: values.long,
    ...(values.minutes === undefined ? {} : { seconds: Number(values.minutes) * 60 }),
    progress: (line) => console.log(line),
  })
  console.log(summaryText(summary))
  return summary.failed.length === 0 ? 0 : 1
}
