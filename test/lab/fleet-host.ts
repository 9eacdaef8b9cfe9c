// A booted host that a fleet is applied to by the agent's own stages in this process: no git and no server, the same plan and apply.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { applyPlan } from '../../agent/apply/apply.ts'
import { recover } from '../../agent/apply/recover.ts'
import { observeHost } from '../../agent/observe/observe.ts'
import { compareHost } from '../../agent/plan/compare.ts'
import { effectOf, effectsOf } from '../../agent/plan/effects.ts'
import { type Plan, type PlanOptions, planFor } from '../../agent/plan/plan.ts'
import { stepLines } from '../../agent/plan/text.ts'
import type { CodedDifference, ReadContents } from '../../agent/resources/kind.ts'
import { kindNameOf, kinds } from '../../agent/resources/registry.ts'
import { openState, type State } from '../../agent/state/state.ts'
import type { RevisionReader } from '../../agent/sync/revision.ts'
import type { LabHost } from '../../scripts/lab/host.ts'
import type { ResourceId } from '../../shared/names.ts'
import type { Change, Failure } from '../../shared/report.ts'
import { desire, type Files, readerOf } from '../agent/desire/fleet.ts'
import { type KindHost, kindHost } from './kind-host.ts'

export type Done = {
  /** The plan's. */
  readonly lines: readonly string[]
  /** In the words of a report. */
  readonly changes: readonly string[]
  readonly failures: readonly Failure[]
}

export class FleetHost {
  readonly host: KindHost
  readonly #state: State
  readonly #directory = mkdtempSync(join(tmpdir(), 'plumb-fleet-host-'))

  constructor(lab: LabHost) {
    this.host = kindHost(lab)
    this.#state = openState(this.#directory)
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** What differs from what was applied. */
  async drift(files: Files): Promise<readonly string[]> {
    const { services } = await this.#look(files, await readerOf(files))
    return services.flatMap(({ resources }) =>
      resources.flatMap(({ id, comparison }) => described(id, comparison.drift)),
    )
  }

  /** Why a service would not be applied. */
  async problems(files: Files): Promise<readonly string[]> {
    const { services } = await this.#look(files, await readerOf(files))
    return services.flatMap(({ problems }) => problems.map(({ message }) => message))
  }

  /** Fails when the changes are not those of the plan, or the host is then not as the fleet says, but for drift that is left alone. */
  async apply(files: Files, repair: PlanOptions['repair'] = 'by-policy'): Promise<Done> {
    const reader = await readerOf(files)
    const lock = await this.#state.lock({ purpose: 'test', now: new Date(), waitSeconds: 5 })
    try {
      await recover(this.#state, this.host, { lock, answering: async () => [] })
      const plan = withoutSettling(planFor(await this.#look(files, reader), { repair }))
      const options = {
        host: this.host,
        state: this.#state,
        contents: contentsFrom(reader),
        lock,
        now: () => new Date(),
      }
      const { services } = await applyPlan(plan, options)
      const failures = services.flatMap((one) => (one.kind === 'failed' ? [one.failure] : []))
      const changes = services.flatMap((one) => (one.kind === 'applied' ? one.changes : []))
      if (failures.length === 0) {
        expectEffects(changes, effectsOf(plan))
        const left = (await this.#look(files, reader)).services.flatMap(({ resources }) =>
          resources.flatMap(({ id, comparison, differences }) =>
            described(id, repair === 'everything' ? differences : comparison.pending),
          ),
        )
        expect(left).toEqual([])
      }
      const lines = plan.services.flatMap(({ steps }) => steps.flatMap(stepLines))
      return { lines, changes: changes.map(({ summary }) => summary), failures }
    } finally {
      lock.release()
    }
  }

  async #look(files: Files, reader: RevisionReader) {
    const { desired } = await desire(files, { reader })
    const { baselines } = this.#state.baselines.read()
    return compareHost(desired, baselines, await observeHost(desired, baselines, this.host, { full: false }))
  }
}

/** Ten seconds an apply; what settling is, test/lab/apply.test.ts shows. */
function withoutSettling(plan: Plan): Plan {
  return { ...plan, services: plan.services.map((service) => ({ ...service, settleSeconds: 0 })) }
}

function described(id: ResourceId, differences: readonly CodedDifference[]): readonly string[] {
  return differences.length === 0 ? [] : [kinds[kindNameOf(id)].describe(id, differences)]
}

/** Every certain effect is a change, every change an effect, in this order. */
function expectEffects(changes: readonly Change[], effects: ReturnType<typeof effectsOf>): void {
  const done = changes.map(effectOf)
  const isDone = (effect: object) => done.some((one) => JSON.stringify(one) === JSON.stringify(effect))
  const expected = effects.flatMap(({ isCertain, ...effect }) => (isCertain || isDone(effect) ? [effect] : []))
  expect(done).toEqual(expected)
}

function contentsFrom(reader: RevisionReader): ReadContents {
  return (sources) =>
    Promise.all(sources.map((source) => (source.kind === 'rendered' ? source.bytes : reader.read(source.oid))))
}
