// Generated transitions of a host, for fast-check: what is desired next - several services, resources that move between them -
// and what people do to the host before it is applied.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import type {
  DesiredHost,
  DesiredService,
  PackageResource,
  Resource,
  Trigger,
  UnitResource,
} from '../../shared/resource.ts'
import { desiredHost, directory, file, service, symlink } from '../agent/apply/world.ts'
import type { FakeHost } from './fakes/fake-host.ts'
import { packageNamed, project, unit } from './fleet.ts'

export type Transition = {
  readonly edits: readonly Edit[]
  readonly services: readonly DesiredService[]
  readonly repair: 'by-policy' | 'everything'
}

export type Edit = { readonly what: string; readonly path: string; readonly unit: string }

export function desiredIn({ services }: Transition, revision: number): DesiredHost {
  return desiredHost(services, String(revision))
}

const paths = ['/a', '/a/b', '/a/b/c', '/a/d', '/e', '/e/f', '/g/h/i', '/g/h/j'] as const
const units = ['one.service', 'two.service', 'three.timer'] as const
/** Comes with no file of ours. */
const packaged = 'packaged.service'
const packages = ['tool', 'library'] as const
export const serviceNames = ['s0', 's1', 's2'] as const

/** Where the packaged unit is; to be called once for a new host. */
export function prepare({ root }: FakeHost): void {
  const path = join(root, 'usr/lib/systemd/system', packaged)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, 'Type=notify\n# of a package\n')
  for (const each of ['run', 'etc/systemd/system', 'srv/compose']) mkdirSync(join(root, each), { recursive: true })
}

/** Of whichever service; `in` is its number. */
type Placed<T> = { readonly in: number; readonly what: T }

const oneIn = (count: number) => fc.nat(count - 1).map((number) => number === 0)
const at = fc.nat(serviceNames.length - 1)
const text = fc.constantFrom('', 'one', 'two', 'three')
const anyPath = fc.constantFrom(...paths)

const pathResource: fc.Arbitrary<Resource & { readonly path: string }> = fc.oneof(
  fc
    .record({ path: anyPath, text, mode: fc.constantFrom(0o644, 0o600) })
    .map(({ path, text: content, mode }) => file(path, content, { mode })),
  fc
    .record({ path: anyPath, target: fc.constantFrom('x', '/nowhere') })
    .map(({ path, target }) => symlink(path, target)),
  fc
    .record({ path: anyPath, purge: fc.boolean(), mode: fc.constantFrom(0o755, 0o700) })
    .map(({ path, ...more }) => directory(path, more)),
)

const unitState = fc.record(
  { enabled: fc.boolean(), state: fc.constantFrom('running' as const, 'stopped' as const) },
  { requiredKeys: [] },
)

/** A unit of ours, with its file, a drop-in or not, and configuration that it reads. */
const ownUnit = fc.record({
  name: fc.constantFrom(...units),
  text,
  dropIn: fc.option(text),
  config: text,
  state: unitState,
})

const reaction = fc.record({
  on: anyPath,
  what: fc.constantFrom('run', 'reload', 'restart'),
  unit: fc.constantFrom(...units, packaged),
})

const anyPackage = fc.record({ version: fc.constantFrom('1.*', '2.*'), hold: fc.boolean() }, { requiredKeys: [] })

const oneService = fc.record({
  isThere: fc.boolean(),
  onRemove: fc.constantFrom('delete' as const, 'delete' as const, 'keep' as const, 'restore' as const),
  onDrift: fc.constantFrom('alert' as const, 'repair' as const),
  reactions: fc.array(reaction, { maxLength: 2 }),
  compose: fc.option(fc.record({ image: text, other: fc.boolean(), config: text, stopped: oneIn(5) }), { freq: 2 }),
  validates: oneIn(4),
})

const edit: fc.Arbitrary<Edit> = fc.record({
  path: fc.constantFrom(...paths, '/a/extra', '/e/extra', '/g/h/extra'),
  unit: fc.constantFrom(...units, packaged),
  what: fc.constantFrom(
    ...['remove', 'write', 'chmod', 'fifo', 'link', 'directory', 'full directory'],
    ...[
      'stop',
      'start',
      'disable',
      'enable',
      'mask',
      'edit unit',
      'purge package',
      'remove container',
      'stop container',
    ],
  ),
})

