// What differs in a JSON or YAML file, value by value, and what of it is told.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { maskFor } from '../../../agent/plan/mask.ts'
import { type DocumentSides, toldChanges } from '../../../agent/plan/told-changes.ts'
import { changeLines } from '../../../shared/change-text.ts'
import { type Finding, findingSchema, type ValueChange } from '../../../shared/finding.ts'

type Options = {
  readonly secrets?: readonly string[]
  readonly holdsSecrets?: boolean
  readonly format?: 'json' | 'yaml'
}

function toldOf(before: unknown, after: unknown, { secrets = [], holdsSecrets, format = 'json' }: Options = {}) {
  const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  const sides: DocumentSides = { format, before: bytes(before), after: bytes(after) }
  return toldChanges(sides, { mask: maskFor(secrets), holdsSecrets: holdsSecrets ?? secrets.length > 0 })
}

function linesOf(before: unknown, after: unknown, options?: Options): readonly string[] {
  const told = toldOf(before, after, options)
  if (told === undefined) return ['nothing told']
  const finding = { changes: [...told.changes], changesCut: told.isCut }
  return changeLines(findingSchema.partial().parse(finding) as Finding, 20)
}

const panel = (id: number, more: object = {}) => ({ id, title: `Panel ${id}`, targets: [{ expr: `m${id}` }], ...more })
const panels = Array.from({ length: 100 }, (_, index) => panel(index))

test('a changed, an added and a removed value are told with their paths', () => {
  expect(
    linesOf(
      { title: 'Fleet', editable: true, panels: [{ targets: [{ expr: 'a' }] }], 'a.b': { c: 1 } },
      {
        title: 'Fleet',
        'a.b': { c: 12345678901234567890n.toString() },
        panels: [{ targets: [{ expr: 'b' }] }],
        refresh: '5s',
      },
    ),
  ).toEqual([
    '- editable: true',
    '~ panels[0].targets[0].expr: "a" -> "b"',
    '~ ["a.b"].c: 1 -> "12345678901234567890"',
    '+ refresh: "5s"',
  ])
})

test('one inserted panel is one added value, with and without an id of its own', () => {
  const inserted = [...panels.slice(0, 3), panel(1000), ...panels.slice(3)]
  expect(linesOf({ panels }, { panels: inserted })).toEqual([
    '+ panels[3]: {"id": 1000, "title": "Panel 1000", "targets": [{"expr": "m1000"}]}',
  ])
  const nameless = (all: readonly { title: string }[]) => all.map(({ title }) => ({ title, x: { y: title } }))
  expect(linesOf({ panels: nameless(panels) }, { panels: nameless(inserted) })).toEqual([
    '+ panels[3]: {"title": "Panel 1000", "x": {"y": "Panel 1000"}}',
  ])
})

test('one that was inserted and one that was changed beside it are told apart', () => {
  const row = (a: number, b: number) => ({ a, b, c: [a, b] })
  expect(linesOf([row(1, 1), row(2, 2)], [row(9, 9), { ...row(1, 1), b: 5 }, row(2, 2)])).toEqual([
    '~ [1].b: 1 -> 5',
    '+ [0]: {"a": 9, "b": 9, "c": [9, 9]}',
  ])
})

test('items with a name that stand in another order are told as that', () => {
  expect(linesOf({ p: [panel(1), panel(2), panel(3)] }, { p: [panel(3), panel(1, { title: 'x' }), panel(2)] })).toEqual(
    ['~ p: in the order [1, 2, 3] -> in the order [3, 1, 2]', '~ p[1].title: "Panel 1" -> "x"'],
  )
})

test('a list of plain values is compared by what is in it', () => {
  expect(linesOf(['a', 'b', 'c'], ['a', 'x', 'b', 'c'])).toEqual(['+ [1]: "x"'])
  expect(linesOf(['a', 'b', 'c'], ['a', 'x', 'c'])).toEqual(['~ [1]: "b" -> "x"'])
})

test('another type, another tag and another document are told', () => {
  expect(linesOf({ a: [1] }, { a: { b: 1 } })).toEqual(['~ a: [1] -> {"b": 1}'])
  expect(linesOf([1], { a: 1 })).toEqual(['~ (the whole document): [1] -> {"a": 1}'])
  expect(linesOf('a: !x [1]\n', 'a: [1]\n', { format: 'yaml' })).toEqual(['~ a: !x [1] -> [1]'])
  expect(linesOf('a: 1\n---\nb: 1\n', 'a: 1\n---\nb: 2\n---\nc: yes\n', { format: 'yaml' })).toEqual([
    '~ document 2: b: 1 -> 2',
    '+ document 3: {"c": yes}',
  ])
})

test('only formatting and order: no value differs', () => {
  expect(toldOf('{"a": 1, "b": [1]}', '{\n  "b": [1.0],\n  "a": 1\n}')).toEqual({
    changes: [],
    isCut: false,
    isFormatting: true,
  })
})

test('what is no such document, or holds a key twice, has no values to tell', () => {
  expect(toldOf('{"a": 1}', '{"a": 1')).toBeUndefined()
  expect(toldOf('{"a": 1}', '{"a": 1, "a": 1}')).toBeUndefined()
})

