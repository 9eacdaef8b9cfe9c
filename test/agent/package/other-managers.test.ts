// What dnf, rpm and pacman printed, and what apk and dnf 5 print by their documentation (recorded/README.md).
import { expect, test } from 'vitest'
import {
  apk,
  parseInstalled as parseApkInstalled,
  parsePolicies,
  parseWorld,
} from '../../../agent/host/packages/apk.ts'
import { packageProvider } from '../../../agent/host/packages/detect.ts'
import {
  dnf,
  parseLocks,
  parseInstalled as parseRpmInstalled,
  parseRpmVersions,
} from '../../../agent/host/packages/dnf.ts'
import { pacman, parseCached, parseInstalled, parseSyncVersions } from '../../../agent/host/packages/pacman.ts'
import type { Command } from '../../../shared/command.ts'
import { recorded } from './recorded.ts'

test('rpm: installed packages with their versions, the epoch where there is one; unknown names are none', () => {
  expect(parseRpmInstalled(recorded('rpm-query.txt'))).toEqual(
    new Map([
      ['plumb-a', '2.0-1.lab'],
      ['plumb-b', '1:1.1-1.lab'],
      ['plumb-c', '1.0-1.lab'],
    ]),
  )
})

test('dnf 4: available versions, in spite of an empty line after each', () => {
  expect(parseRpmVersions(recorded('dnf-repoquery-latest.txt'))).toEqual([
    ['plumb-a', '1.10-1.lab'],
    ['plumb-b', '1:1.1-1.lab'],
  ])
  expect(parseRpmVersions(recorded('dnf-repoquery.txt'))).toHaveLength(8)
})

test('dnf 4 and 5: a locked package is held, one that is only kept from a version is not', () => {
  expect(parseLocks(recorded('dnf-versionlock.txt'))).toEqual(new Set(['plumb-a', 'plumb-b']))
  expect(parseLocks(recorded('dnf5-versionlock.txt'))).toEqual(new Set(['plumb-a']))
})

test('dnf: states come from rpm, a virtual name counts, and locks are asked for only when somebody wants to know', async () => {
  const asked: string[] = []
  const query = async ({ args }: Command) => {
    asked.push(args[0] ?? '')
    const provides = args.at(-1) === 'plumb-virtual' ? 'rpm-whatprovides.txt' : 'rpm-whatprovides-none.txt'
    const rpm = args.includes('--whatprovides') ? provides : 'rpm-query.txt'
    return { code: 1, stdout: recorded(args[0] === 'rpm' ? rpm : 'dnf-versionlock.txt'), stderr: '' }
  }
  const names = ['plumb-a', 'plumb-virtual', 'nope']
  expect(await dnf.states(names, query, { holds: false })).toEqual(
    new Map([
      ['plumb-a', { installed: 'yes', version: '2.0-1.lab' }],
      ['plumb-virtual', { installed: 'yes' }],
      ['nope', { installed: 'no' }],
    ]),
  )
  expect(asked).toEqual(['rpm', 'rpm', 'rpm'])
  await expect(dnf.states(names, query, { holds: true })).rejects.toThrow(/python3-dnf-plugin-versionlock/)
})

test('pacman: installed, available and cached versions', () => {
  expect(parseInstalled(recorded('pacman-query.txt'))).toEqual(
    new Map([
      ['plumb-a', '1.1-1'],
      ['plumb-b', '1:2.0-1'],
    ]),
  )
  expect(parseSyncVersions(recorded('pacman-sync-info.txt'))).toEqual(
    new Map([
      ['plumb-b', '1:2.0-1'],
      ['plumb-a', '1.1-1'],
    ]),
  )
  expect(parseCached(recorded('pacman-cache.txt'))).toContainEqual({
    name: 'plumb-b',
    version: '1:2.0-1',
    path: '/var/cache/pacman/pkg/plumb-b-1:2.0-1-any.pkg.tar.gz',
  })
  expect(parseCached(recorded('pacman-cache.txt'))).toHaveLength(4)
})

