// Arch. Repositories have one version of a package, the cache has those of before. What is installed here is never
// joined by a refresh of the package lists (`-Sy`): that would be a partial upgrade, which Arch does not support.

import { type Command, type CommandResult, type Run, whyText } from '../../../shared/command.ts'
import { PlumbError } from '../../../shared/problem.ts'
import { matchesPattern } from '../../../shared/repository/assign.ts'
import {
  type AvailableVersions,
  type Installation,
  installationBetween,
  lastLines,
  type PackageProvider,
  type PackageStatus,
  resolvedVersions,
  type Versions,
  type WantedPackage,
  wantedText,
} from './provider.ts'

export const pacman: PackageProvider = {
  name: 'pacman',
  states,
  isOlder: async (version, than, query) => (await query({ args: ['vercmp', version, than] })).stdout.trim() === '-1',
  unfinished: async () => [],
  finish: async () => {},
  finishing: 'pacman --database --check',
  install,
  hold: async (names) => {
    throw holdProblem(names, 'held')
  },
  unhold: async (names) => {
    throw holdProblem(names, 'released')
  },
}

/** `plumb-b 1:2.0-1`. */
export function parseInstalled(stdout: string): Versions {
  return new Map([...stdout.matchAll(/^(\S+) (\S+)$/gm)].map(([, name = '', version = '']) => [name, version]))
}

/** What `pacman -Si` says; LANG is C.UTF-8. */
export function parseSyncVersions(stdout: string): Versions {
  const blocks = stdout.split('\n\n').map((block) => {
    const field = (name: string) => new RegExp(`^${name} *: (.*)$`, 'm').exec(block)?.[1] ?? ''
    return [field('Name'), field('Version')] as const
  })
  // The repository that stands first in pacman.conf is the one that counts.
  return new Map(blocks.filter(([name]) => name !== '').toReversed())
}

export type CachedPackage = { readonly name: string; readonly version: string; readonly path: string }

/** `/var/cache/pacman/pkg/plumb-b-1:2.0-1-any.pkg.tar.gz`. */
export function parseCached(stdout: string): readonly CachedPackage[] {
  const files = stdout.matchAll(/^(\/.*\/([^/\n]+)-([^-/\n]+-[^-/\n]+)-[^-/\n]+\.pkg\.tar(?:\.[a-z0-9]+)?)$/gm)
  return [...files].map(([, path = '', name = '', version = '']) => ({ name, version, path }))
}

async function states(names: readonly string[], query: Run): Promise<ReadonlyMap<string, PackageStatus>> {
  const installed = parseInstalled(await answer({ args: ['pacman', '--query', '--', ...names] }, query))
  const ignored = (await answer({ args: ['pacman-conf', 'IgnorePkg'] }, query)).split('\n')
  const absent = names.filter((name) => !installed.has(name))
  const provided = absent.length === 0 ? new Set<string>() : await providedAmong(absent, query)
  return new Map(
    names.map((name) => {
      const version = installed.get(name)
      const present = version === undefined ? {} : { version }
      const isThere = version !== undefined || provided.has(name)
      const held = ignored.some((pattern) => pattern !== '' && matchesPattern(pattern, name))
      return [name, { installed: isThere ? 'yes' : 'no', ...present, held }] as const
    }),
  )
}

/** 1 says that some name is unknown, which is an answer. */
async function answer(command: Command, query: Run): Promise<string> {
  const result = await query({ ...command, outputLimitBytes: 16 << 20 })
  if (result.code === 0 || result.code === 1) return result.stdout
  throw new PlumbError({
    code: 'observe-failed',
    message: `Installed packages cannot be read: ${whyText(command, result, lastLines(result, 1))}.`,
    remedy: 'See what pacman says on the host: pacman --query',
  })
}

/** `pacman --deptest` prints what nothing installed satisfies. */
async function providedAmong(names: readonly string[], query: Run): Promise<ReadonlySet<string>> {
  const { stdout } = await query({ args: ['pacman', '--deptest', '--', ...names] })
  const lacking = new Set(stdout.split('\n'))
  return new Set(names.filter((name) => !lacking.has(name)))
}

