// `npm run test:faults -- --long` makes 10,000 kills and more; scripts/faults.ts has the options.
import { expect, test } from 'vitest'
import { killMany } from './suite.ts'
import { failureLines, summaryText } from './tally.ts'

const say = (line: string) => console.log(line)

test('killed at 500 places of an apply, every service is entirely old or entirely new, and a second apply changes nothing', {
  timeout: 1_200_000,
}, async () => {
  const summary = await killMany({ kills: 500, firstSeed: 1, progress: say })
  say(summaryText(summary))
  expect(summary.failed.flatMap(failureLines)).toEqual([])
  expect(summary.kills).toBeGreaterThanOrEqual(500)
  expect(summary.old).toBeGreaterThan(100)
  expect(summary.new).toBeGreaterThan(100)
})

test.each([
  ['a journal that nothing is written to', 'journal', /neither old nor new/],
  ['an old version that is not kept', 'kept', /neither old nor new|could not be put back/],
  ['a kept version that is not forgotten', 'forget', /left behind/],
])('the suite finds %s', { timeout: 300_000 }, async (_, broken, fault) => {
  const { failed } = await killMany({ kills: 24, firstSeed: 1, broken, until: fault })
  expect(failed.flatMap(({ faults }) => faults).join('\n')).toMatch(fault)
})
