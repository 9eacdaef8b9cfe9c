// What dpkg knows: states, versions and holds of packages, in one dpkg-query; and whether another program is using it.

import { type Command, type Run, whyText } from '../../../shared/command.ts'
import { PlumbError } from '../../../shared/problem.ts'
import { pollUntil } from '../poll.ts'
import { lastLines, type PackageStatus, rows, type Unfinished, type Versions } from './provider.ts'

/** One dpkg-query; a second one only when a package is missing, since it may be a virtual one that another provides. */
export async function packageStates(names: readonly string[], query: Run): Promise<ReadonlyMap<string, PackageStatus>> {
  const states = await statesNow(names, query)
  if (![...states.values()].some(({ installed }) => isHalfWay(installed))) return states
  // Every upgrade passes through these states: a package that is being worked on has not drifted.
  await untilUnlocked(query, 60)
  return statesNow(names, query)
}

/** By `name` and `name:architecture`, every package that dpkg has heard of. */
export function parseStates(stdout: string): ReadonlyMap<string, PackageStatus> {
  const states = new Map<string, PackageStatus>()
  for (const { name, architecture, status } of parseRows(stdout)) {
    states.set(`${name}:${architecture}`, status)
    if (states.get(name)?.installed !== 'yes') states.set(name, status)
  }
  return states
}

/** Virtual packages that an installed package provides. */
export function parseProvided(stdout: string): ReadonlySet<string> {
  return new Set(
    parseRows(stdout)
      .filter(({ status }) => status.installed === 'yes')
      .flatMap(({ provides }) => provides.split(', '))
      .map((provided) => provided.split(' ')[0] ?? ''),
  )
}

/** Of everything that is installed, or that dpkg stopped in the middle of. */
export async function presentVersions(query: Run, counts: 'installed' | 'half-way too'): Promise<Versions> {
  const present = parseRows(await dpkgQuery([], query)).flatMap(({ name, status }) => {
    const isCounted = status.installed === 'yes' || counts === 'half-way too'
    return isCounted && status.version !== undefined ? [[name, status.version] as const] : []
  })
  return new Map(present)
}

export async function unfinishedPackages(query: Run): Promise<readonly Unfinished[]> {
  const halfWay = parseRows(await dpkgQuery([], query)).filter(({ status }) => isHalfWay(status.installed))
  const packages = halfWay.map(({ name, status }) => ({ name, state: status.installed }))
  const pending = await query({ args: ['find', '/var/lib/dpkg/updates', '-type', 'f'] })
  return pending.stdout.trim() === '' ? packages : [...packages, { name: 'dpkg', state: 'interrupted' }]
}

/** False when another program held the lock the whole time. */
export async function untilUnlocked(query: Run, seconds: number): Promise<boolean> {
  const attempt = async () => ((await isLocked(query)) ? undefined : true)
  return (await pollUntil(attempt, { seconds, pauseMs: 1000 })) ?? false
}

/** apt's own Lock::Timeout covers dpkg's lock alone; the daily timer holds the other two while it downloads. */
export async function isLocked(query: Run): Promise<boolean> {
  const inodes = await query({ args: ['stat', '--format', '%i', ...lockFiles] })
  const locks = await query({ args: ['cat', '/proc/locks'], outputLimitBytes: 4 << 20 })
  return inodes.stdout
    .split('\n')
    .filter((inode) => inode !== '')
    .some((inode) => locks.stdout.includes(`:${inode} `))
}

const lockFiles = [
  '/var/lib/apt/lists/lock',
  '/var/cache/apt/archives/lock',
  '/var/lib/dpkg/lock-frontend',
  '/var/lib/dpkg/lock',
]

async function statesNow(names: readonly string[], query: Run): Promise<ReadonlyMap<string, PackageStatus>> {
  const known = parseStates(await dpkgQuery(names, query))
  const status = (name: string) => known.get(name) ?? { installed: 'no', held: false }
  const isAllThere = names.every((name) => status(name).installed !== 'no')
  const provided = isAllThere ? new Set<string>() : parseProvided(await dpkgQuery([], query))
  return new Map(
    names.map((name) => {
      const here = status(name)
      const isProvided = here.installed === 'no' && provided.has(name)
      return [name, isProvided ? { installed: 'yes', held: false } : here] as const
    }),
  )
}

const fields = [
  'Package',
  'Architecture',
  'db:Status-Status',
  'db:Status-Want',
  'db:Status-Eflag',
  'Version',
  'Provides',
].map((field) => `\${${field}}`)

async function dpkgQuery(names: readonly string[], query: Run): Promise<string> {
  const command: Command = {
    args: ['dpkg-query', '--show', `--showformat=${fields.join('\\t')}\\n`, '--', ...names],
    outputLimitBytes: 64 << 20,
  }
  const result = await query(command)
  // 1 says that some name is unknown, which is an answer.
  if (result.code === 0 || result.code === 1) return result.stdout
  throw new PlumbError({
    code: 'observe-failed',
    message: `Installed packages cannot be read: ${whyText(command, result, lastLines(result, 1))}.`,
    remedy: 'See what dpkg says on the host: dpkg --audit',
  })
}

type Row = {
  readonly name: string
  readonly architecture: string
  readonly status: PackageStatus
  readonly provides: string
}

function parseRows(stdout: string): readonly Row[] {
  return rows(stdout).map((row) => {
    const [name = '', architecture = '', status = '', want = '', flag = '', version = '', provides = ''] = row
    const installed = stateOf(status, flag)
    const held = want === 'hold'
    const present = installed === 'no' || version === '' ? {} : { version }
    return { name, architecture, provides, status: { installed, held, ...present } }
  })
}

function stateOf(status: string, flag: string): string {
  if (flag === 'reinstreq') return 'half-installed'
  if (['installed', 'triggers-awaited', 'triggers-pending'].includes(status)) return 'yes'
  return ['not-installed', 'config-files'].includes(status) ? 'no' : status
}

function isHalfWay(installed: string): boolean {
  return installed !== 'yes' && installed !== 'no'
}
