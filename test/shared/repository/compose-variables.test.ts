// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these texts are what is tested.
// The expected values are what `docker compose config` (2.26) made of the same texts.
import { describe, expect, test } from 'vitest'
import { readEnvironment } from '../../../shared/repository/compose-environment.ts'
import { interpolate, variableFaults } from '../../../shared/repository/compose-variables.ts'
import { timeRatio } from '../../support/time-ratio.ts'

const values = new Map([
  ['SET', 's'],
  ['EMPTY', ''],
])

describe('a value of a compose file', () => {
  test.each([
    ['plain', 'plain'],
    ['a$$b', 'a$b'],
    ['a$5b', 'a$5b'],
    ['a$ b', 'a$ b'],
    ['end$', 'end$'],
    ['$SET$SET', 'ss'],
    ['$SET-y', 's-y'],
    ['${SET}', 's'],
    ['${EMPTY}', ''],
    ['${NONE:-d}', 'd'],
    ['${NONE-d}', 'd'],
    ['${EMPTY:-d}', 'd'],
    ['${EMPTY-d}', ''],
    ['${NONE-}', ''],
    ['${NONE-a:-b}', 'a:-b'],
    ['${NONE:-a b # c}', 'a b # c'],
    ['${NONE:-a$$b}', 'a$b'],
    ['${NONE:-$SET}', 's'],
    ['${NONE:-${OTHER:-deep}}', 'deep'],
    ['${NONE:-a}${OTHER:-b}}', 'ab}'],
    ['${NONE:+a}', ''],
    ['${EMPTY:+a}', ''],
    ['${EMPTY+a}', 'a'],
    ['${SET:+a}', 'a'],
    ['${SET:?needed}', 's'],
    ['${EMPTY?needed}', ''],
    ['$$SET', '$SET'],
    ['$$${SET}', '$s'],
    ['$${SET}', '${SET}'],
    ['$$$$A', '$$A'],
  ])('%s is %s, and nothing is missing', (text, expected) => {
    expect(interpolate(text, values)).toEqual({ text: expected, unset: [], required: [] })
  })

  test.each([
    ['${X}', '', ['X']],
    ['$X1-y', '-y', ['X1']],
    ['${lower_case}', '', ['lower_case']],
    ['a${X}b$Y', 'ab', ['X', 'Y']],
    ['${NONE:-a${X}b}', 'ab', ['X']],
    // Compose warns about what stands behind the operator although it is not used.
    ['${SET:-a${X}b}', 's', ['X']],
    ['${NONE:+a${X}}', '', ['X']],
  ])('%s has no value for a variable', (text, expected, unset) => {
    expect(interpolate(text, values)).toEqual({ text: expected, unset, required: [] })
  })

  test.each([['${X:?}'], ['${X?}'], ['${X:?is needed}']])('%s requires a variable', (text) => {
    expect(interpolate(text, values).required).toEqual(['X'])
  })

  test.each([
    ['${1A}'],
    ['${A B}'],
    ['${A'],
    ['${}'],
    ['${A:-b'],
    ['${A:=b}'],
    ['${-A}'],
    ['${A/x/y}'],
    ['${SET:-${Q}'],
  ])('%s is malformed', (text) => {
    expect(interpolate(text, values).malformed).toBe(text)
  })

  test('a reference that nests without end is malformed', () => {
    expect(interpolate('${A:-'.repeat(50_000) + '}'.repeat(50_000), values).malformed).toContain('${A:-')
    expect(interpolate('${A:-'.repeat(50_000), values).malformed).toContain('${A:-')
  })
})

test('faults have the place of their value; keys are not interpolated', () => {
  const model = {
    services: { db: { image: 'x:${TAG}', environment: ['PASSWORD=$PASSWORD', 'A=${B:-c}'], labels: { $KEY: 1 } } },
  }

  expect(variableFaults(model, values)).toEqual([
    { path: ['services', 'db', 'image'], kind: 'unset', name: 'TAG' },
    { path: ['services', 'db', 'environment', 0], kind: 'unset', name: 'PASSWORD' },
  ])
})