test('pacman: IgnorePkg is a hold that can be seen and not set', async () => {
  const outputs: Readonly<Record<string, string>> = {
    'pacman-conf': 'pacman-ignore.txt',
    '--query': 'pacman-query.txt',
    '--deptest': 'pacman-deptest.txt',
  }
  const query = async ({ args: [program = '', verb = ''] }: Command) => {
    const file = outputs[program] ?? outputs[verb] ?? ''
    return { code: 1, stdout: recorded(file), stderr: '' }
  }
  expect(await pacman.states(['plumb-a', 'plumb-b', 'plumb-virtual', 'nope'], query, { holds: true })).toEqual(
    new Map([
      ['plumb-a', { installed: 'yes', version: '1.1-1', held: true }],
      ['plumb-b', { installed: 'yes', version: '1:2.0-1', held: false }],
      ['plumb-virtual', { installed: 'yes', held: false }],
      ['nope', { installed: 'no', held: false }],
    ]),
  )
  await expect(pacman.hold(['plumb-b'], query)).rejects.toThrow(
    'plumb-b not held: pacman has no command for it, holds stand in its configuration (not supported here). Set IgnorePkg = plumb-b in /etc/pacman.conf, a file like any other, or leave `hold` out.',
  )
})

test('apk: what is installed and what can be, without repositories that have a tag', () => {
  expect(parsePolicies(recorded('apk-policy.txt'))).toEqual(
    new Map([
      ['plumb-a', { installed: '1.1-r0', available: ['1.10-r0', '1.1-r0'] }],
      ['plumb-b', { installed: undefined, available: ['2.0-r1'] }],
      ['plumb-c', { installed: '1.0-r0', available: [] }],
    ]),
  )
  expect(parseApkInstalled(recorded('apk-list-installed.txt'))).toEqual(
    new Map([
      ['plumb-a', '1.1-r0'],
      ['plumb-lib3', '3.3.1_git2024-r12'],
    ]),
  )
  expect(parseWorld(recorded('apk-world.txt'))).toEqual(new Set(['plumb-a']))
})

test('apk: a pinned version is installed in one call, and leaves no hold that nobody asked for', async () => {
  const added: string[] = []
  const run = async ({ args }: Command) => {
    const [, verb = ''] = args
    if (verb === 'add') added.push(args.slice(2).join(' '))
    const outputs: Readonly<Record<string, string>> = {
      policy: recorded('apk-policy.txt'),
      list: recorded('apk-list-installed.txt'),
      version: '<\n',
    }
    return { code: 0, stdout: outputs[verb] ?? '', stderr: '' }
  }
  await apk.install([{ name: 'plumb-a', version: '1.*' }, { name: 'plumb-b' }], run)
  await apk.hold(['plumb-a'], run)
  await apk.unhold(['plumb-a'], run)
  expect(added).toEqual(['plumb-a=1.10-r0 plumb-b', 'plumb-a', 'plumb-a=1.1-r0', 'plumb-a'])
})

test.each([
  ['apt', ['/usr/bin/apt-get', '/var/lib/dpkg/status', '/usr/bin/dnf', '/usr/bin/pacman']],
  ['dnf', ['/usr/bin/apt-get', '/usr/bin/dnf']],
  ['apk', ['/sbin/apk', '/lib/apk/db/installed']],
  ['apk', ['/sbin/apk', '/usr/lib/apk/db/installed']],
  ['pacman', ['/usr/bin/pacman', '/var/lib/pacman/local/ALPM_DB_VERSION', '/usr/bin/apt-get']],
])('the host of %s is known by %j, and asked once', async (name, there) => {
  let asked = 0
  const query = async () => {
    asked += 1
    return { code: 1, stdout: `${there.join('\n')}\n`, stderr: '' }
  }
  expect((await packageProvider(query)).name).toBe(name)
  await packageProvider(query)
  expect(asked).toBe(1)
})

test('a host without a package manager says so, and is asked again', async () => {
  let stdout = ''
  const query = async () => ({ code: 1, stdout, stderr: '' })
  await expect(packageProvider(query)).rejects.toThrow(
    'Packages cannot be looked at: this host has none of apt, dnf, apk and pacman. Leave `packages` out of what this host has.',
  )
  stdout = '/usr/bin/dnf\n'
  expect((await packageProvider(query)).name).toBe('dnf')
})
