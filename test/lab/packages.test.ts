// Versions and holds of packages with a real apt, from a repository of trivial packages on the host itself.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { applyPlan } from '../../agent/apply/apply.ts'
import type { ApplyResult } from '../../agent/apply/result.ts'
import { type LiveHost, observeHost } from '../../agent/observe/observe.ts'
import { compareHost, isInSync } from '../../agent/plan/compare.ts'
import { type Plan, planFor } from '../../agent/plan/plan.ts'
import { stepLines } from '../../agent/plan/text.ts'
import { packageKind } from '../../agent/resources/package.ts'
import { openState, type State } from '../../agent/state/state.ts'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { resourceId } from '../../shared/names.ts'
import type { DesiredHost, DesiredService, PackageResource, PackageSettings } from '../../shared/resource.ts'
import { desiredHost, outcome, service } from '../agent/apply/world.ts'
import { FleetHost } from './fleet-host.ts'
import { Applied, type KindHost, kindHost } from './kind-host.ts'
import { buildPackages } from './own-packages.ts'

describe.skipIf(labUnavailable() !== null)('on a booted Debian 12 with a repository of its own', () => {
  let lab: Lab
  let box: LabHost
  let host: KindHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await lab.host('packages', 'bookworm')
    host = kindHost(box)
    await host.write('/root/packages.sh', buildPackages)
    await host.output('sh', '/root/packages.sh')
  })
  afterAll(() => lab?.close())

  beforeEach(async () => {
    await host.output('sh', '/root/index.sh')
    await host.run({ args: ['apt-mark', 'unhold', ...all] })
    await host.output('dpkg', '--purge', '--force-all', ...all)
    await host.output('rm', '-f', '/run/ready', '/run/killed', '/var/log/apt/history.log', preferences)
  })

  test('a service is installed at its versions, held, in one transaction, and not a second time', async () => {
    const packages = new Applied(packageKind, host)
    const desired = [
      pkg('plumb-a', { version: '1.*' }),
      pkg('plumb-b', { version: '1:2.0', hold: true }),
      pkg('plumb-c'),
    ]
    expect(await packages.differences(desired)).toEqual([
      'plumb-a: not installed, should be 1.*',
      'plumb-b: not installed, should be 1:2.0 and held',
      'plumb-c: not installed, should be installed',
    ])
    expect(await packages.apply(desired)).toEqual([
      'installed plumb-a 1.10',
      'installed plumb-b 1:2.0 and held it',
      'installed plumb-c (with plumb-lib)',
    ])
    expect(await transactions(host)).toEqual([
      'apt-get -q -o DPkg::Lock::Timeout=300 install --yes -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 -- plumb-a=1.10 plumb-b=1:2.0 plumb-c',
    ])
    expect(await host.output('apt-mark', 'showhold')).toBe('plumb-b\n')
    expect(await packages.apply(desired)).toEqual([])
  })

  test('a package at any version may become newer by itself, and is drift when it was downgraded', async () => {
    const fleet = new FleetHost(box)
    onTestFinished(() => fleet.close())
    const files = {
      'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [tools] } }\n',
      'services/tools/service.yaml': 'packages: [plumb-a]\n',
    }
    await host.output('apt-get', 'install', '--yes', 'plumb-a=1.1')
    await fleet.apply(files)
    await host.output('apt-get', 'install', '--yes', 'plumb-a=1.10')
    expect(await fleet.drift(files)).toEqual([])
    await fleet.apply(files)

    await host.output('apt-get', 'install', '--yes', '--allow-downgrades', 'plumb-a=1.1')

    const downgraded = ['plumb-a: downgraded to 1.1, was 1.10']
    expect(await fleet.drift(files)).toEqual(downgraded)
    expect((await fleet.apply(files)).changes).toEqual([])
    expect(await fleet.drift(files)).toEqual(downgraded)
    expect((await fleet.apply(files, 'everything')).changes).toEqual(['changed plumb-a from 1.1 to 2.0'])
    expect(await fleet.drift(files)).toEqual([])
  })

  test('what people do to versions, holds and packages is seen and put right', async () => {
    const packages = new Applied(packageKind, host)
    const desired = [pkg('plumb-a', { version: '1.1' }), pkg('plumb-b', { hold: true }), pkg('plumb-c')]
    await packages.apply(desired)
    await host.output('apt-get', 'install', '--yes', 'plumb-a=2.0')
    await host.output('apt-mark', 'unhold', 'plumb-b')
    await host.output('dpkg', '--remove', 'plumb-c')
    expect(await packages.differences(desired)).toEqual([
      'plumb-a: 2.0, should be 1.1',
      'plumb-b: not held',
      'plumb-c: not installed, should be installed',
    ])
    expect(await packages.apply(desired)).toEqual([
      'changed plumb-a from 2.0 to 1.1',
      'held plumb-b',
      'installed plumb-c',
    ])
    expect(await packages.differences(desired)).toEqual([])
    expect(await versionOf(host, 'plumb-a')).toBe('1.1')
  })

  test('a package that the repository holds stays through an upgrade, and moves when the repository says so', async () => {
    const packages = new Applied(packageKind, host)
    await packages.apply([pkg('plumb-a', { version: '1.0', hold: true })])
    await host.output('apt-get', 'dist-upgrade', '--yes')
    expect(await versionOf(host, 'plumb-a')).toBe('1.0')
    const next = [pkg('plumb-a', { version: '1.1*', hold: true })]
    expect(await packages.differences(next)).toEqual(['plumb-a: 1.0, should be 1.1*'])
    expect(await packages.apply(next)).toEqual(['changed plumb-a from 1.0 to 1.10 and held it'])
    expect(await host.output('apt-mark', 'showhold')).toBe('plumb-a\n')
  })

  test("a hold of the repository ends with it, somebody's own is left and not run over", async () => {
    const packages = new Applied(packageKind, host)
    await packages.apply([pkg('plumb-a', { version: '1.0', hold: true }), pkg('plumb-b', { hold: true })])
    await host.output('apt-get', 'install', '--yes', 'plumb-c')
    await host.output('apt-mark', 'hold', 'plumb-c')
    const later = [pkg('plumb-a', { version: '1.0' }), pkg('plumb-c')]
    expect(await packages.differences(later)).toEqual([
      'plumb-a: held, should not be',
      'plumb-b: no longer in the repository; held, should not be',
    ])
    expect(await packages.apply(later)).toEqual([
      'released the hold on plumb-a',
      'left plumb-b installed, no longer held',
    ])
    expect(await host.output('apt-mark', 'showhold')).toBe('plumb-c\n')

    await expect(
      packages.apply([pkg('plumb-a', { version: '1.0' }), pkg('plumb-c', { version: '1.0' })]),
    ).rejects.toThrow(
      /plumb-c not changed: held on this host, by somebody and not by the repository\. Nothing was changed\. apt-mark unhold plumb-c, or say hold: true or hold: false/,
    )
    expect(await versionOf(host, 'plumb-c')).toBe('2.0')
    expect(await packages.apply([pkg('plumb-c', { version: '1.0', hold: false })])).toContain(
      'changed plumb-c from 2.0 to 1.0',
    )
    expect(await host.output('apt-mark', 'showhold')).toBe('')
  })

  test('a version that nobody has is an error with those that there are, and nothing of the service is installed', async () => {
    const packages = new Applied(packageKind, host)
    await expect(packages.apply([pkg('plumb-a', { version: '3.*' }), pkg('plumb-c')])).rejects.toThrow(
      'plumb-a has no version 3.* to install: there is 2.0, 1.10, 1.1, 1.0.',
    )
    expect(await versionOf(host, 'plumb-c')).toBe('')
  })

  test('a dependency is not taken down for a pin that goes up, whatever the preferences of apt', async () => {
    const packages = new Applied(packageKind, host)
    await host.output('apt-get', 'install', '--yes', 'plumb-lib=2.0')
    await host.write(preferences, 'Package: plumb-lib\nPin: version 1.0\nPin-Priority: 1001\n')
    await expect(packages.apply([pkg('plumb-old', { version: '1.0' })])).rejects.toThrow(
      /plumb-old=1\.0 not installed: .*downgraded.*without --allow-downgrades/s,
    )
    expect(await versionOf(host, 'plumb-lib')).toBe('2.0')
  })

  test('after a failed apply versions and holds are what they were, and twice is as good as once', async () => {
    const packages = new Applied(packageKind, host)
    await packages.apply([pkg('plumb-a', { version: '1.1', hold: true }), pkg('plumb-b', { version: '1:2.0' })])
    const next = [pkg('plumb-a', { version: '2.0' }), pkg('plumb-b', { version: '1:1.0', hold: true }), pkg('plumb-c')]
    const saved = overJson(await packages.save(next))
    await packages.apply(next)
    for (const _ of [1, 2]) {
      await packages.restore(saved)
      expect(await versionOf(host, 'plumb-a')).toBe('1.1')
      expect(await versionOf(host, 'plumb-b')).toBe('1:2.0')
      expect(await host.output('apt-mark', 'showhold')).toBe('plumb-a\n')
      expect(await versionOf(host, 'plumb-c')).toBe('2.0')
    }
    expect((await transactions(host)).length).toBe(3)
  })

  test('a service whose check fails has its packages put back, and the plan said what would be done', async () => {
    const state = openState(mkdtempSync(join(tmpdir(), 'plumb-packages-')))
    try {
      const before = service('web', [pkg('plumb-a', { version: '1.1', hold: true })])
      expect(outcome(await applied(desiredHost([before], '1'), host, state))?.kind).toBe('applied')
      const failing = service('web', [pkg('plumb-a', { version: '2.*' }), pkg('plumb-c', { version: '1.0' })], {
        checks: [{ kind: 'run', command: 'false' }],
      })
      const desired = desiredHost([failing], '2')
      const plan = await planned(desired, host, state)
      expect(plan.services.flatMap(({ steps }) => steps.flatMap(stepLines))).toEqual([
        'plumb-a: 1.1, should be 2.*; held, should not be',
        'plumb-c: not installed, should be 1.0',
        'check run `false`',
      ])
      expect(outcome(await applied(desired, host, state))).toMatchObject({
        kind: 'failed',
        failure: { step: 'check run `false`', problem: { code: 'check-failed' } },
      })
      expect(await versionOf(host, 'plumb-a')).toBe('1.1')
      expect(await host.output('apt-mark', 'showhold')).toBe('plumb-a\n')
      expect(state.journal.read()).toEqual([])
      const compared = compareHost(
        desiredHost([before], '1'),
        state.baselines.read().baselines,
        await observed([before], host, state),
      )
      expect(isInSync(compared)).toBe(true)
    } finally {
      rmSync(state.directory, { recursive: true })
    }
  })

  test('a version that is not to be had any more is told, and everything else is put back', async () => {
    const packages = new Applied(packageKind, host)
    await packages.apply([pkg('plumb-a', { version: '1.1', hold: true }), pkg('plumb-b', { version: '1:1.0' })])
    const next = [pkg('plumb-a', { version: '2.0' }), pkg('plumb-b', { version: '1:2.0' })]
    const saved = overJson(await packages.save(next))
    await packages.apply(next)
    await host.output('sh', '/root/index.sh', 'plumb-a_1.1_all.deb')
    await expect(packages.restore(saved)).rejects.toThrow(
      'plumb-a stays at 2.0: 1.1, which was there before, could not be restored: plumb-a has no version 1.1 to install: there is 2.0, 1.10, 1.0.',
    )
    expect(await versionOf(host, 'plumb-b')).toBe('1:1.0')
    expect(await host.output('apt-mark', 'showhold')).toBe('plumb-a\n')
  })

  test('a package that somebody left half-configured is told in words, and stops others before anything is changed', async () => {
    const packages = new Applied(packageKind, host)
    await host.run({ args: ['dpkg', '--install', '/srv/repo/plumb-bad_1.0_all.deb'] })
    expect(await packages.differences([pkg('plumb-bad')])).toEqual([
      'plumb-bad: not set up to the end (half-configured), should be installed',
    ])
    const saved = await packages.save([pkg('plumb-c')])
    await expect(packages.apply([pkg('plumb-c')])).rejects.toThrow(
      'plumb-c not installed: dpkg was interrupted or failed earlier and is half-way: plumb-bad is half-configured. Nothing was changed. Finish it on the host: dpkg --configure -a',
    )
    await packages.restore(saved)
    expect(await versionOf(host, 'plumb-c')).toBe('')
    expect(await transactions(host)).toEqual([])

    await host.output('touch', '/run/ready')
    await host.output('dpkg', '--configure', '-a')
    expect(await packages.apply([pkg('plumb-c')])).toEqual(['installed plumb-c (with plumb-lib)'])
  })

  test('a package of ours that was not set up the last time is tried again', async () => {
    const packages = new Applied(packageKind, host)
    await expect(packages.apply([pkg('plumb-bad')])).rejects.toThrow(
      /plumb-bad not installed: .*half-way.*no ready file/s,
    )
    await host.output('touch', '/run/ready')
    expect(await packages.apply([pkg('plumb-bad')])).toEqual(['installed plumb-bad'])
    expect(await packages.differences([pkg('plumb-bad')])).toEqual([])
  })

  test('a dpkg that was killed in the middle of our own apply is finished, and the version put back', async () => {
    const packages = new Applied(packageKind, host)
    await packages.apply([pkg('plumb-kill', { version: '1.0', hold: true })])
    const next = [pkg('plumb-kill', { version: '2.0', hold: true })]
    const saved = overJson(await packages.save(next))
    await expect(packages.apply(next)).rejects.toThrow(/plumb-kill=2\.0 not installed: dpkg was interrupted/)
    expect(await host.output('apt-mark', 'showhold')).toBe('')
    await packages.restore(saved)
    expect(await versionOf(host, 'plumb-kill')).toBe('1.0')
    expect(await host.output('dpkg', '--audit')).toBe('')
    expect(await host.output('apt-mark', 'showhold')).toBe('plumb-kill\n')
  })
})

