// What of JSON and YAML counts, what does not, and what is refused with its place.
import { expect, test } from 'vitest'
import { type Meaning, meaningOf, rulesIn, rulesText } from '../../../agent/document/meaning.ts'
import type { CompareRules } from '../../../shared/resource.ts'

const json: CompareRules = { as: 'json', ignore: [], unordered: [] }
const yaml: CompareRules = { as: 'yaml', ignore: [], unordered: [] }
const meaning = (text: string, rules: CompareRules): Meaning => meaningOf(Buffer.from(text), rules)

function digest(text: string, rules: CompareRules): string {
  const found = meaning(text, rules)
  return found.kind === 'known' ? found.digest : `${found.kind}: ${found.reason}`
}

function expectKnown(text: string, rules: CompareRules): void {
  expect(meaning(text, rules)).toMatchObject({ kind: 'known' })
}

test.each([
  ['the order of keys, white space', '{"a":1,"b":{"c":2,"d":3}}', ' {\n"b" : {"d":3,\t"c":2},\r\n "a":1 }\n'],
  ['how a number is written', '[1, 100, 0.5, 0, 12e-1]', '[1.0, 1e2, 5E-1, -0.0, 1.2]'],
  ['escapes that need not be', '{"a/é":"\\n"}', '{"\\u0061\\/\\u00e9":"\\u000a"}'],
  ['a byte order mark', '{}', '\ufeff{}'],
])('of JSON, %s does not count', (_, one, other) => {
  expectKnown(one, json)
  expect(digest(other, json)).toBe(digest(one, json))
})

test.each([
  ['a value', '{"a":1}', '{"a":2}'],
  ['a type', '{"a":1}', '{"a":"1"}'],
  ['null and nothing', '{"a":null}', '{}'],
  ['the order of a list', '[1,2]', '[2,1]'],
  ['nesting', '[[1],2]', '[[1,2]]'],
  ['the last digit of a large number', '[12345678901234567890]', '[12345678901234567891]'],
  ['the last digit of a long fraction', '[0.1000000000000000000001]', '[0.1]'],
  ['a number beyond all floats', '[1e400]', '[1e401]'],
  ['a sign', '[-1]', '[1]'],
  ['text that looks like a list', '["1,2"]', '["1","2"]'],
  ['a lone surrogate', '["\\ud800"]', '["\\ufffd"]'],
])('of JSON, %s counts', (_, one, other) => {
  expectKnown(one, json)
  expectKnown(other, json)
  expect(digest(other, json)).not.toBe(digest(one, json))
})

test.each([
  ['{"a": 1,\n "a": 2}', 2, 2, 'the same key stands here twice'],
  ['{"a": 1,\n "\\u0061": 2}', 2, 2, 'the same key stands here twice'],
  ['{"a": [1, 2}', 1, 12, 'expected a comma or ]'],
  ['{"a": 1,}', 1, 9, 'expected a key in quotes'],
  ['{"a": 01}', 1, 8, 'expected a comma or }'],
  ['{"a": NaN}', 1, 7, 'expected a value'],
  ['{"a": "x\ny"}', 1, 7, 'a string that does not end, or holds what has to be escaped'],
  ['{"a": 1} x', 1, 10, 'expected the end'],
  ['[1,', 1, 4, 'it ends where a value should be'],
  ['', 1, 1, 'it ends where a value should be'],
])('%j is no JSON: %i:%i', (text, line, column, reason) => {
  expect(meaning(text, json)).toEqual({ kind: 'invalid', line, column, reason })
})

test.each([
  ['comments, quotes and styles', 'a: x # why\nb: [1, "u"]\nc: |\n  z\n', '{"b": [1, u], c: "z\\n", \'a\': x}'],
  ['anchors', 'a: &one { k: 1 }\nb: *one\n', 'b: { k: 1 }\na: { k: 1 }\n'],
  ['ways to say null and true', 'a: ~\nb: True\n', 'a:\nb: true\n'],
  ['the marks of a document', 'a: 1\n', '---\na: 1\n...\n'],
])('of YAML, %s do not count', (_, one, other) => {
  expectKnown(one, yaml)
  expect(digest(other, yaml)).toBe(digest(one, yaml))
})

