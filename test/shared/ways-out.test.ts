// The ways out of what differs: which are offered, in which order, and in which words. That each does what it says when it is typed:
// ways-out.test.ts beside the commands.
import { expect, test } from 'vitest'
import { isAdoptable } from '../../agent/resources/registry.ts'
import { type Finding, findingSchema } from '../../shared/finding.ts'
import type { DifferenceCode } from '../../shared/finding-kind.ts'
import type { Problem } from '../../shared/problem.ts'
import { failureSchema, holdSchema, obstacleSchema, pendingSchema, serviceReportSchema } from '../../shared/report.ts'
import { type DifferingService, waysOut } from '../../shared/ways-out.ts'
import { type Wording, wayOutLines } from '../../shared/ways-out-text.ts'

type Differing = readonly [name: string, live: string, code?: DifferenceCode]

function finding(resource: string, differing: readonly Differing[], more: Partial<Finding> = {}): Finding {
  const differences = differing.map(([name, live, code = 'other']) => ({
    ...{ name, expected: 'as it was', live },
    codes: [code],
    adoptable: isAdoptable(resource, { name, live }),
  }))
  return findingSchema.parse({ resource, summary: '', differences, diffCut: false, evidence: {}, ...more })
}

function web(findings: readonly Finding[], more: Partial<DifferingService> = {}): DifferingService {
  return { ...serviceReportSchema.parse({ service: 'web', findings, pending: [] }), ...more }
}

function linesOf(service: DifferingService, wording: Wording = {}): readonly string[] {
  return wayOutLines(waysOut(service), wording)
}

function keepingLines(_service: 'web', findings: readonly Finding[], wording: Wording = {}): readonly string[] {
  return linesOf(web(findings), wording).filter((line) => line.startsWith('To keep '))
}

const a = 'a'.repeat(40)
const b = 'b'.repeat(40)
const hold = holdSchema.parse({
  ...{ by: 'anna@web-1', why: 'the fix of this night' },
  until: '2026-11-24T14:00:00.000Z',
  targets: ['web'],
})
const problem: Problem = { code: 'check-failed', message: 'it answers with 502' }
const failure = failureSchema.parse({
  ...{ revision: b, at: '2026-11-24T13:00:00.000Z' },
  step: 'check http',
  problem,
  attempts: 3,
})
const conflict: Problem = {
  code: 'usage',
  message: 'the repository has since changed what was changed on the host',
  where: { file: 'services/web/files/etc/a', line: 1 },
  remedy: 'Change it by hand.',
}
const revised = { differences: [{ name: 'content', applied: 'x', desired: 'y' }], diffCut: false }
const pending = [pendingSchema.parse({ resource: 'file:/etc/a', summary: '/etc/a: content differs' })]
const drifted = content('/etc/a', undefined, { adoption: { outcome: 'adopted', problems: [] } })
const conflicting = content('/etc/a', undefined, {
  revised,
  adoption: { outcome: 'refused', problems: [conflict] },
  source: 'services/web/files/etc/a',
})

const byHand = [
  'To keep it: change services/web/files/etc/a in a clone, and push',
  'plumb adopt would refuse /etc/a: services/web/files/etc/a:1: the repository has since changed what was changed on the host. Change it by hand.',
]
const baseHeld = obstacleSchema.parse({ kind: 'other-held', service: 'base', hold: { ...hold, targets: ['base'] } })
const release = 'To end the hold of web: plumb release web'
const failing = `No apply gets through now: revision bbbbbbb fails at "check http". Fix that and push`
const unsafeLink =
  'No apply follows the link: replace it by a directory, or make it and its directory root-owned and writable for root only'

