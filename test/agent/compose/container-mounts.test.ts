// What containers have mounted, as docker 26 and podman 5 print it.
import { expect, test } from 'vitest'
import { heldMounts } from '../../../agent/host/container-mounts.ts'
import type { Container } from '../../../agent/host/docker.ts'
import type { Run } from '../../../shared/command.ts'

const container = { id: 'abc', service: 'db' } as Container
const volume = { Type: 'volume', Name: 'app_db', Source: '/var/lib/docker/volumes/app_db/_data', RW: true }

test.each([
  [
    'docker, where the container was asked for',
    [{ ...volume, Destination: '/data' }],
    { Mounts: [{ Type: 'volume', Source: 'app_db', Target: '/data', VolumeOptions: { Subpath: 'a/b' } }] },
    [{ source: 'app_db', target: '/data', subpath: 'a/b', place: `${volume.Source}/a/b` }],
  ],
  [
    'podman, where it is mounted',
    [{ ...volume, Destination: '/data', SubPath: 'a' }],
    {},
    [{ source: 'app_db', target: '/data', subpath: 'a', place: `${volume.Source}/a` }],
  ],
  [
    'all of a volume, and of another one a directory',
    [
      { ...volume, Destination: '/data' },
      { ...volume, Name: 'app_log', Destination: '/log' },
    ],
    {
      Mounts: [
        { Target: '/log', VolumeOptions: { Subpath: 'x' } },
        { Target: '/data', VolumeOptions: {} },
      ],
    },
    [
      { source: 'app_db', target: '/data', place: volume.Source },
      { source: 'app_log', target: '/log', subpath: 'x', place: `${volume.Source}/x` },
    ],
  ],
  [
    'a volume by the short form',
    [{ ...volume, Destination: '/data' }],
    { Mounts: null, Binds: ['app_db:/data:rw'] },
    [{ source: 'app_db', target: '/data', place: volume.Source }],
  ],
])('the directory of a volume: %s', async (_, mounts, configuration, expected) => {
  const held = await heldMounts([container], answering(mounts, configuration))
  expect(held).toEqual(expected.map((one) => ({ service: 'db', kind: 'volume', isWritable: true, ...one })))
})

test.each([
  ['by the short form', [], { Mounts: null, Tmpfs: { '/data': 'size=1m' } }],
  ['by the long form', [{ Type: 'tmpfs', Source: '', Destination: '/data', RW: true }], {}],
  ['of an image', [{ Type: 'image', Source: 'x:1', Destination: '/data', RW: false }], {}],
])('a mount without data of its own: %s', async (_, mounts, configuration) => {
  const held = await heldMounts([container], answering(mounts, configuration))
  expect(held).toEqual([{ service: 'db', kind: 'volatile', source: '', target: '/data', isWritable: true }])
})

function answering(mounts: unknown, configuration: unknown): Run {
  return ({ args }) => {
    if (args[0] !== 'docker') return Promise.resolve({ code: 127, stdout: '', stderr: '' })
    const stdout =
      args[1] === 'inspect'
        ? `${['abc', JSON.stringify(mounts), JSON.stringify(configuration)].join('\t')}\n`
        : 'docker version 26'
    return Promise.resolve({ code: 0, stdout, stderr: '' })
  }
}
