// Two revisions of a fleet between which everything changes that can: every kind of resource, new, changed and removed, in
// services after each other, one that leaves and one that comes. What a service owns bears its name.

import { absolutePathSchema, resourceId } from '../../shared/names.ts'
import type {
  ComposeResource,
  DesiredHost,
  DesiredService,
  FileResource,
  PackageResource,
  Resource,
  Trigger,
  TriggerAction,
  UnitResource,
} from '../../shared/resource.ts'
import { desiredHost, directory, file, service, sha, symlink } from '../agent/apply/world.ts'

export type RevisionNumber = 1 | 2

export const serviceNames = ['base', 'web', 'app', 'gone', 'back', 'fresh'] as const

export type Seed = number

/** With this file there a host is cut off, where the suite says so (contact.ts). */
export const cutsOff = { path: '/etc/base/main.conf', content: mainOf(2) } as const

/** The same seed gives the same two revisions. Commands find the host's files in `root`. */
export function revisionOf(seed: Seed, number: RevisionNumber, root: string): DesiredHost {
  const make: Making = { random: randomFrom(seed), number, root }
  const services = [base(make), web(make), app(make)]
  const passing = number === 1 ? [gone(), back()] : [fresh()]
  const host = desiredHost([...services, ...passing], String(number))
  return { ...host, connectivityGuardSeconds: 2 }
}

/** What a host has before its first apply: units of a package, a file that its service will put back. */
export const ofDistribution: Readonly<Record<string, string>> = {
  '/usr/lib/systemd/system/web-idle.service': '# of a package\n',
  '/etc/back/back.conf': 'of the distribution\n',
}

/** What people and programs left on the host besides: what a purge removes, an edit that an apply overwrites. */
export const byHand: Readonly<Record<string, string>> = {
  '/srv/base/purged/extra': 'made by hand',
  '/srv/base/purged/.hidden/deep/file': 'made by hand',
  '/srv/base/purged/new': 'made by hand where a file comes',
  '/etc/base/f1': 'edited by hand',
  '/etc/fresh/was-here': 'a file of nobody, where a file comes',
}

export function unit(name: string, more: Partial<UnitResource> = {}): UnitResource {
  return { kind: 'unit', id: resourceId('unit', name), name, enabled: true, state: 'running', ...more }
}

export function packageNamed(name: string, more: Partial<PackageResource> = {}): PackageResource {
  return { kind: 'package', id: resourceId('package', name), name, ...more }
}

/** A project whose compose file is JSON, as the fake docker reads it; `mounted` files are seen by the first service. */
export function project(
  name: string,
  images: Readonly<Record<string, string>>,
  mounted: Readonly<Record<string, string>>,
): readonly Resource[] {
  const home = `/srv/compose/${name}`
  const files = Object.entries(mounted).map(([each, text]) => file(`${home}/${each}`, text))
  const volumes = files.map(({ path }) => ({ type: 'bind', source: path, target: `/mnt${path}` }))
  const services = Object.entries(images).map(([each, image], index) => [
    each,
    { image, volumes: index === 0 ? volumes : [] },
  ])
  const declared = file(`${home}/compose.yaml`, `${JSON.stringify({ name, services: Object.fromEntries(services) })}\n`)
  return [...files, declared, composeOf(name, [...files, declared])]
}

function composeOf(name: string, files: readonly FileResource[]): ComposeResource {
  const home = `/srv/compose/${name}`
  return {
    kind: 'compose',
    id: resourceId('compose', name),
    project: name,
    directory: absolutePathSchema.parse(home),
    file: absolutePathSchema.parse(`${home}/compose.yaml`),
    sha256: sha(JSON.stringify(files.map(({ path, sha256 }) => [path, sha256]))),
    files: files.map(({ path, sha256 }) => ({ path, sha256 })),
    registries: [],
    allowMounts: [],
    allow: [],
    moveMounts: [],
    state: 'running',
  }
}

type Making = { readonly random: () => number; readonly number: RevisionNumber; readonly root: string }

function mainOf(number: RevisionNumber): string {
  return `revision ${number}\n`
}

function maskedUnit(name: string): UnitResource {
  return { kind: 'unit', id: resourceId('unit', name), name, masked: true }
}

