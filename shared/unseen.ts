// Differences of a text that nobody sees in a diff, as codes, and their words. `live` has it, unless the code says otherwise.

export const unseenKinds = [
  'encoding',
  'byte-order-mark-added',
  'byte-order-mark-removed',
  'line-ends-crlf',
  'line-ends-lf',
  'final-newline-added',
  'final-newline-removed',
  'trailing-space',
  'tabs',
  'no-break-space',
  'zero-width',
  'unicode-form',
] as const

export type UnseenKind = (typeof unseenKinds)[number]

export type Unseen = {
  readonly kinds: readonly UnseenKind[]
  /** Nothing else differs. */
  readonly isAll: boolean
}

const words: Readonly<Record<UnseenKind, string>> = {
  encoding: 'the encoding',
  'byte-order-mark-added': 'a byte order mark was added',
  'byte-order-mark-removed': 'the byte order mark is gone',
  'line-ends-crlf': 'lines end with CR LF instead of LF',
  'line-ends-lf': 'lines end with LF instead of CR LF',
  'final-newline-added': 'a newline at the end was added',
  'final-newline-removed': 'the newline at the end is gone',
  'trailing-space': 'white space at the end of lines',
  tabs: 'tabs and spaces',
  'no-break-space': 'no-break spaces and spaces',
  'zero-width': 'characters without width',
  'unicode-form': 'the Unicode form of characters (NFC, NFD)',
}

/** `only this differs: white space at the end of lines` */
export function unseenText({ kinds, isAll }: Unseen): string {
  return `${isAll ? 'only this differs' : 'this differs too'}: ${kinds.map((kind) => words[kind]).join('; ')}`
}
