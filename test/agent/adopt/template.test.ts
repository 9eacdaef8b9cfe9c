// What was changed outside a template's substituted parts goes into the template; what touches them does not.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { adoptedTemplate, piecesOf, renderedText } from '../../../agent/adopt/template.ts'
import { parseTemplate, type Reference } from '../../../agent/desire/template.ts'

const ref = (name: string) => `${'$'}{{ ${name} }}`
const values: Readonly<Record<string, string>> = {
  port: '80',
  name: 'shop',
  none: '',
  key: 'line one\nline two\n',
  db: 'p4ss-of-db',
}

const file = 'services/web/files/etc/web.conf'

function adopted(template: string, change: (live: string) => string) {
  const pieces = filled(template)
  const outcome = adoptedTemplate(pieces, change(renderedText(pieces)), file)
  return outcome.kind === 'adopted'
    ? outcome.text
    : outcome.problems.map(({ message, where }) => `${where?.line}: ${message}`)
}

function filled(template: string) {
  const parsed = parseTemplate(file, Buffer.from(template)).template
  return piecesOf(template, parsed, ({ kind, name }: Reference) =>
    kind === 'host-name' ? 'web-1' : (values[name] ?? ''),
  )
}

const site = `# the site\nlisten ${ref('vars.port')};\nname ${ref('vars.name')}.example.org;\nroot /srv;\n`

test.each<[string, (live: string) => string, string]>([
  ['a line of its own', (live) => live.replace('/srv', '/srv/www'), site.replace('/srv', '/srv/www')],
  ['an appended line', (live) => `${live}gzip on;\n`, `${site}gzip on;\n`],
  [
    'a line before one that is filled in',
    (live) => live.replace('listen', 'gzip on;\nlisten'),
    site.replace('listen', 'gzip on;\nlisten'),
  ],
  [
    'a word behind a value',
    (live) => live.replace('80;', '80 default;'),
    site.replace(' }};\nname', ' }} default;\nname'),
  ],
  [
    'a word before a value',
    (live) => live.replace('listen 80', 'listen [::]:80'),
    site.replace('listen ', 'listen [::]:'),
  ],
  [
    'a comment before a line that is filled in',
    (live) => live.replace('listen', '# listen'),
    site.replace('listen', '# listen'),
  ],
  [
    'what stands behind a value',
    (live) => live.replace('example.org', 'example.com'),
    site.replace('example.org', 'example.com'),
  ],
  [
    'two lines that are filled in, at once',
    (live) => live.replace('listen 80', 'bind 80').replace('name shop', 'host shop'),
    site.replace('listen ', 'bind ').replace('name ', 'host '),
  ],
  ['a removed line', (live) => live.replace('# the site\n', ''), site.replace('# the site\n', '')],
])('adopted: %s', (_, change, expected) => {
  expect(adopted(site, change)).toBe(expected)
})

test.each<[string, (live: string) => string, readonly string[]]>([
  ['another value', (live) => live.replace('80', '81'), [`2: the change touches ${ref('vars.port')}`]],
  ['a value that grew', (live) => live.replace('80', '8080'), [`2: the change touches ${ref('vars.port')}`]],
  ['a value that grew in front', (live) => live.replace('80', '180'), [`2: the change touches ${ref('vars.port')}`]],
  [
    'a removed line that was filled in',
    (live) => live.replace('listen 80;\n', ''),
    [`2: the change touches ${ref('vars.port')}`],
  ],
  [
    'two values',
    (live) => live.replace('80', '1').replace('shop', 'x'),
    [`2: the change touches ${ref('vars.port')}`, `3: the change touches ${ref('vars.name')}`],
  ],
  [
    'a reference typed into the live text',
    (live) => `${live}${ref('vars.port')}\n`,
    [`5: ${'$'}{{ was typed into the live text, and the template would substitute it`],
  ],
])('refused, with its line: %s', (_, change, expected) => {
  expect(adopted(site, change)).toEqual(expected)
})

test('a dollar that would make a reference of braces that stand there already is refused', () => {
  expect(adopted(`a {{ vars.port }}\nb ${ref('vars.port')}\n`, (live) => live.replace('a {{', `a ${'$'}{{`))).toEqual([
    expect.stringContaining('was typed into the live text'),
  ])
})

test('nothing is put beside a reference that is filled in with nothing', () => {
  expect(adopted(`listen 1${ref('vars.none')};\n`, (live) => live.replace('1;', '1 ssl;'))).toEqual([
    `1: the change touches ${ref('vars.none')}`,
  ])
  expect(adopted(`${ref('vars.none')}\nb\n`, (live) => `a\n${live}`)).toBe(`a\n${ref('vars.none')}\nb\n`)
})

test('a value of many lines is not changed in the middle', () => {
  const template = `a\n${ref('secrets.key')}b\n`
  expect(adopted(template, (live) => live.replace('line two', 'line 2'))).toEqual([
    `2: the change touches ${ref('secrets.key')}`,
  ])
  expect(adopted(template, (live) => live.replace('b\n', 'c\n'))).toBe(`a\n${ref('secrets.key')}c\n`)
})

test('whatever is adopted renders to what is live, and refers to what it referred to', () => {
  const literal = fc.stringMatching(/^[a-z0-9 =.{}$\n]{0,12}$/)
  const reference = fc
    .constantFrom('vars.port', 'vars.name', 'vars.none', 'secrets.db', 'secrets.key', 'host.name')
    .map(ref)
  const template = fc
    .array(fc.oneof(literal, reference), { maxLength: 10 })
    .map((parts) => parts.join(''))
    .filter((text) => parseTemplate(file, Buffer.from(text)).problems.length === 0)
  const edit = fc.record({ at: fc.nat(200), drop: fc.nat(6), put: fc.stringMatching(/^[a-z0-9 ={}$\n]{0,8}$/) })
  let taken = 0
  fc.assert(
    fc.property(template, fc.array(edit, { minLength: 1, maxLength: 4 }), (text, edits) => {
      const pieces = filled(text)
      const live = edits.reduce((so, { at, drop, put }) => {
        const place = at % (so.length + 1)
        return so.slice(0, place) + put + so.slice(place + drop)
      }, renderedText(pieces))
      const outcome = adoptedTemplate(pieces, live, file)
      if (outcome.kind === 'refused') return outcome.problems.length > 0
      taken += 1
      const after = filled(outcome.text)
      expect(renderedText(after)).toBe(live)
      expect(after.flatMap(({ reference: one }) => one?.name ?? [])).toEqual(
        pieces.flatMap(({ reference: one }) => one?.name ?? []),
      )
      return true
    }),
    { numRuns: 2000 },
  )
  expect(taken).toBeGreaterThan(100)
})
