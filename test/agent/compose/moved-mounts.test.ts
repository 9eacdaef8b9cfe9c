// Which mounts of running containers would show other data after an apply, and what has to be said before that is done.
import { describe, expect, test } from 'vitest'
import { parseModel } from '../../../agent/host/compose-model.ts'
import type { HeldMount } from '../../../agent/host/container-mounts.ts'
import { mountChanges, movedMounts, movedTexts, moveRefusal } from '../../../agent/resources/moved-mounts.ts'
import { absolutePathSchema, resourceId, sha256Schema } from '../../../shared/names.ts'
import type { ComposeResource } from '../../../shared/resource.ts'

const bind = { kind: 'bind', service: 'db', target: '/data', isWritable: true } as const
const volume = { ...bind, kind: 'volume' } as const
const anonymous = 'a'.repeat(64)

describe('the same data', () => {
  test.each<[string, HeldMount, readonly unknown[]]>([
    [
      'the same directory',
      { ...bind, source: '/opt/app/data' },
      [{ type: 'bind', source: '/opt/app/data', target: '/data' }],
    ],
    [
      'with a slash behind its target',
      { ...bind, source: '/opt/app/data' },
      [{ type: 'bind', source: '/opt/app/data', target: '/data/' }],
    ],
    [
      'by way of a link',
      { ...bind, source: '/opt/app/data' },
      [{ type: 'bind', source: '/srv/link/data', target: '/data' }],
    ],
    ['the same volume', { ...volume, source: 'app_db' }, [{ type: 'volume', source: 'db', target: '/data' }]],
    [
      'the same directory of a volume',
      { ...volume, source: 'app_db', subpath: 'a/b' },
      [{ type: 'volume', source: 'db', target: '/data', volume: { subpath: './a//b/' } }],
    ],
    [
      'all of a volume, said so',
      { ...volume, source: 'app_db' },
      [{ type: 'volume', source: 'db', target: '/data', volume: { nocopy: true } }],
    ],
    ['a volume without a name', { ...volume, source: anonymous }, [{ type: 'volume', target: '/data' }]],
    ['a volume of the image, which the compose file does not name', { ...volume, source: anonymous }, []],
    [
      'elsewhere in the container',
      { ...bind, source: '/opt/app/data' },
      [{ type: 'bind', source: '/opt/app/data', target: '/other' }],
    ],
    [
      'of a service that is not declared any more',
      { ...bind, service: 'old', source: '/a' },
      [{ type: 'bind', source: '/b', target: '/data' }],
    ],
  ])('%s', (_, held, volumes) => {
    expect(moved([held], volumes)).toEqual([])
  })
})

describe('other data', () => {
  test.each<[string, HeldMount, readonly unknown[], string | undefined]>([
    [
      'another directory',
      { ...bind, source: '/opt/app/data' },
      [{ type: 'bind', source: '/srv/compose/app/data', target: '/data' }],
      '/srv/compose/app/data',
    ],
    ['another volume', { ...volume, source: 'old_db' }, [{ type: 'volume', source: 'db', target: '/data' }], 'app_db'],
    [
      'a directory instead of a volume',
      { ...volume, source: 'app_db' },
      [{ type: 'bind', source: '/opt/db', target: '/data' }],
      '/opt/db',
    ],
    [
      'a volume instead of a directory',
      { ...bind, source: '/opt/db' },
      [{ type: 'volume', source: 'db', target: '/data' }],
      'app_db',
    ],
    [
      'a volume instead of one without a name',
      { ...volume, source: anonymous },
      [{ type: 'volume', source: 'db', target: '/data' }],
      'app_db',
    ],
    [
      'a volume without a name instead of one with',
      { ...volume, source: 'app_db' },
      [{ type: 'volume', target: '/data' }],
      undefined,
    ],
    [
      'another directory of the same volume',
      { ...volume, source: 'app_db', subpath: 'a' },
      [{ type: 'volume', source: 'db', target: '/data', volume: { subpath: 'b' } }],
      'app_db/b',
    ],
    [
      'a directory of what was mounted as a whole',
      { ...volume, source: 'app_db' },
      [{ type: 'volume', source: 'db', target: '/data', volume: { subpath: 'a' } }],
      'app_db/a',
    ],
    [
      'all of a volume of which a directory was mounted',
      { ...volume, source: 'app_db', subpath: 'a' },
      [{ type: 'volume', source: 'db', target: '/data' }],
      'app_db',
    ],
    ['memory', { ...volume, source: 'app_db' }, [{ type: 'tmpfs', target: '/data' }], 'memory or an image'],
    [
      'an image',
      { ...bind, source: '/opt/db' },
      [{ type: 'image', source: 'x:1', target: '/data/' }],
      'memory or an image',
    ],
    [
      'read only, and not of the repository',
      { ...bind, isWritable: false, source: '/opt/html' },
      [{ type: 'bind', source: '/srv/compose/app/html', target: '/data' }],
      '/srv/compose/app/html',
    ],
  ])('%s', (_, held, volumes, to) => {
    const found = moved([held], volumes)

    const from = held.subpath === undefined ? held.source : `${held.source}/${held.subpath}`
    expect(found).toEqual([{ service: 'db', target: '/data', from, to, isManaged: false }])
    const refusal = moveRefusal(project, found)
    expect(refusal?.message).toContain(`db has ${from} mounted at /data, and would have ${to ?? 'a new volume'}`)
    expect(refusal?.problems[0]?.remedy).toContain(`compose: { moveMounts: [${from}] }`)
    expect(moveRefusal({ ...project, moveMounts: [from] }, found)).toBeUndefined()
    expect(moveRefusal({ ...project, moveMounts: ['/another'] }, found)).toBeDefined()
    expect(movedTexts(found).get('db')).toBe(`mounts ${to ?? 'a new volume'} instead of ${from} at /data`)
  })
})

