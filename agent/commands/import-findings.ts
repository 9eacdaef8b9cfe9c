// What `plumb import` looks at on this host, put together for agent/import: files, whose they are, packages, units, who listens.
import { compact } from '../../shared/compact.ts'
import { type AbsolutePath, absolutePathSchema, type HostName } from '../../shared/names.ts'
import { above, placesBy } from '../../shared/places.ts'
import { PlumbError } from '../../shared/problem.ts'
import { unitDirectory } from '../../shared/repository/layout.ts'
import { entriesBelow, type HostEntry } from '../host/entries-below.ts'
import { extendedBelow } from '../host/file-attributes.ts'
import type { HostReader } from '../host/host.ts'
import { listeners } from '../host/listening.ts'
import { emptyInventory, type Inventory, ownersBelow, takeInventory, unitsOf } from '../host/packages/inventory.ts'
import { unitStatuses } from '../host/systemd.ts'
import type { Findings } from '../import/findings.ts'
import { packagesFor } from '../import/packages.ts'
import type { FoundUnit } from '../import/units.ts'
import { verdictOn } from '../import/verdict.ts'
import { foundProject } from './import-project.ts'

export type Asked = {
  readonly service: string
  readonly host: HostName
  readonly paths: readonly AbsolutePath[]
  readonly units: readonly string[]
  readonly packages: readonly string[]
  readonly compose: string | undefined
  readonly all: boolean
  readonly leave: ReadonlySet<string>
  readonly notSecret: ReadonlySet<string>
  readonly hide: boolean
  readonly hideIn: ReadonlyMap<string, string | undefined>
}

/** Throws PlumbError `usage` when a path is not there, or a package or unit that was asked for. */
export async function findingsFor(asked: Asked, host: HostReader): Promise<Findings> {
  const entries = await allBelow(asked.paths, host)
  const compose = asked.compose === undefined ? undefined : await foundProject(asked.compose, host)
  const inventory = host.capabilities.packages ? await takeInventory(host.query) : emptyInventory
  const owners = host.capabilities.packages
    ? await ownersOf(asked.paths, inventory, host)
    : new Map<string, readonly string[]>()
  const { leave, all } = asked
  const circumstances = { originals: inventory.originals, owners, named: new Set<string>(asked.paths), all, leave }
  const takenOwners = ownersOfFiles(
    entries.filter((entry) => verdictOn(entry, circumstances).kind === 'taken'),
    owners,
  )
  const names = packagesFor(
    {
      service: asked.service,
      named: asked.packages,
      owners: takenOwners.length > 0 ? takenOwners : ownersOfFiles(entries, owners),
    },
    inventory,
  )
  const packages = names.map((name) => inventory.packages.get(name) ?? notInstalled(name))
  const related = [...new Set([...names, ...ownersOfFiles(entries, owners)])]
  return {
    service: asked.service,
    host: asked.host,
    at: new Date(),
    paths: asked.paths,
    entries,
    circumstances,
    extended: await extendedOf(asked.paths, host),
    packages,
    units: hasUnits(host) ? await foundUnits(asked, { entries, names, related }, host) : [],
    listeners: host.capabilities.units ? await listeners(host.query) : undefined,
    hide: asked.hide,
    hideIn: asked.hideIn,
    notSecret: asked.notSecret,
    ...compact({ compose }),
  }
}

/** In a sandbox no command is run for what is below it. */
async function extendedOf(paths: readonly AbsolutePath[], host: HostReader): Promise<Findings['extended']> {
  return host.capabilities.commands && paths.length > 0 ? await extendedBelow(paths, host) : new Map()
}

/** Where systemd does not run - in a container, a chroot - there are files alone. */
function hasUnits({ capabilities, files }: HostReader): boolean {
  return capabilities.units && files.stat(absolutePathSchema.parse('/run/systemd/system')) !== undefined
}

