// The values in a unit file as systemd reads them: words with quotes, escapes and specifiers (systemd.syntax(7)). Pure.

/** By the number of the setting, and of the word where a setting has words; undefined: a quote is not closed. */
export function unitValues(text: string): ReadonlyMap<string, string> | undefined {
  const values = new Map<string, string>()
  const lines = text.replace(/\\\n/g, ' ').split('\n')
  for (const [index, line] of lines.entries()) {
    const [, name = '', written] = /^\s*([A-Za-z][A-Za-z0-9]*)\s*=([\s\S]*)$/.exec(line) ?? []
    const value = written?.trim()
    if (value === undefined) values.set(`${index}`, line)
    else if (!/^(?:Environment|Exec[A-Z])/.test(name)) values.set(`${index} ${name}`, specified(value))
    else {
      const words = wordsIn(value, name !== 'Environment')
      if (words === undefined) return undefined
      for (const [position, word] of words.entries()) values.set(`${index} ${name} ${position}`, word)
    }
  }
  return values
}

/** What a specifier or variable becomes is not known here; it is never what is written. */
const replaced = '\uE003'

function specified(text: string): string {
  return text.replace(/%(.)/g, (_, letter) => (letter === '%' ? '%' : replaced))
}

function wordsIn(text: string, isCommand: boolean): readonly string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? ''
    if (character === '\\') {
      word = `${word ?? ''}${escapes[text[at + 1] ?? ''] ?? replaced}`
      at += 1
    } else if (quote !== '') {
      if (character === quote) quote = ''
      else word = `${word ?? ''}${character}`
    } else if (character === '"' || character === "'") {
      // Within a word a quote is none.
      if (word === undefined) {
        quote = character
        word = ''
      } else word += character
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = `${word ?? ''}${character}`
  }
  if (quote !== '') return undefined
  if (word !== undefined) words.push(word)
  return words.map((one) => (isCommand ? specified(one).replace(/\$(?:\$|\w+|\{\w+\})/g, variable) : specified(one)))
}

function variable(written: string): string {
  return written === '$$' ? '$' : replaced
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\', '"': '"', "'": "'", s: ' ', n: '\n', t: '\t', r: '\r' }
