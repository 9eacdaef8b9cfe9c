// Writes docs/schemas/: the schemas of plumb.yaml and service.yaml as JSON Schema, for editors.
import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { fleetSchema } from '../shared/repository/fleet.ts'
import { serviceSchema } from '../shared/repository/service.ts'

/** By file name in docs/schemas/. */
export function schemaTexts(): ReadonlyMap<string, string> {
  return new Map([
    ['plumb.schema.json', schemaText(fleetSchema)],
    ['service.schema.json', schemaText(serviceSchema)],
  ])
}

function schemaText(schema: z.ZodType): string {
  return `${JSON.stringify(z.toJSONSchema(schema, { io: 'input' }), undefined, 2)}\n`
}

if (import.meta.main)
  for (const [name, text] of schemaTexts()) writeFileSync(new URL(`../docs/schemas/${name}`, import.meta.url), text)
