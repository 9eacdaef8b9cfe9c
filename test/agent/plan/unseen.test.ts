import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { unifiedDiff } from '../../../agent/plan/diff.ts'
import { displayText } from '../../../agent/plan/display-text.ts'
import { maskFor } from '../../../agent/plan/mask.ts'
import { unseenBetween } from '../../../agent/plan/unseen.ts'
import { unseenKinds, unseenText } from '../../../shared/unseen.ts'

describe('what cannot be seen is told by its kind', () => {
  test.each([
    ['white space at an end', 'a\nb\n', 'a \nb\n', ['trailing-space']],
    ['line ends of Windows', 'a\nb\n', 'a\r\nb\r\n', ['line-ends-crlf']],
    ['one of them', 'a\r\nb\r\n', 'a\nb\r\n', ['line-ends-lf']],
    ['a last newline that is gone', 'a\nb\n', 'a\nb', ['final-newline-removed']],
    ['a last newline that came', 'a', 'a\n', ['final-newline-added']],
    ['a byte order mark', 'a\n', '\ufeffa\n', ['byte-order-mark-added']],
    ['a byte order mark that is gone', '\ufeffa\n', 'a\n', ['byte-order-mark-removed']],
    ['tabs', 'a:\n    b\n', 'a:\n\tb\n', ['tabs']],
    ['a no-break space', 'a b\n', 'a\u00a0b\n', ['no-break-space']],
    ['a character without width', 'port=80\n', 'port=8\u200b0\n', ['zero-width']],
    ['a direction that turns', 'a b\n', 'a \u202eb\n', ['zero-width']],
    ['an accent of its own', 'caf\u00e9\n', 'cafe\u0301\n', ['unicode-form']],
    [
      'several at once',
      'a\nb c\n',
      'a \r\nb\u00a0c',
      ['final-newline-removed', 'line-ends-crlf', 'trailing-space', 'no-break-space'],
    ],
  ])('%s', (_, before, after, kinds) => {
    expect(unseenBetween(Buffer.from(before), Buffer.from(after))).toEqual({
      kinds: expect.arrayContaining(kinds),
      isAll: true,
    })
    expect(unseenBetween(Buffer.from(before), Buffer.from(after))?.kinds).toHaveLength(kinds.length)
  })

  test.each([
    ['a word', 'a\nb\n', 'a\nc\n'],
    ['a line more', 'a\n', 'a\nb\n'],
    ['spaces between words', 'a b\n', 'a  b\n'],
    ['an indentation', 'a\n  b\n', 'a\n    b\n'],
  ])('%s can be seen', (_, before, after) => {
    expect(unseenBetween(Buffer.from(before), Buffer.from(after))).toBeUndefined()
  })

  test('what is seen as well is said', () => {
    const unseen = unseenBetween(Buffer.from('a\nb\n'), Buffer.from('a\r\nB\r\n'))

    expect(unseen).toEqual({ kinds: ['line-ends-crlf'], isAll: false })
    expect(unseen && unseenText(unseen)).toBe('this differs too: lines end with CR LF instead of LF')
  })

  test('of two texts that are alike in all kinds, every difference has one', () => {
    const text = fc
      .array(fc.constantFrom('a', ' ', '\t', '\n', '\r\n', '\u00a0', '\u200b', 'e\u0301', '\u00e9'))
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, text, (before, after) => {
        const unseen = unseenBetween(Buffer.from(before), Buffer.from(after))
        if (before === after) expect(unseen).toBeUndefined()
        for (const kind of unseen?.kinds ?? []) expect(unseenKinds).toContain(kind)
      }),
    )
  })
})

describe('text that is not UTF-8', () => {
  const latin1 = Buffer.from('# Gr\u00fc\u00dfe\nname=caf\u00e9\n', 'latin1')
  const utf16 = Buffer.from('\ufeffname=caf\u00e9\n', 'utf16le')
  const none = { mask: maskFor([]), holdsSecrets: false }
  const diff = (before: Buffer, after: Buffer, options = none) =>
    unifiedDiff({ label: 'repository: f', bytes: before }, { label: 'live: /f', bytes: after }, options)

  test.each([
    ['Latin-1', latin1, '# Gr\u00fc\u00dfe\nname=caf\u00e9\n'],
    [
      'Latin-1',
      Buffer.from([0x61, 0x62, 0x20, 0x93, 0x62, 0x63, 0x64, 0x94, 0x63, 0x64, 0x65, 0x80]),
      'ab \u201cbcd\u201dcde\u20ac',
    ],
    ['UTF-16LE', utf16, 'name=caf\u00e9\n'],
    ['UTF-16BE', Buffer.from(utf16).swap16(), 'name=caf\u00e9\n'],
    ['UTF-8', Buffer.from('caf\u00e9'), 'caf\u00e9'],
  ])('%s is read', (encoding, bytes, text) => {
    expect(displayText(bytes)).toMatchObject({ encoding, text: expect.stringContaining(text) })
  })

  test.each([
    ['a NUL', Buffer.from([0x61, 0, 0xe9])],
    ['control characters', Buffer.from([0x61, 0x62, 0x63, 0x01, 0xe9])],
    ['more high bytes than letters', Buffer.from([0xe9, 0xf0, 0xc3, 0x61])],
    ['half a unit of UTF-16', Buffer.from([0xff, 0xfe, 0x41])],
    ['compressed', Buffer.from('1f8b08000000000000034b4c4a0600c241243503000000', 'hex')],
  ])('%s is none', (_, bytes) => {
    expect(displayText(bytes)).toBeUndefined()
  })

  test('has a diff, which says how it was read', () => {
    const changed = Buffer.from(latin1.toString('latin1').replace('name', 'title'), 'latin1')

    expect(diff(latin1, changed)).toEqual({
      text: '--- repository: f (read as Latin-1)\n+++ live: /f (read as Latin-1)\n@@ -1,2 +1,2 @@\n # Gr\u00fc\u00dfe\n-name=caf\u00e9\n+title=caf\u00e9\n',
      cut: false,
      encoding: 'Latin-1',
    })
    expect(unseenBetween(Buffer.from('name=caf\u00e9\n'), Buffer.from('name=caf\u00e9\n', 'latin1'))).toEqual({
      kinds: ['encoding'],
      isAll: true,
    })
  })

  test('is not shown where a secret may be in it', () => {
    const secret = 'p\u00e4ssword'
    const mixed = Buffer.concat([latin1, Buffer.from(secret)])
    const masked = { mask: maskFor([secret]), holdsSecrets: false }

    expect(diff(latin1, mixed, masked)?.text).toMatch(/^Binary content differs/)
    expect(diff(latin1, latin1, { ...masked, holdsSecrets: true })?.text).toMatch(/^Binary content differs/)
    expect(diff(latin1, Buffer.from(`x=${secret}\n`, 'latin1'), masked)?.text).not.toContain('ssword')
  })
})
