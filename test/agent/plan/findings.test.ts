import { expect, onTestFinished, test, vi } from 'vitest'
import { lineEdits } from '../../../agent/adopt/edits.ts'
import { unifiedDiff } from '../../../agent/plan/diff.ts'
import { liveLine } from '../../../agent/plan/live-line.ts'
import { maskFor } from '../../../agent/plan/mask.ts'

const noSecrets = { mask: maskFor([]), holdsSecrets: false }
const side = (label: string, text: string | Uint8Array) => ({
  label,
  bytes: typeof text === 'string' ? Buffer.from(text) : text,
})
const before = (text: string | Uint8Array) => side('repository: services/x/files/f', text)
const after = (text: string | Uint8Array) => side('live: /f', text)

function diffText(old: string, now: string, secrets: readonly string[]): string {
  return (
    unifiedDiff(before(old), after(now), { mask: maskFor(secrets), holdsSecrets: secrets.length > 0 })?.text ??
    'not shown'
  )
}

test('a diff is unified, from the repository to what is live', () => {
  expect(unifiedDiff(before('a\nb\nc\n'), after('a\nB\nc'), noSecrets)).toEqual({
    text: `--- repository: services/x/files/f
+++ live: /f
@@ -1,3 +1,3 @@
 a
-b
-c
+B
+c
\\ No newline at end of file
`,
    cut: false,
  })
})

test('what is not text is told by size and hash', () => {
  for (const bytes of [Buffer.from([0x61, 0, 0x62]), Buffer.from([0xff, 0xfe, 0x41])]) {
    const diff = unifiedDiff(before('text\n'), after(bytes), noSecrets)
    expect(diff?.text).toContain(`+++ live: /f: ${bytes.length} bytes, sha256 `)
    expect(diff?.text).not.toContain('text')
    expect(diff?.instead).toBe('binary')
  }
})

test('a diff is cut at a line, and says so', () => {
  const many = Array.from({ length: 4000 }, (_, index) => `line ${index} ${'x'.repeat(100)}\n`).join('')
  const diff = unifiedDiff(before(''), after(many), noSecrets)
  expect(diff?.cut).toBe(true)
  expect(diff?.text).toContain('+line 1 ')
  expect(Buffer.byteLength(diff?.text ?? '')).toBeLessThanOrEqual(256 * 1024)
  expect(diff?.text.endsWith('\n')).toBe(true)
})

test('two large files with nothing in common take no minutes', () => {
  const lines = (word: string) =>
    Array.from({ length: 40_000 }, (_, index) => `${word} ${index} ${index * 7}\n`).join('')
  const diff = unifiedDiff(before(lines('one')), after(lines('two')), noSecrets)
  expect(diff?.text).toMatch(/^Too much differs to be shown/)
  expect(diff?.instead).toBe('too-different')
})

const pem = '-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n'

test.each([
  ['on an unchanged line', 'password=hunter2\nport=1\n', 'password=hunter2\nport=2\n', ['hunter2']],
  ['on a changed line', 'password=hunter2\n', 'password=hunter2 # old\n', ['hunter2']],
  ['that somebody edited', 'password=hunter2\n', 'password=hunter3x\n', ['hunter2']],
  [
    'that somebody edited and moved',
    'password=hunter2\na\nb\nc\nd\ne\nf\ng\nh\n',
    'a\nb\nc\nd\ne\nf\ng\nh\nnew\npassword=hunter3x\n',
    ['hunter2'],
  ],
  ['of many lines, one of them edited', `key:\n${pem}`, `key:\n${pem.replace('hkiG9w0B', 'hunter9w0B')}`, [pem]],
  ['with lines inserted between its own', `key:\n${pem}`, `key:\n${pem.replace('\nhkiG', '\n# note\nhkiG')}`, [pem]],
  ['in base64', `auth=${Buffer.from('hunter2').toString('base64')}\n`, 'auth=none\n', ['hunter2']],
  ['in a URL', 'url=http://u:a%2Fhunter2%25@h\n', 'url=\n', ['a/hunter2%']],
  ['in JSON', '{"p":"hunter\\"2"}\n', '{}\n', ['hunter"2']],
  [
    'that holds characters of regular expressions',
    'p=hunter2.*+?^{}$()|[]\\/-\n',
    'p=\n',
    ['hunter2.*+?^{}$()|[]\\/-'],
  ],
  ['that is part of another one', 'p=hunter2-hunter2000\n', 'p=\n', ['hunter2', 'hunter2000']],
])('a secret %s is not shown', (_, old, now, secrets) => {
  const text = diffText(old, now, secrets)
  expect(text).toContain('[secret]')
  expect(text).not.toMatch(/hunter|aHVudGVy|MIIEv|hkiG9/)
})

test('what is beside a secret is still told', () => {
  const text = diffText('password=hunter2\nport=1\nmode=a\n', 'password=hunter2\nport=2\nmode=a\n', ['hunter2'])
  expect(text).toContain('-port=1\n+port=2')
  expect(text).toContain(' password=[secret]')
})

test('a secret too short to be found is a reason to show nothing', () => {
  expect(diffText('pin=123\n', 'pin=124\n', ['123'])).toBe('not shown')
})

/** `edits` removed and as many added, among other lines. */
function versions(edits: number): readonly [string, string] {
  const lines = Array.from({ length: edits * 3 }, (_, index) => `line ${index}\n`)
  return [lines.join(''), lines.map((line, index) => (index % 3 === 0 ? `other ${line}` : line)).join('')]
}

test('on a machine where time flies, the same is told of the same two versions', () => {
  const [old, now] = versions(400)
  const told = () => [
    unifiedDiff(before(old), after(now), noSecrets),
    lineEdits(old, now),
    liveLine(Buffer.from(old), Buffer.from(now), 300),
  ]
  const quiet = told()
  let time = Date.now()
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => (time += 10_000))
  onTestFinished(() => clock.mockRestore())
  expect(told()).toEqual(quiet)
  expect(quiet[0]).toMatchObject({ text: expect.stringContaining('+other line 0'), cut: false })
})

test('versions that differ in too much are told by size, which is no diff that was cut', () => {
  const [old, now] = versions(4000)
  const diff = unifiedDiff(before(old), after(now), noSecrets)
  expect(diff?.text).toMatch(/^Too much differs to be shown\n--- .* bytes, sha256/)
  expect(diff?.cut).toBe(false)
})

test.each([
  ['on a changed line', 'password=hunter2\n', 'password=hunter2 # old\n', true],
  ['on an unchanged line beside it', 'password=hunter2\nport=1\n', 'password=hunter2\nport=2\n', false],
  ['edited', 'password=hunter2\n', 'password=hunter3x\n', true],
  ['not in it, but the text of the mask is', 'a\n', '[secret]\n', false],
])('a diff says whether a line that differs is masked: a secret %s', (_, old, now, isMasked) => {
  const diff = unifiedDiff(before(old), after(now), { mask: maskFor(['hunter2']), holdsSecrets: true })

  expect(diff?.isMasked ?? false).toBe(isMasked)
})
