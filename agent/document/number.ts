// A number of JSON as text that is the same for the same value and loses nothing: 1.0 is 1, and 12345678901234567890 stays what it is.

const numberPattern = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d{1,15}))?$/
/** Written out in full up to so many zeros. */
const plainZeros = 30

/** `written` is a number of JSON. */
export function canonicalNumber(written: string): string {
  const found = numberPattern.exec(written)
  // An exponent of more than 15 digits: no program reads it as a number, so it stands for itself.
  if (found === null) return written.toLowerCase()
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = found
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const kept = withoutTrailingZeros(digits)
  if (kept === '') return '0'
  return `${sign}${placed(kept, Number(exponent) - fraction.length + digits.length - kept.length)}`
}

/** By hand: of a number of a million digits a regular expression would try every zero in it. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end -= 1
  return digits.slice(0, end)
}

/** The one text of digits with neither leading nor trailing zeros, times ten to the power of the exponent. */
function placed(digits: string, exponent: number): string {
  if (exponent >= 0 && exponent <= plainZeros) return `${digits}${'0'.repeat(exponent)}`
  const before = digits.length + exponent
  if (exponent < 0 && before > 0) return `${digits.slice(0, before)}.${digits.slice(before)}`
  if (exponent < 0 && before >= -plainZeros) return `0.${'0'.repeat(-before)}${digits}`
  return `${digits}e${exponent}`
}
