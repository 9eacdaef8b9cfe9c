// The pure parts of the pages: diffs, times, made-visible text, filters.
import { describe, expect, test } from 'vitest'
import { readmeHtml } from '../../../../server/show/readme.ts'
import { wroteIt } from '../../../../server/web/pages/change-commits.ts'
import { fleetFilterOf, fleetGrid, fleetLink } from '../../../../server/web/pages/fleet-filter.ts'
import { diffLines } from '../../../../server/web/pages/unified-diff.ts'
import { shellWord, visibleText } from '../../../../server/web/pages/visible-text.ts'
import { dashboard, now } from './dashboard.ts'
import { exampleFleet, revision } from './fixtures.ts'

describe('a unified diff', () => {
  test('numbers both sides', () => {
    expect(diffLines('--- a\n+++ b\n@@ -3,2 +3,3 @@\n same\n-old\n+new\n+more\n')).toMatchObject([
      { kind: 'file', text: '--- a' },
      { kind: 'file', text: '+++ b' },
      { kind: 'hunk' },
      { kind: 'same', before: 3, after: 3, text: 'same' },
      { kind: 'removed', before: 4, text: 'old' },
      { kind: 'added', after: 4, text: 'new' },
      { kind: 'added', after: 5, text: 'more' },
    ])
  })

  test('takes a removed line that begins with two dashes for what it is', () => {
    const kinds = diffLines('--- a\n+++ b\n@@ -1,2 +1,2 @@\n--- a comment in SQL\n+++ plus\n x\n').map(
      (line) => line.kind,
    )
    expect(kinds).toEqual(['file', 'file', 'hunk', 'removed', 'added', 'same'])
  })

  test('marks only the part of a line that differs', () => {
    const [, removed, added] = diffLines('@@ -1 +1 @@\n-listen 80 default;\n+listen 8080 default;\n')
    expect(removed).toMatchObject({ kind: 'removed', changed: { start: 9, end: 9 } })
    expect(added).toMatchObject({ kind: 'added', changed: { start: 9, end: 11 } })
  })

  test('marks nothing in lines that have little in common', () => {
    const [, removed] = diffLines('@@ -1 +1 @@\n-alpha\n+omega\n')
    expect(removed).not.toHaveProperty('changed')
  })

  test('keeps the note about a missing line feed, and text that is no diff', () => {
    expect(diffLines('@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n').at(2)).toMatchObject({ kind: 'note' })
    expect(diffLines('Binary files differ')).toEqual([{ kind: 'note', text: 'Binary files differ' }])
    expect(diffLines('')).toEqual([])
  })

  test.each([
    [
      'cut at the limit of a report',
      '--- a\n+++ b\n@@ -1,9 +1,9 @@\n one\n-two\n',
      ['file', 'file', 'hunk', 'same', 'removed'],
    ],
    ['with one heading', '--- a\n', ['file']],
    ['with a count that is not true', '@@ -1,99999 +1 @@\nx\n', ['hunk', 'same']],
    ['with a note behind it', '@@ -1 +1 @@\n-a\n+b\n... 9 lines more\n', ['hunk', 'removed', 'added', 'note']],
  ])('a diff %s is shown as far as it goes, and nothing of it is lost', (_what, diff, kinds) => {
    expect(diffLines(diff).map((line) => line.kind)).toEqual(kinds)
  })

  test('ends a hunk where its heading says', () => {
    const kinds = diffLines('@@ -1 +1 @@\n-a\n+b\n@@ -9 +9 @@\n-c\n+d\n').map((line) => line.kind)
    expect(kinds).toEqual(['hunk', 'removed', 'added', 'hunk', 'removed', 'added'])
  })
})

describe('text from a host', () => {
  test('shows carriage returns, escapes and characters that reorder text', () => {
    expect(visibleText('a\r')).toBe('a␍')
    expect(visibleText('\u001b[31m\u007f')).toBe('␛[31m␡')
    expect(visibleText('admin\u202etxt\u200b')).toBe('admin‹U+202E›txt‹U+200B›')
    expect(visibleText('tab\there\nand ünïcode 漢字')).toBe('tab\there\nand ünïcode 漢字')
  })

  test('reorders nothing on a page, wherever it stands, nor in a README', async () => {
    const fixture = exampleFleet(now)
    const services = fixture.services.map((service) => ({ ...service, readmeHtml: '<p>a\u202eb\u001b</p>' }))
    const page = await dashboard({}, { ...fixture, services }).html('/services/nginx')
    expect(page).toContain('<p>a‹U+202E›b␛</p>')
    expect(readmeHtml('# Site\u202e\n\na\u2067b **c\u001b**')).toBe(
      '<h2>Site‹U+202E›</h2>\n<p>a‹U+2067›b <strong>c␛</strong></p>\n',
    )
  })

  test('is one shell word', () => {
    expect(shellWord('services/nginx/files/etc/nginx.conf')).toBe('services/nginx/files/etc/nginx.conf')
    expect(shellWord('a b; rm -rf $HOME')).toBe(`'a b; rm -rf $HOME'`)
    expect(shellWord(`it's`)).toBe(`'it'\\''s'`)
  })
})

describe('the filter of the fleet', () => {
  const fleet = exampleFleet(now).fleet

  test('ignores a state that is none', () => {
    expect(fleetFilterOf({ state: 'broken', cells: 'huge' })).toEqual({
      text: '',
      state: undefined,
      cells: undefined,
      page: 1,
    })
  })

  test('finds a host by one drifted service though the host as a whole has failed', () => {
    const hosts = fleet.hosts.map((row) => (row.host === 'web-2' ? { ...row, state: 'failed' as const } : row))
    const grid = fleetGrid({ ...fleet, hosts }, fleetFilterOf({ state: 'drift' }))
    expect(grid.hosts.map((row) => row.host)).toEqual(['web-2'])
  })

  test('keeps every other part of the address in its links', () => {
    const filter = fleetFilterOf({ q: 'Web', state: 'drift', cells: 'marks' })
    expect(fleetLink(filter, { state: undefined })).toBe('/?q=web&cells=marks')
    expect(fleetLink(filter, { text: '', state: undefined, cells: undefined })).toBe('/')
  })
})

test('a commit is behind what an apply wrote only when it is older than the apply', () => {
  const commit = { revision: revision('a'), author: 'Ada', at: now.toISOString(), subject: 's', message: 's' }
  const apply = (minutes: number) => ({
    revision: revision('b'),
    at: new Date(now.getTime() + minutes * 60_000).toISOString(),
    changes: [],
    failed: [],
  })
  expect(wroteIt(commit, apply(1))).toBe(true)
  expect(wroteIt(commit, apply(-1))).toBe(false)
})
