// What an `up` does to containers, foreseen and seen, in the same words.
import { expect, test } from 'vitest'
import { parseModel } from '../../../agent/host/compose-model.ts'
import type { Container } from '../../../agent/host/docker.ts'
import {
  actionsBetween,
  doneText,
  type Foresight,
  foreseenActions,
  foreseenText,
  needsAsking,
} from '../../../agent/resources/compose-actions.ts'
import { labelsFor } from '../../../agent/resources/compose-state.ts'

const { services } = parseModel(
  JSON.stringify({
    services: {
      web: { image: 'web:1', volumes: [{ type: 'bind', source: '/srv/app.conf', target: '/etc/app.conf' }] },
      db: { image: 'db:1' },
      app: { image: 'app:1', depends_on: { db: { condition: 'service_started', restart: true } } },
      job: { image: 'job:1', restart: 'no' },
    },
  }),
)
const labels = labelsFor(services, [])
const declared = {
  services,
  labels,
  hashes: new Map(services.map(({ name }) => [name, `hash of ${name}`])),
  composeVersion: '2.26.1',
}
const all = ['web', 'db', 'app']
  .map((service) => container(service))
  .concat(container('job', { state: 'exited', exitCode: 0 }))

test('nothing is done to containers that are as declared', () => {
  expect(foreseen(all)).toEqual([])
})

test('a project without containers is started', () => {
  expect(foreseen([])).toEqual(['start app', 'start db', 'start job', 'start web'])
})

test('what is stopped is started, and with it what is meant to end is run again', () => {
  expect(foreseen(exchanged('web', { state: 'exited', exitCode: 143 }))).toEqual(['start job again', 'start web again'])
})

test('another configuration or image makes a container anew, and says which', () => {
  expect(foreseen(exchanged('web', { configHash: 'another' }))).toContain('make web anew (its configuration changes)')
  expect(foreseen(exchanged('web', { image: '2a787e059e10' }))).toContain(
    'make web anew (its image is another one by now)',
  )
})

test('a changed file is named where it makes a container anew', () => {
  const changing = new Set(['/srv/app.conf', '/srv/other'])
  expect(foreseen(exchanged('web', { files: 'another' }), { changing })).toContain(
    'make web anew (its mounted app.conf changes)',
  )
  expect(foreseen(all, { changing })).toEqual(['start job again', 'make web anew (its mounted app.conf is put right)'])
  expect(foreseen(all, { changing: new Set(['/srv/other']) })).toEqual([])
  const seenBy = (service: string) => new Map([[service, new Set(['/srv/app.conf'])]])
  expect(foreseen(all, { changing, rightlySeen: seenBy('web') })).toEqual([])
  expect(foreseen(all, { changing, rightlySeen: seenBy('db') })).toHaveLength(2)
})

test('what depends on something made anew is started again, or made anew itself where compose says so', () => {
  const own = exchanged('db', { configHash: 'another' })
  expect(needsAsking(all, declared)).toBe(false)
  expect(needsAsking(own, declared)).toBe(true)
  expect(foreseen(own)).toEqual(['start app again', 'make db anew (its configuration changes)', 'start job again'])
  expect(foreseen(own, { recreated: new Set(['db', 'app']) })).toEqual([
    'make app anew (with db)',
    'make db anew (its configuration changes)',
    'start job again',
  ])
})

test('what the compose file no longer has is removed, and more or fewer of one are said', () => {
  const more = [...all, container('old'), container('db', { id: 'db-2' })]
  expect(foreseen(more)).toEqual(['scale db to 1', 'start job again', 'remove old'])
})

test('what was done is told alike', () => {
  const again = all.map((one) => (one.service === 'web' ? container('web', { id: 'another' }) : one))
  expect(done(all, again)).toEqual(['started job again', 'made web anew'])
  expect(done([], all.slice(0, 1))).toEqual(['started web'])
  expect(done([container('db'), container('db', { id: 'db-2' })], [container('db')])).toEqual(['scaled db to 1'])
  expect(done([container('old')], [])).toEqual(['removed old'])
  expect(actionsBetween([container('db')], [container('db')], new Set(['db-1'])).map(doneText)).toEqual([
    'started db again',
  ])
})

function foreseen(own: readonly Container[], more: Partial<Foresight> = {}): readonly string[] {
  return foreseenActions(own, { declared, replaced: new Map(), changing: new Set(), ...more }).map(foreseenText)
}

function done(before: readonly Container[], after: readonly Container[]): readonly string[] {
  return actionsBetween(before, after).map(doneText)
}

function exchanged(service: string, changed: Partial<Container>): readonly Container[] {
  return all.map((one) => (one.service === service ? { ...one, ...changed } : one))
}

function container(service: string, changed: Partial<Container> = {}): Container {
  return {
    id: `${service}-1`,
    name: `shop-${service}-1`,
    project: 'shop',
    service,
    state: 'running',
    exitCode: undefined,
    health: 'none',
    isStartedLately: false,
    image: `${service}:1`,
    imageId: '',
    configHash: `hash of ${service}`,
    composeVersion: '2.26.1',
    file: '/srv/compose.yaml',
    files: labels[service] ?? '',
    ...changed,
  }
}
