// Values of secrets never leave the host: they are taken out of both sides before anything is compared or shown.

export const maskText = '[secret]'

export type Mask = {
  /** The text with every known value, its usual encodings, and the lines of a multi-line value replaced. */
  text(text: string): string
  /** False: a value is too short to be found reliably, so what holds it is not shown at all. */
  readonly isReliable: boolean
}

/** Shorter values would replace half of every text. */
const shortest = 4

export function maskFor(values: Iterable<string>): Mask {
  const all = [...values].filter((value) => value !== '')
  const forms = [...new Set(all.flatMap(formsOf))].filter((form) => form.length >= shortest)
  const isReliable = all.every((value) => value.trim().length >= shortest)
  if (forms.length === 0) return { text: (text) => text, isReliable }
  // The longest first: a value may be part of another one.
  const pattern = new RegExp(
    forms
      .toSorted((one, other) => other.length - one.length)
      .map((form) => form.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&'))
      .join('|'),
    'g',
  )
  return { text: (text) => text.replace(pattern, maskText), isReliable }
}

function formsOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim())
  return [value, value.trim(), ...lines].flatMap((form) => [
    form,
    Buffer.from(form).toString('base64').replace(/=+$/, ''),
    Buffer.from(form).toString('base64url'),
    encodeURIComponent(form),
    JSON.stringify(form).slice(1, -1),
  ])
}
