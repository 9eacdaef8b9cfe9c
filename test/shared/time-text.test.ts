// One form for every time that people read, and no other way to write one.
import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { staticFiles } from '../../server/web/pages/static-files.ts'
import { absoluteTime, relativeTime } from '../../shared/time-text.js'

const now = new Date('2026-11-23T03:00:00Z')

test.each([
  [0, 'just now'],
  [-9, 'just now'],
  [59, '59 s ago'],
  [60, '1 min ago'],
  [89, '1 min ago'],
  [90, '2 min ago'],
  [3569, '59 min ago'],
  [3599, '1 h ago'],
  [5400, '1 h 30 min ago'],
  [7169, '1 h 59 min ago'],
  [7198, '2 h ago'],
  [9000, '3 h ago'],
  [47 * 3600, '47 h ago'],
  [48 * 3600, '2 d ago'],
  [-1798, 'in 30 min'],
  [-7198, 'in 2 h'],
  [-86_398, 'in 24 h'],
  [-14 * 86_400 + 2, 'in 14 d'],
  [90 * 86_400, '2026-08-25'],
])('%d s before now is %s', (seconds, text) => {
  expect(relativeTime(new Date(now.getTime() - seconds * 1000).toISOString(), now)).toBe(text)
})

test('a moment is written with its zone, whatever zone it came in', () => {
  expect(absoluteTime('2026-11-23T03:12:45.678Z')).toBe('2026-11-23 03:12:45 UTC')
  expect(absoluteTime('2026-11-23T05:12:45+02:00')).toBe('2026-11-23 03:12:45 UTC')
  expect(absoluteTime(now)).toBe('2026-11-23 03:00:00 UTC')
})

test.each(['', 'yesterday', '2026-13-45T99:00:00Z'])('%j, which is no time, stays as it is', (text) => {
  expect(absoluteTime(text)).toBe(text)
  expect(relativeTime(text, now)).toBe(text)
})

test('browsers are given the very functions that the server uses, by an address that is served', () => {
  const live = staticFiles.find(({ address }) => address.startsWith('/static/live.'))?.body ?? ''
  const imported = /from '([^']+)'/.exec(live)?.[1]
  const served = staticFiles.find(({ address }) => address === imported)
  expect(served?.body).toBe(readFileSync('shared/time-text.js', 'utf8'))
})

describe('no source writes a time in another way', () => {
  const sources = globSync('{agent,server,shared}/**/*.{ts,tsx,js}').filter((file) => file !== 'shared/time-text.js')

  /** Formats for programs and names of files, which nobody reads as a time. */
  const notForReading = new Set([
    'agent/adopt/message.ts',
    'agent/commands/debug-bundle.ts',
    'agent/host/evidence/audit.ts',
    'agent/import/readme.ts',
    'server/store/database.ts',
  ])

  test.each([
    [
      'in the zone of a machine or a browser',
      /toLocale(Date|Time)String|Intl\.DateTimeFormat|\.to(Date|Time|UTC)String\(/,
    ],
    ['by cutting the ISO form', /toISOString\(\)\s*\.(slice|replace|split|substring)/],
    ['by its parts', /\.get(UTC)?(Hours|Minutes|Date|Month)\(/],
    [
      'as ISO in a sentence',
      /(since|until|expired at|began at|ended at|found|on) \$\{(\w+\.)*(at|since|until|\w+At)\}/,
    ],
  ])('%s', (_, form) => {
    expect(sources.length).toBeGreaterThan(300)
    const found = sources.filter((file) => !notForReading.has(file) && form.test(readFileSync(file, 'utf8')))
    expect(found).toEqual([])
  })

  test('and pages write it as a <time> with the moment and the zone', () => {
    const pages = sources.filter((file) => file.startsWith('server/web/pages/'))
    const writers = pages.filter((file) => /<time\b|relativeTime\(/.test(readFileSync(file, 'utf8')))
    expect(writers.toSorted()).toEqual(['server/web/pages/components/when.tsx', 'server/web/pages/live.js'])
  })
})
