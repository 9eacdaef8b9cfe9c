import fc from 'fast-check'
import { expect, test } from 'vitest'
import { liveLine } from '../../../agent/plan/live-line.ts'

const applied = 'one\ntwo\nthree\nfour\n'

test.each([
  [
    'what was not touched is the same, also where lines moved',
    'new\none\ntwo\nfour\n',
    [
      { kind: 'added', after: 0 },
      { kind: 'same', applied: 1 },
      { kind: 'same', applied: 2 },
      { kind: 'same', applied: 4 },
      { kind: 'no-such-line', lines: 4 },
    ],
  ],
  [
    'a changed line stands in the place of another',
    'one\n2\n3\nfour\n',
    [
      { kind: 'same', applied: 1 },
      { kind: 'changed', applied: 2 },
      { kind: 'changed', applied: 3 },
      { kind: 'same', applied: 4 },
    ],
  ],
  [
    'more lines in the place of fewer: the rest is added',
    'one\n2\n2 1/2\n2 3/4\nthree\nfour\nfive',
    [
      { kind: 'same', applied: 1 },
      { kind: 'changed', applied: 2 },
      { kind: 'added', after: 2 },
      { kind: 'added', after: 2 },
      { kind: 'same', applied: 3 },
      { kind: 'same', applied: 4 },
      { kind: 'added', after: 4 },
      { kind: 'no-such-line', lines: 7 },
    ],
  ],
  ['an emptied file has no lines', '', [{ kind: 'no-such-line', lines: 0 }]],
])('%s', (_what, live, expected) => {
  expect(expected.map((_, index) => liveLine(bytes(applied), bytes(live), index + 1))).toEqual(expected)
})

test('bytes that are no UTF-8 are compared as they are', () => {
  const [latin, other] = [Uint8Array.from([0x63, 0xe9, 0x0a]), Uint8Array.from([0x63, 0xe8, 0x0a])]
  expect(liveLine(latin, latin, 1)).toEqual({ kind: 'same', applied: 1 })
  expect(liveLine(latin, other, 1)).toEqual({ kind: 'changed', applied: 1 })
})

test('a line that is the same has the same text, and every other is in its place', () => {
  const file = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 })
  fc.assert(
    fc.property(file, file, (before, after) => {
      const [old, now] = [before, after].map((lines) => lines.map((line) => `${line}\n`).join(''))
      let last = 0
      for (const [index, text] of after.entries()) {
        const found = liveLine(bytes(old ?? ''), bytes(now ?? ''), index + 1)
        if (found?.kind === 'no-such-line' || found === undefined) throw new Error(`line ${index + 1} is there`)
        const place = found.kind === 'added' ? found.after : found.applied
        if (found.kind === 'same') expect(before[place - 1]).toBe(text)
        expect(place).toBeGreaterThanOrEqual(last)
        expect(place).toBeLessThanOrEqual(before.length)
        last = place
      }
    }),
  )
})

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
