// The slowest test files start first, so that none is left over at the end while the other workers have nothing to do. Vitest does
// so by what it noted of its last runs; a clean clone has test/durations.json (scripts/durations.ts) instead.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { z } from 'zod'

const durations = z
  .record(z.string(), z.number())
  .parse(JSON.parse(readFileSync(new URL('../durations.json', import.meta.url), 'utf8')))

export class SlowestFirst extends BaseSequencer {
  /** Stable: files of which nothing is known stay in vitest's order, after the others of their group. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => groupOf(one) - groupOf(other) || secondsOf(other) - secondsOf(one))
  }
}

function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder
}

function secondsOf({ moduleId, project }: TestSpecification): number {
  return durations[relative(project.config.root, moduleId)] ?? 0
}