const all = ['plumb-a', 'plumb-b', 'plumb-c', 'plumb-lib', 'plumb-old', 'plumb-bad', 'plumb-kill'] as const

const preferences = '/etc/apt/preferences.d/lab'

function pkg(name: string, wanted: Omit<PackageSettings, 'name'> = {}): PackageResource {
  return { kind: 'package', id: resourceId('package', name), name, ...wanted }
}

async function observed(services: readonly DesiredService[], host: KindHost, state: State): Promise<LiveHost> {
  return observeHost(desiredHost(services), state.baselines.read().baselines, host, { full: false })
}

async function planned(desired: DesiredHost, host: KindHost, state: State): Promise<Plan> {
  const live = await observed(desired.services, host, state)
  return planFor(compareHost(desired, state.baselines.read().baselines, live), { repair: 'by-policy' })
}

async function applied(desired: DesiredHost, host: KindHost, state: State): Promise<ApplyResult> {
  const lock = await state.lock({ purpose: 'test', now: new Date(), waitSeconds: 5 })
  try {
    const plan = await planned(desired, host, state)
    const checks = { withinSeconds: 0 }
    return await applyPlan(plan, { host, state, lock, contents: host.contents, checks, now: () => new Date() })
  } finally {
    lock.release()
  }
}

/** As the journal keeps it. */
function overJson<T>(saved: T): T {
  return JSON.parse(JSON.stringify(saved))
}

/** Empty when it is not installed. */
async function versionOf(host: KindHost, name: string): Promise<string> {
  const { stdout } = await host.run({
    args: ['dpkg-query', '--show', `--showformat=\${db:Status-Status} \${Version}`, name],
  })
  return /^installed (.*)$/.exec(stdout)?.[1] ?? ''
}

/** The command lines of apt's log: one for each transaction that changed something. */
async function transactions(host: KindHost): Promise<readonly string[]> {
  const { stdout } = await host.run({ args: ['cat', '/var/log/apt/history.log'] })
  return [...stdout.matchAll(/^Commandline: (.*)$/gm)].map(([, line = '']) => line)
}

/** `index.sh [FILE]` makes the repository anew, without that file. */
