// What docker ps and docker compose config printed on a booted Debian 13 host (compose 2.26).
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseModel, withLabels } from '../../../agent/host/compose-model.ts'
import { type Container, parseContainers } from '../../../agent/host/docker.ts'
import {
  containerFaults,
  type Declaration,
  faultsText,
  hashMismatches,
  labelsFor,
  projectState,
} from '../../../agent/resources/compose-state.ts'
import { absolutePathSchema, sha256Schema } from '../../../shared/names.ts'

const model = parseModel(recorded('model.json'))
const containers = parseContainers(recorded('ps.txt'))
const web = serviceNamed('web')

test('containers read with their state, exit code and health', () => {
  const seen = containers.map(({ service, state, exitCode, health }) => [service, state, exitCode, health])
  expect(seen.toSorted()).toEqual([
    ['crash', 'restarting', 3, 'none'],
    ['gone', 'exited', 4, 'none'],
    ['good', 'running', undefined, 'healthy'],
    ['once', 'exited', 0, 'none'],
    ['sick', 'running', undefined, 'unhealthy'],
    ['slow', 'running', undefined, 'starting'],
    ['web', 'created', undefined, 'none'],
    ['web', 'running', undefined, 'none'],
  ])
})

test('what `compose run` left behind is not a container of the service', () => {
  expect(containers.some(({ name }) => name.startsWith('shop-web-run-'))).toBe(false)
  expect(recorded('ps.txt')).toContain('shop-web-run-')
})

test('a service knows what its containers see of the host', () => {
  expect(web.mounts).toEqual([
    { source: '/srv/h/site', target: '/www' },
    { source: '/srv/h/app.conf', target: '/etc/app.conf' },
    { source: '/srv/h/key.txt', target: '/run/secrets/key' },
  ])
})

test('services that are meant to end, are built, or have several containers are told apart', () => {
  const told = model.services.map(({ name, ends, builds, replicas }) => [name, { ends, builds, replicas }])
  expect(Object.fromEntries(told)).toEqual({
    web: { ends: false, builds: false, replicas: 2 },
    migrate: { ends: true, builds: false, replicas: 1 },
    tidy: { ends: true, builds: false, replicas: 1 },
    own: { ends: false, builds: true, replicas: 3 },
  })
})

test('a changed file changes the label of the services that mount it, and of no other', () => {
  const before = labels({ 'app.conf': 'a', 'site/index.html': 'a', 'README.md': 'a' })
  expect(Object.keys(before)).toEqual(['web'])
  expect(labels({ 'app.conf': 'b', 'site/index.html': 'a', 'README.md': 'a' })).not.toEqual(before)
  expect(labels({ 'app.conf': 'a', 'site/index.html': 'b', 'README.md': 'a' })).not.toEqual(before)
  expect(labels({ 'app.conf': 'a', 'site/index.html': 'a', 'README.md': 'b' })).toEqual(before)
  expect(labels({ 'README.md': 'a', 'site/index.html': 'a', 'app.conf': 'a' })).toEqual(before)
  expect(labels({ 'app.conf': 'a', 'site/index.html': 'a', 'README.md': 'a', 'site-old/x': 'b' })).toEqual(before)
})

test('a changed config that stands in the compose file changes the label too', () => {
  const other = parseModel(recorded('model.json').replace('h$$i', 'hello'))
  expect(labelsFor(other.services, [])).not.toEqual(labelsFor(model.services, []))
})

test('a label is added beside those of the compose file', () => {
  const labelled = JSON.stringify(withLabels(model, 'plumbline.files', { web: 'abc' }))
  expect(labelled).toContain('"labels":{"team":"edge","plumbline.files":"abc"}')
})

test('containers of the declared configuration that run are as declared', () => {
  expect(containersText([container({}), container({ id: '2' })], declaration())).toBe('as declared')
})

test.each([
  ['stopped by hand', { state: 'exited', exitCode: 0 }, 'web: stopped', 'container-stopped'],
  ['crashed', { state: 'exited', exitCode: 3 }, 'web: stopped (exit code 3)', 'container-stopped'],
  ['in a crash loop', { state: 'restarting', exitCode: 3 }, 'web: restarting', 'container-restarting'],
  ['paused', { state: 'paused' }, 'web: paused', 'container-stopped'],
  ['created and never started', { state: 'created' }, 'web: never started', 'container-stopped'],
  ['made from another configuration', { configHash: 'other' }, 'web: other configuration', 'container-configuration'],
  ['made with other mounted files', { files: 'other' }, 'web: other configuration', 'container-configuration'],
  ['made from an image whose name moved on', { image: '2a787e059e10' }, 'web: other image', 'container-image'],
])('a container that is %s is seen', (_, changed, text, code) => {
  const containers = [container(changed), container({ id: '2' })]
  expect(containersText(containers, declaration())).toBe(text)
  expect(codesOf(containers, declaration())).toEqual([code])
})

