// Trees that somebody made to lead a host astray: each is a problem, none an exception, and nothing of it gets a place.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { problemLine, problemSchema } from '../../../shared/problem.ts'
import { parseRepository } from '../../../shared/repository/parse.ts'
import { readYaml } from '../../../shared/repository/yaml.ts'
import { fleetOf, linesOf, treeOf } from './tree.ts'

const hostilePaths = [
  '../etc/passwd',
  'services/a/files/../../../etc/passwd',
  'services/a/files/./x',
  'services/a/files//x',
  '/services/a/files/x',
  'services/a/files/x/',
  '.git/hooks/post-checkout',
  'services/a/files/.GIT/config',
  'services/a/files/.git /config',
  'services/a/files/.g\u200cit/config',
  'services/a/files/git~1/config',
  'services\\a\\files\\x',
  'services/a/files/etc/x\\..\\y',
  'services/a/files/bell\u0007',
  'services/a/files/new\nline',
  'services/a/files/nul\0',
  'services/a/files/not-utf8-\uFFFD',
  `services/a/files/${'n'.repeat(256)}`,
  `services/a/files/${'d/'.repeat(80)}x`,
  '',
]

test.each(hostilePaths)('the path %j is a problem and gets no place', (path) => {
  const { repository, problems } = parseRepository(fleetOf({ 'services/a/files/good': '', [path]: 'x' }))
  expect(problems.length).toBeGreaterThan(0)
  const targets = [...repository.services.values()].flatMap(({ files }) => files.map(({ target }) => target))
  expect(targets).toEqual(['/good'])
  for (const problem of problems) expect(problemLine(problem)).toMatch(/^[^\p{Cc}]+$/u)
})

test('a submodule in a service is a problem', () => {
  expect(linesOf(fleetOf({ 'services/a/files/etc/x': 'submodule' }))).toEqual([
    'services/a/files/etc/x: is a submodule, which Plumbline does not follow. Copy the files in, or use a subtree.',
  ])
})

test('what no host gets may be odd', () => {
  const odd = fleetOf({
    'services/a/files/etc/x': 'x',
    'vendor/x': 'submodule',
    'docs/latest': { link: '../../elsewhere' },
    'docs/a\\b.md': '',
    'docs/Read.md': '',
    'docs/read.md': '',
    [`docs/${'x'.repeat(300)}`]: '',
    'docs/caf\uFFFD': '',
    'docs/line\nbreak': '',
    '.github/workflows/x.yml': { executable: '#!/bin/sh' },
  })

  expect(linesOf(odd)).toEqual([])
})

test.each(['docs/../x', '../x', '/etc/x', '.git/config', 'docs/.GIT/hooks/x', ''])(
  'a tree with %j is refused',
  (path) => {
    expect(linesOf(fleetOf({ 'services/a/files/etc/x': 'x', [path]: '' }))).toHaveLength(1)
  },
)

test.each([
  ['services/a/files/etc/X', 'services/a/files/etc/x', 'told apart by case alone'],
  ['services/a/files/ETC/x', 'services/a/files/etc/y', 'told apart by case alone'],
  ['services/A/README.md', 'services/a/README.md', 'told apart by case alone'],
  ['services/a/files/\u00e9', 'services/a/files/e\u0301', 'the Unicode form alone (composed or decomposed): bytes'],
  ['services/a/files/caf\u00e9s/x', 'services/a/files/cafe\u0301s/x', 'bytes 65 cc 81 and c3 a9'],
  ['services/a/files/caf\u00e9s/x', 'services/a/files/cafe\u0301s/y', 'bytes 65 cc 81 and c3 a9'],
  ['services/a/files/\uac00', 'services/a/files/\u1100\u1161', 'bytes e1 84 80 e1 85 a1 and ea b0 80'],
  ['services/a/files/\u00c9', 'services/a/files/e\u0301', 'told apart by case and Unicode form alone: bytes'],
])('%j and %j are a problem that says what tells them apart', (one, other, difference) => {
  expect(linesOf(treeOf({ 'plumb.yaml': 'version: 1', [one]: '', [other]: '' })).join('\n')).toContain(difference)
})

test('a path that is a file and a directory, or there twice, is a problem', () => {
  const { entries, texts } = fleetOf({ 'services/a/files/x': '', 'services/a/files/x/y': '' })
  expect(parseRepository({ entries, texts }).problems[0]?.message).toContain('is below a file')
  const turned = parseRepository({ entries: entries.toReversed(), texts })
  expect(turned.problems[0]?.message).toContain('as a file and as a directory')
  const twice = parseRepository({ entries: [...entries.slice(0, 3), ...entries.slice(2, 3)], texts })
  expect(twice.problems[0]?.message).toContain('in the tree twice')
})

test('plumb.yaml, service.yaml and a compose file may not be symlinks', () => {
  expect(linesOf(treeOf({ 'plumb.yaml': { link: '/etc/passwd' } }))).toEqual([
    'plumb.yaml: must be a plain file that can be read.',
  ])
  expect(linesOf(fleetOf({ 'services/a/service.yaml': { link: '../b' } }))[0]).toContain('must be a plain file')
  expect(linesOf(fleetOf({ 'services/a/compose.yaml': { link: '../b' } }))[0]).toContain('must be a plain file')
})

