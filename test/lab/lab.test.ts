// The lab itself: what tests on booted hosts rely on.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LabHost } from '../../scripts/lab/host.ts'
import { allHosts, type Lab, labUnavailable, openLab, removeLeftovers } from '../../scripts/lab/lab.ts'
import { bridge, deviceOf, hostDirectoryOf, machineAddress } from '../../scripts/lab/places.ts'
import { isAlive } from '../../scripts/lab/records.ts'
import { eventually } from '../../scripts/lab/waiting.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`lab tests are left out: ${reason}`)

describe.skipIf(reason !== null)('two bare hosts', () => {
  let lab: Lab
  let one: LabHost
  let two: LabHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    one = await lab.host('one')
    two = await lab.host('two')
    await one.output(['apt-get', 'install', '--yes', '--quiet', 'busybox'])
    await one.write('/srv/index.html', 'hello from one\n')
    const unit = '[Service]\nExecStart=busybox httpd -f -p 80 -h /srv\n[Install]\nWantedBy=multi-user.target\n'
    await one.write('/etc/systemd/system/web.service', unit)
    await one.output(['systemctl', 'enable', '--now', 'web.service'])
  })

  afterAll(() => lab?.close())

  test('a host runs its own systemd, under its own name and machine id', async () => {
    const states = await Promise.all([one, two].map((host) => host.output(['systemctl', 'is-system-running'])))
    const names = await Promise.all([one, two].map((host) => host.output(['hostname'])))
    const ids = await Promise.all([one, two].map((host) => host.read('/etc/machine-id')))

    expect(states).toEqual(['running\n', 'running\n'])
    expect(names).toEqual(['one\n', 'two\n'])
    expect(new Set(ids).size).toBe(2)
  })

  test('a bare host has curl and none of what the agent must do without', async () => {
    const has = async (program: string) => (await two.exec(['which', program])).code === 0

    expect(await has('curl')).toBe(true)
    for (const program of ['node', 'git', 'nginx', 'python3', 'docker'])
      expect([program, await has(program)]).toEqual([program, false])
    expect((await two.exec(['sh', '-c', 'ls /usr/lib/*/libatomic.so.1'])).code).not.toBe(0)
  })

  test('hosts reach each other and the machine, and the machine reaches them', async () => {
    const server = createServer((_, response) => response.end('hello from the machine\n')).listen(0, machineAddress)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo

    expect(await two.output(['curl', '-fsS', `http://${one.address}/`])).toBe('hello from one\n')
    expect(await two.output(['curl', '-fsS', `http://${machineAddress}:${port}/`])).toBe('hello from the machine\n')
    expect(await (await fetch(`http://${one.address}/`)).text()).toBe('hello from one\n')
    server.close()
  })

  test('the machine keeps its hardware address on the bridge, whichever hosts come and go', () => {
    // 3: it was set. One that was not is that of a host's cable, and the others send to it for a while when that host is gone.
    expect(readFileSync(`/sys/class/net/${bridge}/addr_assign_type`, 'utf8')).toBe('3\n')
  })

  test('a reboot keeps what is on the disk and starts what is enabled', async () => {
    await one.write('/root/kept', 'kept\n', '0600')
    await one.write('/run/gone', 'gone\n')
    const before = await one.read('/proc/sys/kernel/random/boot_id')

    await one.reboot()

    await one.waitForUnit('web.service')
    expect(await one.read('/root/kept')).toBe('kept\n')
    expect((await one.exec(['cat', '/run/gone'])).code).toBe(1)
    expect(await one.output(['stat', '-c', '%a', '/root/kept'])).toBe('600\n')
    expect(await one.read('/proc/sys/kernel/random/boot_id')).not.toBe(before)
    expect(await two.output(['curl', '-fsS', `http://${one.address}/`])).toBe('hello from one\n')
  })

  test('a host whose plug was pulled boots again with its disk', async () => {
    await one.write('/root/written', 'before the end\n')

    one.powerOff()
    await expect(one.exec(['true'])).rejects.toThrow('one is off')
    await one.boot()

    expect(await one.read('/root/written')).toBe('before the end\n')
    await one.waitForUnit('web.service')
  })

  test('a host whose cable was pulled can be reached again afterwards', async () => {
    const ask = ['curl', '-fsS', '--max-time', '2', `http://${one.address}/`] as const

    one.cutNetwork()
    expect((await two.exec(ask)).code).not.toBe(0)
    one.restoreNetwork()

    const answer = await eventually('one answers', () => two.output(ask))
    expect(answer).toBe('hello from one\n')
  })

  test('a program that hangs on a host is ended at its deadline', async () => {
    await expect(one.exec(['sleep', '1000'], { timeoutMs: 300 })).rejects.toThrow('did not end within 0.3 s')
    // It is dead at once; that it has been reaped takes a moment more.
    await eventually('no sleep is left', async () => {
      const programs = await one.output(['sh', '-c', 'cat /proc/[0-9]*/comm'])
      return programs.includes('sleep') ? undefined : true
    })
  })

  test('a unit that fails is said at once, with its journal', async () => {
    await one.write('/etc/systemd/system/broken.service', '[Service]\nExecStart=sh -c "echo the reason; exit 3"\n')
    await one.output(['systemctl', 'start', 'broken.service'])

    await expect(one.waitForUnit('broken.service')).rejects.toThrow('the reason')
  })
})

