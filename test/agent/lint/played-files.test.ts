// What a `.kube` plays, and quadlets that have no text of their own: judged wherever they lie, or refused.
import { expect, test } from 'vitest'
import type { Files } from '../desire/fleet.ts'
import { at, container, linted, refusedOnHost, withFile } from './quadlet-fleet.ts'

test.each([
  ['not YAML', 'spec: [\n'],
  ['a tag', 'a: 1\npath: !!x y\n'],
  ['an alias within its own anchor', 'a: &a { b: *a }\n'],
  [
    'aliases that grow',
    `${Array.from({ length: 20 }, (_, n) => `a${n}: &a${n} [*a${n - 1}, *a${n - 1}]`).join('\n')}\n`,
  ],
  ['brackets', '['.repeat(2000)],
])('a file of %s that a .kube plays is a problem that nothing allows', async (_, text) => {
  const files = withFile('x.yaml', text.replaceAll('*a-1', 'x'))
  const expected = [
    { code: 'unsafe-path', where: { file: at('x.yaml') }, message: expect.stringContaining('not known') },
  ]
  expect((await linted(files)).problems).toMatchObject(expected)
  expect(await refusedOnHost(files)).toMatchObject(expected)
})

test('a template that a .kube plays is parsed on the host, where it is filled in', async () => {
  const files = {
    ...withFile('x.yaml', `spec: { hostPID: \${{ vars.pid }} }\n`),
    'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [a], vars: { pid: "on" } } }\n',
    'services/a/service.yaml': 'files: { /etc/containers/systemd/x.yaml: { template: true } }\n',
  }
  expect((await linted(files)).problems).toEqual([])
  expect(await refusedOnHost(files)).toMatchObject([{ message: expect.stringContaining('hostPID: on: ') }])
})

const pod = 'spec: { hostNetwork: true }\n'

test.each<[what: string, files: Files, file: string]>([
  [
    'outside',
    { [at('x.kube')]: '[Kube]\nYaml=/etc/app/x.yaml\n', 'services/a/files/etc/app/x.yaml': pod },
    'etc/app/x.yaml',
  ],
  [
    'by specifiers',
    { [at('x.kube')]: '[Kube]\nYaml=%E/%N/x.yaml\n', 'services/a/files/etc/x/x.yaml': pod },
    'etc/x/x.yaml',
  ],
  [
    'of any instance',
    { [at('x@.kube')]: '[Kube]\nYaml=/etc/app/%i.yaml\n', 'services/a/files/etc/app/b.yaml': pod },
    'etc/app/b.yaml',
  ],
  [
    'by a link',
    {
      [at('x.kube')]: '[Kube]\nYaml=l.yaml\n',
      [at('l.yaml')]: { link: '/etc/app/x' },
      'services/a/files/etc/app/x': pod,
    },
    'etc/containers/systemd/l.yaml',
  ],
  [
    'by a linked quadlet',
    {
      [at('x.kube')]: { link: '/srv/x' },
      'services/a/files/srv/x': '[Kube]\nYaml=/srv/y\n',
      'services/a/files/srv/y': pod,
    },
    'srv/y',
  ],
])('a played file %s is judged by lint and by hosts', async (_, files, file) => {
  const expected = [
    { message: expect.stringMatching(/^hostNetwork: true: /), where: { file: `services/a/files/${file}` } },
  ]
  expect((await linted(files)).problems).toMatchObject(expected)
  expect(await refusedOnHost(files)).toMatchObject(expected)
})

test.each<[what: string, files: Files, why: RegExp]>([
  ['too large', { [at('x.container')]: container('#'.repeat(300_000)) }, /too large/],
  ['a link out of the repository', { [at('x.container')]: { link: '/srv/x.container' } }, /link to what is not/],
  ['a played file that is too large', withFile('x.yaml', `#${'x'.repeat(300_000)}\n`), /too large/],
])('%s is a problem', async (_, files, why) => {
  const expected = [{ code: 'unsafe-path', message: expect.stringMatching(why) }]
  expect((await linted(files)).problems).toMatchObject(expected)
  expect(await refusedOnHost(files)).toMatchObject(expected)
})

test('a template is a problem of its own once it is too large, and not where it cannot be filled in', async () => {
  const template = 'files: { /etc/containers/systemd/x.container: { template: true } }\n'
  const large = { [at('x.container')]: container('#'.repeat(300_000)), 'services/a/service.yaml': template }
  expect(await refusedOnHost(large)).toMatchObject([{ message: expect.stringMatching(/too large/) }])
  const unfilled = { ...large, [at('x.container')]: container(`Environment=A=\${{ secrets.none }}`) }
  expect(await refusedOnHost(unfilled)).toMatchObject([{ message: expect.stringMatching(/none/) }])
})

test('a mask and a template with its instance are no problem', async () => {
  const files: Files = {
    [at('m.container')]: { link: '/dev/null' },
    [at('x@.container')]: container(''),
    [at('x@one.container')]: { link: 'x@.container' },
  }
  expect((await linted(files)).problems).toEqual([])
  expect(await refusedOnHost(files)).toEqual([])
})
