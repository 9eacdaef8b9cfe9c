// JSON in text columns, read back through the schema it was written by, so that no row is believed blindly.
import type { z } from 'zod'

export function fromJson<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> {
  return schema.parse(JSON.parse(text))
}

/** `exactOptionalPropertyTypes`: an absent column is an absent key, not an undefined one. */
export function present<Key extends string, Value>(
  key: Key,
  value: Value | null | undefined,
): { readonly [Name in Key]?: Value } {
  return value === null || value === undefined ? {} : optional(key, value)
}

function optional<Key extends string, Value>(key: Key, value: Value): { readonly [Name in Key]?: Value } {
  const entry: { [Name in Key]?: Value } = {}
  entry[key] = value
  return entry
}
