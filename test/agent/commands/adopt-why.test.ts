// The question of `plumb adopt` without -m, on a terminal: answered, left empty, and broken off.
import { readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { command, makeSandbox, type Sandbox } from '../../support/plumb.ts'
import { controlC, controlD, onTerminal, terminalUnavailable } from '../../support/terminal.ts'

const unavailable = terminalUnavailable()
if (unavailable !== null) console.log(`skipped: ${unavailable}`)

const files = {
  'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [web] }\n',
  'services/web/README.md': '# web\n',
  'services/web/files/etc/main.conf': 'workers 1;\n',
}

let fleet: TestRepository
let box: Sandbox
let own: string

beforeEach(async () => {
  fleet = await makeRepository(files)
  box = await makeSandbox({ repo: fleet.directory })
  own = await mkdtemp(join(tmpdir(), 'plumb-why-'))
  expect(await box.plumb('apply')).toMatchObject({ code: 0 })
  await box.write('/etc/main.conf', 'workers 4;\n')
})

afterEach(async () => {
  await box.remove()
  await fleet.remove()
  await rm(own, { recursive: true, force: true })
})

describe.skipIf(unavailable !== null)('why?', () => {
  test('the answer is the reason of the commit', async () => {
    const { code, shown } = await adopt('one ran out in the sale\r')
    expect(shown).toContain('Why were /etc/main.conf changed? one ran out in the sale\n')
    expect(shown).toMatch(/^pushed /m)
    expect(code).toBe(0)
    expect(await fleet.git('log', '-1', '--format=%an: %s', ...(await branches()))).toBe(
      'Anna: one ran out in the sale',
    )
    expect(readdirSync(own)).toEqual([])
  })

  test.each([
    ['nothing', '\r'],
    ['blanks', '   \r'],
    ['the end of the input', controlD],
  ])('%s is no reason: it is said, and nothing is left behind', async (_, keys) => {
    const { code, shown } = await adopt(keys)
    expect(shown).toContain(
      'plumb: Why was it changed? The commit says so to whoever meets it later. Add -m "the reason".',
    )
    expect(code).toBe(1)
    await expectNothingLeft()
  })

  test.each([
    ['at once', controlC],
    ['behind half an answer', `because the${controlC}`],
  ])('Control-C %s breaks it off, and nothing is left behind', async (_, keys) => {
    const { code, shown } = await adopt(keys)
    expect(code).toBe(130)
    expect(shown).not.toMatch(/Error|at .*\.ts:|Add -m/)
    await expectNothingLeft()
  })
})

function adopt(keys: string) {
  const args = ['--repo', fleet.directory, '--host', 'web-1', '--root', box.root, '--state', box.state]
  const names = { GIT_AUTHOR_NAME: 'Anna', GIT_AUTHOR_EMAIL: 'anna@example.org' }
  const committer = { GIT_COMMITTER_NAME: 'Anna', GIT_COMMITTER_EMAIL: 'anna@example.org' }
  return onTerminal([command, 'adopt', '/etc/main.conf', ...args].join(' '), {
    answers: [{ to: 'changed? ', keys }],
    cwd: own,
    env: { ...names, ...committer, GIT_CONFIG_GLOBAL: '/dev/null', TMPDIR: own },
  })
}

async function expectNothingLeft(): Promise<void> {
  expect(await branches()).toEqual([])
  expect(readdirSync(own)).toEqual([])
  // Neither a lock nor anything else is in the way of the next one.
  writeFileSync(join(box.root, 'etc/main.conf'), 'workers 9;\n')
  expect((await adopt('more\r')).shown).toMatch(/^pushed /m)
}

async function branches(): Promise<readonly string[]> {
  const all = await fleet.git('for-each-ref', '--format=%(refname:short)', 'refs/heads/adopt')
  return all.split('\n').filter((name) => name !== '')
}
