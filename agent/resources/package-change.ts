// Makes packages as desired: holds of ours are released, everything is installed in one transaction, then held again.
import { parseResourceId, type ResourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { PackageResource } from '../../shared/resource.ts'
import { packageProvider } from '../host/packages/detect.ts'
import {
  type Installation,
  matchesVersion,
  type PackageProvider,
  type WantedPackage,
} from '../host/packages/provider.ts'
import type { ApplyHost, ResourceChange, Subject } from './kind.ts'

type PackageChange = ResourceChange<PackageResource>

/** One line for each change. */
export async function changePackages(changes: readonly PackageChange[], host: ApplyHost): Promise<readonly string[]> {
  const toInstall = changes.filter(needsInstall)
  const toRelease = changes.filter((one) => isHeld(one) && (needsInstall(one) || losesHold(one)))
  const toHold = changes.filter((one) => one.desired?.hold === true && (!isHeld(one) || needsInstall(one)))
  const wanted = toInstall.flatMap(({ desired }) => (desired === undefined ? [] : [wantedOf(desired)]))
  const touched = [...toInstall, ...toRelease, ...toHold]
  let done: Installation = { added: new Map(), changed: new Map(), removed: [] }
  if (touched.length > 0) {
    const provider = await packageProvider(host.query)
    if (wanted.length > 0) await refuse(provider, toInstall, host)
    // Rather than apt's --allow-change-held-packages, which would let it change what others hold too.
    if (toRelease.length > 0) await provider.unhold(namesOf(toRelease), host.run)
    if (wanted.length > 0) done = await provider.install(wanted, host.run)
    if (toHold.length > 0) await provider.hold(namesOf(toHold), host.run)
    await verify(provider, touched, host)
  }
  const last = toInstall.at(-1)
  return changes.map((one) => `${lineOf(one, done, toHold.includes(one))}${one === last ? noteOf(done, wanted) : ''}`)
}

export function packageNameOf(id: ResourceId): string {
  return parseResourceId(id).name
}

/** Somebody has to be told whether it is held. */
export function asksForHolds({ desired, baseline }: Subject<PackageResource>): boolean {
  return desired?.hold !== undefined || baseline?.attributes['hold'] !== undefined
}

/** Anything is done to the host for it. */
export function isTouched(change: PackageChange): boolean {
  return (
    needsInstall(change) || (isHeld(change) && losesHold(change)) || (!isHeld(change) && change.desired?.hold === true)
  )
}

function needsInstall({ desired, differences }: PackageChange): boolean {
  return desired !== undefined && differences.some(({ name }) => ['installed', 'version', 'downgrade'].includes(name))
}

function isHeld({ live }: PackageChange): boolean {
  return live.attributes['hold'] === 'yes'
}

function losesHold({ desired, baseline }: PackageChange): boolean {
  return desired?.hold === undefined ? baseline?.attributes['hold'] === 'yes' : !desired.hold
}

/** Before anything is changed: what others left half-way, or hold. */
async function refuse(
  provider: PackageProvider,
  changes: readonly PackageChange[],
  { query }: ApplyHost,
): Promise<void> {
  const names = namesOf(changes)
  const unfinished = (await provider.unfinished(query)).filter(({ name }) => !names.includes(name))
  if (unfinished.length > 0) {
    const manager = provider.name === 'apt' ? 'dpkg' : provider.name
    const texts = unfinished.map(({ name, state }) => `${name} is ${state}`).join(', ')
    throw new PlumbError({
      code: 'apply-failed',
      message:
        `${names.join(', ')} not installed: ${manager} was interrupted or failed earlier and is half-way: ${texts}. Nothing was changed.`.slice(
          0,
          4000,
        ),
      remedy: `Finish it on the host: ${provider.finishing}`,
    })
  }
  const foreign = changes.filter((one) => isHeld(one) && one.desired?.hold === undefined && !losesHold(one))
  if (foreign.length === 0) return
  const held = namesOf(foreign).join(', ')
  throw new PlumbError({
    code: 'apply-failed',
    message:
      `${held} not changed: held on this host, by somebody and not by the repository. Nothing was changed.`.slice(
        0,
        4000,
      ),
    remedy: `${provider.name === 'apt' ? `apt-mark unhold ${namesOf(foreign).join(' ')}` : 'Release it on the host'}, or say hold: true or hold: false of it in service.yaml.`,
  })
}

/** A package manager may succeed without having done what it was asked for. */
async function verify(
  provider: PackageProvider,
  changes: readonly PackageChange[],
  { query }: ApplyHost,
): Promise<void> {
  const wanted = changes.flatMap(({ desired }) => desired ?? [])
  const states = await provider.states(
    wanted.map(({ name }) => name),
    query,
    { holds: wanted.some(({ hold }) => hold !== undefined) },
  )
  const wrong = wanted.flatMap(({ name, version, hold }) => {
    const { installed = 'no', version: here = 'none', held } = states.get(name) ?? {}
    if (installed !== 'yes') return [`${name} is ${installed === 'no' ? 'not installed' : installed}`]
    if (version !== undefined && !matchesVersion(version, here)) return [`${name} is at ${here}, not ${version}`]
    return hold !== undefined && held !== hold ? [`${name} is ${held ? 'held' : 'not held'}`] : []
  })
  if (wrong.length === 0) return
  throw new PlumbError({
    code: 'apply-failed',
    message: `${provider.name} succeeded, and yet ${wrong.join(', ')}.`,
    remedy: 'Another package manager or a script may have changed it back: see its log on the host.',
  })
}

function lineOf({ id, desired, baseline, live }: PackageChange, done: Installation, isNowHeld: boolean): string {
  const name = packageNameOf(id)
  const wasHeld = live.attributes['hold'] === 'yes'
  if (desired === undefined)
    return `left ${name} installed${wasHeld && baseline?.attributes['hold'] === 'yes' ? ', no longer held' : ''}`
  const bare = name.split(':')[0] ?? ''
  const changed = done.changed.get(bare)
  const added = done.added.get(bare)
  const held = isNowHeld ? ' and held it' : ''
  if (changed !== undefined) return `changed ${name} from ${changed.from} to ${changed.to}${held}`
  const isWanted = live.attributes['installed'] !== 'yes'
  if (isWanted)
    return `installed ${name}${desired.version === undefined || added === undefined ? '' : ` ${added}`}${held}`
  if (isNowHeld) return `held ${name}`
  return wasHeld ? `released the hold on ${name}` : `left ${name} as it is`
}

/** What came of it beside: ` (with libpcre2-8-0; removed exim4-base, which conflicts)`. */
function noteOf({ added, changed, removed }: Installation, wanted: readonly WantedPackage[]): string {
  const names = new Set(wanted.map(({ name }) => name.split(':')[0]))
  const others = [...added.keys()].filter((name) => !names.has(name))
  const moved = [...changed.keys()].filter((name) => !names.has(name))
  const notes = [
    ...(others.length === 0 ? [] : [`with ${othersText(others)}`]),
    ...(moved.length === 0 ? [] : [`changed ${othersText(moved)} too`]),
    ...(removed.length === 0 ? [] : [`removed ${removed.join(', ')}, which conflicts`]),
  ]
  return notes.length === 0 ? '' : ` (${notes.join('; ')})`
}

function othersText(names: readonly string[]): string {
  return names.length > 12 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ')
}

function wantedOf({ name, version }: PackageResource): WantedPackage {
  return version === undefined ? { name } : { name, version }
}

function namesOf(changes: readonly PackageChange[]): readonly string[] {
  return changes.map(({ id }) => packageNameOf(id))
}
