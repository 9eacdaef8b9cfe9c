// Units, packages and compose projects on booted Debian hosts: what a kind does, and what it sees of what people do.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCheck } from '../../agent/host/checks.ts'
import { runTools, toolSteps } from '../../agent/host/tools.ts'
import { runTrigger } from '../../agent/host/triggers.ts'
import { composeKind } from '../../agent/resources/compose.ts'
import { packageKind } from '../../agent/resources/package.ts'
import { unitKind } from '../../agent/resources/unit.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { absolutePathSchema, resourceId, sha256Schema } from '../../shared/names.ts'
import type { ComposeResource, PackageResource, UnitResource } from '../../shared/resource.ts'
import { Applied, type KindHost, kindHost } from './kind-host.ts'

describe.skipIf(labUnavailable() !== null)('on a booted Debian 12', () => {
  let lab: Lab
  let host: KindHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    host = kindHost(await lab.host('kinds', 'bookworm'))
  })
  afterAll(() => lab?.close())

  test('a unit from a file is enabled and started once, and what is done to it by hand is seen and repaired', async () => {
    await host.write('/etc/systemd/system/tick.service', service('ExecStart=/bin/sleep infinity'))
    const units = new Applied(unitKind, host)
    const desired = [
      unit('tick.service', { enabled: true, state: 'running' }),
      unit('dbus.service', { enabled: true, state: 'running' }),
      unit('apt-daily.timer', { enabled: false, state: 'stopped' }),
      unit('absent.service', { enabled: false, state: 'stopped' }),
    ]
    expect(await units.apply(desired)).toEqual([
      'enabled and started tick.service',
      'disabled and stopped apt-daily.timer',
    ])
    expect(await units.apply(desired)).toEqual([])

    await host.output('systemctl', 'mask', '--now', '--quiet', 'apt-daily.timer')
    expect(await units.differences(desired)).toEqual(['apt-daily.timer: masked, should be disabled'])
    // systemd remembers that the unit was enabled until its next daemon-reload.
    await host.output('rm', '/etc/systemd/system/multi-user.target.wants/tick.service')
    await host.output('systemctl', 'stop', 'tick.service')
    expect(await units.differences(desired)).toEqual([
      'tick.service: disabled, should be enabled; stopped, should be running',
      'apt-daily.timer: masked, should be disabled',
    ])
    expect(await units.apply(desired)).toEqual([
      'enabled and started tick.service',
      'unmasked and disabled apt-daily.timer',
    ])
    expect(await units.differences(desired)).toEqual([])
  })

  test('a unit that dies after its start fails with the end of its journal, and is put back as it was', async () => {
    await host.write('/etc/systemd/system/dies.service', service('ExecStart=/bin/sh -c "echo no port; exit 3"'))
    const units = new Applied(unitKind, host)
    const desired = [unit('dies.service', { enabled: true, state: 'running' })]
    const saved = await units.save(desired)
    await expect(units.apply(desired)).rejects.toThrow(/dies\.service was not started: it is failed.*no port/s)
    await expect(runCheck({ kind: 'unit', unit: 'dies.service' }, host.run, { withinSeconds: 0 })).rejects.toThrow(
      /The check unit dies\.service did not hold.*failed.*no port/s,
    )
    await units.restore(saved)
    expect(await stateOf(host, 'dies.service')).toBe('disabled failed')
  })

  test('a unit that leaves the repository is stopped and disabled, a unit of a package is left', async () => {
    await host.write('/etc/systemd/system/leaves.service', service('ExecStart=/bin/sleep infinity'))
    const units = new Applied(unitKind, host)
    const desired = [
      unit('leaves.service', { enabled: true, state: 'running' }),
      unit('systemd-logind.service', { state: 'running' }),
    ]
    await units.apply(desired)
    const saved = await units.save([])
    expect(await units.apply([])).toEqual([
      'disabled and stopped leaves.service',
      "left systemd-logind.service as it is: its file is a package's",
    ])
    expect(await stateOf(host, 'leaves.service')).toBe('disabled inactive')
    await units.restore(saved)
    expect(await stateOf(host, 'leaves.service')).toBe('enabled active')
  })

  test('a unit that is nowhere on the host is refused with what to add', async () => {
    const units = new Applied(unitKind, host)
    await expect(units.apply([unit('nowhere.service', { state: 'running' })])).rejects.toThrow(/no such unit.*packages/)
  })

  test('a reload reaches a running unit, leaves a stopped one alone, and names one that cannot', async () => {
    await host.write(
      '/etc/systemd/system/hears.service',
      service('ExecStart=/bin/sleep infinity\nExecReload=/bin/touch /run/heard'),
    )
    await host.write('/etc/systemd/system/deaf.service', service('ExecStart=/bin/sleep infinity'))
    await host.output('systemctl', 'daemon-reload')
    expect(await runTrigger({ kind: 'reload', unit: 'hears.service' }, host.run)).toBeUndefined()
    await host.output('systemctl', 'start', 'hears.service', 'deaf.service')
    expect(await runTrigger({ kind: 'reload', unit: 'hears.service' }, host.run)).toBe('reloaded hears.service')
    await host.output('test', '-e', '/run/heard')
    await expect(runTrigger({ kind: 'reload', unit: 'deaf.service' }, host.run)).rejects.toThrow(
      'deaf.service cannot reload: its unit has no ExecReload=. Use the trigger "restart deaf.service" instead.',
    )
    expect(await runTrigger({ kind: 'restart', unit: 'deaf.service' }, host.run)).toBe('restarted deaf.service')
  })

  test("the tools of Linux's own directories make what their files say", async () => {
    const files = {
      '/etc/sysusers.d/shop.conf': 'u shop - "Shop"\n',
      '/etc/tmpfiles.d/shop.conf': 'd /srv/shop-spool 0750 shop shop\n',
      '/etc/sysctl.d/90-shop.conf': 'net.ipv4.ip_forward = 1\n',
      '/etc/udev/rules.d/90-shop.rules': 'KERNEL=="shop", MODE="0600"\n',
      '/etc/systemd/system/shop.service': service('ExecStart=/bin/sleep infinity'),
    }
    await host.output('sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward')
    for (const [path, text] of Object.entries(files)) await host.write(path, text)
    const written = Object.keys(files).map((path) => absolutePathSchema.parse(path))
    // udev does not run in a container, so that its rules wait for a host where it does.
    expect(await runTools(toolSteps({ written, removed: [] }), host.run)).toEqual([
      'made the users of /etc/sysusers.d/shop.conf',
      'made the paths of /etc/tmpfiles.d/shop.conf',
      'set /etc/sysctl.d/90-shop.conf',
      'ran systemctl daemon-reload',
    ])
    expect(await host.output('stat', '--format', '%U %a', '/srv/shop-spool')).toBe('shop 750\n')
    expect(await host.output('cat', '/proc/sys/net/ipv4/ip_forward')).toBe('1\n')
    await host.write('/etc/tmpfiles.d/shop.conf', 'nonsense\n')
    await expect(runTools(toolSteps({ written, removed: [] }), host.run)).rejects.toThrow(/shop\.conf:1/)
  })

  test('missing packages are installed in one go, though apt is busy, and not a second time', async () => {
    const packages = new Applied(packageKind, host)
    const desired = [pkg('tree'), pkg('bash'), pkg('awk'), pkg('less')]
    expect(await packages.differences(desired)).toEqual([
      'tree: not installed, should be installed',
      'less: not installed, should be installed',
    ])
    const busy = host.output('perl', '-e', holdLock, '/var/cache/apt/archives/lock', '2')
    await host.output('timeout', '300', 'sh', '-c', 'until [ -e /run/held ]; do sleep 0.1; done')
    expect(await packages.apply(desired)).toEqual(['installed tree', 'installed less'])
    await busy
    await host.output('tree', '--version')
    expect(await packages.apply(desired)).toEqual([])
    expect(await packages.apply([])).toContain('left tree installed')
    await host.output('tree', '--version')
  })

  test('a package that does not exist is named in the words of apt', async () => {
    const packages = new Applied(packageKind, host)
    await expect(packages.apply([pkg('no-such-package')])).rejects.toThrow(
      /no-such-package not installed: .*Unable to locate package no-such-package/,
    )
  })

  test('a dpkg that was interrupted is said, with the way out', async () => {
    await host.output('touch', '/var/lib/dpkg/updates/0001')
    const packages = new Applied(packageKind, host)
    await expect(packages.apply([pkg('file')])).rejects.toThrow(/dpkg was interrupted.*dpkg --configure -a/s)
    await host.output('dpkg', '--configure', '-a')
    expect(await packages.apply([pkg('file')])).toHaveLength(1)
  })
})

