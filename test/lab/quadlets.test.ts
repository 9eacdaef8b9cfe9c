// Quadlets on a booted host with podman: what a first apply that fails leaves of them, and what becomes of their data.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { Files } from '../agent/desire/fleet.ts'
import { importImages } from './compose-host.ts'
import { FleetHost } from './fleet-host.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`quadlets on a real host cannot be shown here: ${reason}`)

const nothing: Files = { 'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [] } }\n' }

const inService = (files: Readonly<Record<string, string>>, service = 'q'): Files =>
  Object.fromEntries(
    Object.entries(files).map(([name, text]) => [
      name === 'service.yaml'
        ? `services/${service}/${name}`
        : `services/${service}/files/etc/containers/systemd/${name}`,
      text,
    ]),
  )

const container = (lines: string, exec = 'sleep 1000') =>
  `[Container]\nImage=localhost/box:1\nPull=never\nStopTimeout=1\n${lines}\nExec=${exec}\n`
const failing = (lines: string) => container(lines, '/bin/none')

const pod = `apiVersion: v1
kind: Pod
metadata: { name: pod }
spec:
  containers:
  - { name: c, image: localhost/box:1, imagePullPolicy: Never, command: [sleep, "1000"], volumeMounts: [{ mountPath: /d, name: data }] }
  volumes: [{ name: data, persistentVolumeClaim: { claimName: claimed } }]
`

