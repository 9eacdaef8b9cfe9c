// A step of `npm run check`: no file of `clean` in words.json has a word that the style guide replaces, or a documentation line
// above 120 columns. `clean` only grows: add a folder when it is clean, never remove one.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { breachesOf } from './word-check.ts'
import settings from './words.json' with { type: 'json' }

const checkout = join(import.meta.dirname, '..')
const exempt = new Set(Object.keys(settings.exempt))

const files = settings.clean.flatMap((path) => {
  const found = globSync([path, `${path}/**/*.{md,ts,tsx,js,mjs,css}`], { cwd: checkout }).filter((file) =>
    /\.\w+$/.test(file),
  )
  if (found.length === 0)
    throw new Error(`scripts/words.json: clean: "${path}" has no files; remove or correct the entry`)
  return found.filter((file) => !exempt.has(file))
})

const breaches = [...new Set(files)]
  .toSorted()
  .flatMap((file) =>
    breachesOf(file, readFileSync(join(checkout, file), 'utf8'), settings.words).map(
      ({ line, message }) => `${file}:${line}: ${message}`,
    ),
  )
for (const breach of breaches) console.log(breach)
console.log(`Looked at ${new Set(files).size} files for ${settings.words.length} words`)
process.exitCode = breaches.length > 0 ? 1 : 0
