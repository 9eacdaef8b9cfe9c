// Finds words that the style guide replaces, and documentation lines that are too long. Pure: `scripts/words.ts` reads files.

export type Word = { readonly word: string; readonly pattern?: string; readonly instead: string }

export type Breach = { readonly line: number; readonly message: string }

/** Documentation is read in diffs and terminals; a link target, a table row and a code block cannot be broken. */
const mostColumns = 120

/**
 * In documentation, code is quoted data and is not checked. In a source only names of stored data are: its strings are
 * user text.
 */
export function breachesOf(path: string, text: string, words: readonly Word[]): readonly Breach[] {
  if (!path.endsWith('.md')) return wordsIn(withoutStoredNames(text), words)
  return [...wordsIn(withoutCode(text), words), ...longLinesIn(text)].toSorted((one, other) => one.line - other.line)
}

function wordsIn(text: string, words: readonly Word[]): readonly Breach[] {
  return words.flatMap(({ word, pattern = word, instead }) =>
    [...text.matchAll(regexOf(pattern))].map(({ 0: found, index }) => ({
      line: text.slice(0, index).split('\n').length,
      message: `"${found.replace(betweenWords, ' ')}" (${word}): write ${instead}`,
    })),
  )
}

/** What may stand between two words of a phrase: a line end, with the comment mark of the next line. */
const betweenWords = /[\s/*#]+/g

/** A hyphen makes another word: the code `host-offline` is a name, not the word. */
function regexOf(pattern: string): RegExp {
  return new RegExp(`(?<![\\w-])(?:${pattern.replaceAll(' ', '[\\s/*#]+')})(?![\\w-])`, 'gi')
}

/** Code becomes blanks, so that lines keep their numbers. */
function withoutCode(text: string): string {
  const blocks = /^([ \t]*)(```+|~~~+)[^\n]*\n[\s\S]*?^\1\2[^\n]*$/gm
  const spans = /(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)/g
  const targets = /\]\([^)\s]*\)/g
  return [blocks, spans, targets].reduce((left, quoted) => left.replace(quoted, blank), text)
}

/**
 * Fields and codes of reports, state files and columns keep the word that was released: `finding.fight`, `{ fight: loop
 * }`, `'fight'` and the key `fight:HOST` of an alert. So do addresses of the API.
 */
function withoutStoredNames(text: string): string {
  const names =
    /(?<=\w[?)\]]?\.)\w+|(?<=[{,] )\w+(?=: [\w'"[{(])|(?<=^ +(?:readonly )?)\w+(?=\??: )|'[\w.-]+'|(?<=[`'])\w+(?=:(?:\$|\w))|(?<=\/v1\/[\w/]*)\w+/gm
  return text.replace(names, (name) => '_'.repeat(name.length))
}

function blank(quoted: string): string {
  return quoted.replace(/[^\n]/g, '·')
}

function longLinesIn(text: string): readonly Breach[] {
  const withoutBlocks = text.replace(/^([ \t]*)(```+|~~~+)[^\n]*\n[\s\S]*?^\1\2[^\n]*$/gm, (block) =>
    block.replace(/[^\n]/g, ''),
  )
  return withoutBlocks.split('\n').flatMap((line, index) => {
    const isTable = /^\s*\|/.test(line)
    const isOneLink = /^\s*(?:[-*>]\s+)?(?:!?\[[^\]]*\]\([^)]*\)|https?:\S+)[.,;:]?$/.test(line)
    const columns = [...line].length
    return columns <= mostColumns || isTable || isOneLink
      ? []
      : [{ line: index + 1, message: `${columns} columns: break the line after a clause, at most ${mostColumns}` }]
  })
}
