// What packages were before an apply, and how a failed one puts that back: versions as far as they can still be had, and holds.

import { z } from 'zod'
import { compact } from '../../shared/compact.ts'
import { PlumbError, type Problem, problemsOf } from '../../shared/problem.ts'
import type { PackageResource } from '../../shared/resource.ts'
import type { HostReader, HostWriter } from '../host/host.ts'
import { packageProvider } from '../host/packages/detect.ts'
import type { PackageProvider, PackageStatus } from '../host/packages/provider.ts'
import type { ResourceChange } from './kind.ts'
import { asksForHolds, isTouched, packageNameOf } from './package-change.ts'

const savedPackageSchema = z.object({
  name: z.string(),
  /** None when it was not installed. */
  version: z.string().exactOptional(),
  /** None where nobody asked for holds. */
  held: z.boolean().exactOptional(),
  /** Nothing on the host was half-way: what is so after this apply, it left itself. */
  clean: z.boolean(),
})

export type SavedPackage = z.infer<typeof savedPackageSchema>

export async function savePackages(
  changes: readonly ResourceChange<PackageResource>[],
  { query }: HostReader,
): Promise<readonly SavedPackage[]> {
  const touched = changes.filter(isTouched)
  if (touched.length === 0) return []
  const provider = await packageProvider(query)
  const clean = (await provider.unfinished(query)).length === 0
  const names = touched.map(({ id }) => packageNameOf(id))
  const states = await provider.states(names, query, { holds: touched.some(asksForHolds) })
  return names.map((name) => {
    const { version, held } = states.get(name) ?? {}
    return { name, clean, ...compact({ version, held }) }
  })
}

/** Throws what could not be put back, when everything else has been. Twice is as good as once. */
export async function restorePackages(saved: readonly SavedPackage[], host: HostWriter): Promise<void> {
  const points = saved.map((point) => savedPackageSchema.parse(point))
  if (points.length === 0) return
  const provider = await packageProvider(host.query)
  const isOurs = points.every(({ clean }) => clean)
  if (isOurs && (await provider.unfinished(host.query)).length > 0) await provider.finish(host.run)
  const problems: Problem[] = []
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      problems.push(...problemsOf(error))
    }
  }
  await attempt(async () => {
    problems.push(...(await putBackVersions(points, provider, host)))
  })
  await attempt(() => putBackHolds(points, provider, host))
  if (problems.length > 0) throw new PlumbError(problems)
}

/** All at once, so that they fit each other; where that fails one by one, so that each is put back that can be. */
async function putBackVersions(
  points: readonly SavedPackage[],
  provider: PackageProvider,
  host: HostWriter,
): Promise<readonly Problem[]> {
  const live = await statesOf(points, provider, host)
  const moved = points.filter(({ name, version }) => version !== undefined && live.get(name)?.version !== version)
  if (moved.length === 0) return []
  const held = moved.filter(({ name }) => live.get(name)?.held === true).map(({ name }) => name)
  if (held.length > 0) await provider.unhold(held, host.run)
  const errors = new Map<string, unknown>()
  const attempt = async (group: readonly SavedPackage[]) => {
    try {
      await provider.install(group.map(exactly), host.run)
      return true
    } catch (error) {
      for (const { name } of group) errors.set(name, error)
      return false
    }
  }
  if (!(await attempt(moved)) && moved.length > 1) for (const point of moved) await attempt([point])
  // A call that fails for another package's sake may have done what it was to do here.
  const after = errors.size === 0 ? live : await statesOf(moved, provider, host)
  const lost = moved.filter(({ name, version }) => errors.has(name) && after.get(name)?.version !== version)
  return lost.map((point) => lostVersion(point, after, errors.get(point.name)))
}

async function putBackHolds(
  points: readonly SavedPackage[],
  provider: PackageProvider,
  host: HostWriter,
): Promise<void> {
  const live = await statesOf(points, provider, host)
  const differing = points.filter(({ name, held }) => held !== undefined && live.get(name)?.held !== held)
  const [toHold, toRelease] = [true, false].map((held) =>
    differing.filter((point) => point.held === held).map(({ name }) => name),
  )
  if (toRelease !== undefined && toRelease.length > 0) await provider.unhold(toRelease, host.run)
  if (toHold !== undefined && toHold.length > 0) await provider.hold(toHold, host.run)
}

function statesOf(
  points: readonly SavedPackage[],
  provider: PackageProvider,
  { query }: HostWriter,
): Promise<ReadonlyMap<string, PackageStatus>> {
  const holds = points.some(({ held }) => held !== undefined)
  return provider.states(
    points.map(({ name }) => name),
    query,
    { holds },
  )
}

function exactly({ name, version }: SavedPackage) {
  return version === undefined ? { name } : { name, version }
}

function lostVersion(
  { name, version }: SavedPackage,
  live: ReadonlyMap<string, PackageStatus>,
  error: unknown,
): Problem {
  const here = live.get(name)?.version
  const stays = here === undefined ? 'is gone' : `stays at ${here}`
  const why = problemsOf(error).map(({ message }) => message)
  return {
    code: 'apply-failed',
    message: `${name} ${stays}: ${version}, which was there before, could not be restored: ${why.join(' ')}`.slice(
      0,
      4000,
    ),
    remedy: 'Install that version by hand, or go on with the one that is there.',
  }
}
