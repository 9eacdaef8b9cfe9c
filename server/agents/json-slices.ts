// JSON.parse in slices that yield to the event loop in between, so that one large message does not block other clients.

export type Slicing = {
  /** Characters parsed per slice. */
  readonly sliceLength: number
  /** Awaited after each slice. */
  turn(): Promise<void>
}

/** The result of JSON.parse. Throws SyntaxError like it, and for large values nested deeper than `nestingLimit`. */
export async function parseJsonInSlices(text: string, slicing: Slicing): Promise<unknown> {
  return await parseValue(trimmed(text, 0, text.length), slicing, 0)
}

const nestingLimit = 16

type Span = { readonly text: string; readonly start: number; readonly end: number }

async function parseValue(span: Span, slicing: Slicing, depth: number): Promise<unknown> {
  const { text, start, end } = span
  const opening = text[start]
  const isOpen = opening === '[' || opening === '{'
  const inside = trimmed(text, start + 1, end - 1)
  if (end - start <= slicing.sliceLength || !isOpen || inside.start === inside.end) return JSON.parse(textOf(span))
  if (depth > nestingLimit) throw new SyntaxError('large values are nested too deep')
  if (text[end - 1] !== (opening === '[' ? ']' : '}')) throw new SyntaxError('a large value is not closed')
  return opening === '[' ? await parseArray(span, slicing, depth) : await parseObject(span, slicing, depth)
}

async function parseArray(span: Span, slicing: Slicing, depth: number): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const { members, isOne } of groupsOf(span, slicing)) {
    if (isOne && isLarge(members, slicing)) values.push(await parseValue(members, slicing, depth + 1))
    else for (const value of asArray(JSON.parse(`[${textOf(members)}]`))) values.push(value)
    await slicing.turn()
  }
  return values
}

async function parseObject(span: Span, slicing: Slicing, depth: number): Promise<object> {
  const object = {}
  const set = (key: string, value: unknown) =>
    // Not by assignment, which would treat the key `__proto__` specially.
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  for await (const { members, isOne } of groupsOf(span, slicing)) {
    if (isOne && isLarge(members, slicing)) {
      const { key, value } = memberOf(members)
      set(key, await parseValue(value, slicing, depth + 1))
    } else {
      for (const [key, value] of Object.entries(JSON.parse(`{${textOf(members)}}`))) set(key, value)
    }
    await slicing.turn()
  }
  return object
}

type Group = { readonly members: Span; readonly isOne: boolean }

/** The members of an array or object, in groups of about a slice; a larger one is a group of its own. */
async function* groupsOf({ text, start, end }: Span, slicing: Slicing): AsyncGenerator<Group> {
  const last = end - 1
  let from = start + 1
  let position = from
  let scanned = 0
  while (position <= last) {
    const groupEnd = Math.min(from + slicing.sliceLength, last)
    let count = 0
    let until = from
    // Members are added as long as the next one fits.
    while (position <= last) {
      const memberEnd = await endOfMember({ text, start: position, end: last }, slicing)
      scanned += memberEnd - position
      if (count > 0 && memberEnd > groupEnd) break
      count += 1
      until = memberEnd
      position = memberEnd + 1
      if (scanned > slicing.sliceLength) {
        scanned = 0
        await slicing.turn()
      }
    }
    const members = trimmed(text, from, until)
    if (members.start === members.end) throw new SyntaxError('a member is missing')
    yield { members, isOne: count === 1 }
    from = until + 1
    position = from
  }
}

/** Position of the next comma outside strings and brackets, or the end. */
async function endOfMember({ text, start, end }: Span, slicing: Slicing): Promise<number> {
  let depth = 0
  let turnAt = start + slicing.sliceLength
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at, end)
    else if (code === openBracket || code === openBrace) depth += 1
    else if (code === closeBracket || code === closeBrace) depth -= 1
    else if (code === comma && depth === 0) return at
    if (at < turnAt) continue
    turnAt = at + slicing.sliceLength
    await slicing.turn()
  }
  return end
}

const [quote, comma, backslash] = [0x22, 0x2c, 0x5c]
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d]

/** Position of the closing quote; `end` when there is none. */
function endOfString(text: string, start: number, end: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0 && at < end; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === backslash) backslashes += 1
    if (backslashes % 2 === 0) return at
  }
  return end
}

function memberOf({ text, start, end }: Span): { readonly key: string; readonly value: Span } {
  const keyEnd = text[start] === '"' ? endOfString(text, start, end) : end
  const afterKey = trimmed(text, keyEnd + 1, end)
  if (keyEnd >= end || text[afterKey.start] !== ':') throw new SyntaxError('a key is missing')
  const key: unknown = JSON.parse(text.slice(start, keyEnd + 1))
  return { key: String(key), value: trimmed(text, afterKey.start + 1, end) }
}

/** Trims JSON white space. */
function trimmed(text: string, from: number, to: number): Span {
  let [start, end] = [from, to]
  while (start < end && isSpace(text.charCodeAt(start))) start += 1
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1
  return { text, start, end }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

function isLarge({ start, end }: Span, { sliceLength }: Slicing): boolean {
  return end - start > sliceLength
}

function textOf({ text, start, end }: Span): string {
  return text.slice(start, end)
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