export const transition: fc.Arbitrary<Transition> = fc
  .record({
    edits: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 3, arbitrary: fc.array(edit, { maxLength: 4 }) },
    ),
    repair: fc.constantFrom('by-policy' as const, 'everything' as const),
    paths: fc.array(fc.record({ in: at, what: pathResource }), { maxLength: 6 }),
    units: fc.array(fc.record({ in: at, what: ownUnit }), { maxLength: 2 }),
    packaged: fc.option(fc.record({ in: at, what: fc.oneof(unitState, fc.constant({ masked: true as const })) }), {
      freq: 2,
    }),
    packages: fc.subarray([...packages]),
    versions: fc.tuple(anyPackage, anyPackage),
    services: fc.tuple(oneService, oneService, oneService),
  })
  .map(({ edits, repair, services, ...placed }) => {
    const clear = withoutClashes(placed.paths)
    const keep = clear.map(({ what }) => what.path)
    const all = services.map((one, index) => serviceOf(index, one, { ...placed, paths: clear, keep }))
    return { edits, repair, services: all.filter((_, index) => services[index]?.isThere ?? false) }
  })

type UnitSettings = Pick<UnitResource, 'enabled' | 'state' | 'masked'>

type Parts = {
  readonly paths: readonly Placed<Resource & { readonly path: string }>[]
  readonly keep: readonly string[]
  readonly units: readonly Placed<{
    readonly name: (typeof units)[number]
    readonly text: string
    readonly dropIn: string | null
    readonly config: string
    readonly state: UnitSettings
  }>[]
  readonly packaged: Placed<UnitSettings> | null
  readonly packages: readonly (typeof packages)[number][]
  readonly versions: readonly Pick<PackageResource, 'version' | 'hold'>[]
}

type OneService = {
  readonly onRemove: DesiredService['onRemove']
  readonly onDrift: DesiredService['onDrift']
  readonly reactions: readonly { readonly on: string; readonly what: string; readonly unit: string }[]
  readonly compose: {
    readonly image: string
    readonly other: boolean
    readonly config: string
    readonly stopped: boolean
  } | null
  readonly validates: boolean
}

function serviceOf(index: number, one: OneService, parts: Parts): DesiredService {
  const name = serviceNames[index] ?? ''
  const own = parts.paths.filter((placed) => placed.in === index).map(({ what }) => withKeep(what, parts.keep))
  const first = new Map(parts.units.toReversed().map((placed) => [placed.what.name, placed]))
  const ofUnits = [...first.values()].filter((placed) => placed.in === index).map(({ what }) => unitParts(what))
  const compose =
    one.compose === null
      ? []
      : project(
          name,
          { main: `main:${one.compose.image || 0}`, ...(one.compose.other ? { other: 'other:1' } : {}) },
          { 'main.conf': one.compose.config },
        ).map((each) =>
          each.kind === 'compose' && one.compose?.stopped ? { ...each, state: 'stopped' as const } : each,
        )
  const fromPackage = parts.packaged?.in === index ? [unitResource(packaged, parts.packaged.what)] : []
  const wanted = parts.packages.flatMap((each, number) =>
    number % serviceNames.length === index ? [packageNamed(each, parts.versions[number])] : [],
  )
  const resources = [...own, ...ofUnits.flatMap((part) => part.resources), ...fromPackage, ...wanted, ...compose]
  const reactions = one.reactions.flatMap((reaction) => reactionTrigger(reaction, own))
  const triggers = [...ofUnits.flatMap((part) => part.triggers), ...reactions]
  const earlier = index === 2 ? [service('s0', []).name] : []
  const { onRemove, onDrift, validates } = one
  const validate = validates ? ['check-tree'] : []
  return service(name, resources, { triggers, onRemove, onDrift, validate, after: earlier })
}