describe('a mount above or below', () => {
  const data = { ...bind, source: '/opt/app/data', place: '/opt/app/data' } as const
  const part = { ...volume, source: 'app_db', place: '/volumes/app_db' } as const
  const memory = { ...bind, kind: 'volatile', source: '' } as const

  test.each<[string, readonly HeldMount[], readonly unknown[], string, string | undefined]>([
    [
      'another volume above',
      [{ ...part, target: '/pg/data', source: 'pgdata' }],
      [{ type: 'volume', source: 'db', target: '/pg' }],
      'pgdata',
      'app_db/data',
    ],
    [
      'a directory above',
      [{ ...data, target: '/pg/data/' }],
      [{ type: 'bind', source: '/opt/other', target: '/pg' }],
      '/opt/app/data',
      '/opt/other/data',
    ],
    [
      'memory above',
      [{ ...part, target: '/a/b/c' }],
      [{ type: 'tmpfs', target: '/a' }],
      'app_db',
      'memory or an image',
    ],
    [
      'a volume without a name above',
      [{ ...part, target: '/pg/data' }],
      [{ type: 'volume', target: '/pg' }],
      'app_db',
      undefined,
    ],
    [
      'a directory over a part of one',
      [data],
      [
        { type: 'bind', source: '/opt/app/data', target: '/data' },
        { type: 'bind', source: '/opt/empty', target: '/data/sub' },
      ],
      '/opt/app/data/sub',
      '/opt/empty',
    ],
    [
      'memory over a part of a volume',
      [part],
      [
        { type: 'volume', source: 'db', target: '/data' },
        { type: 'tmpfs', target: '/data/sub' },
      ],
      'app_db/sub',
      'memory or an image',
    ],
    [
      'a volume over a part of what is not mounted any more',
      [{ ...part, target: '/pg' }],
      [{ type: 'volume', source: 'other', target: '/pg/data' }],
      'app_db/data',
      'other',
    ],
  ])('%s is other data', (_, held, volumes, from, to) => {
    const found = moved(held, volumes)
    expect(found).toMatchObject([{ service: 'db', from, to, isManaged: false }])
    expect(moveRefusal(project, found)?.message).toContain(`db has ${from} mounted at `)
    expect(moveRefusal({ ...project, moveMounts: [from] }, found)).toBeUndefined()
  })

  const kept = { type: 'bind', source: '/opt/app/data', target: '/data' }
  test.each<[string, readonly HeldMount[], readonly unknown[]]>([
    [
      'the directory above that has it in it',
      [{ ...data, target: '/pg/data' }],
      [{ type: 'bind', source: '/opt/app', target: '/pg' }],
    ],
    [
      'all of the volume of which a directory was mounted',
      [{ ...part, target: '/pg/data', subpath: 'data' }],
      [{ type: 'volume', source: 'db', target: '/pg' }],
    ],
    [
      'a part of the same directory below itself',
      [data],
      [kept, { type: 'bind', source: '/opt/app/data/sub', target: '/data/sub' }],
    ],
    ['what was mounted above before', [data, { ...part, target: '/data/db' }], [kept]],
    [
      'what was mounted below before',
      [data, { ...memory, target: '/data/tmp/' }],
      [kept, { type: 'tmpfs', target: '/data/tmp' }],
    ],
    [
      'what is over memory',
      [memory],
      [
        { type: 'tmpfs', target: '/data' },
        { type: 'volume', source: 'db', target: '/data/db' },
      ],
    ],
    ['a name that begins alike', [data], [kept, { type: 'volume', source: 'db', target: '/database' }]],
    [
      'a volume of the image, which stays mounted',
      [{ ...part, source: anonymous, target: '/pg/data' }],
      [{ type: 'volume', source: 'db', target: '/pg' }],
    ],
  ])('%s is the same data', (_, held, volumes) => {
    expect(moved(held, volumes)).toEqual([])
  })

  test('nothing is covered where nothing is', () => {
    const model = { services: { db: { volumes: [kept, { type: 'tmpfs', target: '/data/new' }] } } }
    const { services } = parseModel(JSON.stringify(model))
    const asked: string[] = []
    const hasContent = (path: string) => {
      asked.push(path)
      return false
    }
    expect(movedMounts(mountChanges([data], services), [], { real: (path) => path, hasContent })).toEqual([])
    expect(asked).toEqual(['/opt/app/data/new'])
  })
})

