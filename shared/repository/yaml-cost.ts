// What a YAML text would cost to parse, told by one pass over its characters. The `yaml` package takes about 2 µs for each
// character that may be structure, whatever it turns out to be, and knows no end before the text has one.

export type YamlLimits = { readonly characters: number; readonly steps: number }

/** Brackets that are open at the same time, or `- - -` on one line. No text that a person wrote comes near. */
const deepest = 1000

export type YamlCost = {
  /** Characters that may be structure, and a share of all others. */
  readonly steps: number
  /** Where it is nested more deeply than any reader goes. */
  readonly tooDeepAt: number | undefined
}

export function yamlCost(text: string): YamlCost {
  let structure = 0
  let brackets = 0
  let inLine = 0
  let tooDeepAt: number | undefined
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at)
    if (character >= structural.length || structural[character] === 0) {
      // Letters end a row of `- - -`; spaces are part of it.
      if (character !== space) inLine = 0
      continue
    }
    structure += 1
    if (isOpening(character)) brackets += 1
    else if (isClosing(character)) brackets = Math.max(0, brackets - 1)
    inLine = isIndicator(character) && text.charCodeAt(at + 1) === space ? inLine + 1 : 0
    if (tooDeepAt === undefined && (brackets > deepest || inLine > deepest)) tooDeepAt = at
  }
  return { steps: structure + Math.ceil(text.length / charactersPerStep), tooDeepAt }
}

/** The package makes an error for each complaint. To capture the stack of each would take five times as long as to parse. */
export function withoutStackTraces<Result>(work: () => Result): Result {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return work()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** What is in no token of its own is only copied. */
const charactersPerStep = 32

const structural = new Uint8Array(128)
for (const character of '[]{},:?-#&*!|>\'"%@`\n\r\t') structural[character.charCodeAt(0)] = 1

const [space, dash, question, colon] = [0x20, 0x2d, 0x3f, 0x3a]

/** Followed by a space, these begin something that may hold the next one: `- - - x`. */
function isIndicator(character: number): boolean {
  return character === dash || character === question || character === colon
}

/** `[` and `{` */
function isOpening(character: number): boolean {
  return character === 0x5b || character === 0x7b
}

/** `]` and `}` */
function isClosing(character: number): boolean {
  return character === 0x5d || character === 0x7d
}
