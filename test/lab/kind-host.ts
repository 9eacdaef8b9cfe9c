// A booted lab host as the resource kinds see one, and what an apply does with a single kind.

import { openHost } from '../../agent/host/host.ts'
import { allDifferences } from '../../agent/resources/compare.ts'
import type { ApplyHost, BaselineResource, ResourceChange, ResourceKind } from '../../agent/resources/kind.ts'
import { initOf, rootOf } from '../../scripts/lab/container.ts'
import { entering, type LabHost } from '../../scripts/lab/host.ts'
import type { Run } from '../../shared/command.ts'
import type { ResourceId } from '../../shared/names.ts'
import { createRun } from '../../shared/platform/run.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Resource } from '../../shared/resource.ts'

export type KindHost = ApplyHost & {
  /** The output of a program on the host that must succeed. */
  output(...args: readonly [string, ...string[]]): Promise<string>
  write(path: string, text: string): Promise<void>
}

export function kindHost(lab: LabHost): KindHost {
  const init = lab.record.supervisor && initOf(lab.record.supervisor)
  if (init === null) throw new Error(`${lab.name} is off`)
  const outside = createRun()
  const run: Run = (command) => outside({ ...command, args: [...entering(init), ...command.args] })
  const { files, memory } = openHost({ root: rootOf(lab.record.number), run: outside })
  const all = { ownership: true, packages: true, units: true, containers: true, commands: true }
  return {
    root: openHost({ root: '/', run: outside }).root,
    capabilities: all,
    files,
    query: run,
    run,
    memory,
    contents: async () => [],
    async *kept() {},
    waiting: (wait) => wait(),
    output: (...args) => lab.output(args),
    write: (path, text) => lab.write(path, text),
  }
}

/** Resources of one kind on one host, with the baseline that the last apply left. */
export class Applied<R extends Resource, Saved> {
  readonly #kind: ResourceKind<R, Saved>
  readonly #host: KindHost
  readonly #baseline = new Map<ResourceId, BaselineResource>()

  constructor(kind: ResourceKind<R, Saved>, host: KindHost) {
    this.#kind = kind
    this.#host = host
  }

  /** What differs, in the words of a report; empty when in sync. */
  async differences(desired: readonly R[]): Promise<readonly string[]> {
    return (await this.changes(desired)).map(({ id, differences }) => this.#kind.describe(id, differences))
  }

  /** The lines of what was done; empty when there was nothing to do. */
  async apply(desired: readonly R[]): Promise<readonly string[]> {
    const changes = await this.changes(desired)
    const lines = changes.length === 0 ? [] : await this.#kind.change(changes, this.#host)
    this.#baseline.clear()
    for (const resource of desired) this.#baseline.set(resource.id, { attributes: this.#kind.attributes(resource) })
    return lines
  }

  async save(desired: readonly R[]): Promise<readonly Saved[]> {
    return this.#kind.save(await this.changes(desired), this.#host)
  }

  restore(saved: readonly Saved[]): Promise<void> {
    return this.#kind.restore(saved, this.#host)
  }

  async changes(desired: readonly R[]): Promise<readonly ResourceChange<R>[]> {
    const ids = new Set([...desired.map(({ id }) => id), ...this.#baseline.keys()])
    const subjects = [...ids].map((id) => ({
      id,
      desired: desired.find((resource) => resource.id === id),
      baseline: this.#baseline.get(id),
    }))
    const live = await this.#kind.observe(subjects, this.#host)
    return subjects.flatMap((subject) => {
      const here = live.get(subject.id)
      if (here === undefined) throw new Error(`${subject.id} was not observed`)
      if (here.problem !== undefined) throw new PlumbError(here.problem)
      const { codes, compare } = this.#kind
      const differences = allDifferences(compare(subject, here)).map((one) => ({ ...one, codes: codes(one, here) }))
      return differences.length === 0 ? [] : [{ ...subject, live: here, differences }]
    })
  }
}
