import { expect, test } from 'vitest'
import { evidenceSchema } from '../../shared/evidence.ts'
import { evidenceLine } from '../../shared/evidence-text.ts'
import { findingSchema } from '../../shared/finding.ts'

const changedAt = '2026-11-26T12:17:27.515Z'

test('who was logged in, from where, and what was run, after when it changed', () => {
  const line = evidenceLine({
    changedAt,
    sessions: [
      { user: 'anna', from: '10.0.0.5', service: 'ssh', tty: 'pts/0', since: '2026-11-26T12:10:02.000Z' },
      { user: 'root', tty: 'tty1', until: '2026-11-26T12:17:28.000Z' },
    ],
    sudo: [{ at: changedAt, user: 'anna', as: 'root', command: '/usr/bin/vi /etc/motd' }],
  })
  expect(line).toBe(
    'changed 2026-11-26 12:17:27 UTC; logged in then: anna from 10.0.0.5 (ssh, pts/0, since 2026-11-26 12:10:02 UTC); root (tty1, until 2026-11-26 12:17:28 UTC); sudo within a minute: anna as root: /usr/bin/vi /etc/motd',
  )
})

test('nobody is told as nobody; what is not known is not told', () => {
  expect(evidenceLine({ changedAt, sessions: [] })).toBe('changed 2026-11-26 12:17:27 UTC; nobody was logged in then')
  expect(evidenceLine({ changedAt })).toBe('changed 2026-11-26 12:17:27 UTC')
  expect(evidenceLine({ owner: 'root' })).toBeUndefined()
  expect(evidenceLine({ noticedAt: changedAt, sessions: [] })).toBe(
    'noticed 2026-11-26 12:17:27 UTC; nobody was logged in when it was noticed',
  )
})

test('a package manager, an audit record and an apply of ours are named', () => {
  const line = evidenceLine({
    stateChangedAt: changedAt,
    audit: [{ at: changedAt, user: 'anna', executable: '/usr/bin/vi', pid: 12, systemCall: 'openat' }],
    packageAction: {
      package: 'cron',
      action: 'upgrade',
      from: '1',
      to: '2',
      at: changedAt,
      commandLine: 'apt upgrade',
    },
    ownApply: evidenceSchema.shape.ownApply.unwrap().parse({ startedAt: changedAt, revision: 'a'.repeat(40) }),
  })
  expect(line).toContain('audit: anna by /usr/bin/vi (pid 12, openat, 2026-11-26 12:17:27 UTC)')
  expect(line).toContain(
    'package manager at that time: upgrade cron from 1 to 2 (2026-11-26 12:17:27 UTC, by "apt upgrade")',
  )
  expect(line).toContain('an apply of plumb was running then (revision aaaaaaa)')
})

test('whatever an agent sends stays on one line, in order, and short', () => {
  const line = evidenceLine({ sessions: Array.from({ length: 20 }, () => ({ user: `a\n\u202e${'b'.repeat(190)}` })) })
  expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  expect(line?.length).toBeLessThanOrEqual(1500)
})

test("an older agent's finding is read, and a newer one's evidence by an older server, which leaves out what it does not know", () => {
  const finding = {
    resource: 'file:/etc/motd',
    summary: '/etc/motd: missing',
    differences: [],
    diffCut: false,
    evidence: { modifiedAt: changedAt, owner: 'root', size: 3 },
  }
  expect(findingSchema.parse(finding).evidence).toEqual(finding.evidence)
  expect(findingSchema.parse({ ...finding, evidence: { ...finding.evidence, later: 1 } }).evidence).toEqual(
    finding.evidence,
  )
})
