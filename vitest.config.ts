import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { SlowestFirst } from './test/support/slowest-first.ts'

// Four projects: what runs side by side, what boots hosts and mostly waits for them, what measures or drives a browser and so
// runs alone, and the fault suite. `npm test` runs all but the third at the same time (scripts/test.ts).
export default defineConfig({
  test: {
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: ['test/lab/**', 'test/browser/**', 'test/faults/**'],
          // Many tests wait. By default one processor is left free, which is half of a small machine.
          maxWorkers: availableParallelism(),
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
          testTimeout: 1_200_000,
          hookTimeout: 3_600_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 1_200_000,
          hookTimeout: 3_600_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 1_200_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