test('many and long values are cut, and that is said', () => {
  const told = toldOf(
    {},
    Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, 'x'.repeat(2000)])),
  )
  expect([told?.changes.length, told?.isCut]).toEqual([200, true])
  expect(told?.changes.every(({ live }) => live?.length === 500 && live.endsWith('...'))).toBe(true)
  expect(linesOf({}, Object.fromEntries(panels.map(({ title }) => [title, 1]))).at(-1)).toBe('... and 80 more values')
})

test('two long lists with nothing in common take no minutes', () => {
  const long = (from: number) => Array.from({ length: 100_000 }, (_, index) => index * 2 + from)
  const told = toldOf(long(0), long(1))
  expect([told?.changes.length, told?.isCut]).toEqual([200, true])
  const nested = (from: number) => Array.from({ length: 300 }, (_, row) => long(from).slice(row, row + 300))
  expect(toldOf(nested(0), nested(1))?.isCut).toBe(true)
})

const secret = 'hunter2-hunter2'

test.each<readonly [string, unknown, unknown, readonly ValueChange['path'][]]>([
  ['as it is', { password: secret, port: 1 }, { password: secret, port: 2 }, ['port']],
  ['edited', { password: secret }, { password: 'hunter3-hunter3' }, ['password']],
  ['edited within a text', { dsn: `pg://u:${secret}@h` }, { dsn: 'pg://u:hunter3@h' }, ['dsn']],
  ['under another key', { password: secret }, { passwd: 'hunter3' }, ['password', 'passwd']],
  ['in a list', { keys: ['a', secret] }, { keys: ['a', 'hunter3'] }, ['keys[1]']],
  ['beside one in a list', { keys: ['a', secret] }, { keys: ['a', secret, 'hunter3'] }, ['keys[2]']],
  [
    'in an item',
    { users: [{ name: 'u', password: secret }] },
    { users: [{ name: 'v', password: 'hunter3' }] },
    ['users[0]', 'users[0]'],
  ],
  [
    'of another item',
    {
      u: [
        { name: 'u', p: secret },
        { name: 'v', p: 'x' },
      ],
    },
    {
      u: [
        { name: 'u', p: secret },
        { name: 'v', p: 'hunter3' },
      ],
    },
    ['u[1].p'],
  ],
  ['that became a list', { password: secret }, { password: ['hunter3'] }, ['password']],
  ['in place of all', [secret], { p: 'hunter3' }, ['(the whole document)']],
])('a secret %s is not told', (_, before, after, paths) => {
  const told = toldOf(before, after, { secrets: [secret] })
  expect(told?.changes.map(({ path }) => path)).toEqual(paths)
  expect(JSON.stringify(told)).not.toContain('hunter')
})

test('in a file that holds a secret, other values are told, and what is new is not', () => {
  expect(
    linesOf({ password: secret, port: 1 }, { password: secret, port: 2, extra: 'x' }, { secrets: [secret] }),
  ).toEqual(['~ port: 1 -> 2', '+ extra: [secret] (may hold one)'])
})

test.each([
  ['with quotes, in JSON within YAML', 'auth: \'{"p": "a\\"hunter\\\\2"}\'\nx: 1\n', 'a"hunter\\2'],
  ['a number with a needless zero', 'x: 1\n', '12345.10'],
])('a secret that somebody typed elsewhere is masked: %s', (_, typed, value) => {
  const after = value.startsWith('1') ? `{"n": ${value}}` : typed
  const format = value.startsWith('1') ? 'json' : 'yaml'
  const lines = linesOf(format === 'json' ? '{}' : 'x: 1\n', after, { secrets: [value], holdsSecrets: false, format })
  expect(lines.join('\n')).toContain('[secret]')
  expect(lines.join('\n')).not.toMatch(/hunter|12345/)
})

test('no secret survives in a value, a key or a text within a text, however it is written', () => {
  const anySecret = fc
    .string({ minLength: 8, maxLength: 40, unit: 'grapheme' })
    .filter((text) => text.trim().length >= 8)
  const writings: readonly ((value: string) => unknown)[] = [
    (value) => value,
    (value) => `user:${value}@host`,
    (value) => ({ [`k-${value}`]: 1 }),
    (value) => [[value, 1]],
    (value) => JSON.stringify({ inner: value }),
    (value) => Buffer.from(`admin:${value}`).toString('base64'),
    (value) => encodeURIComponent(value.toWellFormed()),
  ]
  fc.assert(
    fc.property(anySecret, fc.constantFrom(...writings), fc.constantFrom('json', 'yaml'), (value, written, format) => {
      const text = (content: unknown) => (format === 'json' ? JSON.stringify(content) : stringify(content))
      const sides: DocumentSides = {
        format,
        before: Buffer.from(text({ a: 'before' })),
        after: Buffer.from(text({ a: written(value) })),
      }
      const told = toldChanges(sides, { mask: maskFor([value]), holdsSecrets: false })
      const [change] = told?.changes ?? []
      expect(change?.live).toContain('[secret]')
      expect(change?.live?.replaceAll('[secret]', '').length ?? 0).toBeLessThan(40)
      expect(JSON.stringify(told)).not.toContain(JSON.stringify(value).slice(1, -1))
    }),
  )
})

test('where a secret is too short to be found, or stands in a key, nothing is told', () => {
  expect(toldOf({ p: 'abc' }, { p: 'x' }, { secrets: ['abc'] })).toBeUndefined()
  expect(toldOf({ [secret]: 1 }, { hunter3: 1 }, { secrets: [secret] })).toBeUndefined()
})
