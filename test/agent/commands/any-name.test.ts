// Verbs find a path by any of its names: the repository has one, a person types another.
import { mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, runPlumb, type Sandbox } from '../../support/plumb.ts'

/** The repository's name, and another one of the same file. */
const members = [
  { name: '/lib/x/f', other: '/usr/lib/x/f' },
  { name: '/run/y/f', other: '/var/run/y/f' },
  { name: '/srv/www/f', other: '/data/www/f' },
]
const links = { '/lib': 'usr/lib', '/var/run': '/run', '/srv/www': '/data/www' }

let fleet: TestRepository
let box: Sandbox

beforeAll(async () => {
  fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [web] } }\n',
    'services/web/README.md': '# web\n',
    ...Object.fromEntries(members.map(({ name }) => [`services/web/files${name}`, 'one\n'])),
  })
  box = await makeSandbox({ repo: fleet.directory })
  for (const path of ['/usr/lib', '/run', '/var', '/data/www', '/srv'])
    mkdirSync(join(box.root, path), { recursive: true })
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(join(box.root, path)), { recursive: true })
    symlinkSync(target, join(box.root, path))
  }
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  for (const { other } of members) await box.write(realOf(other), 'edited\n')
})

afterAll(async () => {
  await box.remove()
  await fleet.remove()
})

/** An absolute link leads out of the sandbox for everybody but plumb. */
function realOf(path: string): string {
  return path.replace(/^\/var\/run\//, '/run/').replace(/^\/srv\/www\//, '/data/www/')
}

describe.each(members)('$other is $name', ({ name, other }) => {
  test('plumb adopt makes the change a commit of the file that the repository has', async () => {
    const { out, code } = await box.plumb('adopt', other, '-m', 'w', '--dry-run')
    expect(out).toContain(`services/web/files${name}`)
    expect(out).not.toContain('plumb import')
    expect(code).toBe(0)
  })

  test('plumb why tells the commit behind it, from a clone', async () => {
    const { out, code } = await runPlumb(['why', other, '--repo', fleet.directory, '--root', box.root])
    expect(out).toContain(`services/web/files${name}`)
    expect(code).toBe(0)
  })
})

test('plumb restore lists and brings back what was displaced, by any name', async () => {
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  for (const { name, other } of members) {
    for (const asked of [name, other]) {
      const listed = await runPlumb(['restore', asked, '--root', box.root, '--state', box.state])
      expect(listed).toMatchObject({ code: 0 })
      expect(listed.out).toContain(name)
    }
    const back = await runPlumb(['restore', other, '--at', 'latest', '--root', box.root, '--state', box.state])
    expect(back.out).toContain('it differs from the repository (web) now')
    expect(await box.read(realOf(other))).toBe('edited\n')
  }
})
