// Units on booted Debian hosts through whole applies: exactly what is needed is done, and the plan says it before.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { watchUnits } from '../../agent/host/watch-units.ts'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { Files } from '../agent/desire/fleet.ts'
import { FleetHost } from './fleet-host.ts'
import { answerOf, mainPid, unitState, until } from './seen.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`units on real hosts cannot be shown here: ${reason}`)

const nothing: Files = { 'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [] } }\n' }
const sleeping = '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n'

describe.skipIf(reason !== null)('on a booted Debian 12', () => {
  let lab: Lab
  let box: LabHost
  let fleet: FleetHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await lab.host('units', 'bookworm')
    fleet = new FleetHost(box)
  })
  afterAll(() => {
    fleet?.close()
    lab?.close()
  })

  const pids = async (...units: readonly string[]) => Promise.all(units.map((unit) => mainPid(box, unit)))
  const sh = (script: string) => box.output(['sh', '-c', script])

  test('instances of a template: each is restarted by its own drop-in, all by that of the template, none by that of the type', async () => {
    await fleet.apply(nothing)
    const files = {
      'services/w/units/worker@.service': sleeping,
      'services/w/service.yaml': 'units: { worker@1.service: {}, worker@2.service: {} }\n',
    }
    expect((await fleet.apply(files)).lines.slice(-2)).toEqual([
      'enable and start worker@1.service',
      'enable and start worker@2.service',
    ])
    const names = ['worker@1.service', 'worker@2.service'] as const
    const first = await pids(...names)

    const one = { ...files, 'services/w/units/worker@1.service.d/nice.conf': '[Service]\nNice=5\n' }
    expect((await fleet.apply(one)).lines.slice(1)).toEqual(['run systemctl daemon-reload', 'restart worker@1.service'])
    const second = await pids(...names)
    expect(second[0]).not.toBe(first[0])
    expect(second[1]).toBe(first[1])

    const all = { ...one, 'services/w/units/worker@.service.d/nice.conf': '[Service]\nNice=6\n' }
    await fleet.apply(all)
    const third = await pids(...names)
    expect(third.filter((pid) => second.includes(pid))).toEqual([])

    const type = { ...all, 'services/w/units/service.d/all.conf': '[Service]\nOOMScoreAdjust=10\n' }
    expect((await fleet.apply(type)).lines.slice(1)).toEqual(['run systemctl daemon-reload'])
    expect(await pids(...names)).toEqual(third)
    expect(await sh('systemctl show -P OOMScoreAdjust worker@1.service')).toBe('10\n')

    const { 'services/w/units/worker@.service.d/nice.conf': _, ...without } = type
    expect((await fleet.apply(without)).lines.slice(-2)).toEqual([
      'restart worker@1.service',
      'restart worker@2.service',
    ])
    expect(await sh('systemctl show -P Nice worker@1.service worker@2.service')).toBe('5\n\n0\n')

    const fewer = { ...without, 'services/w/service.yaml': 'units: { worker@1.service: {} }\n' }
    const before = await mainPid(box, 'worker@1.service')
    expect((await fleet.apply(fewer)).lines).toEqual(['disable and stop worker@2.service'])
    expect(await mainPid(box, 'worker@1.service')).toBe(before)
  })

  test('a timer, a path and a socket start what they are for; a change restarts them and not the job', async () => {
    await fleet.apply(nothing)
    const files = {
      'services/t/units/job.service': '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo one >> /run/jobs"\n',
      'services/t/units/job.timer': '[Timer]\nOnActiveSec=1h\n[Install]\nWantedBy=timers.target\n',
      'services/t/units/seen.service': '[Service]\nType=oneshot\nExecStart=/bin/touch /run/seen\n',
      'services/t/units/seen.path': '[Path]\nPathChanged=/run/wanted\n[Install]\nWantedBy=paths.target\n',
      'services/t/units/echo.service': '[Service]\nExecStart=/bin/sleep infinity\n',
      'services/t/units/echo.socket': '[Socket]\nListenStream=/run/echo.sock\n[Install]\nWantedBy=sockets.target\n',
    }
    expect((await fleet.apply(files)).lines.slice(-4)).toEqual([
      'run systemctl daemon-reload',
      'enable and start echo.socket',
      'enable and start job.timer',
      'enable and start seen.path',
    ])
    await sh('touch /run/wanted')
    await box.waitForUnit('seen.service', 'inactive')
    await until(
      'the path unit started its service',
      () => box.exec(['test', '-e', '/run/seen']),
      ({ code }) => code === 0,
    )

    const job = {
      ...files,
      'services/t/units/job.service': files['services/t/units/job.service'].replace('one', 'two'),
    }
    const started = await sh('systemctl show -P InvocationID job.timer')
    expect((await fleet.apply(job)).lines.slice(1)).toEqual(['run systemctl daemon-reload'])
    expect(await sh('systemctl show -P InvocationID job.timer')).toBe(started)
    expect((await box.exec(['test', '-e', '/run/jobs'])).code).toBe(1)

    const timer = {
      ...job,
      'services/t/units/job.timer': '[Timer]\nOnActiveSec=2h\n[Install]\nWantedBy=timers.target\n',
    }
    expect((await fleet.apply(timer)).lines.slice(1)).toEqual(['run systemctl daemon-reload', 'restart job.timer'])
    expect(await sh('systemctl show -P TimersMonotonic job.timer')).toContain('OnActiveUSec=2h')

    const moved = {
      ...timer,
      'services/t/units/echo.socket': files['services/t/units/echo.socket'].replace('echo.sock', 'other.sock'),
    }
    expect((await fleet.apply(moved)).lines.at(-1)).toBe('restart echo.socket')
    expect(await unitState(box, 'echo.service')).toBe('static inactive')

    // systemd refuses to start a socket whose service runs.
    await sh('systemctl start echo.service')
    const [running] = await pids('echo.service')
    expect((await fleet.apply(timer)).lines.at(-1)).toBe('restart echo.socket')
    expect(await unitState(box, 'echo.socket')).toBe('enabled active')
    expect(await pids('echo.service')).not.toContain(running)
    expect(await unitState(box, 'echo.service')).toBe('static active')
    await sh('test -S /run/echo.sock')

    const gone = await fleet.apply(nothing)
    expect(gone.lines.filter((line) => /stop | as it is/.test(line))).toEqual([
      'stop echo.service',
      'disable and stop echo.socket',
      'leave job.service as it is: it neither runs nor is enabled',
      'disable and stop job.timer',
      'disable and stop seen.path',
      'leave seen.service as it is: it neither runs nor is enabled',
    ])
    expect(
      await sh('systemctl list-units --all --plain --no-legend "job.*" "echo.*" "seen.*" | grep -v not-found || true'),
    ).toBe('')
  })

  test('a mount whose options changed is remounted and keeps its files; one of something else is mounted again, and both are undone', async () => {
    await fleet.apply(nothing)
    await sh('mkdir -p /srv/one /srv/two && touch /srv/one/1 /srv/two/2')
    const mount = (what: string, where: string, more: string) =>
      `[Mount]\nWhat=${what}\nWhere=/srv/${where}\n${more}\n[Install]\nWantedBy=multi-user.target\n`
    const files = (size: string, from: string, label = 'tmpfs'): Files => ({
      'services/m/units/srv-scratch.mount': mount(label, 'scratch', `Type=tmpfs\nOptions=size=${size},mode=0750`),
      'services/m/units/srv-shown.mount': mount(from, 'shown', `Options=bind${size === '4m' ? ',ro' : ''}`),
    })
    const sizeOf = () => sh('findmnt -n -b -o SIZE /srv/scratch')
    expect((await fleet.apply(files('1m', '/srv/one'))).failures).toEqual([])
    await sh('echo kept > /srv/scratch/data')

    const larger = await fleet.apply(files('2m', '/srv/one', 'scratch'))
    expect(larger.lines.slice(1)).toEqual(['run systemctl daemon-reload', 'reload or restart srv-scratch.mount'])
    expect(larger.changes).toContain('reloaded srv-scratch.mount')
    expect(await sh('cat /srv/scratch/data')).toBe('kept\n')
    expect((await sizeOf()).trim()).toBe('2097152')

    const other = await fleet.apply(files('2m', '/srv/two'))
    expect(other.changes).toContain('restarted srv-shown.mount')
    expect(other.changes).toContain('reloaded srv-scratch.mount')
    expect(await sh('ls /srv/shown; cat /srv/scratch/data')).toBe('2\nkept\n')

    const readOnly = await fleet.apply(files('4m', '/srv/two'))
    expect(readOnly.changes).toContain('reloaded srv-shown.mount')
    expect((await box.exec(['touch', '/srv/shown/3'])).code).not.toBe(0)

    const failing = { ...files('8m', '/srv/one'), 'services/m/service.yaml': 'checks: [{ unit: nowhere.service }]\n' }
    expect((await fleet.apply(failing)).failures).toMatchObject([{ step: 'check unit nowhere.service' }])
    expect(await sh('ls /srv/shown; cat /srv/scratch/data')).toBe('2\nkept\n')
    expect((await sizeOf()).trim()).toBe('4194304')

    // 2 MiB are in it: a remount to 1 MiB is refused, and nothing is unmounted for it.
    await sh('head -c 2097152 /dev/zero > /srv/scratch/large')
    const { failures } = await fleet.apply(files('1m', '/srv/two'))
    expect(failures[0]?.problem.remedy).toContain('triggers: [restart srv-scratch.mount]')
    expect(await sh('cat /srv/scratch/data; wc -c < /srv/scratch/large')).toBe('kept\n2097152\n')

    const asked = {
      ...files('1m', '/srv/two'),
      'services/m/service.yaml':
        'files: { /etc/systemd/system/srv-scratch.mount: { triggers: [restart srv-scratch.mount] } }\n',
    }
    expect((await fleet.apply(asked)).changes).toContain('restarted srv-scratch.mount')
    expect(await sh('ls /srv/scratch')).toBe('')
  })

  test('a connection outlives the restart of the socket that took it', async () => {
    await fleet.apply(nothing)
    const files = (path: string): Files => ({
      'services/a/units/talk@.service': '[Service]\nExecStart=/bin/cat\nStandardInput=socket\n',
      'services/a/units/talk.socket': `[Socket]\nListenStream=${path}\nAccept=yes\n[Install]\nWantedBy=sockets.target\n`,
      'services/a/units/talker.service':
        '[Service]\nExecStart=/bin/bash -c "exec 3<>/dev/tcp/127.0.0.1/7070; exec sleep infinity"\n',
      'services/a/service.yaml': 'units: { talker.service: { state: stopped } }\n',
    })
    expect((await fleet.apply(files('127.0.0.1:7070'))).failures).toEqual([])
    await sh('systemctl start talker.service')
    const talking = async () =>
      (await sh('systemctl list-units --plain --no-legend --state=running "talk@*" | wc -l')).trim()
    await until('the connection is served', talking, (count) => count === '1')
    expect((await fleet.apply(files('127.0.0.1:7071'))).changes).toContain('restarted talk.socket')
    expect(await talking()).toBe('1')
    await sh('systemctl stop talker.service')
  })

  test('instances that a person started leave with their template, come back when that fails, and stay where a package has it', async () => {
    await fleet.apply(nothing)
    await box.write('/usr/lib/systemd/system/theirs@.service', sleeping)
    const files: Files = {
      'services/i/units/hand@.service': sleeping,
      'services/i/units/hand@3.service.d/nice.conf': '[Service]\nNice=5\n',
      'services/i/units/theirs@.service': sleeping,
      'services/i/files/etc/containers/systemd/none': '',
      'services/i/service.yaml': 'units: { hand@3.service: {} }\n',
    }
    expect((await fleet.apply(files)).failures).toEqual([])
    await sh(
      'systemctl start hand@1.service hand@a-b.service theirs@1.service && systemctl enable --now hand@2.service',
    )
    await sh('systemctl start hand@4.service && systemctl stop hand@4.service')
    const states = async () =>
      (await sh('systemctl list-units --all --plain --no-legend "hand@*" "theirs@*"')).replace(/ .*/g, '').trim()
    const running = ['hand@1.service', 'hand@2.service', 'hand@3.service', 'hand@a-b.service', 'theirs@1.service']
    expect((await states()).split('\n')).toEqual(running)
    expect(await fleet.drift(files)).toEqual([])

    const failing = { 'services/i/files/etc/i': '', 'services/i/service.yaml': 'checks: [{ unit: nowhere.service }]\n' }
    expect((await fleet.apply(failing)).failures).toHaveLength(1)
    expect((await states()).split('\n')).toEqual(running)
    expect(await unitState(box, 'hand@2.service')).toBe('enabled active')

    const { lines, failures } = await fleet.apply({ 'services/i/files/etc/i': '' })
    expect(failures).toEqual([])
    expect(lines.filter((line) => line.includes('@') && !line.includes('/'))).toEqual([
      'disable and stop hand@3.service',
      'stop hand@1.service',
      'disable and stop hand@2.service',
      'stop hand@a-b.service',
    ])
    expect(await states()).toBe('theirs@1.service')
    expect(await sh('ls /etc/systemd/system/multi-user.target.wants')).not.toContain('hand@')
    await sh('systemctl stop theirs@1.service && rm /usr/lib/systemd/system/theirs@.service')
  })

  test('a service that runs gets a socket of its own', async () => {
    await fleet.apply(nothing)
    await fleet.apply({ 'services/s/units/late.service': sleeping })
    const [before] = await pids('late.service')
    const files = {
      'services/s/units/late.service': sleeping,
      'services/s/units/late.socket': '[Socket]\nListenStream=/run/late.sock\n[Install]\nWantedBy=sockets.target\n',
    }
    const { failures, lines } = await fleet.apply(files)
    expect(failures).toEqual([])
    expect(lines.at(-1)).toBe('enable and start late.socket')
    expect(await unitState(box, 'late.socket')).toBe('enabled active')
    expect(await pids('late.service')).not.toContain(before)
  })

  test('a mask stops a unit for good, one typed by hand is drift, and one that leaves the repository is taken away', async () => {
    await fleet.apply(nothing)
    const files = {
      'services/m/units/victim@.service': sleeping,
      'services/m/service.yaml':
        'units: { apt-daily.timer: { masked: true }, nowhere.service: { masked: true }, victim@1.service: {} }\n',
    }
    await sh('systemctl start apt-daily.timer')
    expect((await fleet.apply(files)).lines.slice(1)).toEqual([
      'run systemctl daemon-reload',
      'stop and mask apt-daily.timer',
      'mask nowhere.service',
      'enable and start victim@1.service',
    ])
    expect(await unitState(box, 'apt-daily.timer')).toBe('masked inactive')
    expect((await box.exec(['systemctl', 'start', 'apt-daily.timer'])).code).not.toBe(0)

    await sh('systemctl unmask --quiet apt-daily.timer && systemctl mask --quiet --runtime apt-daily.timer')
    await sh('systemctl mask --quiet victim@1.service')
    expect(await fleet.drift(files)).toEqual([
      'apt-daily.timer: masked until reboot, should be masked',
      'victim@1.service: masked, should be enabled',
    ])
    expect((await fleet.apply(files, 'everything')).lines).toEqual([
      'mask apt-daily.timer',
      'unmask and enable victim@1.service',
    ])
    const victim = { ...files, 'services/m/service.yaml': 'units: { victim@1.service: { masked: true } }\n' }
    expect((await fleet.apply(victim)).lines).toEqual([
      'unmask apt-daily.timer',
      'unmask nowhere.service',
      'stop and mask victim@1.service',
    ])
    expect(await unitState(box, 'apt-daily.timer')).toBe('enabled inactive')
    expect((await fleet.apply({ 'services/m/units/victim@.service': sleeping })).lines).toEqual([
      'unmask victim@1.service',
    ])
  })

  test('a mask is undone with the apply that made it', async () => {
    await fleet.apply(nothing)
    await fleet.apply({
      'services/m/units/kept@.service': sleeping,
      'services/m/service.yaml': 'units: { kept@1.service: {} }\n',
    })
    const { failures } = await fleet.apply({
      'services/m/units/kept@.service': sleeping,
      'services/m/service.yaml': 'units: { kept@1.service: { masked: true } }\nchecks: [{ unit: nowhere.service }]\n',
    })
    expect(failures).toMatchObject([{ step: 'check unit nowhere.service' }])
    expect(await unitState(box, 'kept@1.service')).toBe('enabled active')
  })

  test('a unit named by an alias is enabled and disabled as the unit behind it, and cannot be masked', async () => {
    await fleet.apply(nothing)
    await box.write('/usr/lib/systemd/system/mariadb.service', sleeping)
    await sh('ln -s mariadb.service /usr/lib/systemd/system/mysql.service && systemctl daemon-reload')
    const files = (said: string) => ({ 'services/s/service.yaml': `units: { mysql.service: { ${said} } }\n` })

    expect((await fleet.apply(files('enabled: true, state: running'))).lines).toEqual([
      'enable and start mysql.service',
    ])
    expect(await unitState(box, 'mariadb.service')).toBe('enabled active')
    await sh('systemctl disable mariadb.service')
    expect(await fleet.drift(files('enabled: true, state: running'))).toEqual([
      'mysql.service: disabled, should be enabled',
    ])
    await fleet.apply(files('enabled: true, state: running'), 'everything')
    expect(await unitState(box, 'mariadb.service')).toBe('enabled active')

    const { failures } = await fleet.apply(files('masked: true'))
    expect(failures[0]?.problem.message).toContain('mysql.service is an alias of mariadb.service')
    expect(await unitState(box, 'mariadb.service')).toBe('enabled active')

    expect((await fleet.apply(files('enabled: false, state: stopped'))).lines).toEqual([
      'disable and stop mysql.service',
    ])
    expect(await unitState(box, 'mariadb.service')).toBe('disabled inactive')
  })

  test('a changed [Install] section: the unit is enabled by the new links alone, and so it is after a failed apply by the old ones', async () => {
    await fleet.apply(nothing)
    const files = (install: string, start = '/bin/sleep infinity'): Files => ({
      'services/s/units/boot.service': `[Service]\nExecStart=${start}\n[Install]\n${install}\n`,
    })
    const links = () => sh('cd /etc/systemd/system && find . -type l -lname "*boot.service" | sort')
    await fleet.apply(files('WantedBy=multi-user.target'))
    expect(await links()).toBe('./multi-user.target.wants/boot.service\n')

    const other = files('WantedBy=graphical.target\nRequiredBy=own.target\nAlias=start.service')
    expect((await fleet.apply(other)).lines).toContain('reenable boot.service')
    const all = './graphical.target.wants/boot.service\n./own.target.requires/boot.service\n./start.service\n'
    expect(await links()).toBe(all)

    await sh('rm /etc/systemd/system/start.service')
    expect(await fleet.drift(other)).toHaveLength(1)
    expect((await fleet.apply(other, 'everything')).lines).toEqual(['reenable boot.service'])
    expect(await links()).toBe(all)

    expect((await fleet.apply(files('WantedBy=multi-user.target', '/bin/nothing'))).failures).toHaveLength(1)
    expect(await links()).toBe(all)
    expect(await fleet.drift(other)).toEqual([])

    expect((await fleet.apply(files(''))).lines).toContain('reenable boot.service')
    expect(await links()).toBe('')
    expect(await unitState(box, 'boot.service')).toBe('static active')
    expect((await fleet.apply(files('WantedBy=multi-user.target'))).failures).toEqual([])
    expect(await links()).toBe('./multi-user.target.wants/boot.service\n')
  })

  test('a service under another name keeps the process it runs', async () => {
    await fleet.apply(nothing)
    const files = (name: string): Files => ({
      [`services/${name}/units/named.service`]: sleeping,
      [`services/${name}/files/etc/named.conf`]: 'x',
      [`services/${name}/service.yaml`]: 'files: { /etc/named.conf: { triggers: [restart named.service] } }\n',
    })
    await fleet.apply(files('before'))
    const [pid] = await pids('named.service')
    expect(await fleet.apply(files('after'))).toMatchObject({ lines: [], changes: [] })
    expect(await pids('named.service')).toEqual([pid])
    expect((await fleet.apply({ 'services/other/files/etc/o': '' })).lines).toContain('disable and stop named.service')
  })

  test('an edit of a unit file that systemd has not read is put right and takes effect at once', async () => {
    await fleet.apply(nothing)
    const files = {
      'services/e/units/edited.service': sleeping,
      'services/e/units/resting.service': sleeping,
      'services/e/service.yaml': 'units: { resting.service: { state: stopped } }\n',
    }
    await fleet.apply(files)
    const [before] = await pids('edited.service')
    await sh('sed -i s/infinity/1000/ /etc/systemd/system/edited.service /etc/systemd/system/resting.service')
    expect(await sh('systemctl show -P NeedDaemonReload edited.service')).toBe('yes\n')
    expect((await fleet.apply(files, 'everything')).lines).toEqual([
      'write /etc/systemd/system/edited.service (content)',
      'write /etc/systemd/system/resting.service (content)',
      'run systemctl daemon-reload',
      'restart edited.service',
    ])
    expect(await pids('edited.service')).not.toContain(before)
    expect(await unitState(box, 'resting.service')).toBe('enabled inactive')
    // A unit of the host that failed stays loaded, and its file is edited without a daemon-reload.
    await box.write('/etc/systemd/system/theirs.service', sleeping)
    await sh('systemctl daemon-reload; systemctl start theirs.service; systemctl kill --signal=KILL theirs.service')
    await until(
      'it has failed',
      () => unitState(box, 'theirs.service'),
      (text) => text === 'disabled failed',
    )
    await sh('sed -i s/infinity/3000/ /etc/systemd/system/theirs.service')
    const theirs = 'units: { resting.service: { state: stopped }, theirs.service: {} }\n'
    expect((await fleet.apply({ ...files, 'services/e/service.yaml': theirs })).lines).toEqual([
      'run systemctl daemon-reload',
      'enable and start theirs.service',
    ])
    expect(await sh('systemctl show -P ExecStart theirs.service')).toContain('3000')
  })

  test('nginx: a tree that only nginx -t can judge never reaches the nginx that runs', {
    timeout: 300_000,
  }, async () => {
    await fleet.apply(nothing)
    const site = 'services/web/files/etc/nginx/conf.d/site.conf'
    const files = {
      [site]: 'server { listen 8080; location / { return 200 one; } }\n',
      'services/web/service.yaml': [
        'packages: [nginx]',
        'units: { nginx.service: {} }',
        'validate: [nginx -t -q]',
        'files: { /etc/nginx/conf.d/site.conf: { triggers: [reload nginx.service] } }',
        '',
      ].join('\n'),
    }
    const first = await fleet.apply(files)
    expect(first.failures).toEqual([])
    expect(first.lines).toEqual([
      expect.stringContaining('nginx'),
      'write /etc/nginx/conf.d/site.conf (new)',
      'validate with nginx -t -q',
      'enable and start nginx.service, unless its package does',
      'reload nginx.service if it runs',
    ])
    expect(await answerOf(box, '/')).toContain('nginx')
    const [pid] = await pids('nginx.service')

    // Each file is right by itself; together they name one server twice.
    const broken = {
      ...files,
      [site]:
        'server { listen 8080; location / { return 200 two; } }\nlimit_req_zone $remote_addr zone=z:1m rate=1r/s;\n',
      'services/web/files/etc/nginx/conf.d/limits.conf': 'limit_req_zone $remote_addr zone=z:1m rate=1r/s;\n',
    }
    const { failures } = await fleet.apply(broken)
    expect(failures).toMatchObject([
      {
        step: 'validate with nginx -t -q',
        problem: { code: 'validation-failed', message: expect.stringContaining('"z" is already bound') },
      },
    ])
    expect(await sh('ls /etc/nginx/conf.d; cat /etc/nginx/conf.d/site.conf')).toBe(`site.conf\n${files[site]}`)
    expect(await pids('nginx.service')).toEqual([pid])
    expect(await sh('curl -s http://127.0.0.1:8080/')).toBe('one')

    const { 'services/web/files/etc/nginx/conf.d/limits.conf': _, ...right } = broken
    expect((await fleet.apply(right)).lines).toEqual([
      'write /etc/nginx/conf.d/site.conf (content)',
      'validate with nginx -t -q',
      'reload nginx.service',
    ])
    await until(
      'nginx serves the new site',
      () => sh('curl -s http://127.0.0.1:8080/'),
      (text) => text === 'two',
    )
    expect(await pids('nginx.service')).toEqual([pid])

    await sh('systemctl stop nginx.service')
    expect((await fleet.apply(files)).lines).toEqual([
      'write /etc/nginx/conf.d/site.conf (content)',
      'validate with nginx -t -q',
    ])
    expect(await unitState(box, 'nginx.service')).toBe('enabled inactive')
    await sh('systemctl start nginx.service')
    const dropIn = { ...files, 'services/web/units/nginx.service.d/limits.conf': '[Service]\nLimitNOFILE=4096\n' }
    expect((await fleet.apply(dropIn)).lines.slice(-2)).toEqual([
      'run systemctl daemon-reload',
      'restart nginx.service',
    ])
    expect((await fleet.apply(files)).lines.slice(-2)).toEqual(['run systemctl daemon-reload', 'restart nginx.service'])
  })

  test('a unit that dies some seconds after the apply is told, one that a person restarts is not', {
    timeout: 600_000,
  }, async () => {
    await fleet.apply(nothing)
    const dying =
      '[Service]\nExecStart=/bin/sh -c "until rm /run/die-%N; do sleep 0.2; done; echo no more disk; exit 3"\nStandardError=null\n'
    const files = {
      'services/d/units/again.service': `${dying}Restart=always\nRestartSec=1\n[Install]\nWantedBy=multi-user.target\n`,
      'services/d/units/once.service': `${dying}[Install]\nWantedBy=multi-user.target\n`,
      'services/d/units/good.service': sleeping,
      'services/d/units/done.service':
        '[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n',
      'services/d/units/tick.timer': '[Timer]\nOnActiveSec=1s\nUnit=done.service\n[Install]\nWantedBy=timers.target\n',
    }
    expect((await fleet.apply(files)).failures).toEqual([])
    const again = await watchUnits(['again.service'], fleet.host.query)
    const once = await watchUnits(['once.service'], fleet.host.query)
    const fine = await watchUnits(['good.service', 'done.service', 'tick.timer', 'again@.service'], fleet.host.query)
    expect([await again(), await once(), await fine()]).toEqual([undefined, undefined, undefined])
    await sh('systemctl restart good.service; touch /run/die-again /run/die-once')
    const told = await until('it is told', once, (text) => text !== undefined)
    expect(told).toMatch(
      /^once\.service failed \(exit-code\)\. The journal of once\.service ends:\n[\s\S]*no more disk/,
    )
    const restarted = await until('it has restarted', again, (text) => text?.includes('restarted') === true)
    expect(restarted).toMatch(/^again\.service restarted once since the apply[\s\S]*no more disk/)
    expect(await fine()).toBeUndefined()
  })

  test('units of users are read again by the managers that run, and what users have running is left alone', {
    timeout: 600_000,
  }, async () => {
    await fleet.apply(nothing)
    await box.output(['apt-get', 'install', '--yes', '--no-install-recommends', 'libpam-systemd'], {
      timeoutMs: 900_000,
    })
    await sh('systemctl start user@0.service')
    const files = { 'services/u/files/etc/systemd/user/mine.service': '[Service]\nExecStart=/bin/sleep 1000\n' }
    const user = 'XDG_RUNTIME_DIR=/run/user/0 systemctl --user'
    const line = 'run systemctl kill --kill-whom=main --signal=HUP user@*.service'
    expect((await fleet.apply(files)).lines.slice(1)).toEqual([line])
    await sh(`${user} start mine.service`)
    const pid = await sh(`${user} show -P MainPID mine.service`)
    const changed = { 'services/u/files/etc/systemd/user/mine.service': '[Service]\nExecStart=/bin/sleep 2000\n' }
    await sh('systemctl start user@4242.service || true')
    expect((await fleet.apply(changed)).failures).toEqual([])
    await until(
      'the manager has read it',
      () => sh(`${user} show -P ExecStart mine.service`),
      (text) => text.includes('2000'),
    )
    expect(await sh(`${user} show -P MainPID mine.service`)).toBe(pid)
  })
})

