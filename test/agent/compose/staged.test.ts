// A project's files as they would be, beside what is there.
import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { stageProject } from '../../../agent/host/staged-project.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import { temporaryDirectory } from '../desire/fleet.ts'

test('the new files are there, a file of a person is linked to, what leaves is not there, and all of it goes again', async () => {
  const { directory, path } = project()
  const staged = await stageProject(
    {
      directory,
      files: [
        { path: path('compose.yaml'), content: Buffer.from('new') },
        { path: path('conf/app.conf'), content: Buffer.from('new') },
        { path: path('link'), content: { link: 'conf' } },
      ],
      leaving: new Set([path('conf/old.conf')]),
    },
    temporaryDirectory(),
  )
  const at = (name: string) => join(staged.root, path(name))
  expect(readFileSync(at('compose.yaml'), 'utf8')).toBe('new')
  expect(readFileSync(at('link/app.conf'), 'utf8')).toBe('new')
  expect(readFileSync(at('.env'), 'utf8')).toBe('by hand')
  expect(readlinkSync(at('conf/extra.conf'))).toBe(path('conf/extra.conf'))
  expect(readlinkSync(at('data'))).toBe(path('data'))
  expect(existsSync(at('conf/old.conf'))).toBe(false)
  expect(statSync(staged.root).mode & 0o777).toBe(0o700)
  expect(readFileSync(path('compose.yaml'), 'utf8')).toBe('old')

  await staged.remove()

  expect(existsSync(staged.root)).toBe(false)
  expect(readFileSync(path('data/own'), 'utf8')).toBe('data')
})

test('a compose file that names a changing file of the host in full reads the staged one', async () => {
  const { directory, path } = project()
  const text = 'env_file: [/etc/shop.env, /etc/shop.env.d, ./etc/shop.env, "/etc/shop.env"]'
  const etc = absolutePathSchema.parse('/etc/shop.env')
  const files = [
    { path: path('compose.yaml'), content: Buffer.from(text) },
    { path: etc, content: Buffer.from('SIZE=2') },
  ]
  const staged = await stageProject({ directory, files, leaving: new Set() }, temporaryDirectory())
  await staged.redirect(path('compose.yaml'), [etc])
  expect(readFileSync(join(staged.root, path('compose.yaml')), 'utf8')).toBe(
    `env_file: [${staged.root}/etc/shop.env, /etc/shop.env.d, ./etc/shop.env, "${staged.root}/etc/shop.env"]`,
  )
  await staged.remove()
})

function project() {
  const directory = absolutePathSchema.parse(temporaryDirectory())
  const path = (name: string) => absolutePathSchema.parse(join(directory, name))
  const there = {
    'compose.yaml': 'old',
    '.env': 'by hand',
    'conf/old.conf': 'x',
    'conf/extra.conf': 'x',
    'data/own': 'data',
  }
  for (const [name, text] of Object.entries(there)) {
    mkdirSync(join(directory, name, '..'), { recursive: true })
    writeFileSync(path(name), text)
  }
  return { directory, path }
}