function base({ random, number, root }: Making): DesiredService {
  const isNew = number === 2
  const count = 2 + Math.floor(random() * 3)
  const size = Math.floor(random() * 4000)
  const big = random() < 0.3 ? [file('/srv/base/big', `${number}`.repeat(1_300_000))] : []
  const plain = Array.from({ length: count }, (_, index) =>
    file(`/etc/base/f${index}`, `revision ${number} of ${index}\n`.padEnd(size, '.')),
  )
  const purged = directory('/srv/base/purged', { purge: isNew, keep: ['kept', 'new'] })
  const main = file(cutsOff.path, mainOf(number), { validate: 'grep -q revision {}' })
  const secret = `token of ${number}`
  return service(
    'base',
    [
      main,
      ...plain,
      ...big,
      file('/etc/base/same', 'the same in both'),
      file('/etc/base/mode', 'mode only', { mode: isNew ? 0o755 : 0o640 }),
      file('/etc/base/owned', 'owner only', isNew ? { owner: 'daemon', group: 'daemon' } : {}),
      file('/etc/base/secret', secret, { mode: 0o600, secrets: ['token'] }),
      file(`/etc/base/only-${number}`, `${number}`),
      file('/etc/sysusers.d/base.conf', `u base${number} -\n`),
      file('/etc/tmpfiles.d/base.conf', `d /run/base${number}\n`),
      symlink('/etc/base/link', `f${number}`),
      symlink(`/etc/base/link-${number}`, 'same'),
      directory('/srv/base', { mode: isNew ? 0o750 : 0o755 }),
      directory(`/srv/base/made-${number}`, { mode: 0o700 }),
      purged,
      file('/srv/base/purged/kept', `${number}`),
      ...(isNew ? [file('/srv/base/purged/new', '2')] : []),
      // A file that becomes a link, a directory that becomes a file.
      isNew ? symlink('/srv/base/becomes', 'elsewhere') : file('/srv/base/becomes', 'a file'),
      isNew ? file('/srv/base/room', 'a file now') : file('/srv/base/room/inside', 'in a directory'),
    ],
    {
      triggers: [on(main, { kind: 'run', command: `cp ${root}/etc/base/main.conf ${root}/run/base.read` })],
      checks: [{ kind: 'run', command: `cmp ${root}/etc/base/main.conf ${root}/run/base.read` }],
    },
  )
}

function web({ number }: Making): DesiredService {
  const isNew = number === 2
  const config = file('/etc/web/web.conf', `revision ${number}\n`)
  const main = unitFile('web-main.service', `Type=notify\nX-Config=/etc/web/web.conf\n# ${number}`)
  const dropIn = file('/etc/systemd/system/web-main.service.d/limits.conf', `# limits of ${number}\n`)
  const job = unitFile('web-job.service', `X-Config=/etc/web/web.conf\n# ${number}`)
  const side = unitFile('web-side.service', '# the same in both\nX-Config=/etc/web/side.conf')
  const sideConfig = file('/etc/web/side.conf', `side of ${number}\n`)
  const passing = isNew ? job : unitFile('web-old.service', '# leaves')
  const tick = unitFile('web-tick.timer', '# a timer')
  return service(
    'web',
    [
      packageNamed('web-tool'),
      packageNamed('web-server', { version: `${number}.*`, ...(isNew ? { hold: true } : {}) }),
      ...(isNew ? [packageNamed('web-extra')] : []),
      ...[config, main, dropIn, side, sideConfig, passing, tick],
      unit('web-main.service', { file: main.id }),
      unit('web-side.service', { file: side.id }),
      unit(isNew ? 'web-job.service' : 'web-old.service', { file: passing.id }),
      isNew ? maskedUnit('web-idle.service') : unit('web-idle.service'),
      unit('web-tick.timer', { file: tick.id, ...(isNew ? { enabled: false, state: 'stopped' } : {}) }),
    ],
    {
      after: [service('base', []).name],
      triggers: [
        on(config, { kind: 'reload', unit: 'web-main.service' }),
        on(sideConfig, { kind: 'reload', unit: 'web-side.service' }),
        { on: [main.id, dropIn.id], action: { kind: 'restart', unit: 'web-main.service' } },
        on(side, { kind: 'restart', unit: 'web-side.service' }),
        on(passing, { kind: 'restart', unit: isNew ? 'web-job.service' : 'web-old.service' }),
      ],
      checks: [{ kind: 'unit', unit: 'web-main.service' }],
      settleSeconds: 1,
    },
  )
}

function app({ number }: Making): DesiredService {
  const isNew = number === 2
  const images = {
    front: `front:${number}`,
    store: 'store:7',
    ...(isNew ? { cache: 'cache:1' } : { worker: 'worker:1' }),
  }
  const note = file(`/etc/app/revision-${number}`, `${number}`)
  return service('app', [...project('app', images, { 'front.conf': `front of ${number}\n` }), note], {
    after: [service('web', []).name],
    settleSeconds: 1,
  })
}

/** Leaves too, and puts back what was there before it came. */
function back(): DesiredService {
  const resources = [file('/etc/back/back.conf', 'ours'), file('/srv/back/made/below/it', 'in directories of our own')]
  return service('back', resources, { onRemove: 'restore' })
}

function gone(): DesiredService {
  const main = unitFile('gone-main.service', '# leaves with its service')
  return service('gone', [
    ...[main, unit('gone-main.service', { file: main.id })],
    file('/etc/gone/gone.conf', 'leaves'),
    directory('/srv/gone'),
    symlink('/srv/gone/link', 'anywhere'),
    ...project('gone', { only: 'only:1' }, {}),
  ])
}

function fresh(): DesiredService {
  return service('fresh', [
    file('/etc/fresh/was-here', 'ours now', { mode: 0o600 }),
    file('/etc/fresh/new/below/new.conf', 'new'),
    symlink('/etc/fresh/link', 'was-here'),
    directory('/srv/fresh/deep/er'),
  ])
}

function unitFile(name: string, text: string): FileResource {
  return file(`/etc/systemd/system/${name}`, `${text}\n`)
}

function on({ id }: FileResource, action: TriggerAction): Trigger {
  return { on: [id], action }
}

/** mulberry32. */
function randomFrom(seed: Seed): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
