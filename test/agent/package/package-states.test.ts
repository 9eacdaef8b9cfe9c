// What dpkg-query printed on a booted Debian 12 host.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { packageStates, parseProvided, parseStates } from '../../../agent/host/packages/dpkg.ts'
import type { Command } from '../../../agent/host/run.ts'
import { packageKind } from '../../../agent/resources/package.ts'
import { resourceId } from '../../../shared/names.ts'

const named = recorded('named.txt')
const all = recorded('all.txt')

test.each([
  ['bash', 'yes'],
  ['bash:amd64', 'yes'],
  ['postfix', 'no'],
  ['less', 'no'],
])('%s is installed: %s', (name, state) => {
  expect(parseStates(named).get(name)).toBe(state)
})

test('a package that dpkg left half-way shows the state it stopped in', () => {
  expect(parseStates('nginx\tamd64\thalf-configured\t\n').get('nginx')).toBe('half-configured')
})

test('one architecture that is installed is enough', () => {
  const both = 'libc6\tamd64\tinstalled\t\nlibc6\ti386\tconfig-files\t\n'
  expect(parseStates(both).get('libc6')).toBe('yes')
  expect(parseStates(both).get('libc6:i386')).toBe('no')
})

test('what installed packages provide counts, what removed ones provided does not', () => {
  expect([...parseProvided(all)]).toEqual(expect.arrayContaining(['awk', 'hardlink', 'libfile-path-perl']))
  expect(parseProvided(all).has('mail-transport-agent')).toBe(false)
})

test('dpkg is asked once when everything is there, and a second time for what is provided', async () => {
  const asked: Command[] = []
  const dpkg = async (command: Command) => {
    asked.push(command)
    return { code: 0, stdout: command.args.at(-1) === '--' ? all : named, stderr: '' }
  }
  expect(await packageStates(['bash', 'apt'], dpkg)).toEqual(
    new Map([
      ['bash', 'yes'],
      ['apt', 'yes'],
    ]),
  )
  expect(asked).toHaveLength(1)
  expect((await packageStates(['bash', 'awk'], dpkg)).get('awk')).toBe('yes')
  expect(asked).toHaveLength(3)
})

test('a missing package is described for a person', () => {
  const id = resourceId('package', 'nginx')
  const live = { attributes: { type: 'missing', installed: 'no' } }
  const { pending } = packageKind.compare(
    { id, desired: { kind: 'package', id, name: 'nginx' }, baseline: undefined },
    live,
  )
  expect(packageKind.describe(id, pending)).toBe('nginx: not installed, should be installed')
})

function recorded(file: string): string {
  return readFileSync(new URL(`recorded/${file}`, import.meta.url), 'utf8')
}
