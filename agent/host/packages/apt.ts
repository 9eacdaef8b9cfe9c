// Debian packages: states by dpkg-query, and all installations in one apt-get call.

import { type Command, type CommandResult, type Run, whyText } from '../../../shared/command.ts'
import { PlumbError } from '../../../shared/problem.ts'
import { isLocked, packageStates, presentVersions, unfinishedPackages, untilUnlocked } from './dpkg.ts'
import {
  type AvailableVersions,
  type Installation,
  installationBetween,
  lastLines,
  type PackageProvider,
  type Resolved,
  resolvedVersions,
  type Versions,
  type WantedPackage,
  wantedText,
} from './provider.ts'

export const apt: PackageProvider = {
  name: 'apt',
  states: packageStates,
  isOlder: async (version, than, query) =>
    (await query({ args: ['dpkg', '--compare-versions', version, 'lt', than] })).code === 0,
  unfinished: async (query) => {
    await untilUnlocked(query, 300)
    return unfinishedPackages(query)
  },
  finish: async (run) => {
    await untilUnlocked(run, 300)
    // A package that cannot be completed is reported by the next command that needs it.
    await run({ args: ['dpkg', '--force-confdef', '--force-confold', '--configure', '-a'], ...working })
  },
  finishing: 'dpkg --configure -a',
  install,
  hold: (names, run) => mark('hold', names, run),
  unhold: (names, run) => mark('unhold', names, run),
}

/** ` plumb-a |        2.0 | file:/srv/repo ./ Packages`: each version once, in apt's order, the newest first. */
export function parseMadison(stdout: string): AvailableVersions {
  const versions = new Map<string, Set<string>>()
  for (const line of stdout.split('\n')) {
    const [name, version, source] = line.split('|').map((field) => field.trim())
    if (name === undefined || version === undefined || source?.endsWith('Packages') !== true) continue
    const known = versions.get(name) ?? new Set()
    versions.set(name, known.add(version))
  }
  return new Map([...versions].map(([name, known]) => [name, [...known]]))
}

/**
 * Debian's defaults, recommended packages included, as ansible and puppet do: a host that wants none says so in
 * /etc/apt/apt.conf.d, which is a file like any other. Configuration files that exist are kept (confold): they are ours.
 */
async function install(wanted: readonly WantedPackage[], run: Run): Promise<Installation> {
  const before = await presentVersions(run, 'installed')
  const updated = (await listsAreOld(run)) ? await aptGet(['update'], run) : undefined
  const first = await attempt(wanted, run)
  const last = first.kind === 'done' || updated !== undefined ? first : await afterUpdate(wanted, run)
  switch (last.kind) {
    case 'done':
      return installationBetween(before, await presentVersions(run, 'installed'))
    case 'no-version':
      throw last.error
    case 'failed':
      throw await installProblem(wanted, { result: last.result, updated }, run)
  }
}

type Attempt =
  | { readonly kind: 'done' }
  | { readonly kind: 'no-version'; readonly error: PlumbError }
  | { readonly kind: 'failed'; readonly result: CommandResult }

async function attempt(wanted: readonly WantedPackage[], run: Run): Promise<Attempt> {
  const available = await availableVersions(wanted, run)
  let resolved: readonly Resolved[]
  try {
    resolved = resolvedVersions(wanted, available)
  } catch (error) {
    if (error instanceof PlumbError) return { kind: 'no-version', error }
    throw error
  }
  const targets = resolved.map(({ name, version }) => (version === undefined ? name : `${name}=${version}`))
  // The flag holds for everything in the call, dependencies too, so it is given only when a pin asks for it.
  const down = (await isDowngrade(resolved, run)) ? ['--allow-downgrades'] : []
  const result = await aptGet(['install', ...installOptions, ...down, '--', ...targets], run)
  return isDone(result) ? { kind: 'done' } : { kind: 'failed', result }
}

async function afterUpdate(wanted: readonly WantedPackage[], run: Run): Promise<Attempt> {
  await aptGet(['update'], run)
  return attempt(wanted, run)
}

