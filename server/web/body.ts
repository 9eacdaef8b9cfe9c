// A request's JSON, parsed by the schema of what is expected.
import type { Context } from 'hono'
import { z } from 'zod'
import { RefusedRequest } from './errors.ts'

/** An empty body is an empty object. */
export async function jsonBody<Schema extends z.ZodType>(context: Context, schema: Schema): Promise<z.infer<Schema>> {
  const text = await context.req.text()
  const parsed = schema.safeParse(parseJson(text === '' ? '{}' : text))
  if (parsed.success) return parsed.data
  const message = `The body is not what is expected here: ${z.prettifyError(parsed.error).slice(0, 1000)}`
  throw new RefusedRequest({ status: 400, code: 'usage', message })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
