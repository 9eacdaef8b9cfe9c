// `compare` of a file: its bytes, or what it says as JSON or YAML, with what is to be left out of that.
import { z } from 'zod'
import type { CompareRules } from '../resource.ts'
import { text } from './scalars.ts'

const pointersSchema = z
  .array(text(/^(?:\/(?:[^~/\0]|~[01])*)+$/, 'a JSON pointer such as /version or /panels/*/id'))
  .max(100)
  .default([])

const rulesSchema = z.strictObject({
  ignore: pointersSchema.describe('JSON pointers to what does not count: /version, /panels/*/id.'),
  unordered: pointersSchema.describe('JSON pointers to lists whose order does not count: /tags.'),
})

const expected = 'bytes, json, yaml or { json: { ignore: [/version], unordered: [/tags] } }'

const wordSchema = text(/^(?:bytes|json|yaml)$/, expected)
  .meta({ enum: ['bytes', 'json', 'yaml'] })
  .transform(fromWord)

const mapSchema = z
  .strictObject({ json: rulesSchema.exactOptional(), yaml: rulesSchema.exactOptional() })
  .meta({ minProperties: 1, maxProperties: 1 })
  .transform((written, context) => {
    if (written.json !== undefined && written.yaml === undefined) return { as: 'json' as const, ...written.json }
    if (written.yaml !== undefined && written.json === undefined) return { as: 'yaml' as const, ...written.yaml }
    context.addIssue('one of json or yaml')
    return z.NEVER
  })

export const compareSchema = z
  .union([wordSchema, mapSchema], expected)
  .prefault('bytes')
  .describe(
    'What tells two versions apart: their bytes, or what they say, whatever the order of keys and the formatting.',
  )

function fromWord(word: string): 'bytes' | CompareRules {
  return word === 'json' || word === 'yaml' ? { as: word, ignore: [], unordered: [] } : 'bytes'
}
