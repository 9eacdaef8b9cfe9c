// Six packages of Debian, configured by hand on one host: imported, linted, and applied to a second, bare one, where each answers alike. Then
// changed by hand in the night, and adopted.
import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { machineAddress } from '../../scripts/lab/places.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import { type Forge, startForge } from '../support/forge.ts'
import { makeRepository, type ServedRepository, serveRepository, type TestRepository } from '../support/git.ts'
import { artifactsDirectory, buildArtifacts } from './agent-artifacts.ts'

const imports: Readonly<Record<string, readonly string[]>> = {
  nginx: ['/etc/nginx', '/var/www/shop'],
  postgresql: ['/etc/postgresql'],
  prometheus: ['/etc/prometheus', '/etc/default/prometheus'],
  redis: ['/etc/redis', '--secrets'],
  haproxy: ['/etc/haproxy', '/etc/default/haproxy'],
  ssh: ['/etc/ssh'],
  tick: ['/etc/systemd/system/tick.service', '/etc/systemd/system/tick.timer', '/usr/local/bin/tick'],
}

describe.skipIf(labUnavailable() !== null)('a host configured by hand, and a bare one', () => {
  let lab: Lab
  let old: LabHost
  let bare: LabHost
  let fleet: TestRepository
  let served: ServedRepository
  let forge: Forge | undefined

  beforeAll(async () => {
    await buildArtifacts()
    lab = openLab({ say: console.log })
    ;[old, bare] = await Promise.all([lab.host('old'), lab.host('bare')])
    for (const host of [old, bare])
      await host.copyIn(`${artifactsDirectory}/plumb-linux-x64`, '/usr/local/bin/plumb', '0755')
    await configureByHand(old)
    fleet = await makeRepository({ 'plumb.yaml': 'version: 1\nhosts:\n  old: { services: [] } # the first\n' })
    served = await serveRepository(fleet, { address: machineAddress })
    await old.write('/root/fleet/plumb.yaml', 'version: 1\nhosts:\n  old: { services: [] } # the first\n')
  }, 900_000)
  afterAll(async () => {
    await forge?.close()
    await served?.close()
    await fleet?.remove()
    lab?.close()
  })

  test('a scan tells what was done by hand, with the import for each', async () => {
    const { code, stdout } = await old.exec(['plumb', 'import', '--scan'])
    expect(code).toBe(2)
    expect(stdout).toContain('plumb import redis-server /etc/redis\n')
    expect(stdout).toContain('plumb import nginx /etc/nginx\n')
    expect(stdout).toContain('plumb import haproxy /etc/haproxy\n')
    expect(stdout).toMatch(/plumb import prometheus .*\/etc\/default\/prometheus/)
    expect(stdout).toContain('plumb import tick /etc/systemd/system/tick.service /etc/systemd/system/tick.timer\n')
    expect(stdout).toMatch(/\nmanaged 0 of \d+ things configured by hand\n$/)
  })

  test('a password is refused with the line and a name for it, and nothing is written', async () => {
    const { code, stdout } = await old.exec(['plumb', 'import', 'redis', '/etc/redis', '--into', '/root/fleet'])
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^likely a secret: \/etc\/redis\/redis\.conf:\d+: the value of "requirepass"; as a name: requirepass \$\{\{ secrets\.redis_requirepass \}\}$/m,
    )
    expect(stdout).not.toContain(password)
    expect((await old.exec(['ls', '/root/fleet/services'])).code).not.toBe(0)
  })

  test('each is imported, and lint has nothing to say', async () => {
    for (const [name, args] of Object.entries(imports)) {
      const ran = await old.exec([
        'plumb',
        'import',
        name,
        ...args,
        '--into',
        '/root/fleet',
        '--assign',
        '--host',
        'old',
      ])
      expect(ran.stderr).toBe('')
      expect(ran.code).toBe(0)
    }
    const lint = await old.exec(['plumb', 'lint', '/root/fleet'])
    expect(lint.stdout).toBe(`${Object.keys(imports).length} services on 1 host: no problems\n`)
    expect((await old.exec(['grep', '-r', '--', password, '/root/fleet'])).stdout).toBe('')
    expect(await old.output(['stat', '-c', '%a %U', '/etc/plumb/secrets/redis_requirepass'])).toBe('600 root\n')
    await old.output(['tar', '-cf', '/root/fleet.tar', '-C', '/root/fleet', '.'])
    await take(old, fleet)
  })

  test('the apply that follows changes nothing where it came from', async () => {
    const before = await processes(old)
    const plan = await old.exec(['plumb', 'plan', '--repo', served.url, '--host', 'old'])
    expect(plan.stdout).toMatch(/^nothing to do at /)
    expect(plan.code).toBe(0)
    const apply = await old.exec(['plumb', 'apply', '--repo', served.url, '--host', 'old'], { timeoutMs: 300_000 })
    expect(apply.code).toBe(0)
    expect(await processes(old)).toEqual(before)
    const { stdout } = await old.exec(['plumb', 'check', '--repo', served.url, '--host', 'old'])
    expect(stdout).toMatch(/^in sync: 7 services/)
  }, 900_000)

  test('now the scan has what the repository has not', async () => {
    const { stdout } = await old.exec(['plumb', 'import', '--scan', '--repo', served.url, '--host', 'old', '--json'])
    const { managed, proposals } = z
      .object({ managed: z.number(), proposals: z.array(z.object({ service: z.string(), command: z.string() })) })
      .parse(JSON.parse(stdout))
    expect(managed).toBeGreaterThan(10)
    const imported = Object.values(imports).flat()
    const left = proposals.filter(({ command }) =>
      command.split(' ').some((word) => imported.some((path) => word === path || word.startsWith(`${path}/`))),
    )
    expect(left).toEqual([])
  })

  test('a bare host becomes the same, in sync, and every service answers', async () => {
    await bare.write('/etc/plumb/secrets/redis_requirepass', password, '0600')
    await bare.output(['chmod', '0700', '/etc/plumb/secrets'])
    const apply = await bare.exec(['plumb', 'apply', '--repo', served.url, '--host', 'bare'], { timeoutMs: 900_000 })
    expect(apply.code).toBe(0)
    const check = await bare.exec(['plumb', 'check', '--repo', served.url, '--host', 'bare'])
    expect(check.stdout).toMatch(/^in sync: 7 services/)
    expect(check.code).toBe(0)

    await answers(old)
    await answers(bare)
    expect(await bare.read('/etc/redis/redis.conf')).toBe(await old.read('/etc/redis/redis.conf'))
    expect(await bare.output(['stat', '-c', '%a %U %G', '/etc/redis/redis.conf'])).toBe('640 redis redis\n')
    expect(await bare.output(['ls', '/etc/nginx/sites-enabled'])).toBe('shop\n')
  }, 1_200_000)

  test('what is then changed by hand is adopted by the operator under sudo, each on a branch that is pushed', async () => {
    forge = await startForge({ gitDirectory: fleet.gitDirectory, address: machineAddress })
    await makeOperator(old, forge)
    await repairByNight(old)
    await answersAsRepaired(old)
    const repository = ['--repo', served.url, '--host', 'old']
    for (const service of Object.keys(imports)) {
      const command = [
        'plumb',
        'adopt',
        service,
        '-m',
        `${service}: as it was put right`,
        ...repository,
        '--remote',
        forge.url,
      ]
      const ran = await old.exec(['runuser', '-u', 'anna', '--', 'sudo', ...command])
      expect(ran.stderr).toBe('')
      expect(ran.stdout).toMatch(/^pushed [0-9a-f]{12} as adopt\/old-/m)
      expect(ran.code).toBe(0)
    }
    expect((await old.exec(['sh', '-c', 'ls -d /tmp/plumb-adopt-*'])).stdout).toBe('')
    const branches = (await fleet.git('branch', '--list', '--format=%(refname:short)', 'adopt/*')).split('\n')
    expect(branches).toHaveLength(Object.keys(imports).length)
    expect(await fleet.git('log', '-1', '--format=%an <%ae>', branches[0] ?? '')).toBe('Anna <anna@example.org>')
    for (const branch of branches) await fleet.git('merge', '--quiet', '--no-ff', '-m', `Merge ${branch}`, branch)
    expect(await fleet.git('log', '-p', '--format=%B', 'main')).not.toContain(password)
    expect(await fleet.git('show', 'HEAD:services/redis/files/etc/redis/redis.conf')).toMatch(
      /^timeout 300$[\s\S]*^requirepass \$\{\{ secrets\.redis_requirepass \}\}$/m,
    )
  }, 900_000)

  test('once it is merged, the host it came from has nothing to change, and the other has it and answers', async () => {
    const before = await processes(old)
    const plan = await old.exec(['plumb', 'plan', '--repo', served.url, '--host', 'old'])
    expect(plan.stdout).toMatch(/^nothing to do at /)
    const apply = await old.exec(['plumb', 'apply', '--repo', served.url, '--host', 'old'], { timeoutMs: 300_000 })
    expect(apply.stdout).toMatch(/^nothing to change: in sync at /)
    expect(await processes(old)).toEqual(before)
    expect((await old.exec(['plumb', 'check', '--repo', served.url, '--host', 'old'])).code).toBe(0)

    const fixed = await bare.exec(['plumb', 'apply', '--repo', served.url, '--host', 'bare'], { timeoutMs: 900_000 })
    expect(fixed.code).toBe(0)
    expect((await bare.exec(['plumb', 'check', '--repo', served.url, '--host', 'bare'])).code).toBe(0)
    await answers(bare)
    await answersAsRepaired(bare)
    for (const path of repaired) expect(await bare.read(path)).toBe(await old.read(path))
  }, 1_200_000)
})

