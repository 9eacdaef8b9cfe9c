// Which files of environment variables the compose files of a host name, before compose resolves them away.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { environmentFiles } from '../../../agent/host/environment-files.ts'
import { absolutePathSchema } from '../../../shared/names.ts'

const directory = absolutePathSchema.parse('/srv/compose/app')
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'plumb-environment-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

test.each<[string, string, readonly string[]]>([
  ['one', 'services: { web: { env_file: /etc/plumb/secrets/tok } }', ['web /etc/plumb/secrets/tok']],
  [
    'a list, also of what need not be there',
    'services: { web: { env_file: [app.env, { path: /etc/shadow, required: false, format: raw }] } }',
    ['web /etc/shadow', 'web /srv/compose/app/app.env'],
  ],
  ['one with a variable', `services: { web: { env_file: '\${AT}/x' } }`, ['web /etc/secret/x']],
  ['one by a relative way', 'services: { web: { env_file: ../../../etc/shadow } }', ['web /etc/shadow']],
  [
    'those of files that it includes and extends',
    'include: [more.yaml, { path: [deep/more.yaml], env_file: /etc/include }]\nservices: { web: { extends: { file: base.yaml, service: b } } }',
    ['b /etc/base', 'c /etc/deep', 'every service /etc/include', 'm /etc/more'],
  ],
  ['none', 'services: { web: { environment: { A: 1 } } }', []],
  ['what is no compose file', '[', []],
])('%s', async (_, text, expected) => {
  write('compose.yaml', text)
  write('.env', 'AT=/etc/secret\n')
  write('more.yaml', 'include: compose.yaml\nservices: { m: { env_file: /etc/more } }')
  write('deep/more.yaml', 'services: { c: { env_file: /etc/deep } }')
  write('base.yaml', 'services: { b: { env_file: [/etc/base] } }')

  const found = await environmentFiles({ directory, file: absolutePathSchema.parse(`${directory}/compose.yaml`) }, root)

  expect([...new Set(found.map(({ service, path }) => `${service} ${path}`))].toSorted()).toEqual(expected)
})

test('those of every override', async () => {
  write('compose.yaml', 'services: { web: { image: x } }')
  write('prod.yaml', 'services: { web: { env_file: /etc/prod } }')
  const [file, prod] = ['compose.yaml', 'prod.yaml'].map((name) => absolutePathSchema.parse(`${directory}/${name}`))
  if (file === undefined || prod === undefined) throw new Error('two files')

  expect(await environmentFiles({ directory, file, overrides: [prod] }, root)).toEqual([
    { service: 'web', path: '/etc/prod' },
  ])
})

function write(name: string, text: string): void {
  const path = join(root, directory, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
