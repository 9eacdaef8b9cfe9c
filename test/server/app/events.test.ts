// The feed by which the parts of the server hear of each other, and what open pages look at again after each event.
import { expect, test } from 'vitest'
import { EventFeed } from '../../../server/app/events.ts'
import { changedBy, type ShownEvent } from '../../../server/show/changes.ts'
import { hostNameSchema, revisionSchema, serviceNameSchema } from '../../../shared/names.ts'

const host = hostNameSchema.parse('web-1')

test('listeners hear the kinds they asked for, at once and in the order they came', () => {
  const events = new EventFeed()
  const heard: string[] = []
  events.subscribe(['host-heard', 'host-removed'], ({ kind }) => heard.push(`first ${kind}`))
  events.subscribe(['host-heard'], ({ host }) => heard.push(`second ${host}`))

  events.emit({ kind: 'host-heard', host })
  events.emit({ kind: 'check-finished', host })
  events.emit({ kind: 'host-removed', host })

  expect(heard).toEqual(['first host-heard', 'second web-1', 'first host-removed'])
})

test('a listener that stopped hears nothing more, and the others do', () => {
  const events = new EventFeed()
  const heard: string[] = []
  const stop = events.subscribe(['host-heard', 'copy-seen'], () => heard.push('one'))
  events.subscribe(['copy-seen'], () => heard.push('other'))

  stop()
  events.emit({ kind: 'host-heard', host })
  events.emit({ kind: 'copy-seen', host })

  expect(heard).toEqual(['other'])
})

test.each<[ShownEvent, readonly string[]]>([
  [{ kind: 'connection-changed', host }, ['host web-1']],
  [{ kind: 'enrollment-tried', host, isEnrolled: false }, ['host web-1']],
  [{ kind: 'host-removed', host }, ['host web-1']],
  [
    { kind: 'report-recorded', host, services: [serviceNameSchema.parse('nginx')], revision: undefined },
    ['host web-1', 'service nginx'],
  ],
  [{ kind: 'holds-changed', hosts: ['web-*', 'web-*', 'db-1'] }, ['host web-*', 'host db-1']],
  [{ kind: 'repository-changed', revision: revisionSchema.parse('a'.repeat(40)) }, [`repository ${'a'.repeat(40)}`]],
  [
    { kind: 'alerts-changed', alerts: [{ key: 'one', host }, { key: 'two' }] },
    ['alert one', 'host web-1', 'alert two'],
  ],
])('after $kind, pages look at what it names', (event, changed) => {
  expect(changedBy(event).map(({ noun, name }) => `${noun} ${name}`)).toEqual(changed)
})
