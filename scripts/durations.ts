// Writes test/durations.json from what vitest noted of its last runs in this checkout, after a whole `npm test`: a clean clone
// knows nothing of that, and starts the slowest files first all the same (test/support/slowest-first.ts).
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

const notedSchema = z.object({
  projects: z.record(z.string(), z.object({ files: z.record(z.string(), z.object({ duration: z.number() })) })),
})

/** Shorter ones start in any order. */
const leastSeconds = 5

const path = 'test/durations.json'
const known = z.record(z.string(), z.number()).parse(JSON.parse(readFileSync(path, 'utf8')))
const noted = globSync('node_modules/.vite/vitest/*/results.json')
  .map((file) => notedSchema.parse(JSON.parse(readFileSync(file, 'utf8'))))
  .flatMap(({ projects }) => Object.values(projects).flatMap(({ files }) => Object.entries(files)))
  .map(([file, { duration }]) => [file, Math.round(duration / 1000)] as const)
const durations = Object.entries({ ...known, ...Object.fromEntries(noted) })
  .filter(([, seconds]) => seconds >= leastSeconds)
  .toSorted(([, one], [, other]) => other - one)
writeFileSync(path, `${JSON.stringify(Object.fromEntries(durations), undefined, 2)}\n`)
console.log(`durations: ${durations.length} test files take ${leastSeconds} s or more`)
