// Lone halves of UTF-16 pairs: refused where names come in, harmless where text does, and in links.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { fromJson } from '../../server/store/rows.ts'
import { driftLink, hostLink, serviceLink, whyLink } from '../../server/web/pages/components/links.ts'
import { absolutePathSchema, resourceIdSchema } from '../../shared/names.ts'
import { agentMessageSchema } from '../../shared/protocol.ts'
import { findingOf, reportOf, serviceOf, someRevision } from '../server/kit.ts'

const halves = ['\ud800', '\udfff', '\udc00\ud800']
const finding = findingOf('/etc/x', 'x')

test.each(halves)('a name with %j is refused wherever it comes in', (half) => {
  const name = `file:/etc/${half}`
  const change = { service: 'nginx', summary: 's' }
  const apply = { revision: someRevision, at: 't', failed: [] }
  const reports = [
    { services: [{ ...serviceOf('nginx'), findings: [{ ...finding, resource: name }] }] },
    { services: [{ ...serviceOf('nginx'), findings: [{ ...finding, source: name }] }] },
    { services: [{ ...serviceOf('nginx'), pending: [{ resource: name, summary: 's' }] }] },
    { services: [{ ...serviceOf('nginx'), pending: [{ resource: 'file:/x', source: name, summary: 's' }] }] },
    { services: [{ ...serviceOf('nginx'), ignored: [{ resource: name, summary: 's', why: 'w' }] }] },
    { apply: { ...apply, changes: [{ ...change, resource: name }] } },
    { apply: { ...apply, changes: [{ ...change, source: name }] } },
    { apply: { ...apply, changes: [], repaired: [{ service: 'nginx', finding: { ...finding, resource: name } }] } },
  ]

  for (const change of reports)
    expect(agentMessageSchema.safeParse({ type: 'report', report: { ...reportOf('web-1'), ...change } }).success).toBe(
      false,
    )
  expect(absolutePathSchema.safeParse(`/etc/${half}`).success).toBe(false)
})

test('a text that an agent cut within a character is no reason to refuse its report', () => {
  const cut = '\u{1F600}'.slice(0, 1)
  const services = [{ ...serviceOf('nginx'), findings: [{ ...finding, summary: cut, diff: cut }] }]

  expect(agentMessageSchema.safeParse({ type: 'report', report: { ...reportOf('web-1'), services } }).success).toBe(
    true,
  )
  expect(resourceIdSchema.safeParse('file:/etc/\u{1F600}').success).toBe(true)
})

test.each([
  ['host', hostLink],
  ['service', serviceLink],
  ['drift', (name: string) => driftLink('web-1', name)],
  ['why', (name: string) => whyLink(name, name)],
])('the link of a %s takes any text', (_what, link) => {
  for (const half of halves) expect(link(`a${half}/b`)).toContain(encodeURIComponent(`a${half}/b`.toWellFormed()))
})

test('rows of an earlier version that have one are read', () => {
  const row = JSON.stringify({ resource: 'file:/etc/\ud800', kept: '\u{1F600} \\ud' })

  expect(fromJson(z.object({ resource: resourceIdSchema, kept: z.string() }), row)).toEqual({
    resource: 'file:/etc/\ufffd',
    kept: '\u{1F600} \\ud',
  })
})