describe.skipIf(labUnavailable() !== null)('on a booted Debian 13 with docker', () => {
  let lab: Lab
  let host: KindHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    host = kindHost(await lab.host('containers', 'trixie-docker'))
    await host.output('sh', '-c', importBusybox)
  })
  afterAll(() => lab?.close())

  test('only containers that see a changed file are made anew, and see it', async () => {
    const { project, projects } = await shop(host, 'reach')
    expect(await projects.apply([await project({})])).toEqual([
      'brought up reach: started db, started migrate, started web',
    ])
    expect(await projects.apply([await project({})])).toEqual([])
    const before = await containers(host, 'reach')

    expect(await projects.apply([await project({ 'README.md': 'other words' })])).toEqual([])
    expect(await containers(host, 'reach')).toEqual(before)

    expect(await projects.apply([await project({ 'app.conf': 'two' })])).toEqual(['brought up reach: recreated web'])
    expect(await host.output('docker', 'exec', 'reach-web-1', 'cat', '/etc/app.conf')).toBe('two')
    expect((await containers(host, 'reach')).get('db')).toEqual(before.get('db'))

    const later = { 'app.conf': 'two', 'db.env': 'SIZE=2' }
    expect(await projects.apply([await project(later)])).toEqual(['brought up reach: recreated db'])
    expect(await projects.apply([await project({ ...later, 'site/index.html': 'two' })])).toEqual([
      'brought up reach: recreated web',
    ])
    expect(await projects.differences([await project({ ...later, 'site/index.html': 'two' })])).toEqual([])
  })

  test('what people do to containers is seen and repaired', async () => {
    const { project, projects } = await shop(host, 'seen')
    const desired = [await project({})]
    await projects.apply(desired)
    await host.output('docker', 'stop', '-t', '1', 'seen-db-1')
    await host.output('docker', 'rm', '-f', 'seen-migrate-1')
    // As an editor does: a new file takes the name, the container keeps the old one.
    await host.output('sh', '-c', 'cd /srv/seen && cp app.conf new && mv new app.conf && echo 1 > data/written')
    expect(await projects.differences(desired)).toEqual([
      'compose project seen: db: stopped (exit code 143); migrate: missing; web: still has the replaced /etc/app.conf mounted',
    ])
    expect(await projects.apply(desired)).toEqual(['brought up seen: started db again, started migrate, recreated web'])
    expect(await projects.differences(desired)).toEqual([])

    await host.output('docker', 'tag', 'lab/box:1', 'lab/box:kept')
    await host.output('sh', '-c', 'echo other | tar -c -T /dev/null | docker import - lab/box:1')
    expect(await projects.differences(desired)).toEqual([
      'compose project seen: db: other image; migrate: other image; web: other image',
    ])
    await host.output('docker', 'tag', 'lab/box:kept', 'lab/box:1')
    expect(await projects.differences(desired)).toEqual([])
  })

  test('a failing pull and a dying container are said, and the containers of before come back', async () => {
    const { project, projects } = await shop(host, 'back')
    const good = [await project({})]
    await projects.apply(good)
    const saved = await projects.save([await project({})].map((resource) => ({ ...resource, sha256: digest('x') })))

    const unpullable = await project({ 'compose.yaml': compose.replace('lab/box:1', 'registry.invalid/none:1') })
    await expect(projects.apply([unpullable])).rejects.toThrow(
      /an image of web is not here and cannot be pulled:.*registry\.invalid/s,
    )

    const dying = await project({ 'compose.yaml': compose.replace('sleep 200000', `sh -c 'echo no disk; exit 5'`) })
    await expect(projects.apply([dying])).rejects.toThrow(/back did not come up: db: stopped \(exit code 5\).*no disk/s)

    await project({})
    await projects.restore(saved)
    expect(await projects.differences(good)).toEqual([])
  })

  test('a project is stopped, started again and taken down, and its volume outlives it', async () => {
    const { project, projects } = await shop(host, 'down')
    await projects.apply([await project({})])
    const stopped: ComposeResource = { ...(await project({})), state: 'stopped' }
    expect(await projects.apply([stopped])).toEqual(['stopped the containers of down'])
    expect(await projects.differences([stopped])).toEqual([])
    expect(await projects.apply([await project({})])).toEqual(['brought up down: started db again, started web again'])
    await host.output('rm', '-r', '/srv/down')
    expect(await projects.apply([])).toEqual(['removed the containers of down, its volumes are kept'])
    expect(await containers(host, 'down')).toEqual(new Map())
    expect(await host.output('docker', 'volume', 'ls', '--quiet')).toContain('down_kept')
  })

  test('with a docker that does not answer, a project is not known, with its words; a change says so', async () => {
    const { project, projects } = await shop(host, 'silent')
    const desired = [await project({})]
    await projects.apply(desired)
    await host.output('systemctl', 'stop', 'docker.socket', 'docker.service')
    try {
      const unknown = /docker does not answer.*systemctl status docker/s
      await expect(projects.differences(desired)).rejects.toThrow(unknown)
      await expect(projects.apply(desired)).rejects.toThrow(unknown)
    } finally {
      await host.output('systemctl', 'start', 'docker.service')
    }
  })
})

