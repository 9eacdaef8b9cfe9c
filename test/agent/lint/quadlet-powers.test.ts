// What a quadlet gives its container of the host: refused by lint and by hosts, by the same names as in a compose file.
import { describe, expect, test } from 'vitest'
import { desire } from '../desire/fleet.ts'
import { at, container, linted, refusedOnHost, withFile } from './quadlet-fleet.ts'

describe.each<[name: string, text: string, line: number, allow: string, why: RegExp]>([
  ['x.container', container('Network=host'), 3, 'allow: [network-host]', /^Network=host: it reaches/],
  ['x.container', container('Network=ns:/run/netns/x'), 3, 'allow: [network-host]', /reaches/],
  ['x.container', container('Network=container:db'), 3, 'allow: [container:db]', /joins a container/],
  ['x.pod', '[Pod]\nNetwork=host\n', 2, 'allow: [network-host]', /reaches/],
  ['x.kube', '[Kube]\nYaml=y.yaml\nNetwork=host\n', 3, 'allow: [network-host]', /reaches/],
  ['x.build', '[Build]\nImageTag=x\nNetwork=host\n', 3, 'allow: [build-network-host]', /reaches/],
  ['x.build', '[Build]\nSecret=id=k,src=/srv/k\n', 2, 'allow: [build-secrets]', /secrets of the host/],
  ['x.container', container('UserNS=host'), 3, 'allow: [userns-host]', /its root is the root/],
  [
    'x.container',
    container('AddCapability=CAP_SYS_ADMIN CHOWN'),
    3,
    'allow: [cap:SYS_ADMIN]',
    /AddCapability=CAP_SYS_ADMIN/,
  ],
  ['x.container', container('AddDevice=-/dev/kvm:/dev/kvm:rw'), 3, 'allow: [device:/dev/kvm]', /device of the host/],
  ['x.container', container('SecurityLabelDisable=true'), 3, 'allow: [security-opt:label=disable]', /protection/],
  ['x.container', container('SecurityLabelType=spc_t'), 3, 'allow: [security-opt:label=type:spc_t]', /protection/],
  [
    'x.container',
    container('PodmanArgs=--security-opt label=type:spc_t'),
    3,
    'allow: [security-opt:label=type:spc_t]',
    /protection/,
  ],
  ['x.container', container('SeccompProfile=unconfined'), 3, 'allow: [security-opt:seccomp=unconfined]', /protection/],
  ['x.container', container('Unmask=ALL'), 3, 'allow: [security-opt:unmask=ALL]', /kernel/],
  ['x.container', container('PodmanArgs=--privileged'), 3, 'allow: [privileged]', /^PodmanArgs=--privileged: with it/],
  ['x.container', container('PodmanArgs=--rm --privileged=true -d'), 3, 'allow: [privileged]', /root here/],
  ['x.container', container('PodmanArgs=--pid=host --ipc host'), 3, 'allow: [pid-host, ipc-host]', /every process/],
  ['x.container', container('PodmanArgs=--net host --uts=host'), 3, 'allow: [network-host, uts-host]', /rename/],
  ['x.container', container('PodmanArgs=--cgroupns=host'), 3, 'allow: [cgroup-host]', /limits/],
  [
    'x.container',
    container('PodmanArgs="--cap-add=NET_ADMIN,SYS_PTRACE"'),
    3,
    'allow: [cap:NET_ADMIN, cap:SYS_PTRACE]',
    /./,
  ],
  ['x.container', container('PodmanArgs=--cap-add all'), 3, 'allow: [cap:ALL]', /by default/],
  ['x.container', container('PodmanArgs=--device /dev/sda'), 3, 'allow: [device:/dev/sda]', /device/],
  [
    'x.container',
    container('PodmanArgs=--security-opt apparmor=unconfined'),
    3,
    'allow: [security-opt:apparmor=unconfined]',
    /./,
  ],
  ['x.container', container('PodmanArgs=--volumes-from db'), 3, 'allow: [volumes-from]', /all mounts/],
  ['x.container.d/net.conf', '[Container]\nNetwork=host\n', 2, 'allow: [network-host]', /reaches/],
  ['container.d/net.conf', '[Container]\nNetwork=host\n', 2, 'allow: [network-host]', /reaches/],
  ['volume.d/net.conf', '[Volume]\nType=ext4\nDevice=/dev/sdb1\n', 2, 'allow: [volume-type:ext4]', /mount of its own/],
  ['pod.d/10.conf', '[Pod]\nVolume=/%N:/host\n', 2, 'allowMounts: [/]', /whole host/],
  ['sub/kube.d/10.conf', '[Kube]\nNetwork=host\n', 2, 'allow: [network-host]', /reaches/],
  ['x.volume', '[Volume]\nType=ext4\nDevice=/dev/sdb1\n', 2, 'allow: [volume-type:ext4]', /mount of its own/],
  ['x.yaml', 'kind: Pod\nspec:\n  hostNetwork: true\n', 3, 'allow: [network-host]', /^hostNetwork: true: it reaches/],
  ['x.yaml', 'spec: {containers: [{securityContext: {privileged: true}}]}\n', 1, 'allow: [privileged]', /root here/],
  ['x.yaml', 'kind: Pod\ncapabilities:\n  add:\n  - NET_ADMIN\n', 3, 'allow: [cap:NET_ADMIN]', /./],

  ['x.container', container('PodmanArgs=--volume="/:/host"'), 3, 'allowMounts: [/]', /^PodmanArgs=--volume=\/:\/host:/],
  ['x.container', container(String.raw`PodmanArgs=-v \x2froot:/x`), 3, 'allowMounts: [/root]', /root's home/],
  ['x.container', container('PodmanArgs=--pid="host"'), 3, 'allow: [pid-host]', /every process/],
  ['x.container', container(`PodmanArgs=--'ipc'=ho'st'`), 3, 'allow: [ipc-host]', /memory of processes/],
  [
    'x.container',
    container('PodmanArgs=--security-opt="label=disable"'),
    3,
    'allow: [security-opt:label=disable]',
    /protection/,
  ],
  ['x.container', container('PodmanArgs=--cap-add="ALL"'), 3, 'allow: [cap:ALL]', /by default/],
  ['x.container', container("Mount='type=bind,source=/etc,destination=/x'"), 3, 'allowMounts: [/etc]', /agent's own/],
  ['x.container', container("EnvironmentFile='/root/app.env'"), 3, 'allowMounts: [/root/app.env]', /root's home/],
  [
    'x.volume',
    "[Volume]\nPodmanArgs=--opt type=none -o o=bind --opt 'device=/root'\n",
    1,
    'allowMounts: [/root]',
    /home/,
  ],
  ['x.container', container('Volume=/etc/plumb:/x:ro'), 3, 'allowMounts: [/etc/plumb]', /agent's own/],
  ['x.container', container('Volume=/:/host'), 3, 'allowMounts: [/]', /whole host/],
  ['x.container', container('Volume=/var/run/docker.sock:/s'), 3, 'allowMounts: [/var/run/docker.sock]', /root here/],
  [
    'x.container',
    container('Volume=%t/podman/podman.sock:/s'),
    3,
    'allowMounts: [/run/podman/podman.sock]',
    /root here/,
  ],
  ['x.container', container('Volume=%h:/x'), 3, 'allowMounts: [/root]', /root's home/],
  ['x.container', container('Volume=../../../root:/x'), 3, 'allowMounts: [/root]', /root's home/],
  ['x.container', container('Volume=/srv/../etc/shadow:/x'), 3, 'allowMounts: [/etc/shadow]', /who is root/],
  ['x.container', container('Mount=type=bind,source=/etc,destination=/x'), 3, 'allowMounts: [/etc]', /agent's own/],
  ['x.container', container('Mount=type=glob,src=/proc/*,dst=/x'), 3, 'allowMounts: [/proc]', /kernel/],
  ['x.container', container('PodmanArgs=-v /usr/bin:/x'), 3, 'allowMounts: [/usr/bin]', /who is root/],
  ['x.container', container('PodmanArgs=--mount type=bind,src=/boot,dst=/x'), 3, 'allowMounts: [/boot]', /who is root/],
  ['x.container', container('Rootfs=/'), 3, 'allowMounts: [/]', /whole host/],
  ['x.container', container('EnvironmentFile=/root/app.env'), 3, 'allowMounts: [/root/app.env]', /root's home/],
  ['x.volume', '[Volume]\nType=none\nOptions=bind\nDevice=/etc/plumb\n', 4, 'allowMounts: [/etc/plumb]', /agent's own/],
  [
    'x.volume',
    '[Volume]\nPodmanArgs=--opt type=none --opt o=bind --opt device=/root\n',
    1,
    'allowMounts: [/root]',
    /home/,
  ],
  ['x.build', '[Build]\nVolume=/var/lib/plumb:/x\n', 2, 'allowMounts: [/var/lib/plumb]', /agent's own/],
  ['x.build', '[Build]\nSetWorkingDirectory=/root\n', 2, 'allowMounts: [/root]', /root's home/],
  ['x.pod', '[Pod]\nVolume=/var/lib/plumb/:/x\n', 2, 'allowMounts: [/var/lib/plumb]', /agent's own/],
  [
    'x.yaml',
    'volumes:\n- name: a\n  hostPath:\n    path: /root\n',
    4,
    'allowMounts: [/root]',
    /^hostPath: \/root: it is root's home/,
  ],
  ['x.yaml', 'hostPath: { path: /srv/../etc }\n', 1, 'allowMounts: [/etc]', /agent's own/],
  ['x.yaml', 'a: &p { path: /root/x }\nb: { hostPath: { <<: *p } }\n', 1, 'allowMounts: [/root/x]', /root's home/],
  [
    'x.yaml',
    'metadata: { annotations: { volume.podman.io/device: /root } }\n',
    1,
    'allowMounts: [/root]',
    /^volume.podman.io\/device: \/root: /,
  ],
  ['x.yaml', 'securityContext: { Privileged: True }\n', 1, 'allow: [privileged]', /root here/],
  ['x.yaml', 'a: 1\n---\nspec: { hostPID: yes, hostIPC: on }\n', 3, 'allow: [pid-host, ipc-host]', /every process/],
  ['x.yaml', 'seLinuxOptions: { type: spc_t }\n', 1, 'allow: [security-opt:label=type:spc_t]', /protection/],
  ['x.yaml', 'procMount: Unmasked\n', 1, 'allow: [security-opt:unmask=ALL]', /kernel/],
  [
    'x.yaml',
    'capabilities:\n  add:\n  # for the clock\n  - sys_time # it\n  - "SYS_ADMIN"\n',
    2,
    'allow: [cap:SYS_TIME, cap:SYS_ADMIN]',
    /sys_time, SYS_ADMIN/,
  ],
  ['x.yaml', 'volumes: [{name: a, hostPath: {type: Directory, path: "/etc"}}]\n', 1, 'allowMounts: [/etc]', /./],
])('%s with %j', (name, text, line, allow, why) => {
  test('is refused by lint and by hosts, unless service.yaml allows it by name', async () => {
    const files = withFile(name, text)
    const expected = [
      {
        code: 'unsafe-path',
        message: expect.stringMatching(why),
        where: { file: at(name), line },
        service: 'a',
        remedy: `If that is meant, say so in service.yaml: quadlets: { ${allow} }`,
      },
    ]
    expect((await linted(files)).problems).toMatchObject(expected)
    expect(await refusedOnHost(files)).toMatchObject(expected)
    const allowed = { ...files, 'services/a/service.yaml': `quadlets: { ${allow} }\n` }
    expect(await linted(allowed)).toMatchObject({ problems: [], warnings: [] })
    expect(await refusedOnHost(allowed)).toEqual([])
  })
})

test.each([
  ['x.container', container('Volume=/srv/x:/etc/plumb\nVolume=plumb:/x\nVolume=/data\nVolume=./conf:/c')],
  ['x.container', container('Network=n.network\nNetwork=bridge\nUserNS=auto\nUserNS=keep-id')],
  ['x.container', container('AddCapability=CHOWN NET_BIND_SERVICE\nDropCapability=all\nNoNewPrivileges=true')],
  [
    'x.container',
    container('SecurityLabelDisable=false\nSeccompProfile=/srv/seccomp.json\nPodmanArgs=--privileged=false'),
  ],
  ['x.container', container('PodmanArgs=--cpus 2 --label privileged --env X=/root -e Y=/etc')],
  [
    'x.container',
    container('Mount=type=tmpfs,destination=/proc\nMount=type=image,source=/root,destination=/x\nTmpfs=/root'),
  ],
  ['x.container', container('Secret=db,type=mount\nExec=/etc/plumb --privileged')],
  ['x.container', `${container('')}[Service]\nExecStartPre=/usr/bin/podman run --privileged x\n`],
  ['x.volume', '[Volume]\nType=nfs\nDevice=files:/export\nOptions=addr=files\n'],
  ['x.volume', '[Volume]\nType=tmpfs\nDevice=tmpfs\n'],
  ['x.yaml', '# hostNetwork: true\nprivileged: false\nvolumes: [{hostPath: {path: /srv/data}}]\n'],
  ['users/x.container', container('Network=host\nVolume=%h:/x')],
])('%s with %j is not refused', async (name, text) => {
  expect(await linted(withFile(name, text))).toMatchObject({ problems: [], warnings: [] })
  expect(await refusedOnHost(withFile(name, text))).toEqual([])
})

test.each([
  ['/run/docker.sock', '/var/run/docker.sock'],
  ['/var/run/docker.sock', '/run/docker.sock'],
])('%s allows the same place by the name %s', async (allowed, path) => {
  const files = {
    [at('x.container')]: container(`Volume=${path}:/s`),
    'services/a/service.yaml': `quadlets: { allowMounts: [${allowed}] }\n`,
  }
  expect(await linted(files)).toMatchObject({ problems: [], warnings: [] })
  expect(await refusedOnHost(files)).toEqual([])
})

test('what a template fills in is judged on the host', async () => {
  const files = {
    'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [a], vars: { net: host } } }\n',
    [at('x.container')]: container(`Network=\${{ vars.net }}`),
    'services/a/service.yaml': 'files: { /etc/containers/systemd/x.container: { template: true } }\n',
  }
  expect(await refusedOnHost(files)).toMatchObject([{ message: expect.stringContaining('Network=host: ') }])
})

test('a service whose quadlet is refused is not applied, and the others are', async () => {
  const { desired } = await desire({ [at('x.container')]: container('Network=host'), 'services/b/files/etc/b': 'b' })
  expect(desired.services.map(({ name, withheld }) => [name, withheld?.problems.length ?? 0])).toEqual([
    ['a', 1],
    ['b', 0],
  ])
})

test.each([
  ['allow: [network-host]', 'network-host is allowed, and no quadlet is given it.'],
  ['allow: [cap:SYS_ADMIN]', 'cap:SYS_ADMIN is allowed, and no quadlet is given it.'],
  ['allowMounts: [/root]', '/root may be mounted, and no quadlet names it.'],
])('%s that nothing needs is a warning', async (entry, message) => {
  const files = {
    [at('x.container')]: container('Network=n.network\nVolume=/srv:/x'),
    'services/a/service.yaml': `quadlets: { ${entry} }\n`,
  }
  const { warnings } = await linted(files)
  expect(warnings).toMatchObject([{ code: 'quadlet-allowance-unused', message, where: { line: 1 } }])
})
