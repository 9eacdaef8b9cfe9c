// Fedora, RHEL and their kin: states by rpm, everything else by dnf, 4 or 5. A hold is a versionlock, of dnf 4 a plugin.

import { type Command, type CommandResult, type Run, whyText } from '../../../shared/command.ts'
import { PlumbError } from '../../../shared/problem.ts'
import {
  type Asked,
  type AvailableVersions,
  type Installation,
  installationBetween,
  lastLines,
  matchesVersion,
  type PackageProvider,
  type PackageStatus,
  type Resolved,
  resolvedVersions,
  rows,
  type Versions,
  type WantedPackage,
  wantedText,
} from './provider.ts'

export const dnf: PackageProvider = {
  name: 'dnf',
  states,
  // Versions are plain (provider.ts), so that nothing in them ends the text in Lua.
  isOlder: async (version, than, query) => {
    const comparison = `%{lua: print(rpm.vercmp("${version}", "${than}"))}`
    return (await query({ args: ['rpm', '--eval', comparison] })).stdout.trim() === '-1'
  },
  // rpm completes or loses a transaction, but keeps no package in a state between.
  unfinished: async () => [],
  finish: async () => {},
  finishing: 'dnf check',
  install,
  hold: (names, run) => lock('add', names, run),
  unhold: (names, run) => lock('delete', names, run),
}

/** `plumb-b\t1\t2.0-1.lab` -> `1:2.0-1.lab`: the epoch is included when there is one, as by dnf. */
export function parseRpmVersions(stdout: string): readonly (readonly [string, string])[] {
  return rows(stdout)
    .filter((row) => row.length === 3)
    .map(([name = '', epoch = '', version = '']) => [name, isNone(epoch) ? version : `${epoch}:${version}`] as const)
}

/**
 * Names of locked packages: `plumb-a-0:1.1-1.lab.*` of dnf 4, `Package name: plumb-a` above `evr = 1.1-1.lab` of dnf 5.
 * What is only kept from one version (`!` and `evr !=`) is not held.
 */
export function parseLocks(stdout: string): ReadonlySet<string> {
  const locked = new Set<string>()
  let entry = ''
  for (const line of stdout.split('\n')) {
    const old = /^(?<name>[^\s!][^\s]*)-(?:[0-9]+:)?[^\s-]+-[^\s-]+$/.exec(line)?.groups?.['name']
    if (old !== undefined) locked.add(old)
    entry = /^Package name: (?<name>\S+)/.exec(line)?.groups?.['name'] ?? entry
    if (/^evr =/.test(line)) locked.add(entry)
  }
  return locked
}

/** Installed ones by name; of several at once, as kernels are, the one that was installed last. */
export function parseInstalled(stdout: string): Versions {
  return new Map(parseRpmVersions(stdout))
}

const installedFormat = '%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}-%{RELEASE}\\n'
const availableFormat = '%{name}\\t%{epoch}\\t%{version}-%{release}\\n'

async function states(
  names: readonly string[],
  query: Run,
  { holds }: Asked,
): Promise<ReadonlyMap<string, PackageStatus>> {
  const installed = parseInstalled(await rpm(['--', ...names], query))
  const held = holds ? await lockedNames(query) : undefined
  const entries: [string, PackageStatus][] = []
  for (const name of names) {
    const hold = held === undefined ? {} : { held: held.has(name) }
    const version = installed.get(name)
    const isProvided = version === undefined && (await rpm(['--whatprovides', '--', name], query)).includes('\t')
    const present = version === undefined ? {} : { version }
    entries.push([name, { installed: version !== undefined || isProvided ? 'yes' : 'no', ...present, ...hold }])
  }
  return new Map(entries)
}

/** Its exit code counts the packages that are not there, which is an answer. */
async function rpm(args: readonly string[], query: Run): Promise<string> {
  const command: Command = {
    args: ['rpm', '--query', '--queryformat', installedFormat, ...args],
    outputLimitBytes: 16 << 20,
  }
  const result = await query(command)
  if (typeof result.code === 'number' && result.code !== 126 && result.code !== 127) return result.stdout
  throw new PlumbError({
    code: 'observe-failed',
    message: `Installed packages cannot be read: ${whyText(command, result, lastLines(result, 1))}.`,
    remedy: 'See what rpm says on the host: rpm --query --all',
  })
}