test('too few, too many, missing and undeclared containers are seen', () => {
  const one = container({})
  expect(containersText([one], declaration())).toBe('web: 1 of 2 containers')
  expect(containersText([one, one, one], declaration())).toBe('web: 3 containers instead of 2')
  expect(containersText([], declaration())).toBe('missing')
  expect(codesOf([one], declaration())).toEqual(['container-count'])
  expect(codesOf([one, one, one], declaration())).toEqual(['container-count'])
  expect(codesOf([], declaration())).toEqual(['container-missing'])
  expect(codesOf([one, one, container({ service: 'old' })], declaration())).toEqual(['container-undeclared'])
  expect(containersText([one, one, container({ service: 'old' })], declaration())).toBe('old: not declared')
})

test('a service that is meant to end may have ended well, and only well', () => {
  const ending: Declaration = { ...declaration(), services: [{ ...web, ends: true, replicas: 1 }] }
  expect(containersText([container({ state: 'exited', exitCode: 0 })], ending)).toBe('as declared')
  expect(containersText([container({ state: 'exited', exitCode: 1 })], ending)).toBe('web: stopped (exit code 1)')
})

test('hashes of another version of compose are not compared', () => {
  const older = container({ configHash: 'other', composeVersion: '2.20.0' })
  expect(containersText([older, container({ id: '2' })], declaration())).toBe('as declared')
})

test('a replaced mount is seen where the compose file names it', () => {
  const pair = [container({ id: '1' }), container({ id: '2' })]
  const replaced = (target: string) => new Map([['2', [target]]])
  expect(containersText(pair, declaration(), { replaced: replaced('/etc/app.conf') })).toBe(
    'web: still has the replaced /etc/app.conf mounted',
  )
  expect(codesOf(pair, declaration(), { replaced: replaced('/etc/app.conf') })).toEqual(['container-mount'])
  expect(containersText(pair, declaration(), { replaced: replaced('/etc/hosts') })).toBe('as declared')
})

test('only a hash that alone differs is put to compose again', () => {
  const mismatch = container({ configHash: 'other' })
  const otherFiles = container({ configHash: 'other', files: 'other' })
  expect(hashMismatches([mismatch, otherFiles, container({})], declaration())).toEqual([mismatch])
})

test('a project runs as long as one container does', () => {
  expect(projectState([container({ state: 'exited' }), container({})])).toBe('running')
  expect(projectState([container({ state: 'exited' })])).toBe('stopped')
})

function recorded(file: string): string {
  return readFileSync(new URL(`recorded/${file}`, import.meta.url), 'utf8')
}

function serviceNamed(name: string) {
  const found = model.services.find((service) => service.name === name)
  if (found === undefined) throw new Error(`${name} is not in the recorded model`)
  return found
}

function labels(files: Readonly<Record<string, string>>) {
  const list = Object.entries(files).map(([name, digit]) => ({
    path: absolutePathSchema.parse(`/srv/h/${name}`),
    sha256: sha256Schema.parse(digit.repeat(64)),
  }))
  return labelsFor([{ ...web, definitions: [] }, serviceNamed('tidy')], list)
}

function declaration(): Declaration {
  return {
    services: [web],
    objects: [],
    labels: { web: 'files' },
    hashes: new Map([['web', 'hash']]),
    composeVersion: '2.26.1',
    unset: [],
  }
}

function container(changed: Partial<Container>): Container {
  return {
    id: '1',
    name: 'shop-web-1',
    project: 'shop',
    service: 'web',
    state: 'running',
    exitCode: undefined,
    health: 'none',
    isStartedLately: false,
    image: 'lab/box:1',
    imageId: '',
    configHash: 'hash',
    composeVersion: '2.26.1',
    file: '/srv/h/m.yaml',
    overrides: [],
    files: 'files',
    ...changed,
  }
}

test('networks and volumes with other settings are told beside the containers', () => {
  const objects = ['network shop_a has internal false instead of true', 'volume shop_db has driver local instead of x']
  const pair = [container({}), container({ id: '2' })]
  expect(containersText(pair, declaration(), { objects })).toBe(objects.join('; '))
  expect(containersText([container({})], declaration(), { objects: objects.slice(1) })).toBe(
    `web: 1 of 2 containers; ${objects[1]}`,
  )
})

test('several faults have a code each, in the order of the text', () => {
  const two: Declaration = {
    ...declaration(),
    services: [
      { ...web, replicas: 1 },
      { ...web, name: 'db', replicas: 1 },
    ],
  }
  const containers = [container({ state: 'exited', exitCode: 1 })]

  expect(containersText(containers, two)).toBe('web: stopped (exit code 1); db: missing')
  expect(codesOf(containers, two)).toEqual(['container-stopped', 'container-missing'])
})

test.each([
  ['removing another way', 'stopping', 'container-stopped'],
  ['dead', 'dead', 'container-stopped'],
  ['in a state of tomorrow', 'melted', 'container-other'],
])('a container that is %s has the code of its state', (_, state, code) => {
  expect(codesOf([container({ state }), container({ id: '2' })], declaration())).toEqual([code])
})

function codesOf(...asked: Parameters<typeof containerFaults>): readonly string[] {
  return containerFaults(...asked).map(({ code }) => code)
}

function containersText(...asked: Parameters<typeof containerFaults>): string {
  return faultsText(containerFaults(...asked))
}