function unitParts({ name, text: content, dropIn, config, state }: Parts['units'][number]['what']) {
  const unitFile = file(`/etc/systemd/system/${name}`, `Type=notify\nX-Config=/etc/${name}.conf\n# ${content}\n`)
  const configFile = file(`/etc/${name}.conf`, config)
  const dropIns = dropIn === null ? [] : [file(`/etc/systemd/system/${name}.d/more.conf`, `# ${dropIn}\n`)]
  const resource = { ...unitResource(name, state), file: unitFile.id }
  const triggers: readonly Trigger[] = [
    { on: [unitFile.id, ...dropIns.map(({ id }) => id)], action: { kind: 'restart', unit: name } },
    { on: [configFile.id], action: { kind: 'reload', unit: name } },
  ]
  return { resources: [unitFile, configFile, ...dropIns, resource], triggers }
}

function unitResource(name: string, settings: UnitSettings): UnitResource {
  const { enabled: _, state: __, ...plain } = unit(name)
  return { ...plain, ...settings }
}

function reactionTrigger(
  { on, what, unit: name }: OneService['reactions'][number],
  own: readonly (Resource & { readonly path?: string })[],
): readonly Trigger[] {
  const ids = own.filter(({ path }) => path === on).map(({ id }) => id)
  if (ids.length === 0) return []
  if (what === 'run') return [{ on: ids, action: { kind: 'run', command: `after ${on}` } }]
  return [{ on: ids, action: { kind: what === 'reload' ? 'reload' : 'restart', unit: name } }]
}

/** As desire would give it: one resource for a path, nothing below a file or link. */
function withoutClashes(all: Parts['paths']): Parts['paths'] {
  const chosen: Placed<Resource & { readonly path: string }>[] = []
  for (const one of all) {
    const clashes = chosen.some(
      ({ what: other }) =>
        other.path === one.what.path ||
        (one.what.path.startsWith(`${other.path}/`) && other.kind !== 'directory') ||
        (other.path.startsWith(`${one.what.path}/`) && one.what.kind !== 'directory'),
    )
    if (!clashes) chosen.push(one)
  }
  return chosen
}

function withKeep(
  one: Resource & { readonly path: string },
  all: readonly string[],
): Resource & { readonly path: string } {
  if (one.kind !== 'directory') return one
  const inside = all.filter((other) => other.startsWith(`${one.path}/`))
  return { ...one, keep: [...new Set(inside.map((other) => other.slice(one.path.length + 1).split('/')[0] ?? ''))] }
}

/** What people and programs do to a host. */
export function make(host: FakeHost, { path, what, unit: name }: Edit): void {
  const known = host.units.get(name)
  const [container] = host.containers.values()
  if (what === 'stop' && known !== undefined) known.running = undefined
  if (what === 'start' && known?.loaded !== undefined) known.running = { unit: known.loaded, config: '' }
  if (what === 'disable' && known !== undefined) known.enabled = false
  if (what === 'enable' && known?.loaded !== undefined) known.enabled = true
  // systemd masks no unit whose own file is in /etc/systemd/system.
  if (what === 'mask' && known !== undefined && name === packaged) known.masked = true
  if (what === 'purge package') host.packages.delete(packages[0])
  if (what === 'remove container' && container !== undefined) host.containers.delete(container.id)
  if (what === 'stop container' && container !== undefined) container.state = 'exited'
  // A file comes in the place of the link that is the mask.
  if (what === 'edit unit' && known !== undefined) known.masked = false
  if (what === 'edit unit') makePath(join(host.root, 'etc/systemd/system', name), 'write')
  else makePath(join(host.root, path), what)
}

function makePath(path: string, what: string): void {
  try {
    if (what === 'chmod') chmodSync(path, 0o750)
    if (!['remove', 'write', 'fifo', 'link', 'directory', 'full directory'].includes(what)) return
    rmSync(path, { recursive: true, force: true })
    if (what === 'remove') return
    mkdirSync(dirname(path), { recursive: true })
    if (what === 'write') writeFileSync(path, 'Type=notify\nby hand\n')
    if (what === 'fifo') execFileSync('mkfifo', [path])
    if (what === 'link') symlinkSync('/by/hand', path)
    if (what.endsWith('directory')) mkdirSync(path)
    if (what === 'full directory') writeFileSync(join(path, 'inside'), 'by hand')
  } catch {
    // A file stands where a directory would be needed: then this person did nothing.
  }
}
