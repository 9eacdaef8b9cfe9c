// Paths with two names, as far as lint can know the links of a host.
import { expect, test } from 'vitest'
import { lintWorkTree } from '../../../agent/commands/lint.ts'
import { type Files, fleetDirectory } from '../desire/fleet.ts'

const lintOf = (files: Files) => lintWorkTree(fleetDirectory(files))

test.each([
  ['files/lib/x/f', '/usr/lib/x/f'],
  ['files/sbin/tool', '/usr/sbin/tool'],
  ['files/var/run/x/f', '/run/x/f'],
  ['files/var/lock/x', '/run/lock/x'],
])('%s is warned of, with its place', async (path, place) => {
  const { problems, warnings } = await lintOf({ [`services/a/${path}`]: 'x\n' })
  expect(problems).toEqual([])
  expect(warnings).toContainEqual(
    expect.objectContaining({ code: 'path-through-link', remedy: expect.stringContaining(place) }),
  )
})

test('many paths through one link are one warning', async () => {
  const files = Object.fromEntries(['a', 'b', 'c'].map((name) => [`services/a/files/lib/x/${name}`, 'x\n']))
  const { warnings } = await lintOf(files)
  expect(warnings.filter(({ code }) => code === 'path-through-link')).toMatchObject([
    { message: expect.stringContaining('and 2 more paths below /lib') },
  ])
})

test.each(['files/etc/mtab', 'files/bin'])(
  '%s in the place of a link of the distribution is warned of',
  async (path) => {
    const { warnings } = await lintOf({ [`services/a/${path}`]: 'x\n' })
    expect(warnings.map(({ code }) => code)).toContain('distribution-link')
  },
)

test.each<[string, string, Files]>([
  ['/lib', 'f', { 'services/a/files/lib/x/f': '1\n', 'services/a/files/usr/lib/x/f': '2\n' }],
  ['/var/run', 'f', { 'services/a/files/var/run/x/f': '1\n', 'services/a/files/run/x/f': '2\n' }],
  [
    'a link of the repository, reached by its other name',
    'conf',
    { 'services/a/files/usr/lib/app': { link: '/srv/app' }, 'services/a/files/lib/app/conf': '1\n' },
  ],
  [
    'a directory and a file',
    'x',
    { 'services/a/files/lib/x': '1\n', 'services/a/service.yaml': 'directories: { /usr/lib/x: {} }\n' },
  ],
])('two claims of one place through %s are an error that names both', async (_, name, files) => {
  const { problems } = await lintOf(files)
  expect(problems).toMatchObject([{ code: 'path-claimed-twice', message: expect.stringContaining(name) }])
})

test('two services collide on a host that has both, and nowhere else', async () => {
  const files = { 'services/a/files/lib/x/f': '1\n', 'services/b/files/usr/lib/x/f': '2\n' }
  const apart = 'version: 1\nhosts: { one: { services: [a] }, two: { services: [b] } }\n'
  const together = 'version: 1\nhosts: { one: { services: [a, b] } }\n'
  expect((await lintOf({ ...files, 'plumb.yaml': apart })).problems).toEqual([])
  const { problems } = await lintOf({ ...files, 'plumb.yaml': together })
  expect(problems).toMatchObject([{ message: expect.stringMatching(/on one,.*services\/a\/files\/lib\/x\/f/) }])
})
