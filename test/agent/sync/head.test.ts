// A remote whose head cannot be followed is told why, and what there is instead.
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { openClone } from '../../../server/repository/clone.ts'
import { createGit } from '../../../server/repository/git.ts'
import type { TestRepository } from '../../support/git.ts'
import { fleetWith, type Kind, kinds, openWith, served, stateDirectory } from './fixture.ts'

const cases: readonly [string, (fleet: TestRepository) => Promise<unknown>, RegExp][] = [
  [
    'HEAD names a branch that was renamed',
    (fleet) => fleet.git('symbolic-ref', 'HEAD', 'refs/heads/master'),
    /does not exist; there is main\. .*git symbolic-ref HEAD refs\/heads\/main/,
  ],
  [
    'HEAD names a branch that does not exist, and there are many',
    async (fleet) => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) await fleet.git('branch', name)
      await fleet.git('symbolic-ref', 'HEAD', 'refs/heads/trunk')
    },
    /does not exist; there are a, b, c, d, e and 1 more/,
  ],
  ['there is no commit', (fleet) => fleet.git('update-ref', '-d', 'HEAD'), /has no commit yet/],
]

describe.each<Kind | 'server'>([...kinds, 'server'])('over %s', (kind) => {
  test.each(cases)('%s', async (_, change, expected) => {
    const fleet = await fleetWith({ 'plumb.yaml': 'version: 1\n' })
    await change(fleet)

    const { code, text } = await failureOf(kind, fleet)

    expect(code).toBe('repository-unreachable')
    expect(text).toMatch(expected)
  })

  test('a repository with SHA-256 ids', async () => {
    const fleet = await fleetWith()
    execFileSync('rm', ['-r', fleet.gitDirectory])
    await fleet.git('init', '--quiet', '--initial-branch=main', '--object-format=sha256')
    await fleet.git('commit', '--quiet', '--allow-empty', '-m', 'a commit')

    expect((await failureOf(kind, fleet)).text).toContain('uses SHA-256 ids')
  })
})

test('the branch is named where the remote is a directory', async () => {
  const fleet = await fleetWith({ 'plumb.yaml': 'version: 1\n' })
  await fleet.git('symbolic-ref', 'HEAD', 'refs/heads/master')

  expect((await failureOf('local', fleet)).text).toContain('its HEAD names the branch "master", which does not exist')
})

async function failureOf(kind: Kind | 'server', fleet: TestRepository) {
  if (kind === 'server') {
    const clone = await openClone({ directory: await stateDirectory(), url: fleet.directory, git: createGit() })
    const outcome = await clone.fetch()
    if (outcome.kind !== 'failed') return expect.unreachable()
    return { code: outcome.problem.code, text: `${outcome.problem.message} ${outcome.problem.remedy}` }
  }
  const url = kind === 'http' ? (await served(fleet)).url : fleet.directory
  return await openWith(await stateDirectory(), { url })
    .sync({ allowRewind: false })
    .then(
      () => expect.unreachable(),
      (error) => ({ code: error.code, text: String(error.message) }),
    )
}
