// Bytes as a person would read them. What is no UTF-8 may be text all the same: an old configuration in Latin-1, an export in UTF-16.

export type TextEncoding = 'UTF-8' | 'UTF-16LE' | 'UTF-16BE' | 'Latin-1'

export type DisplayText = { readonly text: string; readonly encoding: TextEncoding }

/** Undefined for what is not text. */
export function displayText(bytes: Uint8Array): DisplayText | undefined {
  const marked = utf16Of(bytes)
  if (marked !== undefined) return decoded(bytes.subarray(2), marked)
  if (bytes.includes(0)) return undefined
  return decoded(bytes, 'UTF-8') ?? (isLatin1(bytes) ? decoded(bytes, 'Latin-1') : undefined)
}

/** By its byte order mark alone: without one, anything could be UTF-16. */
function utf16Of(bytes: Uint8Array): 'UTF-16LE' | 'UTF-16BE' | undefined {
  if (bytes.length % 2 !== 0) return undefined
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16LE'
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'UTF-16BE' : undefined
}

function decoded(bytes: Uint8Array, encoding: TextEncoding): DisplayText | undefined {
  try {
    // Windows' superset of it, as everywhere on the web: quotes and the euro sign stand among its control characters.
    const label = encoding === 'Latin-1' ? 'windows-1252' : encoding
    const text = new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes)
    return encoding.startsWith('UTF-16') && controls.test(text) ? undefined : { text, encoding }
  } catch {
    return undefined
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those that no text has.
const controls = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/

/** Mostly ASCII, without control characters: compressed or encrypted bytes have both. */
function isLatin1(bytes: Uint8Array): boolean {
  let high = 0
  for (const byte of bytes) {
    if (byte < 0x20 ? byte < 0x09 || (byte > 0x0d && byte !== 0x1b) : byte === 0x7f) return false
    if (byte >= 0x80) high += 1
  }
  return high * 3 <= bytes.length
}