async function lockedNames(query: Run): Promise<ReadonlySet<string>> {
  const result = await query({ args: ['dnf', '--quiet', '--cacheonly', 'versionlock', 'list'] })
  if (result.code === 0) return parseLocks(result.stdout)
  throw new PlumbError({
    code: 'observe-failed',
    message: `Held packages cannot be read: dnf versionlock failed: ${lastLines(result, 2)}`,
    remedy: 'dnf 4 needs its plugin for `hold`: dnf install python3-dnf-plugin-versionlock',
  })
}

async function install(wanted: readonly WantedPackage[], run: Run): Promise<Installation> {
  const before = parseInstalled(await rpm(['--all'], run))
  const targets = (await resolve(wanted, run)).map(({ name, version }) =>
    version === undefined ? name : specOf(name, version),
  )
  const result = await working(['install', ...targets], run)
  if (result.code !== 0) throw installProblem(wanted, result)
  return installationBetween(before, parseInstalled(await rpm(['--all'], run)))
}

/** dnf itself is asked which of several matching versions is the newest. */
async function resolve(wanted: readonly WantedPackage[], run: Run): Promise<readonly Resolved[]> {
  const pinned = wanted.filter(({ version }) => version !== undefined)
  if (pinned.length === 0) return resolvedVersions(wanted, new Map())
  const all = await available([], [...new Set(pinned.map(({ name }) => name))], run)
  const matching = pinned.flatMap(({ name, version: pattern = '*' }) =>
    (all.get(name) ?? []).filter((version) => matchesVersion(pattern, version)).map((version) => specOf(name, version)),
  )
  if (matching.length === 0) return resolvedVersions(wanted, all)
  const newest = await available(['--latest-limit=1'], matching, run)
  return resolvedVersions(wanted, new Map([...all].map(([name, versions]) => [name, newest.get(name) ?? versions])))
}

async function available(options: readonly string[], specs: readonly string[], run: Run): Promise<AvailableVersions> {
  const args = ['repoquery', '--available', ...options, '--queryformat', availableFormat, ...specs]
  const result = await run({
    args: ['dnf', '--quiet', ...args],
    deadlineSeconds: 600,
    outputLimitBytes: 4 << 20,
  })
  const versions = new Map<string, string[]>()
  for (const [name, version] of parseRpmVersions(result.stdout)) {
    const known = versions.get(name) ?? []
    if (!known.includes(version)) versions.set(name, [...known, version])
  }
  return versions
}

/** With the epoch, also 0: `plumb-a-0:1.1-1.lab` is nothing but that version. */
function specOf(name: string, version: string): string {
  return `${name}-${version.includes(':') ? version : `0:${version}`}`
}

/** `add` says of a package it does not find that it does not, and succeeds: the caller must check afterwards. */
async function lock(verb: 'add' | 'delete', names: readonly string[], run: Run): Promise<void> {
  const result = await working(['versionlock', verb, ...names], run)
  if (result.code === 0) return
  throw new PlumbError({
    code: 'apply-failed',
    message: `${names.join(', ')}: dnf versionlock ${verb} failed: ${lastLines(result, 3)}`,
    remedy: 'dnf 4 needs its plugin for `hold`: dnf install python3-dnf-plugin-versionlock',
  })
}

function working(args: readonly string[], run: Run): Promise<CommandResult> {
  return run({ args: ['dnf', '--assumeyes', ...args], deadlineSeconds: 3600 })
}

function installProblem(wanted: readonly WantedPackage[], result: CommandResult): PlumbError {
  const why = whyText({ args: ['dnf'], deadlineSeconds: 3600 }, result, lastLines(result, 8))
  return new PlumbError({
    code: 'apply-failed',
    message: `${wantedText(wanted)} not installed: ${why}`,
    remedy: `Try it by hand: dnf install ${wanted.map(({ name }) => name).join(' ')}`,
  })
}

function isNone(epoch: string): boolean {
  return epoch === '0' || epoch === '' || epoch === '(none)'
}
