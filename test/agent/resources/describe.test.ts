import { expect, test } from 'vitest'
import { describePath, pathCodes } from '../../../agent/resources/paths.ts'
import { absolutePathSchema, resourceId } from '../../../shared/names.ts'

const motd = resourceId('file', absolutePathSchema.parse('/etc/motd'))

test.each([
  [[{ name: 'type', expected: 'file', live: 'missing' }], 'missing'],
  [[{ name: 'type', expected: 'file', live: 'fifo' }], 'a fifo, should be a file'],
  [[{ name: 'type', expected: 'missing', live: 'file' }], 'still there (file), should be gone'],
  [[{ name: 'content', expected: 'a'.repeat(64), live: 'b'.repeat(64) }], 'content differs'],
  [[{ name: 'mode', expected: '0644', live: '0600' }], 'mode is 0600, should be 0644'],
  [
    [
      { name: 'content', expected: 'a'.repeat(64), live: 'b'.repeat(64) },
      { name: 'owner', expected: 'root', live: 'deploy' },
      { name: 'group', expected: 'root', live: 'www-data' },
    ],
    'content differs; owner is deploy, should be root; group is www-data, should be root',
  ],
  [[{ name: 'target', expected: '/srv/a', live: '/srv/b' }], 'target is /srv/b, should be /srv/a'],
  [[{ name: 'extra', expected: 'none', live: 'mine.conf' }], 'not in the repository: mine.conf'],
])('%j is told as "%s"', (differences, text) => {
  const coded = differences.map((one) => ({ ...one, codes: pathCodes(one, { attributes: {} }) }))

  expect(describePath(motd, coded)).toBe(`/etc/motd: ${text}`)
})

test('a path behind a link that is not followed is told as not followed', () => {
  const live = 'behind an unsafe link at /etc'
  const difference = { name: 'type', expected: 'file', live, codes: ['unsafe-link'] } as const

  expect(describePath(motd, [difference])).toBe(`/etc/motd: ${live}, not followed`)
})