function service(lines: string): string {
  return `[Service]\n${lines}\n[Install]\nWantedBy=multi-user.target\n`
}

function unit(name: string, wanted: Pick<UnitResource, 'enabled' | 'state'>): UnitResource {
  return { kind: 'unit', id: resourceId('unit', name), name, ...wanted }
}

function pkg(name: string): PackageResource {
  return { kind: 'package', id: resourceId('package', name), name }
}

/** `enabled active` */
async function stateOf(host: KindHost, name: string): Promise<string> {
  const { stdout } = await host.run({ args: ['systemctl', 'is-enabled', name] })
  const { stdout: active } = await host.run({ args: ['systemctl', 'is-active', name] })
  return `${stdout.trim()} ${active.trim()}`
}

/** Locks as apt does, with fcntl(2): the file, then for how many seconds. */
const holdLock = `
  use Fcntl;
  open(my $file, '>', $ARGV[0]) or die;
  my $lock = pack('s s x4 q q l x4', F_WRLCK, 0, 0, 0, 0);
  fcntl($file, F_SETLKW, $lock) or die;
  open(my $held, '>', '/run/held'); close($held);
  sleep $ARGV[1];
`

const importBusybox = `
  set -e
  box=$(mktemp -d)
  mkdir -p $box/bin $box/etc $box/tmp
  cp /bin/busybox $box/bin/
  for applet in sh sleep cat true; do ln -s busybox $box/bin/$applet; done
  tar -C $box -c . | docker import - lab/box:1
  rm -r $box
`

