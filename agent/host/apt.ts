// Debian packages: what is installed in one read, and installing what is missing in one apt-get call.
// Another provider (dnf, apk) is another file with the functions of `PackageProvider`.
import { PlumbError } from '../../shared/problem.ts'
import { eventually } from './backoff.ts'
import { type Command, type CommandResult, endText, type Run } from './run.ts'

/** `yes`, `no`, or the state dpkg stopped in: `unpacked`, `half-configured`, `half-installed`. */
export type PackageState = string

export type Installed = {
  readonly installed: readonly string[]
  /** Packages that apt removed because they conflict with a new one. */
  readonly removed: readonly string[]
}

export type PackageProvider = {
  states(names: readonly string[], query: Run): Promise<ReadonlyMap<string, PackageState>>
  install(names: readonly string[], run: Run): Promise<Installed>
}

export const apt: PackageProvider = { states: packageStates, install: installPackages }

/** One dpkg-query; a second one only when a package is missing, since it may be a virtual one that another provides. */
export async function packageStates(names: readonly string[], query: Run): Promise<ReadonlyMap<string, PackageState>> {
  if (names.length === 0) return new Map()
  const known = parseStates(await dpkgQuery(names, query))
  const state = (name: string) => known.get(name) ?? 'no'
  const isAllThere = names.every((name) => state(name) !== 'no')
  const provided = isAllThere ? new Set<string>() : parseProvided(await dpkgQuery([], query))
  return new Map(names.map((name) => [name, provided.has(name) ? 'yes' : state(name)]))
}

/** `name` and `name:architecture` of every package that dpkg has heard of. */
export function parseStates(stdout: string): ReadonlyMap<string, PackageState> {
  const states = new Map<string, PackageState>()
  for (const [name = '', architecture = '', status = ''] of rows(stdout)) {
    const state = stateOf(status)
    states.set(`${name}:${architecture}`, state)
    if (states.get(name) !== 'yes') states.set(name, state)
  }
  return states
}

/** Virtual packages that an installed package provides. */
export function parseProvided(stdout: string): ReadonlySet<string> {
  return new Set(
    rows(stdout)
      .filter(([, , status = '']) => stateOf(status) === 'yes')
      .flatMap(([, , , provides = '']) => provides.split(', '))
      .map((provided) => provided.split(' ')[0] ?? ''),
  )
}

/**
 * Debian's defaults, recommended packages included, as ansible and puppet do: a host that wants none says so in
 * /etc/apt/apt.conf.d, which is a file like any other. Configuration files that exist are kept (confold): they are ours.
 */