describe.skipIf(reason !== null)('on a booted Debian 13 with podman', () => {
  let lab: Lab
  let box: LabHost
  let fleet: FleetHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await lab.host('quadlets', 'trixie-podman')
    await importImages(box, 'podman')
    fleet = new FleetHost(box)
  })
  afterAll(() => {
    fleet?.close()
    lab?.close()
  })
  beforeEach(async () => {
    await fleet.apply(nothing)
  })

  const sh = (script: string) => box.output(['sh', '-c', script])
  const linesOf = async (script: string) =>
    (await sh(script))
      .split('\n')
      .filter((line) => line !== '')
      .toSorted()
  const volumes = () => linesOf("podman volume ls --format '{{.Name}}'")
  const networks = () => linesOf("podman network ls --format '{{.Name}}'")
  const left = async () => ({
    volumes: await volumes(),
    networks: await networks(),
    failed: await linesOf('systemctl list-units --all --failed --plain --no-legend --full'),
    generated: await linesOf("systemctl show --property=SourcePath '*.service' | grep /etc/containers/ || true"),
    containers: await linesOf('podman ps --all --quiet'),
  })

  test.each<[what: string, files: Readonly<Record<string, string>>]>([
    [
      'a volume and a network of quadlets',
      {
        'v.volume': '[Volume]\n',
        'n.network': '[Network]\n',
        'app.container': failing('Volume=v.volume:/v\nNetwork=n.network'),
      },
    ],
    [
      'names of their own, for objects and services',
      {
        'v.volume': '[Volume]\nVolumeName=vault\nServiceName=vault-maker\n',
        'n.network': '[Network]\nNetworkName=netty\nServiceName=net-maker\n',
        'app.container': failing(
          'ServiceName=webby\nMount=type=volume,source=v.volume,destination=/v\nNetwork=n.network:alias=x',
        ),
      },
    ],
    [
      'volumes by name alone',
      { 'app.container': failing('Volume=plain:/p\nVolume=%N-own:/q\nPodmanArgs=-v argued:/r') },
    ],
    [
      'a pod',
      {
        'v.volume': '[Volume]\n',
        'n.network': '[Network]\n',
        'p.pod': '[Pod]\nVolume=v.volume:/v\nNetwork=n.network\n',
        'app.container': failing('Pod=p.pod'),
      },
    ],
    [
      'a kube quadlet that comes up before another one fails',
      { 'k.kube': '[Kube]\nYaml=k.yaml\n', 'k.yaml': pod, 'z.container': failing('') },
    ],
    [
      'a volume that cannot be made, whose service has another name',
      {
        'v.volume': '[Volume]\nDriver=nonsense\nServiceName=maker\n',
        'app.container': container('Volume=v.volume:/v'),
      },
    ],
    [
      'a volume that the service starts itself',
      {
        'v.volume': '[Volume]\n',
        'app.container': failing(''),
        'service.yaml': 'units: { v-volume.service: { state: running } }\n',
      },
    ],
  ])('of a first apply that failed nothing is left: %s', async (_, files) => {
    const before = await left()
    const { failures } = await fleet.apply(inService(files))
    expect(failures).toHaveLength(1)
    expect(await left()).toEqual(before)
  })

  test('what was there before, and what another service uses, stays', async () => {
    await sh('podman volume create older')
    const shared = inService({ 'v.volume': '[Volume]\n', 'one.container': container('Volume=v.volume:/v') }, 'one')
    const broken = inService(
      { 'two.container': failing('Volume=v.volume:/v\nVolume=older:/o\nVolume=newer:/n') },
      'two',
    )
    const { failures } = await fleet.apply({ ...shared, ...broken })
    expect(failures).toHaveLength(1)
    expect(await volumes()).toEqual(['older', 'systemd-v'])
    expect((await sh('systemctl is-active one.service v-volume.service')).trim()).toBe('active\nactive')
    await fleet.apply(nothing)
    await sh('podman volume rm older systemd-v')
  })

  test('an update that fails keeps the data that it had, and what it made is left to a person', async () => {
    const data = inService({ 'app.container': container('Volume=data:/d', 'sh -c "echo kept > /d/x; sleep 1000"') })
    expect((await fleet.apply(data)).failures).toEqual([])
    const { failures } = await fleet.apply(inService({ 'app.container': failing('Volume=data:/d\nVolume=more:/m') }))
    expect(failures).toHaveLength(1)
    expect(await volumes()).toContain('data')
    expect((await sh('systemctl is-active app.service')).trim()).toBe('active')
    await fleet.apply(nothing)
    await sh('podman volume rm data more')
  })

  test('instances of a template leave with it, whatever ServiceName= calls them', async () => {
    const files = {
      'a@.container': container(''),
      'b@.container': container('ServiceName=other@'),
      'c@.container': container('ServiceName=third@\nContainerName=%i'),
    }
    await fleet.apply(inService(files))
    await sh('systemctl start a@1.service other@1.service third@x.service third@y.service')
    await fleet.apply(inService({ 'd.container': container('') }))
    expect(await linesOf("systemctl list-units --state=active --plain --no-legend 'a@*' 'other@*' 'third@*'")).toEqual(
      [],
    )
    expect((await left()).containers).toHaveLength(1)
  })

  test('a quadlet that would see other data is refused while there is any, and goes on with what it has', async () => {
    const writing = 'sh -c "echo kept > /d/x; sleep 1000"'
    const first = { 'v.volume': '[Volume]\n', 'app.container': container('Volume=v.volume:/d', writing) }
    expect((await fleet.apply(inService(first))).failures).toEqual([])
    const renamed = { 'w.volume': '[Volume]\n', 'app.container': container('Volume=w.volume:/d') }
    const said = 'app.service has systemd-v at /d, and will have systemd-w there'
    expect(await fleet.problems(inService(renamed))).toEqual([expect.stringContaining(said)])
    // Stopped, the container is gone, and its data is as dear.
    await sh('systemctl stop app.service')
    expect(await fleet.problems(inService(renamed))).toEqual([expect.stringContaining(said)])
    const successor = { 'w.volume': '[Volume]\n', 'site.container': container('Volume=w.volume:/d') }
    expect(await fleet.problems(inService(successor))).toEqual([
      expect.stringContaining('site.service, which takes its place, will have systemd-w there'),
    ])

    const kept = { ...renamed, 'w.volume': '[Volume]\nVolumeName=systemd-v\n' }
    expect(await fleet.problems(inService(kept))).toEqual([])
    await sh('systemctl start app.service')
    expect((await fleet.apply(inService(kept))).failures).toEqual([])
    expect(await sh('podman exec systemd-app cat /d/x')).toBe('kept\n')

    const next = { ...renamed, 'app.container': container('Volume=w.volume:/d', 'sleep 2000') }
    const meant = { ...next, 'service.yaml': 'quadlets: { moveMounts: [systemd-v] }\n' }
    expect((await fleet.apply(inService(meant))).failures).toEqual([])
    expect(await volumes()).toEqual(['systemd-v', 'systemd-w'])
    await fleet.apply(nothing)
    await sh('podman volume rm systemd-v systemd-w')
  })

  test('a volume and a network with another name reach the container', async () => {
    const app = container('Volume=v.volume:/d\nNetwork=n.network')
    const named = (name: string) => ({
      'service.yaml': 'quadlets: { moveMounts: [a] }\n',
      'v.volume': `[Volume]\nVolumeName=${name}\n`,
      'n.network': `[Network]\nNetworkName=${name}\n`,
      'app.container': app,
    })
    expect((await fleet.apply(inService(named('a')))).failures).toEqual([])
    await sh('echo > "$(podman volume inspect a --format {{.Mountpoint}})/x"')

    const outcome = await fleet.apply(inService(named('b')))

    expect(outcome.failures).toEqual([])
    const seen =
      "podman inspect systemd-app --format '{{range .Mounts}}{{.Name}} {{end}}{{range $n, $_ := .NetworkSettings.Networks}}{{$n}}{{end}}'"
    expect((await sh(seen)).trim().split(/\s+/)).toEqual(['b', 'b'])
    await fleet.apply(nothing)
    await sh('podman volume rm a b; podman network rm a b')
  })

  test('a volume that is gone is no data, and a container that was made by hand has its own', async () => {
    expect((await fleet.apply(inService({ 'app.container': container('Volume=a:/d') }))).failures).toEqual([])
    await sh('systemctl stop app.service || true; podman volume rm a')
    expect(await fleet.problems(inService({ 'app.container': container('Volume=b:/d') }))).toEqual([])
    await fleet.apply(nothing)
    await box.write(
      '/etc/containers/systemd/hand.container',
      container('Volume=mine:/d', 'sh -c "echo > /d/x; sleep 9"'),
    )
    await sh('systemctl daemon-reload; systemctl start hand.service')
    const taken = inService({ 'hand.container': container('Volume=theirs:/d') })
    expect(await fleet.problems(taken)).toEqual([
      expect.stringContaining('hand.service has mine at /d, and will have theirs there'),
    ])
    await sh('systemctl stop hand.service || true; rm /etc/containers/systemd/hand.container; systemctl daemon-reload')
    await sh('podman volume rm --all --force')
  })
})