const compose = `services:
  web:
    image: lab/box:1
    init: true
    command: sleep 100000
    volumes: [ "./app.conf:/etc/app.conf:ro", "./site:/site", "./data:/data", "kept:/kept" ]
  db:
    image: lab/box:1
    init: true
    command: sleep 200000
    env_file: db.env
  migrate:
    image: lab/box:1
    command: "true"
    restart: "no"
volumes: { kept: {} }
`

/** A project directory on the host; `project` writes its files, replacing what differs as an apply does. */
async function shop(host: KindHost, name: string) {
  const directory = `/srv/${name}`
  const on = new Map<string, string>()
  const project = async (changed: Readonly<Record<string, string>>): Promise<ComposeResource> => {
    const files = {
      'compose.yaml': compose,
      'app.conf': 'one',
      'db.env': 'SIZE=1',
      'README.md': 'words',
      'site/index.html': 'one',
      ...changed,
    }
    for (const [file, text] of Object.entries(files)) {
      if (on.get(file) === text) continue
      await host.write(`${directory}/${file}.new`, text)
      await host.output('mv', `${directory}/${file}.new`, `${directory}/${file}`)
      on.set(file, text)
    }
    return {
      kind: 'compose',
      id: resourceId('compose', name),
      project: name,
      directory: absolutePathSchema.parse(directory),
      file: absolutePathSchema.parse(`${directory}/compose.yaml`),
      sha256: digest(JSON.stringify(files)),
      files: Object.entries(files).map(([file, text]) => ({
        path: absolutePathSchema.parse(`${directory}/${file}`),
        sha256: digest(text),
      })),
      state: 'running',
      registries: [],
      allowMounts: [],
      allow: [],
      moveMounts: [],
    }
  }
  return { project, projects: new Applied(composeKind, host) }
}

function digest(text: string) {
  return sha256Schema.parse(createHash('sha256').update(text).digest('hex'))
}

/** Service -> id and start of its containers. */
async function containers(host: KindHost, project: string): Promise<ReadonlyMap<string, string>> {
  const ids = (
    await host.output('docker', 'ps', '-aq', '--filter', `label=com.docker.compose.project=${project}`)
  ).trim()
  if (ids === '') return new Map()
  const format = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
  const lines = (await host.output('docker', 'inspect', '--format', format, ...ids.split('\n'))).trim().split('\n')
  return new Map(lines.map((line) => [line.split(' ')[0] ?? '', line] as const))
}