const installOptions = [
  '--yes',
  '-o',
  'Dpkg::Options::=--force-confdef',
  '-o',
  'Dpkg::Options::=--force-confold',
  '-o',
  'Dpkg::Use-Pty=0',
]

const working = {
  environment: { DEBIAN_FRONTEND: 'noninteractive', APT_LISTCHANGES_FRONTEND: 'none' },
  deadlineSeconds: 3600,
}

/** A day, as apt's own daily timer. */
const listsAgeSeconds = 24 * 3600

async function availableVersions(wanted: readonly WantedPackage[], run: Run): Promise<AvailableVersions> {
  const pinned = wanted.filter(({ version }) => version !== undefined).map(({ name }) => name)
  if (pinned.length === 0) return new Map()
  const result = await run({ args: ['apt-cache', 'madison', '--', ...pinned], outputLimitBytes: 4 << 20 })
  const versions = parseMadison(result.stdout)
  // Of `libc6:amd64` madison says `libc6`.
  return new Map(pinned.map((name) => [name, versions.get(name) ?? versions.get(name.split(':')[0] ?? '') ?? []]))
}

async function isDowngrade(resolved: readonly Resolved[], run: Run): Promise<boolean> {
  const pinned = resolved.filter(({ version }) => version !== undefined)
  if (pinned.length === 0) return false
  const present: Versions = await presentVersions(run, 'half-way too')
  for (const { name, version } of pinned) {
    const here = present.get(name.split(':')[0] ?? '')
    if (version === undefined || here === undefined) continue
    if (isDone(await run({ args: ['dpkg', '--compare-versions', version, 'lt', here] }))) return true
  }
  return false
}

/** apt keeps no record of its last update; each one leaves a fresh time on the directory it downloads into. */
async function listsAreOld(run: Run): Promise<boolean> {
  const directories = ['/var/lib/apt/lists', '/var/lib/apt/lists/partial']
  const result = await run({
    args: ['find', ...directories, '-maxdepth', '0', '-newermt', `-${listsAgeSeconds} seconds`],
  })
  return result.stdout.trim() === ''
}

function aptGet(args: readonly string[], run: Run): Promise<CommandResult> {
  return whenUnlocked({ args: ['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args], ...working }, run)
}

async function whenUnlocked(command: Command, run: Run): Promise<CommandResult> {
  for (let attempted = 1; ; attempted++) {
    await untilUnlocked(run, 300)
    const result = await run(command)
    if (isDone(result) || attempted === 3 || !(await isLocked(run))) return result
  }
}

async function mark(verb: 'hold' | 'unhold', names: readonly string[], run: Run): Promise<void> {
  const command: Command = { args: ['apt-mark', verb, ...names] }
  const result = await whenUnlocked(command, run)
  if (isDone(result)) return
  throw new PlumbError({
    code: 'apply-failed',
    message: `${names.join(', ')}: apt-mark ${verb} failed: ${whyText(command, result, lastLines(result, 3))}`,
    remedy: `Try it by hand: apt-mark ${verb} ${names.join(' ')}`,
  })
}

function isDone(result: CommandResult): boolean {
  return result.code === 0
}

type Failed = { readonly result: CommandResult; readonly updated: CommandResult | undefined }

async function installProblem(wanted: readonly WantedPackage[], failed: Failed, run: Run): Promise<PlumbError> {
  const isHalfDone = (await unfinishedPackages(run)).length > 0
  const why = whyText({ args: ['apt-get'], deadlineSeconds: 3600 }, failed.result, lastLines(failed.result, 8))
  const update =
    failed.updated === undefined || isDone(failed.updated)
      ? ''
      : `\nThe package lists could not be renewed either: ${lastLines(failed.updated, 3)}`
  return new PlumbError({
    code: 'apply-failed',
    message:
      `${wantedText(wanted)} not installed: ${isHalfDone ? 'dpkg was interrupted and is half-way. ' : ''}${why}${update}`.slice(
        0,
        4000,
      ),
    remedy: isHalfDone
      ? 'Finish it on the host: dpkg --configure -a'
      : `Try it by hand: apt-get update && apt-get install ${wanted.map(({ name }) => name).join(' ')}`,
  })
}
