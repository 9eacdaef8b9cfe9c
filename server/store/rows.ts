// JSON in text columns, validated by its schema when it is read back.
import type { z } from 'zod'

export function fromJson<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> {
  // An earlier version accepted names that are not well-formed text, which the schema now rejects.
  return schema.parse(text.includes('\\ud') ? JSON.parse(text, wellFormed) : JSON.parse(text))
}

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value
}

/** Limit of variables per statement. */
const rowsAtOnce = 500

/** Splits rows into parts that fit one statement. */
export function* inStatements<Row>(rows: readonly Row[]): Generator<Row[]> {
  for (let start = 0; start < rows.length; start += rowsAtOnce) yield rows.slice(start, start + rowsAtOnce)
}

/** Omits the key when the column is null, as `exactOptionalPropertyTypes` requires. */
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
