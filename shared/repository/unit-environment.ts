// Files of environment variables as other programs than compose read them. Pure.

type Values = ReadonlyMap<string, string>

/**
 * As systemd reads an `EnvironmentFile=` (its env-file.c, tried against systemd in test/lab/environment-values.test.ts): quotes are
 * taken away, and `$` is none of its syntax.
 */
export function readUnitEnvironment(text: string): Values {
  const values = new Map<string, string>()
  let at = 0
  while (at < text.length) {
    const entry = entryAt(text, at)
    if (entry.name !== undefined && /^[A-Za-z_]\w*$/.test(entry.name)) values.set(entry.name, entry.value)
    at = entry.end
  }
  return values
}

/** As docker and podman read an `--env-file`: no quotes, no escapes, to the end of the line. */
export function readRawEnvironment(text: string): Values {
  const values = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const [, name, value = ''] = /^\s*([^#=\s][^=\s]*)=(.*)$/s.exec(line) ?? []
    if (name !== undefined) values.set(name, value)
  }
  return values
}

type Entry = { readonly name?: string; readonly value: string; readonly end: number }

function entryAt(text: string, from: number): Entry {
  let at = from
  while (at < text.length && isBlank(text[at])) at += 1
  if (text[at] === '#' || text[at] === ';') return { value: '', end: commentEnd(text, at) }
  const start = at
  while (at < text.length && text[at] !== '=' && !isLineEnd(text[at])) at += 1
  if (text[at] !== '=') return { value: '', end: at + 1 }
  return { name: text.slice(start, at).trimEnd(), ...valueAt(text, at + 1) }
}

/** A backslash at its end makes a comment go on in the next line. */
function commentEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && !isLineEnd(text[at])) at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** Parts: blanks before, between quotes as they are, and bare ones, of which blanks at the end of the line are no part. */
function valueAt(text: string, from: number): Omit<Entry, 'name'> {
  let value = ''
  let at = from
  for (;;) {
    while (at < text.length && isBlank(text[at]) && !isLineEnd(text[at])) at += 1
    const quote = text[at]
    if (quote !== "'" && quote !== '"') break
    const inside = quote === "'" ? singleQuoted(text, at + 1) : doubleQuoted(text, at + 1)
    value += inside.value
    at = inside.end
  }
  const bare = bareAt(text, at)
  return { value: value + bare.value, end: bare.end }
}

function singleQuoted(text: string, from: number): Omit<Entry, 'name'> {
  const close = text.indexOf("'", from)
  return close < 0 ? { value: text.slice(from), end: text.length } : { value: text.slice(from, close), end: close + 1 }
}

function doubleQuoted(text: string, from: number): Omit<Entry, 'name'> {
  let value = ''
  let at = from
  for (; at < text.length && text[at] !== '"'; at += 1) {
    if (text[at] !== '\\') value += text[at]
    else {
      at += 1
      const next = text[at] ?? ''
      if (/["\\`$]/.test(next)) value += next
      else if (next !== '\n') value += `\\${next}`
    }
  }
  return { value, end: at + 1 }
}

/** Quotes within it are none. */
function bareAt(text: string, from: number): Omit<Entry, 'name'> {
  let value = ''
  let kept = 0
  let at = from
  for (; at < text.length && !isLineEnd(text[at]); at += 1) {
    if (text[at] === '\\') {
      at += 1
      const next = text[at] ?? ''
      if (!isLineEnd(next)) value += next
      kept = value.length
    } else {
      value += text[at]
      if (!isBlank(text[at])) kept = value.length
    }
  }
  return { value: value.slice(0, kept), end: at + 1 }
}

function isBlank(character: string | undefined): boolean {
  return character !== undefined && ' \t\n\r'.includes(character)
}

function isLineEnd(character: string | undefined): boolean {
  return character === '\n' || character === '\r'
}