const password = 'h4rd-to-guess-of-redis'

/** As people do it: packages, an editor, ln, rm. */
async function configureByHand(host: LabHost): Promise<void> {
  const packages = ['nginx', 'postgresql', 'prometheus', 'redis-server', 'haproxy', 'openssh-server']
  await host.output(['apt-get', 'update', '-q'], { timeoutMs: 300_000 })
  await host.output(['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages], { timeoutMs: 900_000 })
  const edit = (path: string, ...edits: readonly string[]) =>
    host.output(['sed', '-i', ...edits.flatMap((one) => ['-e', one]), path])
  await host.write('/etc/nginx/sites-available/shop', shop)
  await host.output(['ln', '-s', '/etc/nginx/sites-available/shop', '/etc/nginx/sites-enabled/shop'])
  await host.output(['rm', '/etc/nginx/sites-enabled/default'])
  await edit('/etc/nginx/nginx.conf', 's/# server_tokens off;/server_tokens off;/')
  await host.write('/var/www/shop/index.html', 'the shop\n')
  await edit(
    '/etc/postgresql/15/main/postgresql.conf',
    's/^port = 5432/port = 5433/',
    's/^max_connections = 100/max_connections = 37/',
  )
  await host.write('/etc/postgresql/15/main/conf.d/log.conf', "log_statement = 'ddl'\n")
  await edit('/etc/prometheus/prometheus.yml', 's/scrape_interval: *15s/scrape_interval: 20s/')
  await edit('/etc/default/prometheus', 's/^ARGS=.*/ARGS="--web.listen-address=0.0.0.0:9095"/')
  await edit('/etc/redis/redis.conf', 's/^port 6379/port 6380/', `s/^# requirepass .*/requirepass ${password}/`)
  await host.output(['sh', '-c', 'cat >> /etc/haproxy/haproxy.cfg'], { input: haproxy })
  await host.write('/etc/ssh/sshd_config.d/port.conf', 'Port 2222\nPasswordAuthentication no\n')
  await edit('/etc/ssh/sshd_config', 's/^#LoginGraceTime.*/LoginGraceTime 30/')
  await host.write('/usr/local/bin/tick', '#!/bin/sh\ndate >> /run/ticks\n', '0755')
  await host.write('/etc/systemd/system/tick.service', '[Service]\nType=oneshot\nExecStart=/usr/local/bin/tick\n')
  await host.write('/etc/systemd/system/tick.timer', '[Timer]\nOnCalendar=hourly\n[Install]\nWantedBy=timers.target\n')
  await host.output(['systemctl', 'daemon-reload'])
  await host.output(['systemctl', 'enable', '--now', '--quiet', 'tick.timer'])
  const units = ['nginx', 'postgresql', 'prometheus', 'redis-server', 'haproxy', 'ssh']
  await host.output(['systemctl', 'restart', ...units])
  await answers(host)
}

const shop = `server {
    listen 8080 default_server;
    root /var/www/shop;
}
`
const haproxy = `
frontend shop
    bind *:8081
    default_backend shop

backend shop
    server local 127.0.0.1:8080 check
`

/** A person with sudo, a git of their own, and a password for the forge that root does not have. */
async function makeOperator(host: LabHost, { credentials }: Forge): Promise<void> {
  await host.output(['apt-get', 'install', '-q', '-y', '--no-install-recommends', 'sudo', 'git'], {
    timeoutMs: 900_000,
  })
  await host.output(['useradd', '--create-home', 'anna'])
  await host.write('/etc/sudoers.d/anna', 'anna ALL=(ALL) NOPASSWD: ALL\n', '0440')
  await host.write(
    '/home/anna/.gitconfig',
    '[user]\n\tname = Anna\n\temail = anna@example.org\n[credential]\n\thelper = store\n',
  )
  await host.write('/home/anna/.git-credentials', `${credentials}\n`, '0600')
  await host.output(['chown', 'anna:', '/home/anna/.gitconfig', '/home/anna/.git-credentials'])
}

const repaired = [
  '/etc/nginx/nginx.conf',
  '/etc/systemd/system/nginx.service.d/override.conf',
  '/etc/postgresql/15/main/conf.d/log.conf',
  '/etc/prometheus/prometheus.yml',
  '/etc/redis/redis.conf',
  '/etc/haproxy/haproxy.cfg',
  '/etc/ssh/sshd_config.d/port.conf',
]

/** sed -i, an appended line, a mode, a timer that was switched off. */
async function repairByNight(host: LabHost): Promise<void> {
  const edit = (path: string, change: string) => host.output(['sed', '-i', '-e', change, path])
  const append = (path: string, line: string) =>
    host.output(['sh', '-c', 'cat >> "$1"', 'sh', path], { input: `${line}\n` })
  await edit('/etc/nginx/nginx.conf', 's/worker_connections 768/worker_connections 1024/')
  await append('/etc/postgresql/15/main/conf.d/log.conf', "work_mem = '9MB'")
  await edit('/etc/prometheus/prometheus.yml', 's/evaluation_interval: *15s/evaluation_interval: 35s/')
  await edit('/etc/redis/redis.conf', 's/^timeout 0$/timeout 300/')
  await edit('/etc/haproxy/haproxy.cfg', 's/8080 check$/8080 check inter 7s/')
  await append('/etc/ssh/sshd_config.d/port.conf', 'MaxAuthTries 3')
  await host.write('/etc/systemd/system/nginx.service.d/override.conf', '[Service]\nLimitNOFILE=4321\n')
  await host.output(['systemctl', 'daemon-reload'])
  await host.output(['chmod', '0750', '/usr/local/bin/tick'])
  await host.output(['systemctl', 'disable', '--now', '--quiet', 'tick.timer'])
  await host.output(['systemctl', 'restart', 'nginx', 'postgresql', 'prometheus', 'redis-server', 'haproxy', 'ssh'])
}

async function answersAsRepaired(host: LabHost): Promise<void> {
  const sql = ['psql', '-p', '5433', '-Atc', 'SELECT current_setting($$work_mem$$)']
  const redis = ['redis-cli', '-p', '6380', '-a', password, '--no-auth-warning', 'config', 'get', 'timeout'] as const
  await eventually(
    `${host.name} answers as it was put right`,
    async () => {
      expect(await host.output(['nginx', '-T', '-q'])).toContain('worker_connections 1024;')
      expect(await host.output(['runuser', '-u', 'postgres', '--', ...sql])).toBe('9MB\n')
      const configured = await fetch(`http://${host.address}:9095/api/v1/status/config`)
      expect(await configured.text()).toContain('evaluation_interval: 35s')
      expect(await host.output(redis)).toBe('timeout\n300\n')
      expect(await (await fetch(`http://${host.address}:8081/`)).text()).toBe('the shop\n')
      expect(await host.output(['sshd', '-T'])).toMatch(/^maxauthtries 3$/m)
      expect(await host.output(['systemctl', 'show', '-P', 'LimitNOFILE', 'nginx'])).toBe('4321\n')
      expect(await host.output(['stat', '-c', '%a', '/usr/local/bin/tick'])).toBe('750\n')
      expect((await host.exec(['systemctl', 'is-enabled', 'tick.timer'])).stdout).toBe('disabled\n')
      return true
    },
    { everyMs: 500 },
  )
}

async function answers(host: LabHost): Promise<void> {
  const page = async (port: number, path: string) => await (await fetch(`http://${host.address}:${port}${path}`)).text()
  await eventually(
    `${host.name} answers`,
    async () => {
      expect(await page(8080, '/')).toBe('the shop\n')
      expect(await page(8081, '/')).toBe('the shop\n')
      expect(await page(9095, '/-/ready')).toMatch(/is Ready/)
      expect(await page(9095, '/api/v1/status/config')).toContain('scrape_interval: 20s')
      const redis = ['redis-cli', '-p', '6380', '-a', password, '--no-auth-warning', 'ping']
      expect(await host.output(['redis-cli', '-p', '6380', 'ping'])).toMatch(/NOAUTH/)
      expect(await host.output([redis[0] ?? '', ...redis.slice(1)])).toBe('PONG\n')
      const psql = 'SELECT current_setting($$max_connections$$), current_setting($$log_statement$$)'
      const asked = ['runuser', '-u', 'postgres', '--', 'psql', '-p', '5433', '-Atc', psql] as const
      expect(await host.output(asked)).toBe('37|ddl\n')
      expect(await banner(host.address, 2222)).toMatch(/^SSH-2\.0-OpenSSH/)
      return true
    },
    { everyMs: 500 },
  )
}

function banner(address: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, address)
    socket.setTimeout(3000, () => socket.destroy(new Error('no banner')))
    socket.once('data', (chunk: Buffer) => {
      socket.destroy()
      resolve(chunk.toString('utf8'))
    })
    socket.once('error', reject)
  })
}

/** None of them may be another after an apply that had nothing to do. */
async function processes(host: LabHost): Promise<string> {
  const units = ['nginx', 'postgresql@15-main', 'prometheus', 'redis-server', 'haproxy', 'ssh', 'tick.timer']
  return await host.output(['systemctl', 'show', '-p', 'Id,MainPID,InvocationID', ...units])
}

/** The work tree of the host becomes a commit; the second host gets the same services. */
async function take(host: LabHost, fleet: TestRepository): Promise<void> {
  const archive = await host.output(['base64', '-w', '0', '/root/fleet.tar'])
  const extracting = promisify(execFile)('tar', ['-x', '--no-same-owner', '-C', fleet.directory])
  extracting.child.stdin?.end(Buffer.from(archive, 'base64'))
  await extracting
  const written = await host.read('/root/fleet/plumb.yaml')
  expect(written).toContain('# the first')
  const { hosts, ...others } = z
    .looseObject({ hosts: z.object({ old: z.object({ services: z.array(z.string()) }) }) })
    .parse(parse(written))
  expect(hosts.old.services).toEqual(Object.keys(imports))
  await fleet.commit({ 'plumb.yaml': stringify({ ...others, hosts: { ...hosts, bare: hosts.old } }) })
}
