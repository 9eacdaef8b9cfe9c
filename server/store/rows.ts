// JSON in text columns, read back through the schema it was written by, so that no row is believed blindly.
import type { z } from 'zod'

export function fromJson<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> {
  // An earlier version took names that are no well-formed text, and the schema refuses them now.
  return schema.parse(text.includes('\\ud') ? JSON.parse(text, wellFormed) : JSON.parse(text))
}

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value
}

/** A statement has so many variables at most. */
const rowsAtOnce = 500

/** In parts that one statement takes. */
export function* inStatements<Row>(rows: readonly Row[]): Generator<Row[]> {
  for (let start = 0; start < rows.length; start += rowsAtOnce) yield rows.slice(start, start + rowsAtOnce)
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
