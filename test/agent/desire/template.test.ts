// Templates, variables and secrets: names only, each error at its place inside the template.
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { secretsOf } from '../../../agent/desire/secrets.ts'
import { problemLine } from '../../../shared/problem.ts'
import { desire, desiredService, type Files, ofKind, refusal, secretsWith, temporaryDirectory } from './fleet.ts'

const open = `${'$'}{{`

function templated(text: string | Uint8Array, settings = 'template: true'): Files {
  return {
    'plumb.yaml': `version: 1
hosts: { web-1: { services: [a], vars: { domain: example.org, port: 80 } } }
vars: { contact: ops }
`,
    'services/a/files/etc/t': text,
    'services/a/service.yaml': `files: { /etc/t: { ${settings} } }\n`,
  }
}

async function renderedFile(files: Files, secrets: Readonly<Record<string, string>> = {}) {
  const [file] = ofKind('file', await desiredService(files, { secrets: await secretsWith(secrets) }))
  if (file?.content.kind !== 'rendered') throw new Error('expected a rendered file')
  return { ...file, text: new TextDecoder().decode(file.content.bytes) }
}

test("variables, the host's name and secrets are filled in, with any spacing, and nothing else is touched", async () => {
  const text = `\uFEFFa=${open} vars.domain }} b=${open}vars.port}} ${open} host.name }}\r\n$ { } {{ x }} ${open} secrets.key }}${open} vars.contact }}`
  const file = await renderedFile(templated(text), { key: 'hunter2\n' })
  expect(file.text).toBe('a=example.org b=80 web-1\r\n$ { } {{ x }} hunter2ops')
  expect(file.content).toMatchObject({ bytes: expect.objectContaining({ 0: 0xef }) })
  expect(file.secrets).toEqual(['key'])
})

test('values are put in as they are: a value that looks like a placeholder is not filled in again', async () => {
  const file = await renderedFile(templated(`${open} secrets.key }}`), { key: `${open} vars.domain }} $& $1` })
  expect(file.text).toBe(`${open} vars.domain }} $& $1`)
})

test('without template: true a file is copied as it is, placeholders and all, and no secret is read', async () => {
  const [file] = ofKind('file', await desiredService(templated(`${open} secrets.nope }}`, 'mode: "0600"')))
  expect(file?.content.kind).toBe('blob')
})

test("what holds a secret is root's alone unless service.yaml gives it a mode", async () => {
  const text = `${open} secrets.key }}`
  expect((await renderedFile(templated(text), { key: 'x' })).mode).toBe(0o600)
  expect((await renderedFile(templated(text, 'template: true, mode: "0640"'), { key: 'x' })).mode).toBe(0o640)
  expect((await renderedFile(templated('plain'))).mode).toBe(0o644)
})

test('every unknown name is a problem at its line and column, with the nearest name', async () => {
  const text = `first\n  ${open} vars.domian }}\n${open} hots.name }}${open} vars.x\n${open} vars.1 }}\n`
  const problems = await refusal(desire(templated(text)))
  expect(problems.map(problemLine)).toEqual([
    `services/a/files/etc/t:3:1: expected vars.NAME, secrets.NAME or host.name in ${open} }}, found "hots.name". Did you mean "host.name"?`,
    `services/a/files/etc/t:3:17: ${open} is not closed on its line. Close it with }}.`,
    `services/a/files/etc/t:4:1: expected vars.NAME, secrets.NAME or host.name in ${open} }}, found "vars.1". Did you mean "vars.NAME"?`,
    'services/a/files/etc/t:2:3: unknown variable "domian". Did you mean "domain"?',
  ])
  expect(problems.map(({ code }) => code).toSorted()).toEqual([
    'repository-invalid',
    'repository-invalid',
    'repository-invalid',
    'variable-unknown',
  ])
  expect(problems.every(({ service }) => service === 'a')).toBe(true)
})

test('a template that is not text is refused', async () => {
  const problems = await refusal(desire(templated(new Uint8Array([0xff, 0xfe, 0x00]))))
  expect(problems.map(problemLine)).toEqual([
    'services/a/files/etc/t: is a template but not UTF-8 text. Take `template: true` from it in service.yaml.',
  ])
})

test('only the secrets that a template of this host names are read', async () => {
  const files = templated(`${open} secrets.key }}`)
  const read: string[] = []
  const secrets = {
    names: new Set(['key', 'other']),
    isListed: true,
    directory: '/nowhere',
    read: (name: string) => Promise.resolve(read.push(name).toString()),
  }
  await desire(files, { secrets })
  expect(read).toEqual(['key'])
})

test('a file beside a compose file is a template too, so that containers get secrets', async () => {
  const service = await desiredService(
    {
      'services/a/compose.yaml': '',
      'services/a/app.env': `KEY=${open} secrets.key }}\n`,
      'services/a/service.yaml': 'files: { app.env: { template: true } }\n',
    },
    { secrets: await secretsWith({ key: 'x' }) },
  )
  const env = ofKind('file', service).find(({ path }) => path.endsWith('app.env'))
  expect(env).toMatchObject({ content: { kind: 'rendered' }, mode: 0o600, secrets: ['key'], size: 6 })
})

test('a secret that others can read, a symlink and a directory are refused, and a missing directory has no secrets', async () => {
  const directory = temporaryDirectory()
  writeFileSync(join(directory, 'open'), 'x', { mode: 0o644 })
  writeFileSync(join(directory, 'good'), 'two\nlines\n', { mode: 0o600 })
  symlinkSync('good', join(directory, 'link'))
  mkdirSync(join(directory, 'dir'), { mode: 0o700 })
  const secrets = await secretsOf(directory)
  expect(await secrets.read('good')).toBe('two\nlines')
  expect(await refusal(secrets.read('open'))).toMatchObject([{ code: 'secret-exposed' }])
  expect(await refusal(secrets.read('link'))).toMatchObject([{ code: 'secret-missing' }])
  expect(await refusal(secrets.read('dir'))).toMatchObject([{ code: 'secret-missing' }])
  expect(await refusal(secrets.read('../good'))).toHaveLength(1)
  chmodSync(directory, 0o755)
  expect(await refusal(secrets.read('good'))).toMatchObject([{ code: 'secret-exposed' }])
  expect((await secretsOf(join(directory, 'nowhere'))).names.size).toBe(0)
})

test('the template line behind each rendered line is known, where a value has several lines', async () => {
  const text = `a\n${open} secrets.key }} b\nc ${open} vars.domain }}\nd`
  const linesWith = async (key: string) => {
    const { content } = await renderedFile(templated(text), { key })
    return content.kind === 'rendered' ? content.templateLines : 'a blob'
  }

  expect(await linesWith('one line')).toBeUndefined()
  // a | BEGIN | x | END b | c example.org | d
  expect(await linesWith('BEGIN\nx\nEND')).toEqual([1, 2, 2, 2, 3, 4])
})
