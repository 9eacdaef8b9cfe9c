// Links of the documentation: each leads to a file of this repository, and to a heading that the file has.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const checkout = join(import.meta.dirname, '../..')
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: checkout }).filter((page) => page !== 'CHANGELOG.md')

test.each(pages)('the links of %s lead somewhere', (page) => {
  const text = readFileSync(join(checkout, page), 'utf8')
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)

  expect(targets.filter((target) => !/^https?:/.test(target) && !leadsSomewhere(page, target))).toEqual([])
})

test('there are pages to look at', () => {
  expect(pages.length).toBeGreaterThan(6)
})

function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#')
  const file = join(checkout, path === '' ? page : join(dirname(page), path))
  return existsSync(file) && (anchor === undefined || anchorsOf(readFileSync(file, 'utf8')).includes(anchor))
}

/** As forges make them of headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .trim()
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

test.each(pages)('the files that %s names exist', (page) => {
  const text = readFileSync(join(checkout, page), 'utf8')
  const named = [...text.matchAll(/`((?:agent|server|shared|scripts|test|docs)\/[\w./-]+)`/g)].map(
    ([, path = '']) => path,
  )

  expect(named.filter((path) => !existsSync(join(checkout, path)))).toEqual([])
})

test('each decision is in the index, and each that a source names exists', () => {
  const decisions = globSync('docs/decisions/2*.md', { cwd: checkout }).map((path) =>
    path.replace('docs/decisions/', ''),
  )
  const index = readFileSync(join(checkout, 'docs/decisions/README.md'), 'utf8')
  const sources = globSync('{agent,server,shared,scripts}/**/*.{ts,tsx}', { cwd: checkout })
  const named = sources.flatMap((path) =>
    [...readFileSync(join(checkout, path), 'utf8').matchAll(/docs\/decisions\/([\w.-]+\.md)/g)].map(([, file]) => file),
  )

  expect(decisions.length).toBeGreaterThan(20)
  expect(decisions.filter((file) => !index.includes(`(${file})`))).toEqual([])
  expect(named.filter((file) => file === undefined || !decisions.includes(file))).toEqual([])
})
