// An inventory of dpkg on this host: packages with their configuration files, whose a path is, which units a
// package brings. Hosts without dpkg have an empty inventory.

import { type Command, type Run, whyText } from '../../../shared/command.ts'
import { PlumbError } from '../../../shared/problem.ts'
import { lastLines } from './provider.ts'

export type InstalledPackage = {
  readonly name: string
  readonly version: string
  /** The first line of its description. */
  readonly summary: string
  /** Names, of every alternative. */
  readonly depends: readonly string[]
  /** A person asked for it, it did not come along with another. */
  readonly manual: boolean
  /** Part of what every system of this distribution has, in the package manager's own judgement. */
  readonly basic: boolean
  /** Hold of apt-mark. */
  readonly held: boolean
}

/** A configuration file as its package has it. */
export type Original = { readonly md5: string; readonly package: string }

export type Inventory = {
  readonly packages: ReadonlyMap<string, InstalledPackage>
  /** By path: dpkg's conffiles, and what packages keep by ucf. */
  readonly originals: ReadonlyMap<string, Original>
}

export const emptyInventory: Inventory = { packages: new Map(), originals: new Map() }

/** Four reads. */
export async function takeInventory(query: Run): Promise<Inventory> {
  const command = dpkgQuery(['--show', `--showformat=${fields.join(unit)}${record}`])
  const installed = await query(command)
  if (installed.code === 127) return emptyInventory
  if (installed.code !== 0 || installed.cut === true)
    throw new PlumbError({
      code: 'observe-failed',
      message: `Installed packages cannot be read: ${whyText(command, installed, lastLines(installed, 1))}.`,
      remedy: 'See what dpkg says on the host: dpkg --audit',
    })
  const manual = await query({ args: ['apt-mark', 'showmanual'], outputLimitBytes: 4 << 20 })
  const hashes = await query({ args: ['cat', '/var/lib/ucf/hashfile'], outputLimitBytes: 4 << 20 })
  const registry = await query({ args: ['cat', '/var/lib/ucf/registry'], outputLimitBytes: 4 << 20 })
  return parseInventory({
    installed: installed.stdout,
    manual: manual.stdout,
    hashes: hashes.stdout,
    registry: registry.stdout,
  })
}

export type InventoryTexts = {
  readonly installed: string
  readonly manual: string
  readonly hashes: string
  readonly registry: string
}

export function parseInventory({ installed, manual, hashes, registry }: InventoryTexts): Inventory {
  const byHand = new Set(manual.split('\n').map((name) => name.replace(/:.*$/, '')))
  const packages = new Map<string, InstalledPackage>()
  const originals = new Map<string, Original>()
  for (const text of installed.split(record)) {
    const [name = '', status = '', want = '', version = '', priority = '', summary = '', depends = '', conffiles = ''] =
      text.split(unit)
    if (name === '' || status === 'not-installed' || status === 'config-files') continue
    const manualHere = byHand.has(name)
    const basic = ['required', 'important', 'standard'].includes(priority)
    packages.set(name, {
      name,
      version,
      summary,
      depends: namesIn(depends),
      manual: manualHere,
      basic,
      held: want === 'hold',
    })
    for (const [, path, md5] of conffiles.matchAll(/^ (\/.*?) ([0-9a-f]{32})(?: obsolete| remove-on-upgrade)?$/gm))
      if (path !== undefined && md5 !== undefined) originals.set(path, { md5, package: name })
  }
  const packageOf = new Map(
    [...registry.matchAll(/^(\S+)\s+(\/.*)$/gm)].map(([, name = '', path = '']) => [path, name]),
  )
  for (const [, md5 = '', path = ''] of hashes.matchAll(/^([0-9a-f]{32})\s+(\/.*)$/gm))
    if (!originals.has(path)) originals.set(path, { md5, package: packageOf.get(path) ?? '' })
  return { packages, originals }
}

/** By path, the packages that have a file or directory of that name, of everything at and below the given paths. */
export async function ownersBelow(
  paths: readonly string[],
  query: Run,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const patterns = paths.map(escaped).flatMap((path) => [path, `${path}/*`])
  if (patterns.length === 0) return new Map()
  // Exit code 1: some path belongs to no package, which is a valid answer.
  const { stdout } = await query(dpkgQuery(['--search', '--', ...patterns]))
  return parseOwners(stdout)
}

/** `nginx-common, libnginx-mod-x: /etc/nginx`; lines of diversions are none. */
export function parseOwners(stdout: string): ReadonlyMap<string, readonly string[]> {
  const lines = [...stdout.matchAll(/^([a-z0-9][^:\n]*(?::[a-z0-9-]+(?:, [^:\n]+)?)*): (\/.*)$/gm)]
  return new Map(
    lines
      .filter(([, owners = '']) => !/^diversion /.test(owners))
      .map(([, owners = '', path = '']) => [path, owners.split(', ').map((owner) => owner.replace(/:.*$/, ''))]),
  )
}

/** The names of units that packages bring, templates among them. */
export async function unitsOf(
  packages: readonly string[],
  query: Run,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>()
  for (const name of packages) {
    const { stdout } = await query(dpkgQuery(['--listfiles', '--', name]))
    const units = stdout.matchAll(
      /^(?:\/usr)?\/lib\/systemd\/system\/([^/\n]+\.(?:service|socket|timer|path|mount))$/gm,
    )
    found.set(name, [...new Set([...units].map(([, unitName = '']) => unitName))])
  }
  return found
}

// dpkg-query writes what it is given: control characters are in no field.
const unit = '\u001f'
const record = '\u001e'

const fields = [
  'Package',
  'db:Status-Status',
  'db:Status-Want',
  'Version',
  'Priority',
  'binary:Summary',
  'Depends',
  'Conffiles',
].map((field) => `\${${field}}`)

function dpkgQuery(args: readonly string[]): Command {
  return { args: ['dpkg-query', ...args], outputLimitBytes: 64 << 20 }
}

function namesIn(depends: string): readonly string[] {
  return depends
    .split(/[,|]/)
    .map((one) => one.trim().replace(/[ (:].*$/, ''))
    .filter((name) => name !== '')
}

/** dpkg takes `*`, `?`, `[` and `\` for a pattern. */
function escaped(path: string): string {
  return path.replace(/[*?[\\]/g, '\\$&')
}
