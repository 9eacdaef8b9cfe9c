// No secret survives: random values, each in every encoding that text files have, at any place of a text, wrapped or folded.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unifiedDiff } from '../../../agent/plan/diff.ts'
import { maskFor } from '../../../agent/plan/mask.ts'
import { maskText } from '../../../shared/mask-text.ts'

const printable = fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme-ascii' })
const anything = fc.string({ minLength: 8, maxLength: 30, unit: 'grapheme' })
const token = fc.stringMatching(/^[A-Za-z0-9+/_.=-]{8,64}$/)
/** With enough in it that its remains would be seen. */
const secret = fc.oneof(token, printable, anything).filter((value) => value.trim().replace(/\s+/g, '').length >= 8)

const encodings: Readonly<Record<string, (value: string) => string>> = {
  'as it is': (value) => value,
  base64: (value) => Buffer.from(value).toString('base64'),
  'base64 behind a user': (value) => Buffer.from(`admin:${value}`).toString('base64'),
  'base64 within two more': (value) => Buffer.from(`ab${value}:/etc`).toString('base64'),
  base64url: (value) => Buffer.from(`u:${value}`).toString('base64url'),
  'base64 of 76 columns': (value) => wrapped(Buffer.from(`${'x'.repeat(50)}${value}`).toString('base64'), 76),
  'base64 of 64 columns, indented': (value) =>
    wrapped(Buffer.from(`${'x'.repeat(40)}${value}`).toString('base64'), 64, '  '),
  'component of a URL': (value) => encodeURIComponent(value.toWellFormed()),
  'component in small letters': (value) =>
    encodeURIComponent(value.toWellFormed()).replace(/%../g, (hexadecimal) => hexadecimal.toLowerCase()),
  form: (value) => new URLSearchParams({ p: value }).toString().slice(2),
  'every byte by percent': (value) => [...Buffer.from(value)].map((byte) => `%${hex(byte)}`).join(''),
  JSON: (value) => JSON.stringify(value).slice(1, -1),
  'JSON in ASCII': (value) =>
    JSON.stringify(value)
      .slice(1, -1)
      .replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'single quotes of a shell': (value) => value.replaceAll("'", `'\\''`),
  HTML: (value) =>
    value
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;'),
  hexadecimal: (value) => Buffer.from(value).toString('hex'),
  'folded over lines': (value) => wrapped(value, 5, '  '),
  'continued by backslashes': (value) => wrapped(value.replaceAll('\\', 'x'), 6).replaceAll('\n', '\\\n'),
}

test.each(Object.keys(encodings))('no secret survives %s', (name) => {
  fc.assert(
    fc.property(secret, fc.lorem(), fc.lorem(), (value, before, after) => {
      const known = name === 'continued by backslashes' ? value.replaceAll('\\', 'x') : value
      const mask = maskFor([known])
      const encoded = encodings[name]?.(value) ?? ''
      const text = `# ${before}\nkey="${encoded}"\n# ${after}\n`
      const old = { label: 'old', bytes: Buffer.from(text) }
      const now = { label: 'new', bytes: Buffer.from(`${text}port = 1\n`) }

      const shown = [mask.text(text), unifiedDiff(old, now, { mask, holdsSecrets: true })?.text ?? '']

      for (const one of shown) expectNothingOf(encoded, one, known)
      expect(shown[0]).toContain(maskText)
      expect(shown[0]?.split('\n')).toHaveLength(text.split('\n').length)
    }),
    { numRuns: 300 },
  )
})

test('a value of many lines is taken out line by line, and lines about it stay', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n'
  expect(maskFor([key]).text('a\nMIIEvQIBADANBgkq\nb\n')).toBe('a\n[secret]\nb\n')
  expect(maskFor([key]).text(`one\n${key}two\n`)).toBe('one\n[secret]\n[secret]\n[secret]\n[secret]\ntwo\n')
})

test('a text of a MiB and fifty keys take no minutes', () => {
  const keys = Array.from({ length: 50 }, (_, key) =>
    Array.from({ length: 30 }, (__, line) => Buffer.from(`${key}-${line}`.repeat(9)).toString('base64')).join('\n'),
  )
  const line = 'location /api { proxy_pass http://127.0.0.1:8080; }\n'
  const text = `${line.repeat(20_000)}${keys[7]}\n`
  const masked = maskFor(keys).text(text)
  expect(masked.startsWith(line)).toBe(true)
  expect(masked.endsWith(`${'[secret]\n'.repeat(30)}`)).toBe(true)
})

/** No eight characters of what was written are left in a row, white space aside; fewer tell nothing that a reader could use. */
function expectNothingOf(encoded: string, shown: string, value: string): void {
  const left = bare(shown.replaceAll(maskText, '\0'))
  const written = bare(encoded)
  const core = bare(value)
  expect(left.includes(core)).toBe(false)
  // Around the value base64 also holds what stands before and behind it, which is no secret.
  const isDecodable = !written.includes(core) && /^[A-Za-z0-9+/=_-]*$/.test(written)
  if (isDecodable) expectUndecodable(left, value)
  else for (let at = 0; at + 8 <= written.length; at += 1) expect(left.includes(written.slice(at, at + 8))).toBe(false)
}

/** Whatever of base64 or hexadecimal is left does not decode to eight bytes of the value in a row. */
function expectUndecodable(left: string, value: string): void {
  const bytes = Buffer.from(value)
  for (const run of left.match(/[A-Za-z0-9+/_-]{8,}/g) ?? [])
    for (const shift of [0, 1, 2, 3]) {
      const decoded = [Buffer.from(run.slice(shift), 'base64'), Buffer.from(run.slice(shift), 'hex')]
      for (let at = 0; at + 8 <= bytes.length; at += 1)
        for (const one of decoded) expect(one.includes(bytes.subarray(at, at + 8))).toBe(false)
    }
}

function bare(text: string): string {
  return text.replace(/\\\n/g, '').replace(/\s+/g, '')
}

function wrapped(text: string, columns: number, indent = ''): string {
  const lines: string[] = []
  for (let rest = [...text]; rest.length > 0; rest = rest.slice(columns)) lines.push(rest.slice(0, columns).join(''))
  return lines.join(`\n${indent}`)
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0')
}
