// What of a finding is said to be adoptable. That adopt does the same: test/agent/adopt/adoption.test.ts, and ways-out.test.ts beside its commands.
import { expect, test } from 'vitest'
import { hostAlone, isAdoptableFinding, keepingLines } from '../../shared/adoptable.ts'
import { type Finding, findingSchema } from '../../shared/finding.ts'

type Differing = readonly [name: string, live: string]

function finding(resource: string, differing: readonly Differing[], more: Partial<Finding> = {}): Finding {
  const differences = differing.map(([name, live]) => ({ name, expected: 'as it was', live }))
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
  ['symlink:/etc/a', [['target', '/etc/[secret]']], false],
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
  ['bytes', finding('file:/etc/a', [['content', 'x']], { diff: 'Binary content differs\n' }), 'it is not text'],
  ['a long value', finding('symlink:/etc/a', [['target', 'a'.repeat(2000)]]), 'something in it was masked or cut'],
])('%s is on the host alone: %#', (_, one, expected) => {
  expect(hostAlone(one)).toBe(expected)
})

const content = (path: string, diff = '-a\n+b\n') => finding(`file:${path}`, [['content', 'x']], { diff })
const removed = (path: string) => finding(`file:${path}`, [['type', 'missing']])

test('one thing is kept by its own name, more with their service', () => {
  expect(keepingLines('web', [content('/etc/a')])).toEqual(['To keep it: plumb adopt /etc/a'])
  expect(keepingLines('web', [content("/etc/a b's")])).toEqual([`To keep it: plumb adopt '/etc/a b'\\''s'`])
  expect(keepingLines('web', [finding('unit:a.service', [['state', 'stopped']])])).toEqual([
    'To keep it: plumb adopt unit:a.service',
  ])
  expect(
    keepingLines('web', [content('/etc/a'), content('/etc/b')], { on: ' on web-1', options: ' --root x' }),
  ).toEqual(['To keep it on web-1: plumb adopt web --root x'])
  expect(keepingLines('web', [content('/etc/a\u202eb')])).toEqual(['To keep it: plumb adopt web'])
})

test('what was removed is never kept with its service', () => {
  expect(keepingLines('web', [content('/etc/a'), removed('/etc/b'), content('/etc/c')])).toEqual([
    'To keep it: plumb adopt web; plumb adopt /etc/b',
  ])
  expect(keepingLines('web', [removed('/etc/a'), removed('/etc/b')])).toEqual([
    'To keep it: plumb adopt /etc/a; plumb adopt /etc/b',
  ])
})

test('of a fault there is nothing to keep', () => {
  expect(keepingLines('web', [finding('unit:a.service', [['state', 'failed']])])).toEqual([])
  const mounted = 'web: still has the replaced /etc/a mounted; db: stopped (exit code 1)'
  const project = finding('compose:web', [['containers', mounted]])
  expect(keepingLines('web', [project])).toEqual([])
  expect(keepingLines('web', [project, content('/etc/a')])).toEqual(['To keep it: plumb adopt /etc/a'])
})

test("what cannot be adopted is kept in the repository's file for it", () => {
  const others = [
    finding('package:nginx', [['version', '2']]),
    finding('compose:web', [['containers', 'web: other image']], { source: 'services/web/compose.yaml' }),
  ]
  const files = 'services/web/service.yaml, services/web/compose.yaml'
  expect(keepingLines('web', others)).toEqual([`To keep it: change ${files} in a clone, and push`])
  expect(keepingLines('web', [content('/etc/a'), ...others])).toEqual([
    'To keep it: plumb adopt /etc/a',
    `To keep the rest: change ${files} in a clone, and push`,
  ])
  const secret = finding('file:/etc/a', [['content', 'x']], {
    diff: ' a\n-b\n+[secret]\n',
    source: 'services/web/files/etc/a',
  })
  expect(keepingLines('web', [secret])).toEqual(['To keep it: change services/web/files/etc/a in a clone, and push'])
})
