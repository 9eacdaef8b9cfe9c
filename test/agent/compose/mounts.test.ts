// What a compose file may mount of the host, and what only when service.yaml allows it.
import { expect, test } from 'vitest'
import { parseModel } from '../../../agent/host/compose-model.ts'
import {
  powerRefusal,
  reachedByVolumes,
  reachedPaths,
  withVolumePowers,
} from '../../../agent/resources/compose-mounts.ts'
import { absolutePathSchema, resourceId, sha256Schema } from '../../../shared/names.ts'
import { allowancePattern } from '../../../shared/repository/compose-power.ts'
import type { ComposeResource, EngineObject } from '../../../shared/resource.ts'

const directory = '/srv/compose/shop'

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
  ['/root', "root's home"],
  ['/root/.ssh', 'ssh keys'],
  ['/etc/cron.daily', 'who is root here'],
  ['/etc/docker/daemon.json', 'who is root here'],
  ['/etc/udev/rules.d', 'who is root here'],
  ['/lib/systemd/system', 'who is root here'],
  ['/home/anna/.ssh/authorized_keys', 'ssh keys'],
  ['/var/lib/docker/volumes', 'the data of all containers'],
  ['/run/dbus/system_bus_socket', 'a container is root'],
  ['/var/run/dbus', 'a container is root'],
  ['/run/systemd/private', 'a container is root'],
  ['/run/libvirt/libvirt-sock', 'a container is root'],
  ['/var/lib/incus/unix.socket', 'a container is root'],
  ['/var/snap/lxd/common/lxd/unix.socket', 'a container is root'],
  ['/run/user/0/bus', 'a container is root'],
  ['/run/user/1000', 'as a user of the host'],
  ['/run/user/1000/bus', 'as a user of the host'],
  ['/var/run/user/1000/systemd/private', 'as a user of the host'],
  ['/usr/local/bin/plumb', "the agent's own"],
  ['/etc/systemd/system/plumb.service', "the agent's own"],
  ['/usr/local', 'much of the host'],
  ['/etc/sudoers.d', 'decides who is root'],
  ['/bin', 'decides who is root'],
  ['/boot', 'decides who is root'],
  ['/run', 'is in it, and it is the agent'],
  ['/var/run', 'is in it, and it is the agent'],
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

test.each([
  ['the data of the engine, on another disk', '/data/docker/volumes', ['/var/lib/docker/volumes'], '/var/lib/docker'],
  ["root's home", '/data/root', ['/data/root', '/root'], "root's home"],
  ["the agent's state", '/data/agent', ['/var/lib/plumb'], "the agent's own"],
])('what a bind mount of the host shows elsewhere is refused: %s', (_, path, others, why) => {
  const asked = [{ service: 'web', path, resolved: path, others }]
  const message = powerRefusal(project, [], asked)?.message
  expect(message).toContain(`web mounts ${path}, which is ${others.at(-1)}: `)
  expect(message).toContain(why.startsWith('/') ? 'the data of all containers' : why)
  expect(powerRefusal({ ...project, allowMounts: [absolutePathSchema.parse(path)] }, [], asked)).toBeUndefined()
})

