// Packages: present, at a version when one is asked for, held or not. Other upgrades are the distribution's.
//
// A package that left the repository stays installed, as with Puppet and ansible: what depends on it is not ours to know
// (removing python3 removes half a host), its data would lose their program, and the same package may have been wanted
// before. It is said once. For the same reason a failed apply does not take packages away again: their scripts cannot be
// undone, and the next attempt needs them; their units are put back by the unit kind. Versions and holds are put back.
// Decision: docs/decisions/2026-11-23-packages-stay.md
import { compact } from '../../shared/compact.ts'
import type { FindingKind } from '../../shared/finding-kind.ts'
import { absolutePathSchema, type ResourceId } from '../../shared/names.ts'
import { problemsOf } from '../../shared/problem.ts'
import type { PackageResource } from '../../shared/resource.ts'
import { packageLogOf } from '../host/evidence/package-log.ts'
import type { HostReader } from '../host/host.ts'
import { packageProvider } from '../host/packages/detect.ts'
import { isPlainVersion, matchesVersion, type PackageStatus } from '../host/packages/provider.ts'
import { compareAttributes } from './compare.ts'
import type {
  AttributeDifference,
  Attributes,
  ChangedAt,
  CodedDifference,
  Comparison,
  LiveResource,
  ResourceKind,
  Subject,
} from './kind.ts'
import { asksForHolds, changePackages, packageNameOf } from './package-change.ts'
import { restorePackages, type SavedPackage, savePackages } from './package-saved.ts'

export const packageKind: ResourceKind<PackageResource, SavedPackage> = {
  kind: 'package',
  order: 'before-paths',
  needs: 'packages',
  correctedByTools: [],
  mayRestartEngine: true,
  isSavedOnce: false,
  isRestoredLast: false,
  attributes,
  watches: () => ({ paths: packageDatabases }),
  observe,
  compare,
  codes: ({ name }) => [codesByName.get(name) ?? 'package-missing'],
  describe,
  isAdoptable: () => false,
  notAdopted: {
    why: 'packages are not adopted',
    remedy: 'Say in packages of service.yaml what is wanted, or plumb apply.',
  },
  changedAt,
  planText: ({ id, differences }) => describe(id, differences),
  stepText: () => 'install packages',
  save: savePackages,
  change: changePackages,
  mustStayUp: () => [],
  isRestoredFirst: () => false,
  restore: restorePackages,
}

/** What each package manager replaces or writes whenever a package changes: dpkg, rpm, apk, pacman. */
const packageDatabases = [
  '/var/lib/dpkg/status',
  '/var/lib/rpm/rpmdb.sqlite-wal',
  '/var/lib/rpm/rpmdb.sqlite',
  '/lib/apk/db/installed',
  '/var/lib/pacman/local',
].map((path) => absolutePathSchema.parse(path))

const codesByName: ReadonlyMap<string, FindingKind> = new Map([
  ['version', 'package-version'],
  ['downgrade', 'package-downgraded'],
  ['hold', 'package-hold'],
])

async function changedAt(...[name, _, { query, files }]: Parameters<ChangedAt>): Promise<string | undefined> {
  const log = await packageLogOf(query)
  const actions = await log?.actions(files, { from: 0, to: Number.POSITIVE_INFINITY })
  return actions?.findLast((done) => done.package === name && done.action !== 'trigproc')?.at
}

function attributes({ version, hold }: PackageResource): Attributes {
  return {
    installed: 'yes',
    ...compact({ version }),
    ...(hold === undefined ? {} : { hold: hold ? 'yes' : 'no' }),
  }
}

async function observe(subjects: readonly Subject<PackageResource>[], host: HostReader) {
  if (subjects.length === 0) return new Map<ResourceId, LiveResource>()
  try {
    const provider = await packageProvider(host.query)
    const names = subjects.map(({ id }) => packageNameOf(id))
    const states = await provider.states(names, host.query, { holds: subjects.some(asksForHolds) })
    const live = await Promise.all(
      subjects.map(async (subject) => {
        const own = liveOf(subject, states.get(packageNameOf(subject.id)))
        return [
          subject.id,
          { ...own, ...(await newestOf(subject, own, (...versions) => provider.isOlder(...versions, host.query))) },
        ] as const
      }),
    )
    return new Map(live)
  } catch (error) {
    const [problem] = problemsOf(error)
    return new Map(subjects.map(({ id }) => [id, { attributes: {}, ...(problem ? { problem } : {}) }] as const))
  }
}

