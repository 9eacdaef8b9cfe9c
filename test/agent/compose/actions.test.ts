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
  servicesToBringUp,
  undeclaredContainers,
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
  objects: [],
  hashes: new Map(services.map(({ name }) => [name, `hash of ${name}`])),
  composeVersion: '2.26.1',
  unset: [],
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

test('what is stopped is started, and what has ended well stays so', () => {
  expect(foreseen(exchanged('web', { state: 'exited', exitCode: 143 }))).toEqual(['start web again'])
})

test.each<[string, readonly Container[], readonly string[], readonly string[] | undefined]>([
  ['another service changes', exchanged('web', { configHash: 'x' }), ['recreate web'], ['web', 'db', 'app']],
  ['another service is missing', all.filter(({ service }) => service !== 'web'), ['start web'], ['web', 'db', 'app']],
  [
    'it changes itself, and runs anew for it',
    exchanged('job', { configHash: 'x', state: 'exited', exitCode: 0 }),
    ['recreate job'],
    undefined,
  ],
  ['it failed', exchanged('job', { state: 'exited', exitCode: 1 }), ['start job again'], undefined],
  ['something is no longer declared', [...all, container('old')], ['remove old'], ['web', 'db', 'app']],
])('a job that ended well is run again only for a reason: %s', (_, own, lines, chosen) => {
  expect(foreseen(own).map((line) => line.replace(/ \(.*/, ''))).toEqual(lines)
  expect(selected(own)).toEqual(chosen)
})

test.each<[string, Readonly<Record<string, unknown>>, string, readonly string[], readonly string[] | undefined]>([
  [
    'what waits for it is made anew, and runs it',
    { job: { restart: 'no' }, app: { depends_on: { job: { condition: 'service_completed_successfully' } } }, web: {} },
    'app',
    ['recreate app', 'start job again'],
    undefined,
  ],
  [
    'what depends on what waits for it',
    { job: { restart: 'no' }, app: { depends_on: { job: {} } }, web: { depends_on: { app: {} } } },
    'web',
    ['start job again', 'recreate web'],
    undefined,
  ],
  [
    'what waits for it is left out with it while something else changes',
    { job: { restart: 'no' }, app: { depends_on: { job: {} } }, top: { depends_on: { app: {} } }, web: {} },
    'web',
    ['recreate web'],
    ['web'],
  ],
  [
    'what it depends on itself is made anew without it',
    { job: { restart: 'no', depends_on: { db: {} } }, db: {} },
    'db',
    ['recreate db'],
    ['db'],
  ],
])('a job and its neighbors: %s', (_, model, changed, lines, chosen) => {
  const written = Object.fromEntries(
    Object.entries(model).map(([name, one]) => [name, { image: 'x:1', ...(one as object) }]),
  )
  const { services: own } = parseModel(JSON.stringify({ services: written }))
  const as = {
    ...declared,
    services: own,
    labels: {},
    hashes: new Map(own.map(({ name }) => [name, `hash of ${name}`])),
  }
  const containers = own.map(({ name }) =>
    container(name, {
      image: 'x:1',
      ...(name === 'job' ? { state: 'exited', exitCode: 0 } : {}),
      ...(name === changed ? { configHash: 'x' } : {}),
    }),
  )
  expect(foreseen(containers, { declared: as }).map((line) => line.replace(/ \(.*/, ''))).toEqual(lines)
  expect(selected(containers, as)).toEqual(chosen)
})

test.each<[string, Readonly<Record<string, Partial<Container>>>, readonly string[], readonly string[] | undefined]>([
  ['stays, with what waits for it alone', {}, ['recreate web'], ['db', 'web']],
  [
    'is made anew as well where something starts that needs it',
    { worker: { state: 'exited', exitCode: 143 } },
    ['recreate job (with web)', 'recreate web', 'recreate worker (with job)'],
    undefined,
  ],
  [
    'runs where what waits for it is made anew for another reason',
    { db: { configHash: 'x' } },
    ['recreate db', 'recreate job (with web)', 'recreate web', 'recreate worker (with db, job)'],
    undefined,
  ],
])('an ended job of which compose says that it would be made anew with web: %s', (_, changed, lines, chosen) => {
  const model = {
    db: { image: 'x:1' },
    web: { image: 'x:1' },
    job: { image: 'x:1', restart: 'no', depends_on: { web: {} } },
    worker: { image: 'x:1', depends_on: { db: {}, job: { condition: 'service_completed_successfully' } } },
  }
  const { services: own } = parseModel(JSON.stringify({ services: model }))
  const hashes = new Map(own.map(({ name }) => [name, `hash of ${name}`]))
  const foresight = {
    declared: { ...declared, services: own, labels: {}, hashes },
    replaced: new Map(),
    changing: new Set<string>(),
    recreated: new Set(['web', 'job', 'worker']),
  }
  const more: Readonly<Record<string, Partial<Container>>> = {
    web: { configHash: 'x' },
    job: { state: 'exited', exitCode: 0 },
    ...changed,
  }
  const containers = own.map(({ name }) => container(name, { image: 'x:1', files: '', ...more[name] }))
  const actions = foreseenActions(containers, foresight)
  expect(actions.map((action) => foreseenText(action).replace(' (its configuration changes)', ''))).toEqual(lines)
  expect(servicesToBringUp(containers, actions, foresight)).toEqual(chosen)
})

test('what no up removes: undeclared services, as those of profiles that are off, and those of which there are none', () => {
  const none = { ...declared, services: services.map((one) => (one.name === 'db' ? { ...one, replicas: 0 } : one)) }
  const own = [...all, container('debug')]
  expect(undeclaredContainers(own, none).map(({ service }) => service)).toEqual(['db', 'debug'])
  expect(undeclaredContainers(all, declared)).toEqual([])
})

test('another configuration or image makes a container anew, and says which', () => {
  expect(foreseen(exchanged('web', { configHash: 'another' }))).toContain('recreate web (its configuration changes)')
  expect(foreseen(exchanged('web', { image: '2a787e059e10' }))).toContain('recreate web (its image has changed)')
})

test('a changed file is named where it makes a container anew', () => {
  const changing = new Set(['/srv/app.conf', '/srv/other'])
  expect(foreseen(exchanged('web', { files: 'another' }), { changing })).toContain(
    'recreate web (its mounted app.conf changes)',
  )
  expect(foreseen(all, { changing })).toEqual(['recreate web (its mounted app.conf is repaired)'])
  expect(foreseen(all, { changing: new Set(['/srv/other']) })).toEqual([])
  const seenBy = (service: string) => new Map([[service, new Set(['/srv/app.conf'])]])
  expect(foreseen(all, { changing, rightlySeen: seenBy('web') })).toEqual([])
  expect(foreseen(all, { changing, rightlySeen: seenBy('db') })).toHaveLength(1)
})

test('what depends on something made anew is started again, or made anew itself where compose says so', () => {
  const own = exchanged('db', { configHash: 'another' })
  expect(needsAsking(all, declared)).toBe(false)
  expect(needsAsking(own, declared)).toBe(true)
  expect(foreseen(own)).toEqual(['start app again', 'recreate db (its configuration changes)'])
  expect(foreseen(own, { recreated: new Set(['db', 'app']) })).toEqual([
    'recreate app (with db)',
    'recreate db (its configuration changes)',
  ])
})

test('what the compose file no longer has is removed, and more or fewer of one are said', () => {
  const more = [...all, container('old'), container('db', { id: 'db-2' })]
  expect(foreseen(more)).toEqual(['scale db to 1', 'remove old'])
})

test('what was done is told alike', () => {
  const again = all.map((one) => (one.service === 'web' ? container('web', { id: 'another' }) : one))
  expect(done(all, again)).toEqual(['recreated web'])
  expect(actionsBetween(all, again, new Set(['job-1'])).map(doneText)).toEqual(['started job again', 'recreated web'])
  expect(done(exchanged('db', { state: 'exited' }), all)).toEqual(['started db again'])
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

function selected(own: readonly Container[], as: Foresight['declared'] = declared): readonly string[] | undefined {
  const foresight = { declared: as, replaced: new Map(), changing: new Set<string>() }
  return servicesToBringUp(own, foreseenActions(own, foresight), foresight)
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
    overrides: [],
    files: labels[service] ?? '',
    ...changed,
  }
}