test.each<[string, DifferingService, readonly string[]]>([
  ['nothing', web([]), []],
  ['drift', web([drifted]), ['To keep it: plumb adopt /etc/a', 'To repair it: plumb apply']],
  ['pending, which the agent applies by itself', web([], { pending }), []],
  [
    'drift and pending that conflict',
    web([conflicting], { pending, revision: b }),
    [...byHand, 'To have what the revision says instead: plumb apply'],
  ],
  [
    'drift that the revision has already',
    web([{ ...drifted, revised, adoption: { outcome: 'already', problems: [conflict] } }], { pending }),
    [
      'The revision has what was changed here, and more: an apply keeps it',
      'To have what the revision says instead: plumb apply',
    ],
  ],
  [
    'drift, pending and a hold',
    web([conflicting], { pending, hold, revision: b }),
    [release, ...byHand, 'To have what the revision says instead: plumb release web && plumb apply'],
  ],
  ['pending and a hold', web([], { pending, hold }), [release, 'To apply it now: plumb release web && plumb apply']],
  [
    'drift and a hold of all services beside one of its own',
    web([drifted], { hold: holdSchema.parse({ ...hold, targets: ['*', 'web'] }) }),
    [
      "To end the hold of web: plumb release '*'; plumb release web",
      'To keep it: plumb adopt /etc/a',
      "To repair it: plumb release '*' && plumb release web && plumb apply",
    ],
  ],
  [
    'drift behind a hold of another service',
    web([drifted], { obstacle: baseHeld }),
    [
      'To end the hold of base: plumb release base',
      'To keep it: plumb adopt /etc/a',
      'To repair it: plumb release base && plumb apply',
    ],
  ],
  ['drift of what fails', web([drifted], { failure, revision: b }), [failing, 'To keep it: plumb adopt /etc/a']],
  [
    'drift of what failed before the revision that is to come',
    web([drifted], { failure, revision: a, pending }),
    ['To keep it: plumb adopt /etc/a', 'To have what the revision says instead: plumb apply'],
  ],
  [
    'drift, pending, a hold and a failure',
    web([conflicting], { pending, hold, failure, revision: b }),
    [release, failing, ...byHand],
  ],
  ['pending that fails', web([], { pending, failure, revision: b }), [failing]],
  [
    'drift beside what could not be checked',
    web([drifted], { obstacle: { kind: 'unchecked' } }),
    ['No apply of it before it can be checked', 'To keep it: plumb adopt /etc/a'],
  ],
  [
    'drift that was found before, of a service that is not checked any more',
    web([{ ...drifted, source: 'services/web/files/etc/a' }], {
      unknown: { problems: [], seenAt: '2026-11-24T13:00:00.000Z' },
    }),
    ['No apply of it before it can be checked', 'To keep it: change services/web/files/etc/a in a clone, and push'],
  ],
  [
    'drift, a hold, and something that could not be checked',
    web([drifted], { hold, unknown: { problems: [problem] } }),
    [release, 'No apply of it before it can be checked', 'To keep it: plumb adopt /etc/a'],
  ],
  [
    'what a link in the place of its directory hides',
    web([finding('file:/home/a/x', [['type', 'behind an unsafe link at /home/a', 'unsafe-link']])]),
    [unsafeLink],
  ],
  [
    'the same of a directory and a link',
    web([
      finding('directory:/home/a/x', [['type', 'behind an unsafe link', 'unsafe-link']]),
      finding('symlink:/home/a/y', [['type', 'behind an unsafe link', 'unsafe-link']]),
    ]),
    [unsafeLink],
  ],
  [
    'the same as an older agent reports it, which has no code for it: drift of a neutral kind',
    web([
      finding('file:/home/a/x', [], {
        differences: [{ name: 'type', expected: 'file', live: 'behind an unsafe link' }],
        source: 'services/web/files/home/a/x',
      }),
    ]),
    ['To keep it: change services/web/files/home/a/x in a clone, and push', 'To repair it: plumb apply'],
  ],
  [
    'other drift of a service that has something behind such a link',
    web([drifted, finding('file:/home/a/x', [['type', 'behind an unsafe link at /home/a', 'unsafe-link']])]),
    [unsafeLink, 'To keep it: plumb adopt /etc/a'],
  ],
  [
    'drift before a removal that waits',
    web([drifted], { obstacle: { kind: 'removal' } }),
    ['No apply before the removal of services is allowed or reverted', 'To keep it: plumb adopt /etc/a'],
  ],
  [
    'drift that could not be checked again',
    web([{ ...drifted, seenAt: '2026-11-24T13:00:00.000Z', source: 'services/web/files/etc/a' }]),
    ['To keep it: change services/web/files/etc/a in a clone, and push', 'To repair it: plumb apply'],
  ],
  [
    "drift and pending of one file, by an older agent's report",
    web([content('/etc/a', undefined, { source: 'services/web/files/etc/a' })], { pending }),
    [
      'To keep it: change services/web/files/etc/a in a clone, and push',
      'To have what the revision says instead: plumb apply',
    ],
  ],
])('%s', (_, service, lines) => {
  expect(linesOf(service)).toEqual(lines)
})

