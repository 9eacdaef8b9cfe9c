// What of a host is configured by hand, and how much of it the repository has: things found -> a summary, and an import for each group
// that is not there yet. Pure.
import { type ResourceId, resourceId } from '../../shared/names.ts'
import type { HostEntry } from '../host/entries-below.ts'
import type { Inventory } from '../host/packages/inventory.ts'
import { generated } from './generated.ts'
import { askedFor } from './packages.ts'
import { verdictOn } from './verdict.ts'

export type Thing = {
  readonly kind: 'changed' | 'unowned' | 'unit' | 'compose'
  /** A path, or the name of a compose project. */
  readonly name: string
  /** The service it would belong to. */
  readonly service: string
  readonly isManaged: boolean
}

export type Coverage = {
  readonly managed: number
  readonly things: readonly Thing[]
  readonly proposals: readonly Proposal[]
  /** Packages that a person asked for and no service names. */
  readonly packages: readonly string[]
}

export type Proposal = { readonly service: string; readonly things: number; readonly command: string }

export type Stock = {
  /** Of /etc. */
  readonly entries: readonly HostEntry[]
  readonly inventory: Inventory
  readonly owners: ReadonlyMap<string, readonly string[]>
  /** Names of running ones. */
  readonly projects: readonly string[]
  /** What the repository has for this host. */
  readonly managed: ReadonlySet<ResourceId>
}

export function coverageOf(stock: Stock): Coverage {
  const things = [...stock.entries.flatMap((entry) => thingOf(entry, stock)), ...projectsOf(stock)]
  const missing = things.filter(({ isManaged }) => !isManaged)
  const byService = Map.groupBy(missing, ({ service }) => service)
  const packages = [...stock.inventory.packages.values()].filter(
    ({ name, manual, basic }) => manual && !basic && !stock.managed.has(resourceId('package', name)),
  )
  return {
    managed: things.length - missing.length,
    things,
    proposals: [...byService].map(([service, own]) => ({
      service,
      things: own.length,
      command: commandFor(service, own),
    })),
    packages: packages.map(({ name }) => name).toSorted(),
  }
}

function projectsOf({ projects, managed }: Stock): readonly Thing[] {
  return projects.map((name) => ({
    kind: 'compose',
    name,
    service: name,
    // The kind names a project after its service, in lower case.
    isManaged: [...managed].some((id) => id.toLowerCase() === resourceId('compose', name)),
  }))
}

function thingOf(entry: HostEntry, stock: Stock): readonly Thing[] {
  const { path } = entry
  const { originals } = stock.inventory
  if (entry.kind === 'directory' || entry.kind === 'other' || generated(path) !== undefined) return []
  const circumstances = {
    originals,
    owners: stock.owners,
    named: new Set<string>(),
    all: false,
    leave: new Set<string>(),
  }
  if (verdictOn(entry, circumstances).kind !== 'taken') return []
  if (entry.kind === 'file' && entry.size === 0) return []
  const isOriginal = originals.has(path)
  // A package's, and no configuration: whoever changes that is not configuring.
  if (!isOriginal && stock.owners.has(path)) return []
  const kind = isOriginal ? 'changed' : path.startsWith('/etc/systemd/system/') ? 'unit' : 'unowned'
  const ids = ['file', 'symlink'].map((type) => resourceId(type, path))
  return [{ kind, name: path, service: serviceFor(path, stock), isManaged: ids.some((id) => stock.managed.has(id)) }]
}

/** The package that a person would name, else the directory in /etc, else the file. */
function serviceFor(path: string, { owners, inventory }: Stock): string {
  const above = directoriesAbove(path)
  const original = inventory.originals.get(path)?.package ?? ''
  const owner = [[original].filter((name) => name !== ''), ...above.map((one) => owners.get(one) ?? [])].find(
    (names) => names.length > 0,
  )
  const top = above.at(-1)
  if (owner?.length === 1 && (original !== '' || (top !== undefined && !isShared(path)))) {
    const [name = ''] = owner
    return askedFor(name, (top ?? path).slice('/etc/'.length), inventory)
  }
  const name = top === undefined || isShared(path) ? (path.split('/').at(-1) ?? path) : top.slice('/etc/'.length)
  return nameOf(path.startsWith('/etc/systemd/system/') ? (path.split('/')[4] ?? name) : name)
}

function nameOf(text: string): string {
  const stem = text.replace(/\.d$/, '').replace(/\.(?:service|socket|timer|path|mount|conf|list|sources|rules|sh)$/, '')
  return stem.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'base'
}

/** Of `/etc/nginx/conf.d/x.conf`: `/etc/nginx/conf.d` and `/etc/nginx`. */
function directoriesAbove(path: string): readonly string[] {
  const parts = path.split('/')
  return parts.slice(3).map((_, index) => parts.slice(0, parts.length - 1 - index).join('/'))
}

/** Directories in which every service has a file of its own. */
const shared =
  /^\/etc\/(?:default|cron\.[a-z]+|init\.d|systemd|sysctl\.d|sysusers\.d|tmpfiles\.d|modules-load\.d|modprobe\.d|udev|logrotate\.d|sudoers\.d|profile\.d|pam\.d|security|rsyslog\.d|network|containers|ssl|apparmor\.d|polkit-1|dbus-1)\//

function isShared(path: string): boolean {
  return shared.test(path)
}

function commandFor(service: string, things: readonly Thing[]): string {
  const paths = things.flatMap(({ kind, name }) => (kind === 'compose' ? [] : [isShared(name) ? name : wholeOf(name)]))
  const projects = things.flatMap(({ kind, name }) => (kind === 'compose' ? ['--compose', name] : []))
  return ['plumb', 'import', service, ...new Set(paths), ...projects].map(quoted).join(' ')
}

function wholeOf(path: string): string {
  return directoriesAbove(path).at(-1) ?? path
}

function quoted(word: string): string {
  return /^[A-Za-z0-9._/@:+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
