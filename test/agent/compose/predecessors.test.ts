// Containers that go while others come that would do the same with other data: what is refused, and what is the same data, or not the same thing.
import { describe, expect, test } from 'vitest'
import { parseModel } from '../../../agent/host/compose-model.ts'
import type { HeldMount } from '../../../agent/host/container-mounts.ts'
import type { Container } from '../../../agent/host/docker.ts'
import { movedMounts, moveRefusal, predecessorChanges } from '../../../agent/resources/moved-mounts.ts'
import { type GoingProject, predecessorsIn } from '../../../agent/resources/predecessors.ts'
import { absolutePathSchema, resourceId, sha256Schema } from '../../../shared/names.ts'
import type { ComposeResource } from '../../../shared/resource.ts'

const anonymous = 'a'.repeat(64)
const volume = (source: string, target = '/vol'): Omit<HeldMount, 'service'> => ({
  kind: 'volume',
  source,
  target,
  isWritable: true,
})
const bind = (source: string, target = '/data'): Omit<HeldMount, 'service'> => ({
  kind: 'bind',
  source,
  target,
  isWritable: true,
})

type Going = Readonly<Record<string, { readonly image?: string; readonly held: readonly Omit<HeldMount, 'service'>[] }>>

describe('a project under another name', () => {
  const own = { type: 'bind', source: '/srv/compose/shop/data', target: '/data' }
  const named = { type: 'volume', source: 'dvol', target: '/vol' }

  test.each<[string, Going, Readonly<Record<string, unknown>>, readonly string[]]>([
    [
      'its directory and its volume',
      { db: { held: [bind('/srv/compose/app/data'), volume('app_dvol')] } },
      { db: { image: 'pg:1', volumes: [own, named] } },
      ['/srv/compose/app/data', 'app_dvol'],
    ],
    [
      'with a newer image',
      { db: { held: [volume('app_dvol')] } },
      { db: { image: 'docker.io/library/pg:2@sha256:0', volumes: [named] } },
      ['app_dvol'],
    ],
    [
      'with another image at the same place',
      { db: { held: [volume('app_dvol')] } },
      { db: { image: 'other', volumes: [named] } },
      ['app_dvol'],
    ],
    [
      'with another name of the service, too',
      { db: { held: [volume('app_dvol')] } },
      { database: { image: 'pg:1', volumes: [named] } },
      ['app_dvol'],
    ],
    [
      'built by itself',
      { db: { image: 'app-db', held: [bind('/srv/compose/app/data')] } },
      { db: { build: {}, volumes: [own] } },
      ['/srv/compose/app/data'],
    ],
    [
      'of an image that lost its name',
      { db: { image: `sha256:${'0'.repeat(64)}`, held: [bind('/srv/compose/app/data')] } },
      { db: { image: 'pg:1', volumes: [own] } },
      ['/srv/compose/app/data'],
    ],
    ['a volume of the image', { db: { held: [volume(anonymous)] } }, { db: { image: 'pg:1' } }, [anonymous]],
  ])('%s', (_, going, services, from) => {
    const refused = refusal('app', going, services)
    for (const one of from)
      expect(refused?.message).toContain(
        `db of app has ${one} mounted at ${one.startsWith('/') ? '/data' : '/vol'}, and `,
      )
    const remedy = refused?.problems[0]?.remedy
    expect(remedy).toContain('compose: { project: app, directory: /srv/compose/app }')
    expect(remedy).toContain(`moveMounts: [${from.join(', ')}]`)
    expect(refusal('app', going, services, { moveMounts: from })).toBeUndefined()
    expect(refusal('app', going, services, { replaceProject: 'app' })).toBeUndefined()
    expect(refusal('app', going, services, { moveMounts: ['/another'], replaceProject: 'another' })).toBeDefined()
  })

  test.each<[string, Going, Readonly<Record<string, unknown>>]>([
    ['without data', { web: { held: [] } }, { web: { image: 'pg:1' } }],
    [
      'whose data is where it was',
      { db: { held: [bind('/opt/data'), volume('shared')] } },
      {
        db: {
          image: 'pg:1',
          volumes: [
            { type: 'bind', source: '/opt/data', target: '/data' },
            { type: 'volume', source: 'shared', target: '/vol' },
          ],
        },
      },
    ],
    [
      'with what the repository brings',
      { db: { held: [{ ...bind('/srv/compose/app/app.conf'), isWritable: false }] } },
      { db: { image: 'pg:1', volumes: [{ ...own, source: '/srv/compose/shop/app.conf' }] } },
    ],
    [
      'of another image at another place',
      { db: { held: [volume('app_dvol')] } },
      { db: { image: 'other', volumes: [{ ...named, source: 'cache' }] } },
    ],
    [
      'with the image alone in common',
      { db: { held: [volume('app_dvol')] } },
      { cache: { image: 'pg:1', volumes: [{ ...named, source: 'cache' }] } },
    ],
    [
      'with the place alone in common',
      { db: { held: [volume('app_dvol')] } },
      { cache: { image: 'other', volumes: [named] } },
    ],
  ])('is not refused: %s', (_, going, services) => {
    expect(refusal('app', going, services)).toBeUndefined()
  })
})

