// As many kills as fit into some minutes; `npm run test:faults -- --long` makes 10,000 and more (scripts/faults.ts).
import { expect, test } from 'vitest'
import { noLimit } from '../support/budget.ts'
import { killMany } from './suite.ts'
import { failureLines, summaryText } from './tally.ts'

test('killed anywhere in an apply, every service is entirely old or entirely new, and a second apply changes nothing', {
  timeout: noLimit,
}, async () => {
  const summary = await killMany({ kills: 500, seconds: 180, firstSeed: 1 })
  console.log(summaryText(summary))
  expect(summary.failed.flatMap(failureLines)).toEqual([])
  expect(summary.old).toBeGreaterThan(0)
  expect(summary.new).toBeGreaterThan(0)
})

test.each([
  ['a journal that nothing is written to', 'journal', /neither old nor new/],
  ['an old version that is not kept', 'kept', /neither old nor new|could not be restored/],
  ['a kept version that is not forgotten', 'forget', /left behind/],
])('the suite finds %s', { timeout: noLimit }, async (_, broken, fault) => {
  const { failed } = await killMany({ kills: 24, firstSeed: 1, broken, until: fault })
  expect(failed.flatMap(({ faults }) => faults).join('\n')).toMatch(fault)
})