test('a symlink to nowhere is a problem, one under files/ is a symlink on the host', () => {
  const { repository, problems } = parseRepository(fleetOf({ 'services/a/files/etc/l': { link: '../srv/x' } }))
  expect(problems).toEqual([])
  expect([...repository.services.values()][0]?.files).toMatchObject([
    { kind: 'symlink', target: '/etc/l', link: '../srv/x' },
  ])
  expect(linesOf(fleetOf({ 'services/a/files/etc/l': { link: '' } }))[0]).toContain('is a symlink to nowhere')
})

test('names such as constructor and __proto__ are only what the file says', () => {
  const yaml = 'version: 1\nhosts: { constructor: { services: [a], vars: { constructor: x } } }\n'
  const { repository, problems } = parseRepository(treeOf({ 'plumb.yaml': yaml, 'services/a/README.md': '' }))
  expect(problems).toEqual([])
  expect([...repository.fleet.hosts.keys()]).toEqual(['constructor'])
  expect(linesOf(treeOf({ 'plumb.yaml': 'version: 1\nhosts: { __proto__: {} }\n' }))[0]).toContain(
    'unknown key "__proto__"',
  )
})

test('ten thousand wrong files are five hundred problems', () => {
  const files = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, n) => [`services/a/files/vendor/${n}`, 'submodule' as const]),
  )
  const lines = linesOf(treeOf({ 'plumb.yaml': 'version: 1', ...files }))
  expect(lines).toHaveLength(500)
  expect(lines.at(-1)).toBe('9501 more problems are not shown. Correct these first.')
})

test('a chain of services as long as it may be is put in order without a deep stack', () => {
  const names = Array.from({ length: 2000 }, (_, n) => `s${n}`)
  const files = names.flatMap((name, n) => [
    [`services/${name}/README.md`, ''],
    [`services/${name}/service.yaml`, n === 0 ? '' : `after: [s${n - 1}]\n`],
  ])
  expect(linesOf(treeOf({ 'plumb.yaml': 'version: 1', ...Object.fromEntries(files) }))).toEqual([])
})

const pathPart = fc.oneof(
  fc.constantFrom(
    'services',
    'a',
    'b',
    'files',
    'units',
    'etc',
    'x.service',
    'README.md',
    'service.yaml',
    'compose.yaml',
    'plumb.yaml',
  ),
  fc.constantFrom('..', '.', '', '.git', '.GIT', '\\', '\0', '\u202e', 'x.service.d', '__proto__', 'constructor'),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const yamlText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        'version: 1',
        'hosts:',
        '  a:',
        ' ',
        '{',
        '}',
        '[',
        ']',
        '&a',
        '*a',
        '!!map',
        '? ',
        ': ',
        '- ',
        '\n',
        '"',
        "'",
        '|',
        '<<',
        '#',
        '0640',
        'files',
        'after',
        '__proto__',
      ),
      { maxLength: 30 },
    )
    .map((parts) => parts.join('')),
  fc.json({ maxDepth: 6 }),
  fc
    .record(
      {
        version: fc.anything(),
        hosts: fc.dictionary(
          fc.string(),
          fc.record({ services: fc.array(fc.string()), vars: fc.anything() }, { requiredKeys: [] }),
        ),
        groups: fc.anything(),
        alerts: fc.array(fc.record({ to: fc.string(), url: fc.string() })),
        after: fc.array(fc.constantFrom('a', 'b', 'c')),
        files: fc.dictionary(fc.string(), fc.anything({ maxDepth: 1 })),
        checks: fc.array(fc.anything({ maxDepth: 1 })),
        units: fc.dictionary(fc.string(), fc.anything({ maxDepth: 1 })),
      },
      { requiredKeys: [] },
    )
    .map(
      (value) =>
        JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? '',
    ),
)
const entry = fc.record({
  path: fc.array(pathPart, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/')),
  kind: fc.constantFrom('file', 'executable', 'symlink', 'submodule'),
  oid: fc.constantFrom('1', '2', '3'),
})

test('arbitrary trees and texts never throw, and every problem keeps to the limits of a report', () => {
  const trees = fc.record({
    entries: fc.array(entry, { maxLength: 20 }),
    plumb: yamlText,
    service: yamlText,
    other: fc.string({ unit: 'binary' }),
  })
  fc.assert(
    fc.property(trees, ({ entries, plumb, service, other }) => {
      const known = [
        { path: 'plumb.yaml', kind: 'file' as const, oid: '1' },
        { path: 'services/a/service.yaml', kind: 'file' as const, oid: '1' },
      ]
      const texts = new Map([
        ...entries.map(({ path }) => [path, other] as const),
        ['plumb.yaml', plumb],
        ['services/a/service.yaml', service],
      ])
      const { problems } = parseRepository({ entries: [...known, ...entries], texts })
      for (const problem of problems) problemSchema.parse(problem)
    }),
    { numRuns: 600 },
  )
})

test('arbitrary text is YAML with a value or a problem, never an exception', () => {
  fc.assert(
    fc.property(yamlText, (text) => {
      const { value, problems, placeOf } = readYaml('x.yaml', text, { characters: 10_000, steps: 10_000 })
      expect(value !== undefined || problems.length > 0).toBe(true)
      placeOf(['a', 0, 'b'], 'c')
    }),
    { numRuns: 1500 },
  )
})