test("a project's own directory may be on another disk", () => {
  const path = `${directory}/data`
  expect(powerRefusal(project, [], [{ service: 'web', path, resolved: path, others: ['/root/shop/data'] }])).toBe(
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

test.each<[string, Readonly<Record<string, string>>, string | undefined]>([
  ['a file system of the kernel', { type: 'proc', device: 'proc' }, 'volume-type:proc'],
  ['a disk', { type: 'ext4', device: '/dev/sdb1' }, 'volume-type:ext4'],
  ['layers of directories', { type: 'overlay', device: 'overlay', o: 'lowerdir=/srv/a:/srv/b' }, 'volume-type:overlay'],
  ['a mount of no kind', { device: 'x' }, 'volume-type:none'],
  ['a bind of a harmless place', { type: 'none', o: 'rw,bind', device: '/srv/data' }, undefined],
  ['a bind that names another type', { type: 'ext4', o: 'bind', device: '/srv/data' }, undefined],
  ['memory', { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }, undefined],
  ['nfs, whatever it exports', { type: 'nfs', o: 'addr=10.0.0.1,rw', device: ':/' }, undefined],
  ['cifs', { type: 'cifs', o: 'addr=nas', device: '//nas/share' }, undefined],
  ['a limit', { o: 'size=1m' }, undefined],
])('a volume that is %s, declared or there already', (_, options, allowance) => {
  const volumes = { v: { name: 'shop_v', driver_opts: options } }
  const mounted = { web: { volumes: [{ type: 'volume', source: 'v', target: '/v' }] } }
  const declared = parseModel(JSON.stringify({ services: mounted, volumes })).services
  const external = parseModel(JSON.stringify({ services: mounted, volumes: { v: { name: 'shop_v', external: true } } }))
  const settings = new Map(
    Object.entries({ driver: 'local', ...prefixed(options) }).map(([key, value]) => [key, [value]]),
  )
  const existing: readonly EngineObject[] = [{ kind: 'volume', name: 'shop_v', settings }]

  for (const services of [declared, withVolumePowers(external.services, existing)]) {
    const refused = powerRefusal(project, services, [])
    const line = `If that is meant, say so in service.yaml: compose: { allow: [${allowance}] }`
    expect(refused?.problems[0]?.remedy).toBe(allowance === undefined ? undefined : line)
    if (allowance === undefined) continue
    expect(allowance).toMatch(allowancePattern)
    expect(powerRefusal({ ...project, allow: [allowance] }, services, [])).toBeUndefined()
  }
})

test.each(['/', '/var/lib', '/etc/plumb/secrets'])('a volume that is there already may be a mount of %s', (device) => {
  const model = {
    services: { web: { volumes: [{ type: 'volume', source: 'v', target: '/v' }] }, other: {} },
    volumes: { v: { name: 'rootvol', external: true } },
  }
  const { services } = parseModel(JSON.stringify(model))
  const settings = new Map([
    ['option type', ['none']],
    ['option o', ['bind']],
    ['option device', [device]],
  ])
  const reached = reachedByVolumes(services, [{ kind: 'volume', name: 'rootvol', settings }])
  const asked = reached.map((one) => ({ ...one, resolved: one.path, others: [] }))

  const refused = powerRefusal(project, [], asked)
  expect(refused?.message).toContain(`web has, by its volume rootvol, mounted ${device}: `)
  expect(refused?.problems[0]?.remedy).toContain(`allowMounts: [${device}]`)
  expect(powerRefusal({ ...project, allowMounts: [absolutePathSchema.parse(device)] }, [], asked)).toBeUndefined()
  expect(reachedByVolumes(services, [{ kind: 'volume', name: 'another', settings }])).toEqual([])
})

function prefixed(options: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [`option ${key}`, value]))
}

test('a project that lies where nothing may be mounted is no exception', () => {
  for (const directory of ['/etc/sudoers.d', '/etc/systemd/app', '/root/app'])
    expect(refusal(`${directory}/data`, { directory: absolutePathSchema.parse(directory) })).toContain(directory)
})

test.each<[string, unknown, Readonly<Record<string, unknown>>]>([
  ['its default one', undefined, { default: { name: 'host', external: true } }],
  ['one of a list', ['front', 'out'], { front: { name: 'app_front' }, out: { name: 'host', external: true } }],
  ['one with settings, by its driver', { out: null }, { out: { driver: 'host' } }],
])('the network of the host as %s is refused', (_, own, networks) => {
  const model = { services: { web: { ...(own === undefined ? {} : { networks: own }) } }, networks }
  const { services } = parseModel(JSON.stringify(model))
  expect(powerRefusal(project, services, [])?.problems[0]?.remedy).toContain('allow: [network-host]')
  expect(powerRefusal({ ...project, allow: ['network-host'] }, services, [])).toBeUndefined()
})

function refusal(path: string, more: Partial<ComposeResource> = {}, resolved = path): string | undefined {
  return powerRefusal({ ...project, ...more }, [], [{ service: 'web', path, resolved, others: [] }])?.message
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
  allow: [],
  moveMounts: [],
}

test.each<[string, Readonly<Record<string, unknown>>, readonly string[]]>([
  ['privileged', { privileged: true }, ['privileged']],
  ['privileged, as a word', { privileged: 'True' }, ['privileged']],
  ['a privileged hook', { post_start: [{ command: 'true', privileged: true }] }, ['privileged']],
  [
    'namespaces of the host',
    { network_mode: 'host', pid: 'host', ipc: 'host' },
    ['network-host', 'pid-host', 'ipc-host'],
  ],
  ['more of them', { uts: 'host', userns_mode: 'host', cgroup: 'host' }, ['uts-host', 'userns-host', 'cgroup-host']],
  ['a namespace of a container', { network_mode: 'container:vpn' }, ['container:vpn']],
  ['capabilities', { cap_add: ['NET_ADMIN', 'CAP_SYS_PTRACE', 'ALL'] }, ['cap:NET_ADMIN', 'cap:SYS_PTRACE', 'cap:ALL']],
  [
    'devices',
    { devices: ['/dev/net/tun:/dev/net/tun:rwm', { source: '/dev/dri' }] },
    ['device:/dev/net/tun', 'device:/dev/dri'],
  ],
  ['rules for devices', { device_cgroup_rules: ['c 1:3 mr'] }, ['device-cgroup-rules']],
  [
    'security options',
    { security_opt: ['seccomp:unconfined', 'label=disable', 'label:type:spc_t'] },
    ['security-opt:seccomp=unconfined', 'security-opt:label=disable', 'security-opt:label=type:spc_t'],
  ],
  ['a type of label', { security_opt: ['label=type:spc_t'] }, ['security-opt:label=type:spc_t']],
  ['mounts of others', { volumes_from: ['container:x'] }, ['volumes-from']],
  ['a program', { provider: { type: 'x' } }, ['provider']],
  ['what is for developing', { develop: { watch: [{ path: '.', action: 'sync' }] } }, ['watch']],
  [
    'what a build gets',
    { build: { secrets: [{ source: 'x' }], ssh: ['default'], privileged: true, network: 'host' } },
    ['build-secrets', 'build-ssh', 'build-privileged', 'build-network-host'],
  ],
])('%s: refused, unless allowed by name', (_, written, allow) => {
  const { services } = parseModel(JSON.stringify({ services: { web: written } }))

  const refused = powerRefusal(project, services, [])

  expect(refused?.problems[0]?.remedy).toBe(
    `If that is meant, say so in service.yaml: compose: { allow: [${allow.join(', ')}] }`,
  )
  expect(refused?.message).toContain('web has ')
  expect(powerRefusal({ ...project, allow }, services, [])).toBeUndefined()
  for (const each of allow) {
    expect(each).toMatch(allowancePattern)
    expect(powerRefusal({ ...project, allow: allow.filter((other) => other !== each) }, services, [])).toBeDefined()
  }
})

test.each<[string, Readonly<Record<string, unknown>>]>([
  [
    'capabilities that containers have anyway',
    { cap_drop: ['ALL'], cap_add: ['NET_BIND_SERVICE', 'CAP_CHOWN', 'setuid'] },
  ],
  ['a protection', { security_opt: ['no-new-privileges:true', 'apparmor=docker-default'] }],
  ['namespaces of the project', { network_mode: 'service:vpn', pid: 'service:vpn', ipc: 'private', cgroup: 'private' }],
  ['what is not privileged, as a word', { privileged: 'false' }],
  ['nothing of it', { privileged: false, devices: [], cap_add: null, build: { context: '/srv/compose/shop' } }],
])('%s: not refused', (_, written) => {
  const { services } = parseModel(JSON.stringify({ services: { web: written } }))
  expect(powerRefusal(project, services, [])).toBeUndefined()
})

test('one line allows everything, with what is allowed already', () => {
  const { services } = parseModel(JSON.stringify({ services: { web: { privileged: true, cap_add: ['NET_ADMIN'] } } }))
  const path = '/run/docker.sock'

  const refused = powerRefusal({ ...project, allow: ['pid-host'] }, services, [
    { service: 'web', path, resolved: path, others: [] },
  ])

  expect(refused?.problems[0]?.remedy).toContain(
    'compose: { allow: [pid-host, privileged, cap:NET_ADMIN], allowMounts: [/run/docker.sock] }',
  )
})
