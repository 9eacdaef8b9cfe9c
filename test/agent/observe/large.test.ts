// Files that are too large to be held: where they differ is found part by part, and shown where it is short.
import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { contentsFor } from '../../../agent/observe/contents.ts'
import { type LargeDifference, largeDifference } from '../../../agent/observe/large.ts'
import { pulled } from '../../../agent/observe/pulled.ts'
import { changeDiff } from '../../../agent/plan/content-diff.ts'
import { maskFor } from '../../../agent/plan/mask.ts'
import { planFor } from '../../../agent/plan/plan.ts'
import { sha256Schema } from '../../../shared/names.ts'
import type { FileResource } from '../../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  contents,
  desiredHost,
  file,
  makeWorld,
  reportsIn,
  service,
  type World,
} from '../apply/world.ts'

let world: World

beforeEach(() => {
  world = makeWorld()
})

afterEach(() => world.remove())

const lines = Array.from({ length: 200_000 }, (_, index) => `line ${index} of a long file\n`)
const text = lines.join('')

function edited(change: (lines: string[]) => void): string {
  const copy = [...lines]
  change(copy)
  return copy.join('')
}

async function findingAfter(
  live: string | Uint8Array,
  more: Partial<FileResource> = {},
  secrets: readonly string[] = [],
) {
  const host = desiredHost([service('web', [file('/srv/long.txt', text, more)])])
  await applyIn(world, host)
  writeLive(live)
  const [report] = await reportsIn(world, host, secrets)
  const [finding] = report?.findings ?? []
  return finding
}

function writeLive(content: string | Uint8Array): void {
  const fd = openSync(join(world.root, 'srv/long.txt'), 'w')
  writeSync(fd, typeof content === 'string' ? Buffer.from(content) : content)
  closeSync(fd)
}

test('one changed line of a file of many mebibytes is a diff of that line, with its number', async () => {
  const finding = await findingAfter(edited((all) => all.splice(123_456, 1, 'changed by hand\n', 'and more\n')))
  expect(finding?.diffCut).toBe(false)
  expect(finding?.diff?.split('\n')).toEqual([
    '--- last applied: services/x/files/srv/long.txt',
    '+++ live: /srv/long.txt',
    '@@ -123454,7 +123454,8 @@',
    ' line 123453 of a long file',
    ' line 123454 of a long file',
    ' line 123455 of a long file',
    '-line 123456 of a long file',
    '+changed by hand',
    '+and more',
    ' line 123457 of a long file',
    ' line 123458 of a long file',
    ' line 123459 of a long file',
    '',
  ])
})

test.each<readonly [string, (all: string[]) => void, string]>([
  ['the first line', (all) => all.splice(0, 1), '@@ -1,4 +1,3 @@\n-line 0 of a long file\n line 1 '],
  ['the last line', (all) => all.pop(), '@@ -199997,4 +199997,3 @@\n line 199996 of a long file\n'],
  ['a line added at the end, without its end', (all) => all.push('last'), '+last\n\\ No newline at end of file\n'],
  [
    'two places',
    (all) => [10, 5000].map((at) => all.splice(at, 1)),
    '@@ -4999,7 +4998,6 @@\n line 4998 of a long file\n',
  ],
])('%s, gone or new, is shown where it is', async (_, change, shown) => {
  const finding = await findingAfter(edited(change))
  expect(finding?.diff).toContain(shown)
  expect(finding?.diffCut).toBe(false)
})

test('where too much differs, its place and both sizes are told, which is no diff that was cut', async () => {
  const live = edited((all) => all.splice(1000, 100_000, ...all.slice(1000, 101_000).map((line) => line.toUpperCase())))
  const finding = await findingAfter(live)
  expect(finding?.diffCut).toBe(false)
  expect(finding?.diff).toMatch(
    new RegExp(
      `^Too much differs to be shown: from line 1001 \\(byte \\d+\\) on, \\d+ bytes in the repository, \\d+ on the host\\n--- .*: ${text.length} bytes, sha256 [0-9a-f]{64}\\n\\+\\+\\+ .*: ${live.length} bytes, sha256 [0-9a-f]{64}\\n$`,
    ),
  )
})

test('a file that shrank to nothing, or grew out of it, is told too', async () => {
  const finding = await findingAfter('')
  expect(finding?.diff).toMatch(
    /^Too much differs to be shown: from line 1 \(byte 0\) on, \d+ bytes in the repository, 0 on/,
  )
})

test('what is binary is told by size and hash', async () => {
  const finding = await findingAfter(Buffer.concat([Buffer.from(text), Buffer.from([0])]))
  expect(finding?.diff).toMatch(
    /^Binary content differs\n--- last applied: [^\n]*: \d+ bytes, sha256 [0-9a-f]{64}\n\+\+\+ live/,
  )
})

test('a large file that holds a secret is told by size and hash alone', async () => {
  const finding = await findingAfter(
    edited((all) => all.splice(100, 1, 'password=hunter3\n')),
    { secrets: ['password'] },
    ['hunter2-hunter2'],
  )
  expect(finding?.diff).toMatch(/^Too large to be shown: it holds secrets\n/)
  expect(finding?.diffInstead).toBe('too-large')
  expect(finding?.diff).not.toContain('hunter')
  expect(finding?.diffCut).toBe(false)
})

