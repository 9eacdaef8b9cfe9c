// What a unit should be, and what of it differs. Pure.
import { compact } from '../../shared/compact.ts'
import { type DifferenceCode, lastRunName, objectName } from '../../shared/finding-kind.ts'
import type { UnitResource } from '../../shared/resource.ts'
import { changedObjects } from './changed-objects.ts'
import { compareAttributes } from './compare.ts'
import type { AttributeDifference, Attributes, LiveResource, Subject } from './kind.ts'
import { lastRunDifference } from './last-run.ts'
import { isMasked } from './unit-actions.ts'
import { linksText } from './unit-links.ts'
import { mountsAttributes } from './unit-mounts.ts'
import { isAsGood } from './unit-state.ts'

export function unitAttributesOf(unit: UnitResource): Attributes {
  const { enabled, state, masked, links } = unit
  if (masked) return { enabled: 'masked', state: 'stopped' }
  return {
    ...mountsAttributes(unit),
    ...(enabled === undefined ? {} : { enabled: enabled ? 'yes' : 'no' }),
    ...(enabled === true && links !== undefined ? { install: linksText(links) } : {}),
    ...compact({ state }),
  }
}

export function compareUnit({ desired, baseline }: Subject<UnitResource>, live: LiveResource) {
  const wanted = desired && unitAttributesOf(desired)
  const seenAs = (expected: Attributes | undefined) =>
    compareAttributes(wanted, baseline?.attributes, leniently(live, expected))
  const { drift } = seenAs(baseline?.attributes)
  const { pending } = seenAs(wanted ?? baseline?.attributes)
  if (desired === undefined) return { drift, pending }
  const stale = live.unit?.isForgotten ? [forgotten] : []
  return {
    drift: [...drift, ...stale, ...objectDifference(desired, live), ...lastRunDifference(live.unit?.lastRun)],
    pending,
  }
}

/** Drift whoever applied what: an apply of ours never leaves it. */
const forgotten: AttributeDifference = {
  name: 'loaded',
  expected: 'its files as they are',
  live: 'as they were before',
}

function leniently({ attributes: here, unit }: LiveResource, expected: Attributes = {}): Attributes {
  const maySkip = unit?.isEndedByCondition !== true
  return Object.fromEntries(
    Object.entries(here).map(([name, value]) => {
      const wanted = expected[name]
      const isSkipped = value === 'skipped' && wanted === 'running' && maySkip
      return [name, wanted !== undefined && (isSkipped || isAsGood(value, wanted)) ? wanted : value]
    }),
  )
}

export function unitCodes({ name, live }: AttributeDifference): readonly DifferenceCode[] {
  if (name === 'type') return ['unit-missing']
  if (name === lastRunName) return ['unit-failed']
  if (name === objectName) return ['engine-object']
  if (name === 'loaded') return ['unit-stale']
  if (name === 'enabled') return [isMasked(live) ? 'unit-masked' : 'unit-enabled']
  if (name === 'install') return ['unit-enabled']
  return [name === 'state' && live === 'failed' ? 'unit-failed' : 'unit-state']
}

/** Drift whoever changed what: podman makes what is missing, and changes nothing that exists. */
function objectDifference(
  { name: user, objects = [] }: UnitResource,
  { unit }: LiveResource,
): readonly AttributeDifference[] {
  return changedObjects(objects, unit?.objects ?? []).map(({ kind, name, text }) => {
    const madeBy = objects.find((one) => one.kind === kind && one.name === name)?.madeBy ?? name
    const recreate = `to recreate it: systemctl stop ${madeBy} (what uses it stops, too), podman network rm ${name}, systemctl start ${user}`
    return { name: objectName, expected: kind === 'network' ? recreate : toReplaceVolume, live: text }
  })
}

const toReplaceVolume =
  'a volume keeps its data where it is: give the volume with the new settings another name and take the data along, or, once nothing in it is needed, remove it with podman volume rm'
