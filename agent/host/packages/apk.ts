// Alpine. A hold is a version in /etc/apk/world (`caddy=2.6.2-r0`), which is what `apk add name=version` leaves there.

import { type Command, type CommandResult, type Run, whyText } from '../../../shared/command.ts'
import { PlumbError } from '../../../shared/problem.ts'
import {
  type AvailableVersions,
  type Installation,
  installationBetween,
  lastLines,
  matchesVersion,
  type PackageProvider,
  type PackageStatus,
  resolvedVersions,
  type Versions,
  type WantedPackage,
  wantedText,
} from './provider.ts'

export const apk: PackageProvider = {
  name: 'apk',
  states,
  isOlder: async (version, than, query) =>
    (await query({ args: ['apk', 'version', '--test', version, than] })).stdout.trim() === '<',
  unfinished: async () => [],
  finish: async () => {},
  finishing: 'apk fix',
  install,
  hold: async (names, run) => {
    const known = await policies(names, run)
    await add(
      names.map((name) => `${name}=${known.get(name)?.installed ?? ''}`),
      { names, run },
    )
  },
  unhold: (names, run) => add(names, { names, run }),
}

export type Policy = { readonly installed: string | undefined; readonly available: readonly string[] }

/** What `apk policy` says: under each package its versions, under each version where it is; the order means nothing. */
export function parsePolicies(stdout: string): ReadonlyMap<string, Policy> {
  const policies = new Map<string, Policy>()
  let name = ''
  let version = ''
  for (const line of stdout.split('\n')) {
    name = /^(?<name>\S+) policy:$/.exec(line)?.groups?.['name'] ?? name
    version = /^ {1,2}(?<version>[^\s:]+):$/.exec(line)?.groups?.['version'] ?? version
    const place = /^ {3,4}(?<place>\S.*)$/.exec(line)?.groups?.['place']
    const known = policies.get(name) ?? { installed: undefined, available: [] }
    if (place === undefined) {
      if (name !== '') policies.set(name, known)
    } else if (/(?:^|\/)lib\/apk\/db\/installed$/.test(place)) policies.set(name, { ...known, installed: version })
    // Of a repository with a tag (`@edge https://...`) packages are taken only when they are asked for by it.
    else if (!place.startsWith('@') && !known.available.includes(version))
      policies.set(name, { ...known, available: [...known.available, version] })
  }
  return policies
}

/** Names that /etc/apk/world keeps at one version. */
export function parseWorld(text: string): ReadonlySet<string> {
  const pinned = text.split(/\s+/).flatMap((entry) => /^(?<name>[^!<>=~@]+)=/.exec(entry)?.groups?.['name'] ?? [])
  return new Set(pinned)
}

/** Only real names: what another package provides does not count here. */
async function states(names: readonly string[], query: Run): Promise<ReadonlyMap<string, PackageStatus>> {
  const known = await policies(names, query)
  const held = parseWorld((await query({ args: ['cat', '/etc/apk/world'], outputLimitBytes: 1 << 20 })).stdout)
  return new Map(
    names.map((name) => {
      const version = known.get(name)?.installed
      const present = version === undefined ? { installed: 'no' } : { installed: 'yes', version }
      return [name, { ...present, held: held.has(name) }] as const
    }),
  )
}

async function policies(names: readonly string[], query: Run): Promise<ReadonlyMap<string, Policy>> {
  const command: Command = { args: ['apk', 'policy', ...names], outputLimitBytes: 4 << 20 }
  const result = await query(command)
  if (typeof result.code === 'number' && result.code < 126) return parsePolicies(result.stdout)
  throw new PlumbError({
    code: 'observe-failed',
    message: `Installed packages cannot be read: ${whyText(command, result, lastLines(result, 1))}.`,
    remedy: 'See what apk says on the host: apk list --installed',
  })
}

async function install(wanted: readonly WantedPackage[], run: Run): Promise<Installation> {
  const names = wanted.map(({ name }) => name)
  const before = await installedVersions(run)
  const resolved = resolvedVersions(wanted, await availableVersions(wanted, run))
  const targets = resolved.map(({ name, version }) => (version === undefined ? name : `${name}=${version}`))
  await add(targets, { names, run, wanted })
  // The version stays in world as a hold, which was not requested: only `hold` does.
  const pinned = resolved.filter(({ version }) => version !== undefined).map(({ name }) => name)
  if (pinned.length > 0) await add(pinned, { names, run })
  return installationBetween(before, await installedVersions(run))
}

/**
 * `busybox-1.36.1-r5 x86_64 {busybox} (GPL-2.0-only) [installed]`; a version begins with a digit and has no hyphen but
 * that of -r5.
 */
export function parseInstalled(stdout: string): Versions {
  const found = stdout.matchAll(/^(?<name>\S+)-(?<version>[0-9][^\s-]*(?:-r[0-9]+)?) .*\[installed\]$/gm)
  return new Map([...found].map(({ groups }) => [groups?.['name'] ?? '', groups?.['version'] ?? '']))
}

async function installedVersions(run: Run): Promise<Versions> {
  return parseInstalled((await run({ args: ['apk', 'list', '--installed'], outputLimitBytes: 16 << 20 })).stdout)
}

async function availableVersions(wanted: readonly WantedPackage[], run: Run): Promise<AvailableVersions> {
  const pinned = wanted.filter(({ version }) => version !== undefined)
  if (pinned.length === 0) return new Map()
  const known = await policies(
    pinned.map(({ name }) => name),
    run,
  )
  const versions = new Map<string, readonly string[]>()
  for (const { name, version: pattern = '*' } of pinned) {
    const all = known.get(name)?.available ?? []
    const matching = all.filter((version) => matchesVersion(pattern, version))
    versions.set(name, matching.length > 1 ? [await newestOf(matching, run)] : matching.length === 1 ? matching : all)
  }
  return versions
}

async function newestOf(versions: readonly string[], run: Run): Promise<string> {
  let newest = versions[0] ?? ''
  for (const version of versions.slice(1)) {
    const { stdout } = await run({ args: ['apk', 'version', '--test', version, newest] })
    if (stdout.trim() === '>') newest = version
  }
  return newest
}

type Adding = {
  readonly names: readonly string[]
  readonly run: Run
  readonly wanted?: readonly WantedPackage[]
}

async function add(targets: readonly string[], { names, run, wanted }: Adding): Promise<void> {
  const command: Command = { args: ['apk', 'add', ...targets], deadlineSeconds: 3600 }
  const result: CommandResult = await run(command)
  if (result.code === 0) return
  const why = whyText(command, result, lastLines(result, 8))
  throw new PlumbError({
    code: 'apply-failed',
    message: `${wantedText(wanted ?? names.map((name) => ({ name })))} not installed: ${why}`,
    remedy: `Try it by hand: apk add ${names.join(' ')}`,
  })
}