test('the options of the place stand behind each command, and the host where it is named', () => {
  expect(linesOf(web([drifted], { hold }), { on: ' on web-1', options: ' --root x' })).toEqual([
    'To end the hold of web on web-1: plumb release web --root x',
    'To keep it on web-1: plumb adopt /etc/a --root x',
    'To repair it on web-1: plumb release web --root x && plumb apply --root x',
  ])
})

test('of a job that failed there is neither a repair nor anything to keep', () => {
  expect(linesOf(web([finding('unit:a.timer', [['last-run', 'failed', 'unit-failed']])]))).toEqual([
    expect.stringMatching(/^A failed run is over with the next one that succeeds/),
  ])
})

test('a report of a newer agent with an obstacle of another kind is still read', () => {
  const report = { service: 'web', findings: [], pending: [], obstacle: { kind: 'of tomorrow' } }
  expect(serviceReportSchema.parse(report).obstacle).toBeUndefined()
})

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
  expect(keepingLines('web', [finding('unit:a.service', [['state', 'failed', 'unit-failed']])])).toEqual([])
  const mounted = 'web: still has the replaced /etc/a mounted; db: stopped (exit code 1)'
  const project = finding('compose:web', [['containers', mounted, 'container-mount']])
  expect(keepingLines('web', [project])).toEqual([])
  const stopped = [
    ['containers', 'web: stopped', 'container-stopped'],
    ['state', 'stopped', 'project-stopped'],
  ] as const
  expect(keepingLines('web', [finding('compose:web', stopped)])).toEqual([])
  expect(keepingLines('web', [finding('compose:web', [['state', 'stopped', 'project-stopped']])])).toEqual([])
  expect(keepingLines('web', [project, content('/etc/a')])).toEqual(['To keep it: plumb adopt /etc/a'])
})

test("what cannot be adopted is kept in the repository's file for it", () => {
  const others = [
    finding('package:nginx', [['version', '2']]),
    finding('compose:web', [['containers', 'web: other image', 'container-image']], {
      source: 'services/web/compose.yaml',
    }),
  ]
  const files = 'services/web/service.yaml, services/web/compose.yaml'
  expect(keepingLines('web', others)).toEqual([`To keep it: change ${files} in a clone, and push`])
  expect(keepingLines('web', [content('/etc/a'), ...others])).toEqual([
    'To keep it: plumb adopt /etc/a',
    `To keep the rest: change ${files} in a clone, and push`,
  ])
})

const source = 'services/web/files/etc/a'
const touched: Problem = {
  code: 'secret-exposed',
  message: 'the change touches the secret smtp',
  where: { file: source, line: 3 },
  remedy: 'Write the new value to the secret smtp on the hosts instead.',
}
const refusedAt = 'plumb adopt would refuse /etc/a: services/web/files/etc/a'

test.each<[string, Finding, readonly string[]]>([
  [
    'that adopt refuses because of it',
    content('/etc/a', undefined, { source, adoption: { outcome: 'refused', problems: [conflict, touched] } }),
    [
      `${refusedAt}:1: the repository has since changed what was changed on the host. Change it by hand.`,
      `${refusedAt}:3: the change touches the secret smtp. Write the new value to the secret smtp on the hosts instead.`,
    ],
  ],
  [
    'whose line is masked, and adopt refuses it for another reason',
    content('/etc/a', '-a\n+[secret]\n', {
      source,
      diffMasked: true,
      adoption: { outcome: 'refused', problems: [conflict] },
    }),
    [
      `${refusedAt}: a line that differs holds a secret. Leave its placeholder in the template, and write a new value to the secret on the hosts.`,
      `${refusedAt}:1: the repository has since changed what was changed on the host. Change it by hand.`,
    ],
  ],
  [
    'whose line is masked, before the agent established what adopt would do',
    content('/etc/a', ' a\n-b\n+[secret]\n', { source, diffMasked: true }),
    [
      `${refusedAt}: a line that differs holds a secret. Leave its placeholder in the template, and write a new value to the secret on the hosts.`,
    ],
  ],
])('no clone is named for a secret: %s', (_, found, reasons) => {
  expect(keepingLines('web', [found])).toEqual(['To keep it: not by a commit, which would hold a secret'])
  expect(linesOf(web([found])).slice(1, -1)).toEqual(reasons)
  expect(keepingLines('web', [content('/etc/b'), found])).toEqual([
    'To keep it: plumb adopt /etc/b',
    'To keep the rest: not by a commit, which would hold a secret',
  ])
})

function content(path: string, diff = '-a\n+b\n', more: Partial<Finding> = {}): Finding {
  return finding(`file:${path}`, [['content', 'x']], { diff, ...more })
}
