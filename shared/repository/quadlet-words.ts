// Words of a setting as podman's generator splits them, which is as systemd does it: quotes count anywhere in a word, and so do the
// escapes of C. A guard that took less away would see `"/:/host"` where podman sees `/:/host`. Pure.

export function quadletWords(value: string): readonly string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (const [part] of value.matchAll(/\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[0-7]{3}|.)|[\s\S]/gi)) {
    if (part === quote) quote = ''
    else if (quote === '' && (part === '"' || part === "'")) {
      quote = part
      word ??= ''
    } else if (quote === '' && /^\s$/.test(part)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + (part.length > 1 ? unescaped(part) : part)
  }
  return word === undefined ? words : [...words, word]
}

/** What is no escape stays as it is written. */
function unescaped(written: string): string {
  const letter = written[1] ?? ''
  const single = escapes[letter]
  if (single !== undefined) return single
  const [base, digits] = /^[0-7]{3}$/.test(written.slice(1)) ? [8, written.slice(1)] : [16, written.slice(2)]
  const code = Number.parseInt(digits, base)
  return written.length > 2 && code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code) : written
}

const escapes: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', s: ' ' },
  ...{ '\\': '\\', '"': '"', "'": "'" },
}