test('a secret that begins long before what is shown, wrapped over its border, is masked whole', async () => {
  const value = Array.from({ length: 4000 }, (_, index) => hash('sha256', String(index), 'base64'))
    .join('')
    .slice(0, 60_000)
  const wrapped = `${Buffer.from(value)
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n')}\n`
  const long = edited((all) => all.splice(5000, 1, wrapped))
  const host = desiredHost([service('web', [file('/srv/long.txt', long)])])
  await applyIn(world, host)
  const at = long.indexOf(wrapped) + wrapped.length
  writeLive(`${long.slice(0, at)}inserted\n${long.slice(at)}`)
  const [report] = await reportsIn(world, host, [value])
  const diff = report?.findings[0]?.diff ?? ''
  expect(diff).toContain('\n [secret]\n [secret]\n [secret]\n+inserted\n line 5001 ')
})

test('an apply says what it would change the other way round', async () => {
  const host = desiredHost([service('web', [file('/srv/long.txt', text)])])
  await findingAfter(edited((all) => all.splice(77, 1)))
  const plan = planFor(await compareIn(world, host), { repair: 'everything' })
  const changes = plan.services.flatMap(({ steps }) =>
    steps.flatMap((step) => (step.kind === 'change' ? step.changes : [])),
  )
  const sides = await contentsFor(changes, { host: world.host, objects: world.state.objects, contents })
  const [diff] = changes.map((change) => changeDiff(change, { contents: sides, mask: maskFor([]) }))
  expect(diff?.text).toContain(
    '--- live: /srv/long.txt\n+++ repository: services/x/files/srv/long.txt\n@@ -75,6 +75,7 @@\n',
  )
  expect(diff?.text).toContain('\n+line 77 of a long file\n')
})

const bytes = fc.array(fc.constantFrom('a', 'b', '\n'), { maxLength: 12 }).map((all) => all.join(''))
const inParts = fc.integer({ min: 1, max: 5 })

function content(whole: string, size: number) {
  return {
    size: whole.length,
    sha256: hash('sha256', whole, 'hex'),
    parts: () =>
      pulled(async (take) => {
        const part = Buffer.alloc(size)
        for (let at = 0; at < whole.length; at += size)
          await take(part.subarray(0, part.write(whole.slice(at, at + size))))
      }),
  }
}

function expectPlace(found: LargeDifference | undefined, one: string, other: string): void {
  let byte = 0
  while (byte < Math.min(one.length, other.length) && one[byte] === other[byte]) byte += 1
  expect(found?.byte).toBe(byte)
  expect(found?.line).toBe(one.slice(0, byte).split('\n').length)
  const { expectedLength = -1, liveLength = -1 } = found ?? {}
  const rest = one.length - byte - expectedLength
  expect(one.slice(0, byte) + other.slice(byte, byte + liveLength) + one.slice(one.length - rest)).toBe(other)
  expect(
    expectedLength === 0 || liveLength === 0 || one[byte + expectedLength - 1] !== other[byte + liveLength - 1],
  ).toBe(true)
}

test('the place of a difference is the smallest there is, however the parts fall', async () => {
  await fc.assert(
    fc.asyncProperty(
      bytes,
      bytes,
      bytes,
      bytes,
      inParts,
      inParts,
      async (before, old, now, after, oneSize, otherSize) => {
        const [one, other] = [before + old + after, before + now + after]
        fc.pre(one !== other)
        const found = await largeDifference(content(one, oneSize), content(other, otherSize))
        expectPlace(found, one, other)
        expect(Buffer.from(found?.windows?.expected.bytes ?? []).toString()).toBe(one)
        expect(Buffer.from(found?.windows?.live.bytes ?? []).toString()).toBe(other)
      },
    ),
  )
})

test('what is no longer what it was said to be has no diff', async () => {
  const one = content('a\nb\n', 2)
  expect(
    await largeDifference(one, { ...content('a\nc\n', 2), sha256: sha256Schema.parse('0'.repeat(64)) }),
  ).toBeUndefined()
})

test('a reader that is left early is ended', async () => {
  let isEnded = false
  const reading = pulled(async (take) => {
    try {
      for (;;) await take(Buffer.from('x'))
    } finally {
      isEnded = true
    }
  })
  for await (const part of reading) {
    expect(Buffer.from(part).toString()).toBe('x')
    break
  }
  expect(isEnded).toBe(true)
})

test('two files of 200 MiB take no more memory than two of 20 MiB', { timeout: 600_000 }, async () => {
  const peaks = []
  for (const mebibytes of [20, 200]) {
    const program = join(import.meta.dirname, 'large-difference.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [program, world.directory, String(mebibytes)])
    const { peakMiB, line } = JSON.parse(stdout)
    expect(line).toBeGreaterThan(1000)
    peaks.push(peakMiB)
    rmSync(join(world.directory, 'large'), { recursive: true, force: true })
  }
  const [small = 0, large = 0] = peaks
  expect(large).toBeLessThan(small + 64)
})
