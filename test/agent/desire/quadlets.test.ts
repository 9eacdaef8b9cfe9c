// What is made of quadlets: the names of their services, and the networks and volumes that podman would not change.
import { expect, test } from 'vitest'
import { podmanObjects } from '../../../agent/host/engine-objects.ts'
import { changedObjects } from '../../../agent/resources/changed-objects.ts'
import { compareSubject } from '../../../agent/resources/registry.ts'
import { unitKind } from '../../../agent/resources/unit.ts'
import type { Run } from '../../../shared/command.ts'
import { desire, desiredService, type Files, ofKind } from './fleet.ts'

const at = (name: string) => `services/a/files/etc/containers/systemd/${name}`
const quadlets = (files: Readonly<Record<string, string>>): Files =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [at(name), text]))

async function triggersOf(files: Readonly<Record<string, string>>, name: string) {
  const { triggers } = await desiredService(quadlets(files))
  return triggers.flatMap(({ on, action }) =>
    on.some((id) => id === `file:/etc/containers/systemd/${name}`) && 'unit' in action
      ? [`${action.kind} ${action.unit}`]
      : [],
  )
}

test.each([
  ['app.container', '[Container]\nImage=x\nServiceName=web\n', 'web.service'],
  ['app.container', '[Container]\nImage=x\n', 'app.service'],
  ['app.pod', '[Pod]\nServiceName=web\n', 'web.service'],
  ['app.pod', '[Pod]\n', 'app-pod.service'],
  ['app.kube', '[Kube]\nYaml=app.yaml\nServiceName=web\n', 'web.service'],
])('%s of %j is the service %s', async (name, text, unit) => {
  const service = await desiredService(quadlets({ [name]: text }))
  expect(ofKind('unit', service)).toMatchObject([{ name: unit, state: 'running' }])
  expect(await triggersOf({ [name]: text }, name)).toEqual([`restart ${unit}`])
})

test('a drop-in may name the service, and is one of it', async () => {
  const files = { 'app.container': '[Container]\n', 'app.container.d/n.conf': '[Container]\nServiceName=web\n' }
  expect(await triggersOf(files, 'app.container')).toEqual(['restart web.service'])
  expect(await triggersOf(files, 'app.container.d/n.conf')).toEqual(['restart web.service'])
})

test.each([
  ['app.build', '[Build]\nImageTag=x\n', 'app-build.service'],
  ['app.image', '[Image]\nImage=x\n', 'app-image.service'],
])('a changed %s is made again, and its container is started from it', async (name, text, unit) => {
  const files = { [name]: text, 'web.container': `[Container]\nImage=${name}\n` }
  expect(await triggersOf(files, name)).toEqual([`restart ${unit}`, 'restart web.service'])
  const service = await desiredService(quadlets(files))
  expect(ofKind('unit', service).map((one) => one.name)).toEqual(['web.service'])
})

const network = (text: string) => ({
  'n.network': `[Network]\n${text}\n`,
  'web.container': '[Container]\nNetwork=n.network:ip=10.1.0.9\n',
})
const volume = (text: string) => ({
  'v.volume': `[Volume]\n${text}\n`,
  'web.container': '[Container]\nVolume=v.volume:/x\n',
})

async function objectsOf(files: Readonly<Record<string, string>>) {
  return ofKind('unit', await desiredService(quadlets(files))).flatMap(({ objects = [] }) => objects)
}

/** As podman 5.4 prints them. */
const podman: Run = async ({ args }) => {
  const networks = [
    {
      ...{ name: 'systemd-n', driver: 'bridge', internal: false, ipv6_enabled: false, dns_enabled: true },
      ...{ subnets: [{ subnet: '10.98.1.0/24', gateway: '10.98.1.1' }], options: { mtu: '1400' } },
    },
  ]
  const volumes = [{ Name: 'systemd-v', Driver: 'local', Options: { device: 'tmpfs', o: 'nodev', type: 'tmpfs' } }]
  const known = args[1] === 'network' ? networks : volumes
  return { code: 0, stdout: JSON.stringify(args.some((arg) => /^systemd-[nv]$/.test(arg)) ? known : []), stderr: '' }
}

test.each([
  [network('Subnet=10.98.1.0/24'), []],
  [network('Subnet=10.98.2.0/24'), ['network systemd-n has subnet 10.98.1.0/24 instead of 10.98.2.0/24']],
  [network('Internal=true'), ['network systemd-n has internal false instead of true']],
  [network('Driver=macvlan'), ['network systemd-n has driver bridge instead of macvlan']],
  [network('Options=mtu=9000'), ['network systemd-n has option mtu 1400 instead of 9000']],
  [
    network('DisableDNS=yes\nIPv6=yes'),
    ['network systemd-n has IPv6 false instead of true, DNS true instead of false'],
  ],
  [network('NetworkName=other\nSubnet=10.98.2.0/24'), []],
  [volume('Device=tmpfs\nType=tmpfs'), []],
  [
    volume('Device=/dev/sdb1\nType=ext4'),
    ['volume systemd-v has option device tmpfs instead of /dev/sdb1, option type tmpfs instead of ext4'],
  ],
  [
    { 'v.volume': '[Volume]\nType=ext4\n', 'web.pod': '[Pod]\nVolume=v.volume:/x\n' },
    ['volume systemd-v has option type tmpfs instead of ext4'],
  ],
  [
    {
      'v.volume': '[Volume]\n',
      'v.volume.d/t.conf': '[Volume]\nType=ext4\n',
      'w.container': '[Container]\nMount=type=volume,source=v.volume,dst=/x\n',
    },
    ['volume systemd-v has option type tmpfs instead of ext4'],
  ],
])('networks and volumes that exist with other settings: %o', async (files, texts) => {
  const objects = await objectsOf(files)
  expect(objects).toHaveLength(1)
  expect(changedObjects(objects, await podmanObjects(objects, podman)).map(({ text }) => text)).toEqual(texts)
})