describe('a service under another name', () => {
  const named = { type: 'volume', source: 'dbvol', target: '/vol' }

  test.each<[string, Going, Readonly<Record<string, unknown>>, string]>([
    [
      'with its volume',
      { db: { held: [volume('shop_dvol')] } },
      { database: { image: 'pg:1', volumes: [named] } },
      'shop_dvol',
    ],
    [
      'with a newer image',
      { db: { held: [volume('shop_dvol')] } },
      { database: { image: 'pg:2', volumes: [named] } },
      'shop_dvol',
    ],
    ['with a volume of the image', { db: { held: [volume(anonymous)] } }, { database: { image: 'pg:1' } }, anonymous],
    [
      'with a volume without a name',
      { db: { held: [volume(anonymous)] } },
      { database: { image: 'pg:1', volumes: [{ type: 'volume', target: '/vol' }] } },
      anonymous,
    ],
    [
      'with a mount above',
      { db: { held: [volume('shop_dvol', '/vol/data')] } },
      { database: { image: 'pg:1', volumes: [named] } },
      'shop_dvol',
    ],
  ])('%s', (_, going, services, from) => {
    const refused = refusal('shop', going, services)
    expect(refused?.message).toContain(`db has ${from} mounted at /vol`)
    expect(refused?.message).toContain('database, which takes its place, would have ')
    expect(refused?.problems[0]?.remedy).toContain('keep the name of the service')
    expect(refusal('shop', going, services, { moveMounts: [from] })).toBeUndefined()
  })

  test.each<[string, Going, Readonly<Record<string, unknown>>]>([
    [
      'that mounts what the old one has',
      { db: { held: [volume('shop_dbvol')] } },
      { database: { image: 'pg:1', volumes: [named] } },
    ],
    [
      'two of one image, each with its own volume',
      { one: { held: [volume('shop_onevol')] }, two: { held: [volume('shop_dbvol')] } },
      {
        first: { image: 'pg:1', volumes: [{ ...named, source: 'onevol' }] },
        second: { image: 'pg:1', volumes: [named] },
      },
    ],
    ['of another image', { db: { held: [volume('shop_dvol')] } }, { database: { image: 'x', volumes: [named] } }],
    [
      'that is declared still',
      { db: { held: [volume('shop_dvol')] } },
      { db: { image: 'pg:1' }, more: { image: 'pg:1', volumes: [named] } },
    ],
    [
      'of which there is to be none',
      { db: { held: [volume('shop_dvol')] } },
      { database: { image: 'pg:1', scale: 0, volumes: [named] } },
    ],
    [
      'that runs already',
      { db: { held: [volume('shop_dvol')] }, database: { held: [] } },
      { database: { image: 'pg:1', volumes: [named] } },
    ],
  ])('is not refused: %s', (_, going, services) => {
    expect(refusal('shop', going, services)).toBeUndefined()
  })
})

function refusal(
  project: string,
  going: Going,
  services: Readonly<Record<string, unknown>>,
  more: Partial<ComposeResource> = {},
) {
  const volumes = Object.fromEntries(
    ['dvol', 'dbvol', 'onevol', 'cache'].map((name) => [name, { name: `shop_${name}` }]),
  )
  const declared = parseModel(JSON.stringify({ services, volumes })).services
  const desired = { ...shop, ...more }
  const places = { real: (path: string) => path }
  const projects: readonly GoingProject[] = [
    {
      containers: Object.entries(going).map(([service, { image = 'pg:1' }]) => container(project, service, image)),
      held: Object.entries(going).flatMap(([service, { held }]) => held.map((one) => ({ ...one, service }))),
    },
  ]
  const predecessors = predecessorsIn(desired, declared, projects)
  return moveRefusal(desired, movedMounts(predecessorChanges(predecessors, declared, places), desired.files, places))
}

function container(project: string, service: string, image: string): Container {
  return { id: service, project, service, image, file: `/srv/compose/${project}/compose.yaml` } as Container
}

const shop: ComposeResource = {
  kind: 'compose',
  id: resourceId('compose', 'shop'),
  project: 'shop',
  directory: absolutePathSchema.parse('/srv/compose/shop'),
  file: absolutePathSchema.parse('/srv/compose/shop/compose.yaml'),
  sha256: sha256Schema.parse('0'.repeat(64)),
  files: [{ path: absolutePathSchema.parse('/srv/compose/shop/app.conf'), sha256: sha256Schema.parse('0'.repeat(64)) }],
  state: 'running',
  registries: [],
  allowMounts: [],
  allow: [],
  moveMounts: [],
}
