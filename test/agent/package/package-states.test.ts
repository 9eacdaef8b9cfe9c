// What dpkg-query and apt-cache printed on a booted Debian 12 host (recorded/README.md).
import { expect, test } from 'vitest'
import { parseMadison } from '../../../agent/host/packages/apt.ts'
import { packageStates, parseProvided, parseStates, unfinishedPackages } from '../../../agent/host/packages/dpkg.ts'
import { resolvedVersions } from '../../../agent/host/packages/provider.ts'
import type { Command } from '../../../shared/command.ts'
import { recorded } from './recorded.ts'

const named = recorded('dpkg-named.txt')
const all = recorded('dpkg-all.txt')

test.each([
  ['bash', { installed: 'yes', version: '5.2.15-2+b13', held: false }],
  ['bash:amd64', { installed: 'yes', version: '5.2.15-2+b13', held: false }],
  ['plumb-b', { installed: 'yes', version: '1:2.0', held: false }],
  ['plumb-a', { installed: 'yes', version: '1.0', held: true }],
  ['plumb-bad', { installed: 'half-configured', version: '1.0', held: false }],
  ['dma', { installed: 'no', held: false }],
  ['less', { installed: 'no', held: false }],
])('%s is %j', (name, status) => {
  expect(parseStates(named).get(name)).toEqual(status)
})

test('one architecture that is installed is enough', () => {
  const both = 'libc6\tamd64\tinstalled\tinstall\tok\t2.36\t\nlibc6\ti386\tconfig-files\tdeinstall\tok\t2.31\t\n'
  expect(parseStates(both).get('libc6')).toMatchObject({ installed: 'yes', version: '2.36' })
  expect(parseStates(both).get('libc6:i386')).toMatchObject({ installed: 'no' })
})

test('a package that dpkg wants to be installed again is half-way, whatever its status', () => {
  const broken = 'libc6\tamd64\tinstalled\tinstall\treinstreq\t2.36\t\n'
  expect(parseStates(broken).get('libc6')).toMatchObject({ installed: 'half-installed' })
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
  expect(await packageStates(['bash', 'plumb-a'], dpkg)).toEqual(
    new Map([
      ['bash', { installed: 'yes', version: '5.2.15-2+b13', held: false }],
      ['plumb-a', { installed: 'yes', version: '1.0', held: true }],
    ]),
  )
  expect(asked).toHaveLength(1)
  expect((await packageStates(['bash', 'awk'], dpkg)).get('awk')).toEqual({ installed: 'yes', held: false })
  expect(asked).toHaveLength(3)
})

test('what dpkg left half-way is told by package and state, and an interrupted dpkg itself', async () => {
  const dpkg = async ({ args }: Command) => {
    const stdout = args[0] === 'dpkg-query' ? all : args[0] === 'find' ? '/var/lib/dpkg/updates/0001\n' : ''
    return { code: 0, stdout, stderr: '' }
  }
  expect(await unfinishedPackages(dpkg)).toEqual([
    { name: 'plumb-bad', state: 'half-configured' },
    { name: 'dpkg', state: 'interrupted' },
  ])
})

test('the newest version that matches is meant, each version once, the newest first', () => {
  const available = parseMadison(recorded('apt-madison.txt'))
  expect(available.get('plumb-a')).toEqual(['2.0', '1.1', '1.0'])
  expect(available.get('libc6')).toEqual(['2.36-9+deb12u14', '2.36-9+deb12u7'])
  const wanted = [{ name: 'plumb-a', version: '1.*' }, { name: 'plumb-b', version: '*:2.?' }, { name: 'bash' }]
  expect(resolvedVersions(wanted, available)).toMatchObject([
    { name: 'plumb-a', version: '1.1' },
    { name: 'plumb-b', version: '1:2.0' },
    { name: 'bash', version: undefined },
  ])
})

test('sources are no versions to install', () => {
  const line = 'plumb-a | 3.0 | http://mirror.example/debian bookworm/main Sources\n'
  expect(parseMadison(line)).toEqual(new Map())
})

test('without a version that matches, those that there are are told', () => {
  const available = parseMadison(recorded('apt-madison.txt'))
  const wanted = [
    { name: 'plumb-a', version: '3.*' },
    { name: 'plumb-b', version: '1.*' },
    { name: 'nope', version: '1' },
  ]
  expect(() => resolvedVersions(wanted, available)).toThrow(
    'plumb-a has no version 3.* to install: there is 2.0, 1.1, 1.0; plumb-b has no version 1.* to install: there is 1:2.0, 1:1.1, 1:1.0; nope has no version 1 to install: there is none at all. Change `version` in service.yaml, or add the package repository that has it.',
  )
})
