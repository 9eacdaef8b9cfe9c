// `plumb lint DIR` on real directories.
import { execFileSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lint, lintDirectory } from '../../../agent/commands/lint.ts'
import { readWorkTree } from '../../../agent/desire/work-tree.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { problemLine } from '../../../shared/problem.ts'
import { fleetDirectory, temporaryDirectory } from '../desire/fleet.ts'

const open = `${'$'}{{`

async function linesOf(directory: string): Promise<readonly string[]> {
  return (await lintDirectory(directory)).map(problemLine)
}

async function printed(directory: string, json: boolean) {
  const written: string[] = []
  const code = await lint(directory, { json, write: (text) => written.push(text) })
  return { code, text: written.join('') }
}

test('the example fleet has no problems, and lint says what it looked at', async () => {
  const example = new URL('../../../examples/fleet', import.meta.url).pathname
  const { code, text } = await printed(example, false)
  expect(text).toMatch(/^\d+ services on \d+ hosts: no problems\n$/)
  expect(code).toBe(0)
})

test('problems are printed in the order of files and lines, with a summary and exit code 1', async () => {
  const directory = fleetDirectory({
    'services/b/service.yaml': 'aftr: []\npackges: []\n',
    'services/a/service.yaml': 'after: [zz]\n',
  })
  expect(await printed(directory, false)).toEqual({
    code: 1,
    text: `services/a/service.yaml:1:9: after names the service "zz", which the repository does not have. Known services: a, b.
services/b/service.yaml:1:1: unknown key "aftr". Did you mean "after"?
services/b/service.yaml:2:1: unknown key "packges". Did you mean "packages"?
2 services on 1 host: 3 problems
`,
  })
  const json = await printed(directory, true)
  expect(json.code).toBe(1)
  expect(JSON.parse(json.text)).toMatchObject({
    services: 2,
    hosts: 1,
    problems: [{ where: { line: 1, column: 9, key: 'after[0]' } }, { where: { line: 1 } }, { where: { line: 2 } }],
  })
})

test('a file that is compared as JSON or YAML and is none is a problem at its place; a template is not looked at here', async () => {
  const lines = await linesOf(
    fleetDirectory({
      'services/a/service.yaml': `files:
  /etc/a.json: { compare: json }
  /etc/b.yaml: { compare: { yaml: { ignore: [/version] } } }
  /etc/c.json: { compare: json, template: true }
  /etc/d.json: { compare: json }
`,
      'services/a/files/etc/a.json': '{\n  "a": 1,\n  "a": 2\n}\n',
      'services/a/files/etc/b.yaml': 'a: [1\n',
      'services/a/files/etc/c.json': `{ "port": ${open} vars.port }} }\n`,
      'services/a/files/etc/d.json': '{ "b": 1 }\n',
    }),
  )
  expect(lines.filter((line) => !line.includes('c.json'))).toEqual([
    'services/a/files/etc/a.json:3:3: is compared as JSON, but is no JSON that can be judged: the same key stands here twice. Correct it, or take `compare` out of services/a/service.yaml.',
    expect.stringMatching(
      /^services\/a\/files\/etc\/b\.yaml:2:1: is compared as YAML, but is no YAML that can be judged: /,
    ),
  ])
})

test('a variable that some hosts lack is one problem that names them; secrets are taken as present', async () => {
  const lines = await linesOf(
    fleetDirectory({
      'plumb.yaml': `version: 1
hosts:
  web-1: { services: [a], vars: { domain: x } }
  web-2: { services: [a] }
groups:
  edge: { hosts: [edge-*], services: [a] }
`,
      'services/a/files/etc/t': `${open} vars.domain }}${open} secrets.any }}\n${open} host.nmae }}`,
      'services/a/service.yaml': 'files: { /etc/t: { template: true } }\n',
    }),
  )
  expect(lines).toEqual([
    'services/a/files/etc/t:1:1: unknown variable "domain" on web-2, edge-*. Set it under vars: of the host, a group or the fleet in plumb.yaml.',
    `services/a/files/etc/t:2:1: expected vars.NAME, secrets.NAME or host.name in ${open} }}, found "host.nmae". Did you mean "host.name"?`,
  ])
})