describe.skipIf(reason !== null)('on a booted Debian 13', () => {
  let lab: Lab
  let box: LabHost
  let fleet: FleetHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    // The generator alone is needed: whether containers run in a container is not what is shown here.
    box = await lab.host('quadlets', 'trixie-podman')
    fleet = new FleetHost(box)
  })
  afterAll(() => {
    fleet?.close()
    lab?.close()
  })

  test('a quadlet becomes a unit by daemon-reload alone, is stopped by name, and is gone with its file', async () => {
    const container = (seconds: number) => `[Container]\nImage=none.invalid/box:1\nPull=never\nExec=sleep ${seconds}\n`
    const files = {
      'services/q/files/etc/containers/systemd/app.container': container(1000),
      'services/q/service.yaml': 'units: { app.service: { state: stopped } }\n',
    }
    const command = () => box.output(['sh', '-c', 'systemctl show -P ExecStart app.service'])
    expect((await fleet.apply(files)).lines.slice(1)).toEqual(['run systemctl daemon-reload'])
    expect(await unitState(box, 'app.service')).toBe('generated inactive')
    expect(await command()).toContain('sleep 1000')
    const next = { ...files, 'services/q/files/etc/containers/systemd/app.container': container(2000) }
    expect((await fleet.apply(next)).lines.slice(1)).toEqual(['run systemctl daemon-reload'])
    expect(await command()).toContain('sleep 2000')
    const running = { 'services/q/files/etc/containers/systemd/app.container': container(2000) }
    const { failures } = await fleet.apply(running)
    expect(failures).toMatchObject([
      { step: 'change units', problem: { message: expect.stringContaining('app.service') } },
    ])
    await fleet.apply({ 'services/q/files/etc/q.conf': '' })
    expect(await box.output(['systemctl', 'show', '-P', 'LoadState', 'app.service'])).toBe('not-found\n')
  })

  test('the managers of users read their units again here too', async () => {
    await fleet.apply(nothing)
    await box.output(['sh', '-c', 'systemctl start user@0.service'])
    const user = 'XDG_RUNTIME_DIR=/run/user/0 systemctl --user'
    await fleet.apply({ 'services/u/files/etc/systemd/user/mine.service': '[Service]\nExecStart=/bin/sleep 1000\n' })
    const show = () => box.output(['sh', '-c', `${user} show -P ExecStart mine.service`])
    expect(await show()).toContain('1000')
    await fleet.apply({ 'services/u/files/etc/systemd/user/mine.service': '[Service]\nExecStart=/bin/sleep 2000\n' })
    await until('the manager has read it', show, (text) => text.includes('2000'))
  })
})
