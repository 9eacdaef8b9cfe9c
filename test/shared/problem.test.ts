import { expect, test } from 'vitest'
import { PlumbError, type Problem, problemSchema, problemsOf } from '../../shared/problem.ts'

const long = 'x'.repeat(10_000)
const large: Problem = {
  code: 'apply-failed',
  message: `it failed: ${long}`,
  where: { file: `/etc/${long}`, line: 3, key: long },
  remedy: `Run: ${long}`,
}

test('a problem with endless texts is carried as a report can take it, whoever made it', () => {
  const error = new PlumbError([large, { code: 'usage', message: 'short' }])

  expect(error.problems.map((problem) => problemSchema.safeParse(problem).success)).toEqual([true, true])
  expect(error.problems[0]?.message).toBe(large.message.slice(0, 4000))
  expect(error.message).not.toContain('x'.repeat(4300))
  expect(problemsOf(new Error(long)).map((problem) => problemSchema.safeParse(problem).success)).toEqual([true])
})

test('a problem keeps what fits', () => {
  const problem: Problem = { code: 'usage', message: 'no', where: { file: 'a', line: 1, column: 2 }, service: 'web' }

  expect(new PlumbError(problem).problems).toEqual([problem])
})
