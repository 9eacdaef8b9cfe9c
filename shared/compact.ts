/**
 * The fields that have a value: `{ host, ...compact({ service }) }` has no `service` where that is undefined. Optional fields are left
 * out and never undefined (`exactOptionalPropertyTypes`), so that what is stored, sent and compared has one form.
 */
export function compact<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