const container = (line: string) => ({ 'web.container': `[Container]\n${line}\n` })

async function madeBy(files: Readonly<Record<string, string>>, unit = 'web.service') {
  const units = ofKind('unit', await desiredService(quadlets(files)))
  return units
    .find(({ name }) => name === unit)
    ?.makes?.map((one) => `${one.kind} ${one.name} ${one.madeBy ?? ''}`.trim())
}

test.each<[Readonly<Record<string, string>>, readonly string[]]>([
  [volume('VolumeName=vault\nServiceName=maker'), ['volume vault maker.service']],
  [network('NetworkName=%p-net'), ['network n-network-net n-network.service']],
  [container('Volume=plain:/x\nVolume=/srv:/y\nVolume=/anonymous\nTmpfs=/t'), ['volume plain']],
  [container('Volume=%N:/x'), ['volume web']],
  [container('Mount=type=volume,source=a,destination=/a\nMount=type=bind,src=/b,dst=/b'), ['volume a']],
  [container('Mount=type=tmpfs,destination=/a\nMount=type=image,source=i,destination=/i'), []],
  [
    container('PodmanArgs=-v a:/a --volume=b:/b --mount "type=volume,src=c,dst=/c" --rm'),
    ['volume a', 'volume b', 'volume c'],
  ],
  [container('PodmanArgs=-dv a:/a\nPodmanArgs=-vb:/b'), ['volume a', 'volume b']],
  [{ ...container('Pod=p.pod'), 'p.pod': '[Pod]\nVolume=a:/a\nServiceName=pods\n' }, []],
  [
    { 'web.kube': '[Kube]\nYaml=w.yaml\n', 'w.yaml': 'kind: Pod\n  claimName: "a"\n  claimName: b\n' },
    ['volume a', 'volume b', 'network podman-default-kube-network'],
  ],
])('what the first start of a unit makes: %o', async (files, made) => {
  expect((await madeBy(files)) ?? []).toEqual(made)
})

test('a unit that requires the service of a volume makes it, by either name', async () => {
  const files = { 'v.volume': '[Volume]\nServiceName=maker\n', 'w.volume': '[Volume]\n' }
  const plain = { 'services/a/units/job.service': '[Unit]\nRequires=maker.service w-volume.service\n' }
  const units = ofKind('unit', await desiredService({ ...quadlets(files), ...plain }))
  expect(units[0]?.makes).toEqual([
    { kind: 'volume', name: 'systemd-v', madeBy: 'maker.service' },
    { kind: 'volume', name: 'systemd-w', madeBy: 'w-volume.service' },
  ])
  expect(await madeBy({ ...files, 'web.container': '[Unit]\nWants=v.volume\n[Container]\n' })).toEqual([
    'volume systemd-v maker.service',
  ])
})

test('one of another service counts, too, and one with specifiers is not known', async () => {
  const other = {
    'services/b/files/etc/containers/systemd/n.network': '[Network]\nInternal=true\n',
    [at('web.container')]: '[Container]\nNetwork=n.network\n',
  }
  const { desired } = await desire(other)
  const units = desired.services.flatMap((service) => ofKind('unit', service))
  expect(units).toMatchObject([{ name: 'web.service', objects: [{ kind: 'network', name: 'systemd-n' }] }])
  expect(await objectsOf(network('Subnet=10.98.%i.0/24'))).toEqual([])
})

test('is drift of the unit that uses it, whatever the baseline is, and says what to do', async () => {
  const [desired] = ofKind('unit', await desiredService(quadlets(network('Internal=true'))))
  if (desired === undefined) throw new Error('no unit')
  const objects = await podmanObjects(desired.objects ?? [], podman)
  const live = {
    attributes: { type: 'unit', enabled: 'generated', state: 'running' },
    unit: { isOfPackage: false, isStale: false, objects },
  }
  const { comparison } = compareSubject({ id: desired.id, desired, baseline: undefined }, live)
  const { drift, pending } = comparison
  expect(pending).toEqual([])
  expect(unitKind.describe(desired.id, drift)).toMatch(
    /^web.service: network systemd-n has internal false instead of true, and podman does not change what exists; to recreate it: systemctl stop n-network.service .*, podman network rm systemd-n, systemctl start web.service$/,
  )
})

test.each([
  ['v.volume', '[Volume]\nVolumeName=x\n', 'Volume=v.volume:/x', 'v-volume.service'],
  ['n.network', '[Network]\nNetworkName=x\n', 'Network=n.network', 'n-network.service'],
  ['v.volume', '[Volume]\nServiceName=maker\n', 'Volume=v.volume:/x', 'maker.service'],
])('a changed %s of %j reaches what has %s', async (name, text, line, maker) => {
  const files = {
    [name]: text,
    'app.container': `[Container]\nImage=x\n${line}\n`,
    'nightly.container': `[Container]\nImage=x\n${line}\n`,
    'other.container': '[Container]\nImage=x\n',
  }
  const timer = { 'services/a/units/nightly.timer': '[Timer]\nOnCalendar=daily\n' }
  const { triggers } = await desiredService({ ...quadlets(files), ...timer })
  const ofObject = triggers.filter(({ on }) => on.some((id) => id === `file:/etc/containers/systemd/${name}`))
  expect(ofObject.map(({ action }) => action)).toEqual([
    { kind: 'restart', unit: maker },
    { kind: 'restart', unit: 'app.service' },
  ])
})