test('memory by the short form is other data, too', () => {
  const { services } = parseModel(JSON.stringify({ services: { db: { tmpfs: ['/run', '/data:size=64m'] } } }))
  const held = { ...volume, source: anonymous }
  expect(movedMounts(mountChanges([held], services), [], { real: (path) => path })).toMatchObject([
    { to: 'memory or an image' },
  ])
})

test('what the repository itself brings moves with its project', () => {
  const files = ['app.conf', 'site/index.html'].map((path) => ({
    path: absolutePathSchema.parse(`/srv/compose/app/${path}`),
    sha256: sha256Schema.parse('0'.repeat(64)),
  }))
  const conf = { ...bind, source: '/opt/app/app.conf' }
  const site = { ...bind, isWritable: false, source: '/opt/app/site' }
  const to = (name: string) => [{ type: 'bind', source: `/srv/compose/app/${name}`, target: '/data' }]

  expect(moveRefusal(project, moved([conf], to('app.conf'), files))).toBeUndefined()
  expect(moveRefusal(project, moved([site], to('site'), files))).toBeUndefined()
  // A container may have written beside what the repository brings.
  expect(moveRefusal(project, moved([{ ...site, isWritable: true }], to('site'), files))).toBeDefined()
})

test('the directory that a project runs from is proposed when it explains every move, but never the state of the agent', () => {
  const to = [
    { type: 'bind', source: '/srv/compose/app/data', target: '/data' },
    { type: 'bind', source: '/srv/compose/app/log', target: '/log' },
  ]
  const from = (data: string, log: string) =>
    moveRefusal(
      project,
      moved(
        [
          { ...bind, source: data },
          { ...bind, target: '/log', source: log },
        ],
        to,
      ),
    )?.problems[0]?.remedy

  expect(from('/opt/app/data', '/opt/app/log')).toContain('compose: { directory: /opt/app }')
  expect(from('/opt/app/data', '/mnt/log')).not.toContain('directory:')
  expect(from('/var/lib/plumb/compose/app/data', '/var/lib/plumb/compose/app/log')).not.toContain('directory:')
})

function moved(held: readonly HeldMount[], volumes: readonly unknown[], files: ComposeResource['files'] = []) {
  const model = { services: { db: { volumes } }, volumes: { db: { name: 'app_db' } } }
  const { services } = parseModel(JSON.stringify(model))
  return movedMounts(mountChanges(held, services), files, { real: (path) => path.replace('/srv/link', '/opt/app') })
}

const project: ComposeResource = {
  kind: 'compose',
  id: resourceId('compose', 'app'),
  project: 'app',
  directory: absolutePathSchema.parse('/srv/compose/app'),
  file: absolutePathSchema.parse('/srv/compose/app/compose.yaml'),
  sha256: sha256Schema.parse('0'.repeat(64)),
  files: [],
  state: 'running',
  registries: [],
  allowMounts: [],
  allow: [],
  moveMounts: [],
}