async function install(wanted: readonly WantedPackage[], run: Run): Promise<Installation> {
  const before = await installedVersions(run)
  const pinned = wanted.filter(({ version }) => version !== undefined).map(({ name }) => name)
  const sync = pinned.length === 0 ? new Map() : await syncVersions(pinned, run)
  const cached = pinned.length === 0 ? [] : await cachedPackages(run)
  const resolved = resolvedVersions(wanted, await availableVersions(pinned, { sync, cached, run }))
  const isSync = ({ name, version }: { name: string; version: string | undefined }) =>
    version === undefined || sync.get(name) === version
  const old = resolved.filter((one) => !isSync(one))
  const paths = old.flatMap(
    ({ name, version }) => cached.find((one) => one.name === name && one.version === version)?.path ?? [],
  )
  // pacman has no transaction over both: what comes from the cache is installed first.
  if (paths.length > 0) await working(['--upgrade', '--noconfirm', '--', ...paths], wanted, run)
  const names = resolved.filter(isSync).map(({ name }) => name)
  if (names.length > 0) await working(['--sync', '--noconfirm', '--needed', '--', ...names], wanted, run)
  return installationBetween(before, await installedVersions(run))
}

async function installedVersions(run: Run): Promise<Versions> {
  return parseInstalled(await answer({ args: ['pacman', '--query'] }, run))
}

async function syncVersions(names: readonly string[], run: Run): Promise<Versions> {
  return parseSyncVersions(await answer({ args: ['pacman', '--sync', '--info', '--', ...names] }, run))
}

async function cachedPackages(run: Run): Promise<readonly CachedPackage[]> {
  const args = ['find', '/var/cache/pacman/pkg', '-maxdepth', '1', '-name', '*.pkg.tar*', '!', '-name', '*.sig']
  return parseCached((await run({ args, outputLimitBytes: 16 << 20 })).stdout)
}

type Sources = { readonly sync: Versions; readonly cached: readonly CachedPackage[]; readonly run: Run }

/** The repository's own first, then those of the cache from the newest to the oldest. */
async function availableVersions(names: readonly string[], { sync, cached, run }: Sources): Promise<AvailableVersions> {
  const versions = new Map<string, readonly string[]>()
  for (const name of names) {
    const own = sync.get(name)
    const others = cached.filter((one) => one.name === name && one.version !== own).map(({ version }) => version)
    versions.set(name, [...(own === undefined ? [] : [own]), ...(await newestFirst([...new Set(others)], run))])
  }
  return versions
}

async function newestFirst(versions: readonly string[], run: Run): Promise<readonly string[]> {
  let sorted: readonly string[] = []
  for (const version of versions) {
    let at = 0
    for (const other of sorted) {
      const { stdout } = await run({ args: ['vercmp', version, other] })
      if (Number(stdout.trim()) > 0) break
      at += 1
    }
    sorted = sorted.toSpliced(at, 0, version)
  }
  return sorted
}

async function working(args: readonly string[], wanted: readonly WantedPackage[], run: Run): Promise<void> {
  const command: Command = { args: ['pacman', ...args], deadlineSeconds: 3600 }
  const result: CommandResult = await run(command)
  if (result.code === 0) return
  const lock = await run({ args: ['find', lockFile, '-maxdepth', '0'] })
  const why = whyText(command, result, lastLines(result, 8))
  throw new PlumbError({
    code: 'apply-failed',
    message: `${wantedText(wanted)} not installed: ${why}`,
    remedy:
      lock.stdout.trim() === ''
        ? 'When a file was not found the package lists are old: upgrade the host with pacman -Syu.'
        : `Another pacman is at work; when there is none, it was interrupted: rm ${lockFile}`,
  })
}

const lockFile = '/var/lib/pacman/db.lck'

function holdProblem(names: readonly string[], verb: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${names.join(', ')} not ${verb}: pacman has no command for it, holds stand in its configuration (not supported here).`,
    remedy: `Set IgnorePkg = ${names.join(' ')} in /etc/pacman.conf, a file like any other, or leave \`hold\` out.`,
  })
}
