// Other programs' words, bounded and on one line, and their times as ISO 8601: what evidence is made of.

/** Undefined when there is nothing in it. */
export function sanitized(text: string | undefined, limit = 200): string | undefined {
  const clean = (text ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').trim()
  return clean === '' ? undefined : clean.slice(0, limit)
}

/** `Thu 2026-11-26 12:17:27 UTC`, with or without a fraction, as systemd's programs print under TZ=UTC; empty: never. */
export function systemdTime(text: string | undefined): string | undefined {
  const match = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?) UTC$/.exec(text ?? '')
  return match === null ? undefined : isoTime(Date.parse(`${match[1]}T${match[2]}Z`))
}

/** Of milliseconds since the epoch. */
export function isoTime(ms: number): string | undefined {
  const time = new Date(ms)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}

/** `Name=anna` lines. */
export function keyValues(text: string): Readonly<Record<string, string>> {
  const pairs = text.split('\n').flatMap((line) => {
    const at = line.indexOf('=')
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const]
  })
  return Object.fromEntries(pairs)
}

/** Only what is there: `{ a: 1 }` of `{ a: 1, b: undefined }`. */
export function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}

type Defined<T> = {
  [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key]
} & { [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined> }