/** A path below another that was given is there once. */
async function allBelow(paths: readonly AbsolutePath[], host: HostReader): Promise<readonly HostEntry[]> {
  const byPath = new Map<string, HostEntry>()
  for (const path of paths) refuseReserved(path, host)
  for (const path of paths) for (const entry of await entriesBelow(path, host.files)) byPath.set(entry.path, entry)
  return [...byPath.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** By its name it is left out with a reason; a link may lead there as well. */
function refuseReserved(path: AbsolutePath, { files }: HostReader): void {
  const place = placesBy(files.waysInto([above(path)]))(path)
  if (place === path || files.reserved(place)?.kind !== 'is') return
  throw new PlumbError({
    code: 'usage',
    message: `${path} is ${place} on this host, which is the system's or the agent's own.`,
    remedy: 'Leave it out: no repository has it.',
  })
}

/** As dpkg has it, and for files that packages keep by ucf as ucf has it. */
async function ownersOf(paths: readonly AbsolutePath[], { originals }: Inventory, { query }: HostReader) {
  const owners = new Map(await ownersBelow(paths, query))
  for (const [path, original] of originals)
    if (!owners.has(path) && original.package !== '') owners.set(path, [original.package])
  return owners
}

function ownersOfFiles(
  entries: readonly HostEntry[],
  owners: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const leaves = entries.filter(({ kind }) => kind !== 'directory')
  return [...new Set(leaves.flatMap(({ path }) => owners.get(path) ?? []))]
}

type Around = {
  readonly entries: readonly HostEntry[]
  /** Packages of the service. */
  readonly names: readonly string[]
  /** Those and the ones whose files were looked at. */
  readonly related: readonly string[]
}

async function foundUnits(
  asked: Asked,
  { entries, names, related }: Around,
  { query }: HostReader,
): Promise<readonly FoundUnit[]> {
  const above = `${unitDirectory}/`
  const own = entries.flatMap(({ path, kind }) =>
    kind !== 'directory' && path.startsWith(above) && !path.slice(above.length).includes('/')
      ? [{ name: path.slice(above.length), isFile: kind === 'file' }]
      : [],
  )
  const ownNames = new Set(own.filter(({ isFile }) => isFile).map(({ name }) => name))
  const packageOf = new Map<string, string>()
  for (const [name, units] of await unitsOf(related, query)) for (const unit of units) packageOf.set(unit, name)
  const main = [asked.service, ...names].map((name) => `${name}.service`)
  const wanted = [...new Set([...own.map(({ name }) => name), ...packageOf.keys(), ...main, ...asked.units])]
  const statuses = await unitStatuses(wanted, query)
  const absent = asked.units.find((name) => statuses.get(name)?.loadState === 'not-found')
  if (absent !== undefined)
    throw new PlumbError({
      code: 'usage',
      message: `There is no unit ${absent} on this host.`,
      remedy: 'See: systemctl list-unit-files',
    })
  const isMain = (name: string) =>
    asked.units.includes(name) || main.includes(name) || own.some((unit) => unit.name === name)
  return [...statuses.values()]
    .filter(({ loadState }) => loadState !== 'not-found')
    .map((status) => {
      const owner = packageOf.get(status.name)
      return {
        status,
        isOwn: ownNames.has(status.name),
        isMain: isMain(status.name),
        ...compact({ package: owner }),
      }
    })
}

function notInstalled(name: string): never {
  throw new PlumbError({
    code: 'usage',
    message: `The package ${name} is not installed here.`,
    remedy: 'Import from a host that has it, or leave --package out.',
  })
}

export function pathOption(text: string): AbsolutePath {
  const parsed = absolutePathSchema.safeParse(text.replace(/(?<=.)\/+$/, ''))
  if (parsed.success) return parsed.data
  throw new PlumbError({
    code: 'usage',
    message: `"${text}" is not a path on the host: expected ${parsed.error.issues[0]?.message}.`,
    remedy: 'Give it in full: /etc/nginx',
  })
}
