// A configuration that cannot be read says where and why, and nothing that stands in it: it may be the password.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfiguration } from '../../../agent/commands/configuration.ts'
import { problemsOf } from '../../../shared/problem.ts'
import { makeSandbox, type Sandbox } from '../../support/plumb.ts'

let box: Sandbox

beforeAll(async () => {
  box = await makeSandbox({})
})

afterAll(() => box.remove())

const file = '/etc/plumb/agent.yaml'
const head = 'host: web-1\nrepository: https://git.example.org/fleet\ncredentials:\n  username: bot\n'

test.each([
  ['a quote that does not end', `${head}  password: "hunter2\n`, 'it is not YAML (MISSING_CHAR)', true],
  ['a colon in a plain value', `${head}  password: hunter2: x\n`, 'it is not YAML (BLOCK_AS_IMPLICIT_KEY)', true],
  ['an alias', `${head}  password: *hunter2\n`, 'cannot be followed', false],
  ['a tag', `${head}  password: !hunter2 [x]\n`, 'credentials.password: ', false],
  ['no space behind a key', `${head.replace(/\n {2}username.*/, '')} { password:hunter2 }\n`, 'not known', false],
  ['a line that is no entry', `host: web-1\nrepository: x\nhunter2\n`, 'it is not YAML', true],
  ['a wrong name', `host: hunter2_\nrepository: x\n`, 'host: ', false],
  ['a wrong address', `host: web-1\nrepository: x\nserver: hunter2\n`, 'server: ', false],
])('%s', async (_, text, said, hasPlace) => {
  await box.write(file, text)
  const error: unknown = await readConfiguration(box.root).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  const [problem] = problemsOf(error)
  expect(problem).toMatchObject({ code: 'usage', message: expect.stringContaining(said) })
  expect(JSON.stringify([problem, String(error)])).not.toContain('hunter2')
  const line = text.split('\n').findIndex((one) => one.includes('hunter2')) + 1
  if (hasPlace) expect(problem?.where).toMatchObject({ file: join(box.root, file), line: expect.any(Number) })
  if (hasPlace) expect(Math.abs((problem?.where?.line ?? 0) - line)).toBeLessThanOrEqual(1)
})
