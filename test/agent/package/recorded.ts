// Output of package managers; recorded/README.md says how each file was made.
import { readFileSync } from 'node:fs'

export function recorded(file: string): string {
  return readFileSync(new URL(`recorded/${file}`, import.meta.url), 'utf8')
}
