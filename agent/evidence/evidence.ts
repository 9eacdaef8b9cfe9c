// Evidence of every drifted resource, gathered when the drift was first seen and kept unchanged as long as it lasts.

import { compact } from '../../shared/compact.ts'
import { changeTimeOf, type Evidence } from '../../shared/evidence.ts'
import { parseResourceId, type ResourceId } from '../../shared/names.ts'
import { isOfKind } from '../../shared/resource.ts'
import type { HostReader } from '../host/host.ts'
import { type ComparedResource, drifted, type HostComparison } from '../plan/compare.ts'
import type { Mask } from '../plan/mask.ts'
import { pathInId } from '../resources/paths.ts'
import type { KnownEvidence } from '../state/evidence.ts'
import type { State } from '../state/state.ts'
import { correlated } from './correlate.ts'
import { ownEvidence } from './own-evidence.ts'
import { type NewFinding, surroundingsOf } from './surroundings.ts'

export type EvidenceNeeds = {
  readonly host: HostReader
  readonly state: Pick<State, 'evidence' | 'applies'>
  /** Masks command lines. */
  readonly mask: Mask
  readonly now: Date
}

/** Evidence of all drifted resources. Never throws: a failing source contributes nothing. */
export async function evidenceFor(
  { services }: HostComparison,
  needs: EvidenceNeeds,
): Promise<ReadonlyMap<ResourceId, Evidence>> {
  const all = services.flatMap((service) =>
    drifted(service).map((resource) => ({ resource, appliedAt: service.baseline?.appliedAt })),
  )
  const before = needs.state.evidence.read()
  const isNew = ({ resource, appliedAt }: (typeof all)[number]) =>
    !isStill(before.get(resource.id), { resource, appliedAt })
  const gathered = await gather(
    all.filter(isNew).map(({ resource }) => resource),
    needs,
  )
  const known = new Map(
    all.flatMap(({ resource: { id } }) => {
      const evidence = gathered.get(id) ?? before.get(id)
      return evidence === undefined ? [] : [[id, evidence] as const]
    }),
  )
  needs.state.evidence.write(known)
  return new Map([...known].map(([id, { evidence }]) => [id, evidence]))
}

/** Resources beyond this number get only the evidence of their own inode. */
const gatheredAtOnce = 200

async function gather(
  found: readonly ComparedResource[],
  { host, state, mask, now }: EvidenceNeeds,
): Promise<ReadonlyMap<ResourceId, KnownEvidence>> {
  if (found.length === 0) return new Map()
  const own = await Promise.all(
    found.map(async (resource, index) => ({
      resource,
      evidence: await ownEvidence(resource, host, { isBrief: index >= gatheredAtOnce }),
    })),
  )
  const changes = own.slice(0, gatheredAtOnce).map(({ resource, evidence }) => changeOf(resource, evidence, now))
  const surroundings = await surroundingsOf(changes, { host, now: now.getTime(), applies: state.applies.read() })
  return new Map(
    own.map(({ resource, evidence }, index) => {
      const change = changes[index]
      const around = change === undefined ? {} : correlated(change, surroundings, { now: now.getTime(), mask })
      return [resource.id, { state: stateOf(resource), evidence: { ...evidence, ...around } }]
    }),
  )
}

function changeOf({ id }: ComparedResource, evidence: Evidence, now: Date): NewFinding {
  const path = pathInId(id)
  const changedAt = Date.parse(changeTimeOf(evidence) ?? '')
  return {
    id,
    at: Number.isNaN(changedAt) ? now.getTime() : changedAt,
    ...compact({ path }),
    ...(isOfKind(id, 'package') ? { package: parseResourceId(id).name } : {}),
  }
}

/** Identifies the drift by live values without times: a program that keeps writing the same bytes is still one finding. */
function stateOf({ comparison }: ComparedResource): string {
  return JSON.stringify(comparison.drift.map(({ name, live }) => [name, live])).slice(0, 4000)
}

/** The same drift as before, and not one that was repaired meanwhile and occurred again. */
function isStill(
  known: KnownEvidence | undefined,
  { resource, appliedAt }: { readonly resource: ComparedResource; readonly appliedAt: string | undefined },
): boolean {
  if (known === undefined || known.state !== stateOf(resource)) return false
  const { noticedAt } = known.evidence
  const { changedAt } = resource.live
  if (appliedAt === undefined || noticedAt === undefined || changedAt === undefined) return true
  return !(Date.parse(appliedAt) > Date.parse(noticedAt) && Date.parse(changedAt) > Date.parse(appliedAt))
}
