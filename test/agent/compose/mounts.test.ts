// What a compose file may mount of the host, and what only when service.yaml allows it.
import { expect, test } from 'vitest'
import { parseModel } from '../../../agent/host/compose-model.ts'
import { mountRefusal, reachedPaths } from '../../../agent/resources/compose-mounts.ts'
import { absolutePathSchema, resourceId, sha256Schema } from '../../../shared/names.ts'
import type { ComposeResource } from '../../../shared/resource.ts'

const directory = '/var/lib/plumb/compose/shop'

test.each([
  ['/', 'it is the whole host'],
  ['/var/run/docker.sock', 'a container is root'],
  ['/run/docker.sock', 'a container is root'],
  ['/srv/elsewhere/docker.sock', 'a container is root'],
  ['/run/podman/podman.sock', 'a container is root'],
  ['/run/containerd/containerd.sock', 'a container is root'],
  ['/proc', "the kernel's"],
  ['/sys/fs/cgroup', "the kernel's"],
  ['/dev', "the kernel's"],
  ['/var/lib/plumb', "the agent's own"],
  ['/var/lib/plumb/journal', "the agent's own"],
  ['/var/lib/plumb/compose/other', "the agent's own"],
  ['/etc/plumb/secrets', "the agent's own"],
  ['/run/plumb-docker.x', "the agent's own"],
  ['/run/plumb', "the agent's own"],
  ['/etc', '/etc/plumb is in it'],
  ['/var/lib', '/var/lib/plumb is in it'],
  ['/var', '/var/lib/plumb is in it'],
  ['/run', '/run/podman is in it'],
  ['/var/run', '/run/podman is in it'],
])('%s is refused', (path, why) => {
  expect(refusal(path)).toContain(`web mounts ${path}: `)
  expect(refusal(path)).toContain(why)
  expect(refusal(path)).toContain(`compose: { allowMounts: [${path}] }`)
  expect(refusal(path, { allowMounts: [absolutePathSchema.parse(path)] })).toBeUndefined()
})

test.each([
  directory,
  `${directory}/data`,
  '/srv/data',
  '/etc/localtime',
  '/etc/plumbing',
  '/var/lib/docker-data',
  '/dev/shm',
  '/run/postgresql',
])('%s is mounted', (path) => {
  expect(refusal(path)).toBeUndefined()
})

test('a link is looked through, and allowed by the name it has or the place it leads to', () => {
  const link = `${directory}/all`
  expect(refusal(link, {}, '/')).toContain(`web mounts ${link}, which is /: it is the whole host`)
  expect(refusal(link, { allowMounts: [absolutePathSchema.parse(link)] }, '/')).toBeUndefined()
  expect(refusal('/srv/x', {}, '/run/docker.sock')).toContain('which is /run/docker.sock')
  expect(refusal('/srv/x', { allowMounts: [absolutePathSchema.parse('/run/docker.sock')] }, '/run/docker.sock')).toBe(
    undefined,
  )
})

test('volumes that are directories of the host, secrets, configs and the API socket are looked at too', () => {
  const model = {
    services: {
      web: {
        volumes: [
          { type: 'bind', source: '/srv/a', target: '/a' },
          { type: 'volume', source: 'kept', target: '/kept' },
          { type: 'volume', source: 'tricky', target: '/tricky' },
          { type: 'volume', source: 'layers', target: '/layers' },
        ],
        secrets: [{ source: 'key' }],
        configs: [{ source: 'conf', target: '/conf' }],
      },
      agent: { use_api_socket: true },
    },
    volumes: {
      kept: { name: 'shop_kept' },
      tricky: { driver_opts: { type: 'none', o: 'bind', device: '/etc/plumb' } },
      layers: { driver_opts: { type: 'overlay', o: 'lowerdir=/:/srv/b,upperdir=/srv/c', device: 'overlay' } },
    },
    secrets: { key: { file: '/srv/key' } },
    configs: { conf: { content: 'x' } },
  }
  const reached = reachedPaths(parseModel(JSON.stringify(model)).services)
  expect(reached.map(({ service, path }) => `${service} ${path}`)).toEqual([
    'web /srv/a',
    'web /srv/key',
    'web /etc/plumb',
    'web /',
    'web /srv/b',
    'web /srv/c',
    'agent /var/run/docker.sock',
  ])
})

function refusal(path: string, more: Partial<ComposeResource> = {}, resolved = path): string | undefined {
  return mountRefusal({ ...project, ...more }, [{ service: 'web', path, resolved }])?.message
}

const project: ComposeResource = {
  kind: 'compose',
  id: resourceId('compose', 'shop'),
  project: 'shop',
  directory: absolutePathSchema.parse(directory),
  file: absolutePathSchema.parse(`${directory}/compose.yaml`),
  sha256: sha256Schema.parse('0'.repeat(64)),
  files: [],
  state: 'running',
  registries: [],
  allowMounts: [],
}