describe.skipIf(reason !== null)('a host with docker', () => {
  let lab: Lab
  let host: LabHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    host = await lab.host('containers', 'trixie-docker')
  })

  afterAll(() => lab?.close())

  test('a compose project runs from an image that no registry gave', async () => {
    const compose = `services:
  web:
    image: box:1
    command: [busybox, httpd, -f, -p, "80", -h, /www]
    ports: ["8080:80"]
    volumes: ["./www:/www:ro"]
    stop_signal: SIGKILL
`
    await host.write('/opt/web/compose.yaml', compose)
    await host.write('/opt/web/www/index.html', 'hello from a container\n')
    await host.output(['mkdir', '-p', '/opt/image/bin'])
    await host.output(['cp', '/bin/busybox', '/opt/image/bin/'])
    await host.output(['tar', '-C', '/opt/image', '-cf', '/opt/image.tar', '.'])
    await host.waitForUnit('docker.service')
    await host.output(['docker', 'import', '/opt/image.tar', 'box:1'])

    await host.output(['docker', 'compose', '--project-directory', '/opt/web', 'up', '-d'])

    const answer = await eventually('the container answers', () =>
      host.output(['curl', '-fsS', 'http://127.0.0.1:8080/']),
    )
    expect(answer).toBe('hello from a container\n')
    expect(await (await fetch(`http://${host.address}:8080/`)).text()).toBe(answer)
    expect(await host.output(['systemctl', 'is-system-running'])).toBe('running\n')
  })
})

describe.skipIf(reason !== null)('a run that does not end well', () => {
  const running = `
    import { openLab } from '${import.meta.dirname}/../../scripts/lab/lab.ts'
    const host = await openLab().host('abandoned')
    console.log(host.record.number)
    setInterval(() => {}, 1000)`

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('leaves nothing behind after %s', async (signal) => {
    const run = spawn(process.execPath, ['--input-type=module', '--eval', running], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(createInterface(run.stdout), 'line')
    const number = Number(line)
    const record = allHosts().find((host) => host.number === number)
    if (record?.supervisor == null) throw new Error(`host ${number} has no record`)
    const { supervisor } = record

    run.kill(signal)
    await once(run, 'exit')
    await eventually('the host ends with its run', () => !isAlive(supervisor) || undefined)
    if (signal === 'SIGKILL') removeLeftovers()

    expect(allHosts().filter((host) => host.supervisor === supervisor)).toEqual([])
    // A number that is free again may be another run's by now.
    if (allHosts().some((host) => host.number === number)) return
    expect(existsSync(hostDirectoryOf(number))).toBe(false)
    expect(existsSync(`/sys/class/net/${deviceOf(number)}`)).toBe(false)
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(hostDirectoryOf(number))
  })
})
