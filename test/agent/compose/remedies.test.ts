// What compose refuses, with a remedy that names what is still there once the apply is rolled back: a clone, and no file of the host.
import { expect, test } from 'vitest'
import { composeModel, composeStop, composeUp } from '../../../agent/host/compose-command.ts'
import type { Run } from '../../../shared/command.ts'
import { problemsOf } from '../../../shared/problem.ts'

const project = { project: 'shopd', file: '/srv/compose/shopd/compose.yaml', labels: {} }

/** Docker, whose compose ends with this code. */
function failing(code: number): Run {
  return ({ args }) =>
    Promise.resolve(
      args[1] === '--version'
        ? { code: 0, stdout: 'Docker version 26', stderr: '' }
        : { code, stdout: '', stderr: ' web Error manifest unknown' },
    )
}

async function remedyOf(work: Promise<unknown>): Promise<string | undefined> {
  const [problem] = await work.then(
    () => [],
    (error: unknown) => problemsOf(error),
  )
  return problem?.remedy
}

test.each<[string, () => Promise<unknown>, RegExp]>([
  ['pull', () => composeUp(project, failing(18)), /in the directory of the service in a clone: docker compose pull$/],
  ['up', () => composeUp(project, failing(1)), /in the repository and push\.$/],
  [
    'config',
    () => composeModel(project, failing(15)),
    /in the directory of the service in a clone: docker compose config$/,
  ],
  ['stop', () => composeStop('shopd', failing(1)), /docker compose --project-name shopd stop$/],
])('%s', async (_, work, remedy) => {
  const text = await remedyOf(work())
  expect(text).toMatch(remedy)
  expect(text).not.toContain('/srv/')
})
