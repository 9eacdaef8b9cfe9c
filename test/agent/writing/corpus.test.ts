// How often likely secrets are told rightly, on lines of Debian's packages and lines that people complained of. Every line counts: a new
// complaint is a line of the corpus first.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { secretPlaces } from '../../../agent/writing/likely-secrets.ts'

function linesOf(name: string): readonly string[] {
  const text = readFileSync(new URL(`corpus/${name}`, import.meta.url), 'utf8').replaceAll('·', '')
  return text.split('\n').filter((line) => line !== '' && !/^# (?!old)/.test(line))
}

test('no ordinary line is taken for a secret', () => {
  const lines = linesOf('ordinary.txt')
  expect(lines.length).toBeGreaterThan(400)
  expect(lines.filter((line) => secretPlaces(line).length > 0)).toEqual([])
})

test('every secret is found, and its value is what would be replaced', () => {
  const lines = linesOf('secrets.txt')
  expect(lines.length).toBeGreaterThan(80)
  const found = lines.map((line) => {
    const text = line.replace(/[⟦⟧]/g, '')
    const [{ value } = {}] = secretPlaces(text)
    if (value === undefined) return text
    return `${text.slice(0, value.start)}⟦${text.slice(value.start, value.end)}⟧${text.slice(value.end)}`
  })
  expect(found).toEqual(lines)
})
