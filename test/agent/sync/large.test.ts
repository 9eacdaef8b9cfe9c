// What is too large for a host, over every kind of remote: refused by name, the last good revision stays, the next commit heals.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadRepository } from '../../../agent/desire/load.ts'
import type { Repository } from '../../../agent/sync/repository.ts'
import { openClone } from '../../../server/repository/clone.ts'
import { createGit } from '../../../server/repository/git.ts'
import type { TestRepository } from '../../support/git.ts'
import { madePack, repeating } from '../../support/packs.ts'
import { host, kinds, stateDirectory } from './fixture.ts'

const noRewind = { allowRewind: false }
const mebibyte = 1024 * 1024
const readme = { 'services/a/README.md': '# a' }

describe.each(kinds)('over %s', (kind) => {
  test('a file of many zeros is refused by its name and size; without it the next revision is good', async () => {
    const { fleet, open } = await host(kind, { 'plumb.yaml': 'version: 1\n', ...readme })
    const repository = open()
    const good = await repository.sync(noRewind)
    await repository.accept(good.revision)

    await fleet.commit({ 'services/a/files/srv/zeros': Buffer.alloc(40 * mebibyte) })
    expect(await problemsOf(repository)).toEqual(['services/a/files/srv/zeros: has 40 MiB; at most 32 MiB are taken.'])
    expect((await open().lastGood())?.revision).toBe(good.revision)

    await fleet.commit({ 'services/a/files/srv/zeros': 'small' })
    expect(await problemsOf(repository)).toEqual([])
  })

  test('a file that a delta of some bytes makes is never built', { timeout: 600_000 }, async () => {
    const { fleet, open } = await host(kind, { 'plumb.yaml': 'version: 1\n', ...readme })
    const repository = open()
    await repository.accept((await repository.sync(noRewind)).revision)
    await commitBomb(fleet)

    const refused = problemsOf(repository)
    if (kind === 'http')
      expect(await refused).toEqual([expect.stringMatching(/^services\/a\/files\/bomb: has 264 MiB/)])
    else await expect(refused).rejects.toMatchObject({ code: 'repository-invalid' })
    expect((await open().lastGood())?.revision).toBeDefined()
  })
})

test('the server keeps its clone as it was', { timeout: 600_000 }, async () => {
  const { fleet, url } = await host('local', { 'plumb.yaml': 'version: 1\n', ...readme })
  const clone = await openClone({ directory: await stateDirectory(), url, git: createGit() })
  const good = await clone.fetch()
  await commitBomb(fleet)

  expect(await clone.fetch()).toMatchObject({
    kind: 'failed',
    problem: { code: 'repository-invalid' },
    head: good.head,
  })
})

async function problemsOf(repository: Repository): Promise<readonly string[]> {
  const { problems } = await loadRepository(await repository.sync(noRewind))
  return problems.map(({ where, message }) => `${where?.file}: ${message}`)
}

/** A tree with a file of 264 MiB, which is 1 MiB and a delta of a few hundred bytes in the pack. */
async function commitBomb(fleet: TestRepository): Promise<void> {
  const base = Buffer.alloc(mebibyte)
  const size = 264 * mebibyte
  const pack = madePack([
    { type: 'blob', content: base },
    { type: 'delta', content: repeating(base.length, size) },
  ])
  const path = join(fleet.gitDirectory, 'bomb.pack')
  writeFileSync(path, pack)
  execFileSync('git', ['-C', fleet.gitDirectory, '-c', 'core.bigFileThreshold=1g', 'index-pack', '--stdin'], {
    input: pack,
  })
  const oid = zeros(size)
  const listing = await fleet.git('ls-tree', 'HEAD:services/a')
  const files = (
    await fleet.input(`100644 blob ${zeros(base.length)}\tbase\n100644 blob ${oid}\tbomb\n`, 'mktree')
  ).trim()
  const service = (await fleet.input(`040000 tree ${files}\tfiles\n${listing}\n`, 'mktree')).trim()
  const services = (await fleet.input(`040000 tree ${service}\ta\n`, 'mktree')).trim()
  const plumb = (await fleet.git('rev-parse', 'HEAD:plumb.yaml')).trim()
  const root = await fleet.input(`100644 blob ${plumb}\tplumb.yaml\n040000 tree ${services}\tservices\n`, 'mktree')
  const commit = await fleet.git('commit-tree', '-p', 'HEAD', '-m', 'a bomb', root.trim())
  await fleet.git('update-ref', 'refs/heads/main', commit.trim())
}

function zeros(size: number): string {
  const hash = createHash('sha1').update(`blob ${size}\0`)
  for (let left = size; left > 0; left -= mebibyte) hash.update(Buffer.alloc(Math.min(left, mebibyte)))
  return hash.digest('hex')
}
