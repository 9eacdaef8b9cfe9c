// The word check of `npm run check`: what it finds in documentation and in sources, and what it takes for quoted data.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { breachesOf } from '../../scripts/word-check.ts'
import settings from '../../scripts/words.json' with { type: 'json' }

const linesOf = (path: string, text: string) =>
  breachesOf(path, text, settings.words).map(({ line, message }) => `${line}: ${message}`)

test('a replaced word is reported with its line and its replacement', () => {
  expect(linesOf('docs/a.md', 'A host.\nIt is in plumb.\n')).toEqual(['2: "in plumb" (in plumb): write in sync'])
})

test.each(settings.words.map(({ word }) => word).filter((word) => !word.startsWith('-')))(
  'the word "%s" is found by its own pattern',
  (word) => {
    expect(linesOf('docs/a.md', `So ${word}, then.`)).toHaveLength(1)
  },
)

test('a phrase is found across a line end, with the marks of a comment', () => {
  expect(linesOf('agent/a.ts', '/**\n * The file is put\n * back.\n */')).toEqual([
    expect.stringContaining('2: "put back" (put back)'),
  ])
})

test('code spans, code blocks and link targets of documentation are quoted data', () => {
  const text = 'Prints `in plumb`, see [states](states.md#told).\n\n```\nin sync\n```\n\n~~~\ntold\n~~~\n'
  expect(linesOf('docs/a.md', text)).toEqual([])
})

test('the text after a code block is checked, with its own line number', () => {
  expect(linesOf('docs/a.md', '```\ncode\n```\nNobody knows.')).toEqual([expect.stringContaining('4: "Nobody"')])
})

test('a string in a source is checked: it is user text', () => {
  expect(linesOf('agent/a.ts', "console.log('the host is in plumb')")).toHaveLength(1)
})

test('a hyphenated code and a longer word are names of their own', () => {
  expect(linesOf('agent/a.ts', "'host-silent', silentAfter, retold, enrolled, anewFile")).toEqual([])
})

test('fields and codes of stored data keep their names in a source', () => {
  const codes = "kind === 'fight' || finding.fight?.since"
  const fields = `  readonly told: number\n  { fight: loop } = {}\n  key: \`fight:\${host}\``

  expect(linesOf('agent/a.ts', `${codes}\n${fields}`)).toEqual([])
  expect(linesOf('agent/a.ts', '// It is a fight.\n// A fight: two programs.\nconst fight = 1')).toHaveLength(3)
})

test('a documentation line above 120 columns is reported; a table, a code block and a lone link are not', () => {
  const long = 'word '.repeat(30).trim()
  const link = `[a page](${'x'.repeat(130)})`
  const text = `${long}\n| ${long} |\n\`\`\`\n${long}\n\`\`\`\n- ${link}\n`

  expect(linesOf('docs/a.md', text)).toEqual([`1: ${long.length} columns: break the line after a clause, at most 120`])
  expect(linesOf('agent/a.ts', long)).toEqual([])
})

test('each file that is exempt says why', () => {
  for (const reason of Object.values(settings.exempt)) expect(reason.length).toBeGreaterThan(10)
})

test('the clean files are clean, and the check says at how many it looked', () => {
  const script = join(import.meta.dirname, '../../scripts/words.ts')
  const output = execFileSync(process.execPath, [script], { encoding: 'utf8' })

  expect(Number(/^Looked at (\d+) files/m.exec(output)?.[1])).toBeGreaterThanOrEqual(settings.clean.length)
})
