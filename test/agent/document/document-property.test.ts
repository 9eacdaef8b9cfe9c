// Whatever a document holds: keys shuffled and formatted anew it means the same, and with another value it does not.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { meaningOf } from '../../../agent/document/meaning.ts'
import { canonicalNumber } from '../../../agent/document/number.ts'
import type { CompareRules } from '../../../shared/resource.ts'

const json: CompareRules = { as: 'json', ignore: [], unordered: [] }
const yaml: CompareRules = { as: 'yaml', ignore: [], unordered: [] }

function meaning(text: string, rules: CompareRules): string {
  const found = meaningOf(Buffer.from(text), rules)
  return found.kind === 'known' ? found.digest : `${found.kind} ${found.reason} ${text}`
}

type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value }

const valuesOf = (text: fc.Arbitrary<string>) =>
  fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
      fc.integer(),
      text,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(text, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value

const anyValue = valuesOf(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('1', 'null', '{}', '')))
/** Text to every reader of YAML, which `yes` and `0644` are not. */
const clearValue = valuesOf(
  fc.oneof(
    fc.string({ unit: 'grapheme' }).map((text) => `t${text} `),
    fc.constantFrom('- a', '#', 'a: b'),
  ),
)

function reversed(value: Value): Value {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, reversed(inner)]),
  )
}

function spaced(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|[[\]{},:]/g, (part) => (part.startsWith('"') ? escaped(part) : `\n ${part}\t`))
}

function escaped(text: string): string {
  return text.replace(/\\u[\da-f]{4}|\\.|[a-z]|[\u0080-\ud7ff]/g, (char) =>
    char.startsWith('\\') ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

test('JSON that is shuffled and formatted anew means the same', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const plain = meaning(JSON.stringify(value), json)
      expect(plain).toMatch(/^[0-9a-f]{64}$/)
      expect(meaning(JSON.stringify(reversed(value), undefined, 3), json)).toBe(plain)
      expect(meaning(spaced(JSON.stringify(value)), json)).toBe(plain)
    }),
  )
})

test('two documents mean the same only when their values are the same', () => {
  fc.assert(
    fc.property(anyValue, anyValue, (one, other) => {
      const isSame = sorted(one) === sorted(other)
      expect(meaning(JSON.stringify(one), json) === meaning(JSON.stringify(other), json)).toBe(isSame)
    }),
  )
  fc.assert(
    fc.property(anyValue, fc.nat(), (value, place) => {
      const text = JSON.stringify(value)
      const digits = [...text.matchAll(/\d(?=\d|[,\]}]|$)/g)].filter(({ index }) => !inString(text, index))
      const at = digits[place % Math.max(1, digits.length)]?.index
      if (at === undefined) return
      const changed = `${text.slice(0, at)}${(Number(text[at]) % 9) + 1}${text.slice(at + 1)}`
      if (sorted(JSON.parse(changed)) !== sorted(value)) expect(meaning(changed, json)).not.toBe(meaning(text, json))
    }),
  )
})

test('YAML in other styles means the same', () => {
  fc.assert(
    fc.property(clearValue, (value) => {
      const block = stringify(value, { aliasDuplicateObjects: false })
      const quoted = stringify(reversed(value), {
        defaultStringType: 'QUOTE_DOUBLE',
        defaultKeyType: 'QUOTE_DOUBLE',
        collectionStyle: 'flow',
        lineWidth: 20,
      })
      // yaml 2.9.1 folds between the halves of a character beyond U+FFFF: what it wrote is then no text.
      fc.pre(quoted.isWellFormed())
      expect(meaning(quoted, yaml)).toBe(meaning(block, yaml))
      expect(meaning(block, yaml)).toMatch(/^[0-9a-f]{64}$/)
    }),
  )
})

test('a number is the same exactly when it has the same value', () => {
  const digits = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n })
  fc.assert(
    fc.property(digits, fc.nat(30), digits, fc.nat(30), (one, oneScale, other, otherScale) => {
      const isSame = one * 10n ** BigInt(otherScale) === other * 10n ** BigInt(oneScale)
      expect(canonicalNumber(`${one}e-${oneScale}`) === canonicalNumber(`${other}e-${otherScale}`)).toBe(isSame)
    }),
  )
  fc.assert(
    fc.property(digits, fc.nat(60), (number, zeros) => {
      const padded = canonicalNumber(`${number}${'0'.repeat(zeros)}e-${zeros}`)
      expect(padded).toBe(canonicalNumber(String(number)))
      expect(canonicalNumber(`${number}.${'0'.repeat(zeros + 1)}`)).toBe(padded)
      expect(canonicalNumber(padded)).toBe(padded)
    }),
  )
})

function sorted(value: Value): string {
  return JSON.stringify(value, (_, inner: Value) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

function inString(text: string, at: number): boolean {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"/g)].some(({ 0: { length }, index }) => index <= at && at < index + length)
}