/** Only of one that may be at any version: a pinned one is compared with its pin. */
async function newestOf(
  { desired, baseline }: Subject<PackageResource>,
  { attributes }: LiveResource,
  isOlder: (version: string, than: string) => Promise<boolean>,
): Promise<Pick<LiveResource, 'newest'>> {
  const { installed, version } = attributes
  const before = baseline?.newest
  const isHere = installed === 'yes' && version !== undefined && isPlainVersion(version)
  if (desired === undefined || desired.version !== undefined) return {}
  if (!isHere) return before === undefined ? {} : { newest: before }
  const isDowngrade = before !== undefined && before !== version && (await isOlder(version, before))
  return { newest: isDowngrade ? before : version }
}

/** A name that another package provides is as good as a package, but has no version and cannot be held. */
function liveOf({ desired }: Subject<PackageResource>, status: PackageStatus | undefined): LiveResource {
  const isProvided = status?.installed === 'yes' && status.version === undefined
  const isPlain = desired?.version === undefined && desired?.hold !== true
  const installed = isProvided && !isPlain ? 'no' : (status?.installed ?? 'no')
  return {
    attributes: {
      type: installed === 'no' ? 'missing' : 'package',
      installed,
      ...(isProvided && isPlain ? {} : { version: status?.version ?? 'none' }),
      ...(status?.held === undefined ? {} : { hold: status.held ? 'yes' : 'no' }),
    },
  }
}

function compare({ desired, baseline }: Subject<PackageResource>, live: LiveResource): Comparison {
  const wanted = desired && attributes(desired)
  const before = baseline?.attributes
  const seenThrough = (...patterns: readonly (string | undefined)[]) =>
    compareAttributes(wanted, before, withPattern(live.attributes, patterns))
  const drift = [...seenThrough(wanted?.['version'], before?.['version']).drift, ...downgrade(live)]
  const { pending } = seenThrough((wanted ?? before)?.['version'])
  return { drift, pending: [...pending, ...releasedHold(wanted, before, live.attributes)] }
}

/** Of a package that may be at any version. Newer ones are the distribution's business, older ones somebody's. */
function downgrade({ attributes: { installed, version }, newest }: LiveResource): readonly AttributeDifference[] {
  if (installed !== 'yes' || version === undefined || newest === undefined || newest === version) return []
  return [{ name: 'downgrade', expected: `${newest} or newer`, live: version, newest }]
}

/** A version that matches is what was asked for. */
function withPattern(live: Attributes, patterns: readonly (string | undefined)[]): Attributes {
  const { version } = live
  const matching = patterns.find((pattern) => pattern !== undefined && matchesVersion(pattern, version ?? ''))
  return version === undefined || matching === undefined ? live : { ...live, version: matching }
}

/** What was held by the repository and is no longer; a hold that somebody else set is none of its business. */
function releasedHold(
  wanted: Attributes | undefined,
  before: Attributes | undefined,
  live: Attributes,
): readonly AttributeDifference[] {
  const isLeft = wanted?.['hold'] === undefined && before?.['hold'] === 'yes'
  return isLeft && live['hold'] === 'yes' ? [{ name: 'hold', expected: 'no', live: 'yes' }] : []
}

/** `caddy: not installed, should be 2.6.* and held`, `caddy: 2.5.1, should be 2.6.*; not held`. */
function describe(id: ResourceId, differences: readonly CodedDifference[]): string {
  const byName = new Map(differences.map((difference) => [difference.name, difference]))
  const installed = byName.get('installed')
  const version = byName.get('version')
  const hold = byName.get('hold')
  const older = byName.get('downgrade')
  const name = packageNameOf(id)
  if (byName.has('type'))
    return `${name}: no longer in the repository${hold === undefined ? '' : '; held, should not be'}`
  if (installed !== undefined) {
    const held = hold?.expected === 'yes' ? ' and held' : ''
    return `${name}: ${stateText(installed.live)}, should be ${version?.expected ?? 'installed'}${held}`
  }
  const texts = [
    ...(version === undefined ? [] : [`${version.live}, should be ${version.expected}`]),
    ...(older === undefined ? [] : [`downgraded to ${older.live}, was ${older.newest}`]),
    ...(hold === undefined ? [] : [hold.expected === 'yes' ? 'not held' : 'held, should not be']),
  ]
  return `${name}: ${texts.join('; ')}`
}

function stateText(installed: string): string {
  return stateTexts[installed] ?? installed
}

const stateTexts: Readonly<Record<string, string>> = {
  no: 'not installed',
  unpacked: 'unpacked and not set up (unpacked)',
  'half-configured': 'not set up to the end (half-configured)',
  'half-installed': 'not unpacked to the end (half-installed)',
}
