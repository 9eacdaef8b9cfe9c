// For each kind, a host with one resource of it in two versions, and a hand that changes it behind the agent's back.
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command, CommandResult, Run } from '../../../shared/command.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type { Resource, ResourceKindName } from '../../../shared/resource.ts'
import { fakeSystemd } from '../apply/fake-systemd.ts'
import { directory, file, idOf, makeWorld, symlink, type World, type WorldOptions } from '../apply/world.ts'

export type Bench = {
  readonly world: World
  readonly one: Resource
  /** The same resource as another revision wants it. */
  readonly two: Resource
  readonly spoil: () => void
  readonly close: () => void
}

const run = createRun({ graceSeconds: 0.3 })

export const benches: Readonly<Record<Exclude<ResourceKindName, 'compose'>, () => Bench>> = {
  file: () =>
    onPaths(file('/etc/motd', 'one\n'), file('/etc/motd', 'two\n', { mode: 0o600 }), (at) =>
      writeFileSync(at('etc/motd'), 'by hand\n'),
    ),
  symlink: () =>
    onPaths(symlink('/etc/link', 'one'), symlink('/etc/link', 'two'), (at) => {
      rmSync(at('etc/link'))
      symlinkSync('by-hand', at('etc/link'))
    }),
  directory: () =>
    onPaths(directory('/etc/parts'), directory('/etc/parts', { mode: 0o700 }), (at) =>
      chmodSync(at('etc/parts'), 0o777),
    ),
  package: onPackages,
  unit: onUnits,
}

function benchIn(options: WorldOptions, bench: (world: World) => Omit<Bench, 'world' | 'close'>): Bench {
  const world = makeWorld(options)
  return { world, ...bench(world), close: world.remove }
}

function onPaths(one: Resource, two: Resource, spoil: (at: (path: string) => string) => void): Bench {
  return benchIn({ capabilities: { commands: true } }, ({ root }) => ({
    ...{ one, two },
    spoil: () => spoil((path) => join(root, path)),
  }))
}

function onUnits(): Bench {
  let root = ''
  const systemd = fakeSystemd(() => root, run)
  const unit = (state: 'running' | 'stopped'): Resource => ({
    ...{ kind: 'unit', id: idOf('unit', 'web.service'), name: 'web.service' },
    enabled: state === 'running',
    state,
  })
  return benchIn({ capabilities: { commands: true, units: true }, run: systemd.run }, (world) => {
    root = world.root
    const path = join(root, 'etc/systemd/system/web.service')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, '[Service]\nExecStart=/bin/true\n')
    const spoil = () => {
      systemd.units.set('web.service', { active: false, enabled: true, failed: false })
    }
    return { one: unit('running'), two: unit('stopped'), spoil }
  })
}

function onPackages(): Bench {
  const apt = fakeApt()
  const caddy = (hold: boolean): Resource => ({
    ...{ kind: 'package', id: idOf('package', 'caddy'), name: 'caddy' },
    hold,
  })
  return benchIn({ capabilities: { commands: true, packages: true }, run: apt.run }, () => ({
    one: caddy(true),
    two: caddy(false),
    spoil: () => apt.packages.set('caddy', 'install'),
  }))
}

/** A fake: packages by name, with what dpkg wants of them, behind the few commands that the agent uses. */
function fakeApt(): { readonly run: Run; readonly packages: Map<string, 'install' | 'hold'> } {
  const packages = new Map<string, 'install' | 'hold'>()
  const answer = ({ args }: Command): CommandResult | undefined => {
    const [program, verb = ''] = args
    const names = args.slice(args.indexOf('--') + 1)
    switch (program) {
      case 'find':
        // Which package manager the host has, and how old its lists are; nothing is half-way.
        return done(
          verb === '/var/lib/dpkg/updates'
            ? ''
            : args.filter((arg) => /^\/(?:usr\/bin\/apt|var\/lib)/.test(arg)).join('\n'),
        )
      case 'dpkg-query':
        return done([...packages].map(([name, want]) => `${name}\tamd64\tinstalled\t${want}\tok\t2.6.2\t`).join('\n'))
      case 'apt-get':
        for (const name of args.includes('install') ? names : []) packages.set(name, 'install')
        return done('')
      case 'apt-mark':
        for (const name of args.slice(2)) packages.set(name, verb === 'hold' ? 'hold' : 'install')
        return done('')
      case 'stat':
      case 'cat':
        return done('')
      default:
        return undefined
    }
  }
  return { packages, run: async (command) => answer(command) ?? run(command) }
}

function done(stdout: string): CommandResult {
  return { code: 0, stdout: `${stdout}\n`, stderr: '' }
}
