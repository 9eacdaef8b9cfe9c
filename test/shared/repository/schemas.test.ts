// The published JSON Schemas are those of the code.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { schemaTexts } from '../../../scripts/schemas.ts'

const published = [...schemaTexts()]

test('both files have a schema', () => {
  expect(published.map(([name]) => name)).toEqual(['plumb.schema.json', 'service.schema.json'])
})

test.each(published)('docs/schemas/%s is up to date (npm run schemas)', (name, text) => {
  expect(readFileSync(new URL(`../../../docs/schemas/${name}`, import.meta.url), 'utf8')).toBe(text)
})

test('the schemas refuse unknown keys and say what the keys are for', () => {
  for (const [, text] of published) {
    expect(text).not.toContain('readOnly')
    expect(JSON.parse(text)).toMatchObject({ additionalProperties: false, properties: expect.anything() })
    expect(text.match(/"description"/g)?.length).toBeGreaterThan(5)
  }
})
