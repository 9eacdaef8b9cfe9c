// The ways in which the value of a secret stands in a text: as it is, and in the encodings that configuration files and logs use.
import { canonicalNumber } from '../document/number.ts'

/** Every form without white space, because a text is searched without it; at least `shortest` characters each. */
export function formsOf(value: string, shortest: number): readonly string[] {
  const lines = value.split(/\r?\n/)
  const encoded = [...new Set([value, value.trim(), value.trimEnd()])].flatMap(encodingsOf)
  // A line of a key stands alone in a diff; all encodings of all lines of all keys would be too many.
  const all = [...encoded, ...(lines.length > 1 ? lines : [])].map((form) => form.replace(/\s+/g, ''))
  return [...new Set(all)].filter((form) => form.length >= shortest)
}

function encodingsOf(value: string): readonly string[] {
  return [value, ...base64Of(value), ...percentOf(value), ...escapedOf(value), ...hexOf(value), ...numberOf(value)]
}

/** As a number of JSON is told (document/number.ts). */
function numberOf(value: string): readonly string[] {
  return /^-?\d[\d.eE+-]*$/.test(value) ? [canonicalNumber(value)] : []
}

/**
 * What base64 makes of the value wherever in a longer text it stands, as in `user:password`: three alignments, of each the characters
 * that the value alone decides. In both alphabets.
 */
function base64Of(value: string): readonly string[] {
  const bytes = Buffer.from(value)
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes, Buffer.alloc(2)]).toString('base64')
    const form = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
    return [form, form.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/** Of components, of forms, and with every byte escaped; hexadecimal digits in both cases. */
function percentOf(value: string): readonly string[] {
  const component = encodeURIComponent(value.toWellFormed())
  const form = new URLSearchParams([['', value]]).toString().slice(1)
  const every = [...Buffer.from(value)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
  // A path keeps its slashes, a query its colons and more.
  const readable = encodeURI(value.toWellFormed())
  return [component, form, component.replaceAll('%20', '+'), readable, every].flatMap((text) => [
    text,
    text.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()),
  ])
}

/** JSON in its usual and its ASCII-only form, shells' single and double quotes, XML and HTML. */
function escapedOf(value: string): readonly string[] {
  const json = JSON.stringify(value).slice(1, -1)
  const xml = value.replace(/[&<>]/g, (char) => xmlNames[char] ?? char)
  const ascii = (text: string) => text.replace(/[\u007f-\uffff]/g, unicodeEscape)
  const safe = json.replace(/[<>&']/g, unicodeEscape)
  return [
    ...[json, safe].flatMap((text) => [text, ascii(text), ascii(text).toLowerCase()]),
    json.replaceAll('/', '\\/'),
    value.replaceAll("'", `'\\''`),
    value.replaceAll("'", `'"'"'`),
    value.replaceAll("'", "''"),
    value.replace(/[\\"$`]/g, '\\$&'),
    xml,
    xml.replaceAll('"', '&quot;'),
    ...['&#39;', '&#039;', '&#x27;', '&apos;'].map((quote) => xml.replaceAll('"', '&quot;').replaceAll("'", quote)),
    xml.replaceAll('"', '&#34;').replaceAll("'", '&#39;'),
  ]
}

const xmlNames: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function hexOf(value: string): readonly string[] {
  const hex = Buffer.from(value).toString('hex')
  return [hex, hex.toUpperCase()]
}