test('a broken service does not hide what is wrong with the others', async () => {
  const lines = await linesOf(
    fleetDirectory({
      'services/a/service.yaml': 'files: [\n',
      'services/b/files/etc/t': `${open} vars.nope }}`,
      'services/b/service.yaml': 'files: { /etc/t: { template: true } }\n',
    }),
  )
  expect(lines.join('\n')).toContain('services/a/service.yaml:')
  expect(lines.join('\n')).toContain('services/b/files/etc/t:1:1: unknown variable "nope" on web-1')
})

test('a FIFO, a nested repository and a link out of the tree are neither followed nor waited for', async () => {
  const directory = fleetDirectory({
    'services/a/files/etc/out': { link: '/etc/passwd' },
    'services/a/files/srv/checkout/.git/HEAD': 'ref: refs/heads/main',
  })
  await createRun()({ args: ['mkfifo', join(directory, 'services/a/files/etc/fifo'), join(directory, 'elsewhere')] })
  expect(await linesOf(directory)).toEqual([
    'services/a/files/etc/fifo: is neither a file, a directory nor a symlink.',
    'services/a/files/srv/checkout: is a submodule, which Plumbline does not follow. Copy the files in, or use a subtree.',
  ])
})

test('a directory that is not there is a problem, not an exception', async () => {
  const { code, text } = await printed(join(temporaryDirectory(), 'nowhere'), false)
  expect(text).toContain('nowhere is not a directory. Give the directory of a fleet repository.')
  expect(code).toBe(1)
})

test('the work tree gives files the kinds and ids that git gives them', async () => {
  const directory = fleetDirectory({
    'services/a/files/etc/motd': 'hello\n',
    'services/a/files/bin/x': { executable: '#!/bin/sh\n' },
    'services/a/files/etc/link': { link: '../nowhere' },
    'services/a/files/etc/empty': '',
  })
  const git = (...args: readonly string[]) => execFileSync('git', ['-C', directory, ...args], { encoding: 'utf8' })
  git('init', '--quiet')
  git('add', '--all')
  const kinds: Readonly<Record<string, string>> = { '100644': 'file', '100755': 'executable', '120000': 'symlink' }
  const listed = git('ls-files', '--stage', '-z')
    .split('\0')
    .filter((line) => line !== '')
  const expected = listed.map((line) => {
    const [mode = '', oid, path] = line.split(/ |\t/).filter((part) => part !== '0')
    return { path, kind: kinds[mode], oid, size: Number(git('cat-file', '-s', oid ?? '').trim()) }
  })
  const { reader } = await readWorkTree(directory)
  expect(await reader.entries()).toEqual(expected)
})

test("a large file elsewhere in the repository is nobody's business", async () => {
  const directory = fleetDirectory({ 'services/a/files/etc/x': '' })
  mkdirSync(join(directory, 'docs'))
  for (const path of ['docs/film', 'services/a/files/etc/x']) {
    writeFileSync(join(directory, path), '')
    truncateSync(join(directory, path), 200 * 1024 * 1024)
  }
  expect(await linesOf(directory)).toEqual(['services/a/files/etc/x: is larger than 100 MiB.'])
})

test('what the format has and this version does not carry out is refused, not passed over', async () => {
  const directory = fleetDirectory({
    '.plumb/allowed_signers': '',
    'plumb.yaml': 'version: 1\ntrust: { signers: .plumb/allowed_signers }\nrollout: [{ hosts: ["*"] }]\n',
  })
  expect(await linesOf(directory)).toEqual([
    'plumb.yaml: this version cannot verify signed revisions yet. Remove trust for now.',
    'plumb.yaml: this version has no rollouts yet. Remove rollout for now.',
  ])
})

test('an empty unit file is a problem: systemd takes it for a mask; an empty drop-in or a deployed mask is in order', async () => {
  const directory = fleetDirectory({
    'services/a/units/web.service': '',
    'services/a/units/web.timer': '',
    'services/a/units/w@.service': '',
    'services/a/units/nginx.service.d/limits.conf': '',
    'services/a/files/etc/systemd/system/apport.service': '',
    'services/a/files/etc/systemd/system/motd.timer': { link: '/dev/null' },
  })
  const problem = (unit: string) =>
    expect.stringContaining(`services/a/units/${unit}: is empty, and systemd takes an empty unit file for a mask`)
  expect(await linesOf(directory)).toEqual([problem('w@.service'), problem('web.service'), problem('web.timer')])
})