export async function installPackages(names: readonly string[], run: Run): Promise<Installed> {
  const before = await installedPackages(run)
  const updated = (await listsAreOld(run)) ? await aptGet(['update'], run) : undefined
  const first = await aptGet(['install', ...installOptions, '--', ...names], run)
  const result = isDone(first) || updated !== undefined ? first : await afterUpdate(names, run)
  if (!isDone(result)) throw await installProblem(names, { result, updated }, run)
  const after = await installedPackages(run)
  return {
    installed: [...after].filter((name) => !before.has(name)).toSorted(),
    removed: [...before].filter((name) => !after.has(name)).toSorted(),
  }
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

/** A day, as apt's own daily timer. */
const listsAgeSeconds = 24 * 3600

async function dpkgQuery(names: readonly string[], query: Run): Promise<string> {
  const fields = ['Package', 'Architecture', 'db:Status-Status', 'Provides'].map((field) => `\${${field}}`)
  const command: Command = {
    args: ['dpkg-query', '--show', `--showformat=${fields.join('\\t')}\\n`, '--', ...names],
    outputLimitBytes: 64 << 20,
  }
  const result = await query(command)
  // 1 says that some name is unknown, which is an answer.
  if (result.code === 0 || result.code === 1) return result.stdout
  throw new PlumbError({
    code: 'observe-failed',
    message: `Installed packages cannot be read: ${lastLines(result, 1) || endText(command, result)}.`,
    remedy: 'Plumbline installs packages with apt: on a host without dpkg, leave `packages` out.',
  })
}

async function installedPackages(query: Run): Promise<ReadonlySet<string>> {
  const installed = rows(await dpkgQuery([], query)).filter(([, , status = '']) => stateOf(status) === 'yes')
  return new Set(installed.map(([name = '']) => name))
}

function rows(stdout: string): readonly (readonly string[])[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

function stateOf(status: string): PackageState {
  if (['installed', 'triggers-awaited', 'triggers-pending'].includes(status)) return 'yes'
  return ['not-installed', 'config-files'].includes(status) ? 'no' : status
}

/** apt keeps no record of its last update; each one leaves a fresh time on the directory it downloads into. */
async function listsAreOld(run: Run): Promise<boolean> {
  const directories = ['/var/lib/apt/lists', '/var/lib/apt/lists/partial']
  const result = await run({
    args: ['find', ...directories, '-maxdepth', '0', '-newermt', `-${listsAgeSeconds} seconds`],
  })
  return result.stdout.trim() === ''
}

async function afterUpdate(names: readonly string[], run: Run): Promise<CommandResult> {
  await aptGet(['update'], run)
  return aptGet(['install', ...installOptions, '--', ...names], run)
}

/** apt's own Lock::Timeout covers dpkg's lock alone; the daily timer holds the other two while it downloads. */
async function aptGet(args: readonly string[], run: Run): Promise<CommandResult> {
  const command: Command = {
    args: ['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args],
    environment: { DEBIAN_FRONTEND: 'noninteractive', APT_LISTCHANGES_FRONTEND: 'none' },
    deadlineSeconds: 3600,
  }
  for (let attempt = 1; ; attempt++) {
    await eventually(async () => ((await isAptLocked(run)) ? undefined : true), { seconds: 300, pauseMs: 1000 })
    const result = await run(command)
    if (isDone(result) || attempt === 3 || !(await isAptLocked(run))) return result
  }
}

async function isAptLocked(run: Run): Promise<boolean> {
  const inodes = await run({
    args: ['stat', '--format', '%i', '/var/lib/apt/lists/lock', '/var/cache/apt/archives/lock'],
  })
  const locks = await run({ args: ['cat', '/proc/locks'], outputLimitBytes: 4 << 20 })
  return inodes.stdout
    .split('\n')
    .filter((inode) => inode !== '')
    .some((inode) => locks.stdout.includes(`:${inode} `))
}

function isDone(result: CommandResult): boolean {
  return result.code === 0
}

type Attempt = { readonly result: CommandResult; readonly updated: CommandResult | undefined }

async function installProblem(names: readonly string[], attempt: Attempt, run: Run): Promise<PlumbError> {
  const audit = await run({ args: ['dpkg', '--audit'] })
  const pending = await run({ args: ['find', '/var/lib/dpkg/updates', '-type', 'f'] })
  const isHalfDone = audit.stdout.trim() !== '' || pending.stdout.trim() !== ''
  const why = lastLines(attempt.result, 8) || endText({ args: ['apt-get'], deadlineSeconds: 3600 }, attempt.result)
  const update =
    attempt.updated === undefined || isDone(attempt.updated)
      ? ''
      : `\nThe package lists could not be renewed either: ${lastLines(attempt.updated, 3)}`
  return new PlumbError({
    code: 'apply-failed',
    message:
      `${names.join(', ')} not installed: ${isHalfDone ? 'dpkg was interrupted and is half-way. ' : ''}${why}${update}`.slice(
        0,
        4000,
      ),
    remedy: isHalfDone
      ? 'Finish it on the host: dpkg --configure -a'
      : `Try it by hand: apt-get update && apt-get install ${names.join(' ')}`,
  })
}

function lastLines(result: CommandResult, count: number): string {
  const text = result.stderr.trim() === '' ? result.stdout : result.stderr
  return text.trim().split('\n').slice(-count).join('\n')
}
