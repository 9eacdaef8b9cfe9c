// The merge of a host's change with the branch's, against git's own.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { mergedText } from '../../../agent/adopt/merge.ts'

const directory = mkdtempSync(join(tmpdir(), 'plumb-merge-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const base = 'one\ntwo\nthree\nfour\nfive\n'

test('both changes are in what comes out', () => {
  expect(mergedText({ base, ours: base.replace('one', '1'), theirs: base.replace('five', '5') })).toEqual({
    kind: 'merged',
    text: '1\ntwo\nthree\nfour\n5\n',
  })
})

test('the same change on both sides is made once', () => {
  const ours = base.replace('one', '1').replace('five', '5')
  expect(mergedText({ base, ours, theirs: base.replace('five', '5').replace('three\n', '') })).toEqual({
    kind: 'merged',
    text: '1\ntwo\nfour\n5\n',
  })
})

test('a conflict names the lines of the branch', () => {
  const ours = `zero\n${base.replace('four', '4')}`
  expect(mergedText({ base, ours, theirs: base.replace('four', 'IV') })).toEqual({ kind: 'conflict', lines: [5] })
})

test('what is merged is what git merges, and where git sees a conflict there is one', () => {
  const lines = Array.from({ length: 12 }, (_, line) => `line ${line}\n`)
  // Each line is another, so that there is one way to say what became of which.
  const change = fc.record({ at: fc.nat(11), to: fc.constantFrom('', 'x', 'y') })
  const changed = (name: string, changes: readonly { readonly at: number; readonly to: string }[]) =>
    lines.map((line, at) => {
      const one = changes.find((each) => each.at === at)
      return one === undefined ? line : one.to === '' ? '' : `${name}${one.to}${at}\n`
    })
  const seen = { merged: 0, conflict: 0, 'too-different': 0 }
  fc.assert(
    fc.property(fc.array(change, { maxLength: 3 }), fc.array(change, { maxLength: 3 }), (own, other) => {
      const versions = { base: lines.join(''), ours: changed('o', own).join(''), theirs: changed('t', other).join('') }
      const merged = mergedText(versions)
      seen[merged.kind] += 1
      const git = gitMerge(versions)
      if (merged.kind === 'merged') expect(git).toBe(merged.text)
      else expect(git).toBeUndefined()
    }),
    { numRuns: 150 },
  )
  expect(Math.min(seen.merged, seen.conflict)).toBeGreaterThan(10)
})

function gitMerge(versions: {
  readonly base: string
  readonly ours: string
  readonly theirs: string
}): string | undefined {
  for (const [name, text] of Object.entries(versions)) writeFileSync(join(directory, name), text)
  const { status, stdout } = spawnSync('git', ['merge-file', '-p', 'ours', 'base', 'theirs'], {
    cwd: directory,
    encoding: 'utf8',
  })
  return status === 0 ? stdout : undefined
}