describe('a .env file', () => {
  const read = (text: string) => Object.fromEntries(readEnvironment(text, new Map([['SET', 's']])).values)

  test.each([
    ['A=plain', 'plain'],
    ['A=with space  ', 'with space'],
    ['A=a#b', 'a#b'],
    ['A=a #b', 'a'],
    ['A="a #b"', 'a #b'],
    [`A='a $X "q" \\n'`, 'a $X "q" \\n'],
    ['A="a\\nb \\" \\$Y \\\\ \\t"', 'a\nb " $Y \\ \t'],
    ['A=a$SET-b', 'as-b'],
    ['A="a$SET b"', 'as b'],
    [`A='it\\'s'`, `it's`],
    ['A=a$$b', 'a$b'],
    [`A='multi\nline'`, 'multi\nline'],
    ['A="multi\nline"', 'multi\nline'],
    ['A = spaced', 'spaced'],
    ['export A=exported', 'exported'],
    ['A: yaml', 'yaml'],
    ['A=', ''],
    ['A=${NONE:-d}', 'd'],
    ['A=back\\slash\\n', 'back\\slash\\n'],
    [`A=a'b'c`, `a'b'c`],
    [`A='quoted' # comment`, 'quoted'],
    ['A="quoted"# comment', 'quoted'],
    ['A=$5x', '$5x'],
    ['A=a\\$SET', 'a\\s'],
    [`A='$2y$10$abc'`, '$2y$10$abc'],
    ['A=trailing\\', 'trailing\\'],
    ['A=  lead', 'lead'],
    ['A=a%b!c^&*(){}[]|;<>?~`', 'a%b!c^&*(){}[]|;<>?~`'],
    ['A=a\t#tab', 'a\t#tab'],
    ['A=# only', '# only'],
    ['A="a\\$SET"', 'a$SET'],
    [`A='a\\\\'`, 'a\\\\'],
    ['\tA=a\r\nB=b', 'a'],
  ])('%j', (text, expected) => {
    expect(read(text)['A']).toBe(expected)
  })

  test.each([
    ['\texport\t A\t = b', { A: 'b' }],
    ['export = b', { '': 'b' }],
    ['export=b', { export: 'b' }],
  ])('%j gives a name', (text, expected) => {
    expect(read(text)).toEqual(expected)
  })

  test.each([
    ['blanks', (length: number) => `A${' '.repeat(length)}B`],
    ['blanks behind export', (length: number) => `export${' '.repeat(length)}A B`],
    ['marks of comments', (length: number) => `A=${' #'.repeat(length * 10)}\r`],
  ])('%s are read in a time that grows with their number', { timeout: 120_000 }, (_, line) => {
    expect(
      timeRatio(
        () => readEnvironment(line(500)),
        () => readEnvironment(line(2000)),
      ),
    ).toBeLessThan(10)
  })

  test('later lines see earlier ones, comments and names alone say nothing', () => {
    expect(read('# A=1\n\nALONE\nB=1\nC=${B}-ref\n')).toEqual({ B: '1', C: '1-ref' })
  })

  test.each([
    ['A=1\nB=${NONE}', { line: 2, kind: 'unset', name: 'NONE' }],
    ['\n\nA=$2y$10$abcdefg', { line: 3, kind: 'unset', name: 'abcdefg' }],
    [`A='1\n2'\nB=$NONE`, { line: 3, kind: 'unset', name: 'NONE' }],
    ['A=${NONE:?no}', { line: 1, kind: 'required', name: 'NONE' }],
    ['A=${X', { line: 1, kind: 'malformed', name: '${X' }],
    ['A B=x', { line: 1, kind: 'unreadable' }],
    ["A=1\nB='open", { line: 2, kind: 'unreadable' }],
    ["A='it''s'", { line: 1, kind: 'unreadable' }],
    [`A='it'"'"'s'`, { line: 1, kind: 'unreadable' }],
  ])('%j has a fault', (text, expected) => {
    expect(readEnvironment(text).faults).toEqual([expect.objectContaining(expected)])
  })
})

describe('what would fill the memory', () => {
  const doubling = `A=0123456789\n${'A=$A$A\n'.repeat(60)}`

  test('lines that double the one before are not read to their end', () => {
    const { values, faults } = readEnvironment(doubling)
    expect(faults).toMatchObject([{ kind: 'unreadable', name: expect.stringContaining('longer than are read') }])
    expect([...values.values()].join('').length).toBeLessThan(2 * 1024 * 1024)
  })

  test('a long value that a text names often is not put there each time', () => {
    const long = new Map([['A', 'x'.repeat(1024 * 1024)]])
    for (const often of ['$A'.repeat(1000), '${A:-}'.repeat(1000)]) {
      const { text, malformed } = interpolate(often, long)
      expect(malformed).toBeDefined()
      expect(text.length).toBeLessThan(5 * 1024 * 1024)
    }
  })

  test('thousands of lines take no longer than each of them does', () => {
    const lines = (count: number) => Array.from({ length: count }, (_, index) => `A${index}=$A0-${index}`).join('\n')
    const took = (count: number) => {
      const begun = performance.now()
      readEnvironment(lines(count))
      return performance.now() - begun
    }
    took(1000)
    expect(took(16_000)).toBeLessThan(64 * Math.max(took(1000), 20))
  })
})
