// What of a finding is said to be adoptable. That adopt does the same: test/agent/adopt/adoption.test.ts, and ways-out.test.ts beside its commands.
import { expect, test } from 'vitest'
import { isAdoptable } from '../../agent/resources/registry.ts'
import { hostAlone, isAdoptableFinding } from '../../shared/adoptable.ts'
import { type Difference, type Finding, findingSchema } from '../../shared/finding.ts'

type Differing = readonly [name: string, live: string, more?: Partial<Difference>]

function finding(resource: string, differing: readonly Differing[], more: Partial<Finding> = {}): Finding {
  const differences = differing.map(([name, live, more = {}]) => ({
    ...{ name, expected: 'as it was', live, codes: ['other'], adoptable: isAdoptable(resource, { name, live }) },
    ...more,
  }))
  return findingSchema.parse({ resource, summary: '', differences, diffCut: false, evidence: {}, ...more })
}

test.each<[string, readonly Differing[], boolean]>([
  [
    'file:/etc/a',
    [
      ['content', 'x'],
      ['mode', '0640'],
    ],
    true,
  ],
  ['file:/etc/a', [['type', 'missing']], true],
  ['file:/etc/a', [['type', 'directory']], false],
  [
    'file:/etc/a',
    [
      ['mode', '0640'],
      ['acl', 'user:anna:r'],
    ],
    false,
  ],
  [
    'file:/etc/a',
    [
      ['mode', '0640'],
      ['of tomorrow', 'x'],
    ],
    false,
  ],
  ['file:/etc/a', [['type', 'behind an unsafe link']], false],
  ['symlink:/etc/a', [['target', '/etc/b']], true],
  ['symlink:/etc/a', [['target', '/etc/[secret]', { liveMasked: true }]], false],
  [
    'directory:/etc/a',
    [
      ['extra', 'b.conf'],
      ['owner', 'anna'],
    ],
    true,
  ],
  ['directory:/etc/a', [['type', 'missing']], false],
  ['directory:/etc/a', [['leave', '2 entries']], false],
  ['file:/etc/systemd/system/a.service.d/b.conf', [['override', 'a.service']], true],
  ['file:/run/systemd/system/a.service.d/b.conf', [['override', 'a.service']], false],
  [
    'unit:a.service',
    [
      ['enabled', 'no'],
      ['state', 'stopped'],
    ],
    true,
  ],
  ['unit:a.service', [['state', 'failed']], false],
  ['unit:a.service', [['enabled', 'masked']], false],
  ['unit:a.service', [['loaded', 'stale']], false],
  ['package:nginx', [['version', '2']], false],
  ['compose:shop', [['containers', 'web: missing']], false],
  ['file:/etc/a', [], false],
])('%s with %j can be adopted: %s', (resource, differing, expected) => {
  expect(isAdoptableFinding(finding(resource, differing))).toBe(expected)
})

test.each<[string, Finding, string | undefined]>([
  ['a mode', finding('file:/etc/a', [['mode', '0640']]), undefined],
  ['a unit', finding('unit:a.service', [['state', 'stopped']]), undefined],
  ['a text', finding('file:/etc/a', [['content', 'x']], { diff: '-a\n+b\n' }), undefined],
  ['no diff', finding('file:/etc/a', [['content', 'x']]), 'its diff was not told'],
  ['a cut diff', finding('file:/etc/a', [['content', 'x']], { diff: '-a\n', diffCut: true }), 'its diff was cut'],
  [
    'bytes',
    finding('file:/etc/a', [['content', 'x']], { diff: 'Binary content differs\n', diffInstead: 'binary' }),
    'it is not text',
  ],
  [
    'too much',
    finding('file:/etc/a', [['content', 'x']], { diff: 'Too much differs\n', diffInstead: 'too-different' }),
    'too much of it differs, or it is too large',
  ],
  [
    'too large',
    finding('file:/etc/a', [['content', 'x']], { diff: 'Too large\n', diffInstead: 'too-large' }),
    'too much of it differs, or it is too large',
  ],
  [
    'a long value',
    finding('symlink:/etc/a', [['target', 'a'.repeat(2000), { liveCut: true }]]),
    'something in it was masked or cut',
  ],
  [
    'a masked value',
    finding('symlink:/etc/a', [['target', '/etc/[secret]', { liveMasked: true }]]),
    'something in it was masked or cut',
  ],
  [
    'what an older agent reports',
    finding('symlink:/etc/a', [], { differences: [{ name: 'target', expected: '/etc/b', live: '/etc/[secret]' }] }),
    'its agent is older, and does not say whether something in it was masked',
  ],
])('%s is on the host alone: %#', (_, one, expected) => {
  expect(hostAlone(one)).toBe(expected)
})