test.each([
  ['a value', 'a: x', 'a: y'],
  ['text and number', 'a: "1"', 'a: 1'],
  ['what only YAML 1.1 reads as true', 'a: "yes"', 'a: yes'],
  ['what only YAML 1.1 reads as octal', 'a: "0644"', 'a: 0644'],
  ['what only YAML 1.1 reads as a time', 'a: "12:30"', 'a: 12:30'],
  ['a version that ends in zero', 'a: 1.10', 'a: 1.1'],
  ['a large number', 'a: 12345678901234567890', 'a: 12345678901234567891'],
  ['a tag', 'a: !secret b', 'a: b'],
  ['the kind of a key', '1: a', '"1": a'],
  ['another document', 'a: 1', 'a: 1\n---\nb: 2'],
  ['the order of a list', '[a, b]', '[b, a]'],
  ['the version of the language', '%YAML 1.1\n---\na: 012', 'a: 012'],
])('of YAML, %s counts', (_, one, other) => {
  expectKnown(one, yaml)
  expectKnown(other, yaml)
  expect(digest(other, yaml)).not.toBe(digest(one, yaml))
})

test('what is no YAML is told with its place', () => {
  expect(meaning('a: 1\nb: [1\n', yaml)).toMatchObject({ kind: 'invalid', line: 3 })
  expect(meaning('a: 1\na: 2\n', yaml)).toMatchObject({ kind: 'invalid', line: 2, column: 1 })
  expect(meaning('a: *b\n', yaml)).toMatchObject({ kind: 'invalid', line: 1, column: 4 })
  expect(meaning('a: &a [*a]\n', yaml)).toMatchObject({ kind: 'invalid' })
  expect(meaningOf(Buffer.from([0x61, 0xff]), yaml)).toMatchObject({ kind: 'invalid', reason: 'it is not UTF-8' })
})

test('what is too deep, too large or grows by its aliases is not judged, and ends soon', () => {
  const rows = Array.from({ length: 30 }, (_, row) => `a${row + 1}: &a${row + 1} [${`*a${row}, `.repeat(10)}]`)
  const long = Array.from({ length: 30 }, () => `- *long`)
  const tooMuch = [
    meaning('['.repeat(100_000), json),
    meaning(`${'['.repeat(201)}${']'.repeat(201)}`, json),
    meaning(`"${'x'.repeat(4 * 1024 * 1024)}"`, json),
    meaning('['.repeat(100_000), yaml),
    meaning('- '.repeat(3000), yaml),
    meaning('x'.repeat(1024 * 1024 + 1), yaml),
    meaning(`a0: &a0 x\n${rows.join('\n')}\n`, yaml),
    meaning(`- &long ${'x'.repeat(500_000)}\n${long.join('\n')}\n`, yaml),
  ]
  expect(tooMuch.map(({ kind }) => kind)).toEqual(tooMuch.map(() => 'too-much'))
  expectKnown(`${'['.repeat(200)}${']'.repeat(200)}`, json)
})

test('what is ignored, and the order of what has none, does not count; everything else does', () => {
  const rules: CompareRules = {
    as: 'json',
    ignore: ['/version', '/panels/*/id', '/a~1b/~0'],
    unordered: ['/tags', '/panels/*/links'],
  }
  const one =
    '{"version":1,"tags":["a","b"],"panels":[{"id":1,"x":1,"links":[{"u":1},{"u":2}]}],"a/b":{"~":1},"list":[1,2]}'
  const same =
    '{"version":9,"tags":["b","a"],"panels":[{"id":7,"x":1,"links":[{"u":2},{"u":1}]}],"a/b":{"~":2},"list":[1,2]}'
  expect(digest(same, rules)).toBe(digest(one, rules))
  expect(digest(one.replace('"version":1,', ''), rules)).toBe(digest(one, rules))
  for (const [from, to] of [
    ['"x":1', '"x":2'],
    ['[1,2]', '[2,1]'],
    ['["a","b"]', '["a","b","b"]'],
    ['"a/b":{"~":1}', '"a/b":{}, "c":1'],
  ] as const)
    expect(digest(one.replace(from, to), rules)).not.toBe(digest(one, rules))
})

test('rules are remembered as a text, and others of that text are not understood', () => {
  const rules: CompareRules = { as: 'yaml', ignore: ['/b', '/a'], unordered: [] }
  expect(rulesIn(rulesText(rules))).toEqual({ ...rules, ignore: ['/a', '/b'] })
  expect(rulesText({ ...rules, ignore: ['/a', '/b'] })).toBe(rulesText(rules))
  expect([rulesIn(undefined), rulesIn('[99,"json",[],[]]'), rulesIn('x')]).toEqual([undefined, undefined, undefined])
})
