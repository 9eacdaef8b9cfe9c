// What an apply does to a host that people depend on: a broken configuration under load, and a plug pulled halfway.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import type { Revision } from '../../shared/names.ts'
import { type FollowedHost, followedHost, serviceIn } from './followed-host.ts'
import { startLoad } from './load.ts'
import { answerOf, mainPid, traceOf, unitState, until } from './seen.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`applies on a real host cannot be shown here: ${reason}`)

describe.skipIf(reason !== null)('a host that serves', () => {
  let lab: Lab
  let followed: FollowedHost
  let good: Revision

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    followed = await followedHost(lab, 'web-1')
    good = await followed.commit(files())
    await followed.install()
  })

  afterAll(async () => {
    await followed?.close()
    lab?.close()
  })

  test('a configuration that nginx refuses never goes live, and every request of a load through the whole apply is answered', async () => {
    followed.tellMoreOnFailure()
    const { host } = followed
    const pid = await mainPid(host, 'nginx.service')
    const load = startLoad(`http://${host.address}/`)
    const broken = await followed.commit(files({ site: 'retrun 200 "two\\n";' }))
    const report = await followed.reportWith((found) => serviceIn(found, 'nginx')?.failure?.revision === broken)
    const { answered, failed, bodies } = await load.stop()
    console.log(`${answered} requests were answered while a broken configuration was refused`)
    expect(failed).toEqual([])
    expect([...bodies]).toEqual(['one\n'])
    expect(answered).toBeGreaterThan(20)
    expect(serviceIn(report, 'nginx')).toMatchObject({
      applied: good,
      failure: {
        step: 'validate with nginx -t -q',
        problem: { message: expect.stringContaining('unknown directive "retrun"') },
      },
      findings: [],
    })
    expect(serviceIn(report, 'base')).toMatchObject({ applied: broken })
    expect(await host.read('/etc/nginx/conf.d/site.conf')).toContain('return 200 "one')
    expect(await mainPid(host, 'nginx.service')).toBe(pid)
  })

  test('a good configuration comes with a reload, under the same load, without a request lost', async () => {
    followed.tellMoreOnFailure()
    const { host } = followed
    const pid = await mainPid(host, 'nginx.service')
    const load = startLoad(`http://${host.address}/`)
    good = await followed.commit(files({ site: 'return 200 "two\\n";' }))
    await followed.inSyncAt(good)
    await until(
      'nginx serves it',
      () => answerOf(host, '/'),
      (body) => body === 'two\n',
    )
    const { answered, failed, bodies } = await load.stop()
    console.log(`${answered} requests were answered through a reload`)
    expect(failed).toEqual([])
    expect([...bodies].toSorted()).toEqual(['one\n', 'two\n'])
    expect(await mainPid(host, 'nginx.service')).toBe(pid)
  })

  test('a unit that crashes five seconds after it came up is put back, and its old version runs again', async () => {
    followed.tellMoreOnFailure()
    const { host } = followed
    expect(await host.output(['cat', '/run/worker'])).toBe('one\n')
    const crashing = await followed.commit(
      files({ site: 'return 200 "two\\n";', worker: 'echo two > /run/worker; sleep 5; echo out of memory; exit 9' }),
    )
    const report = await followed.reportWith((found) => serviceIn(found, 'worker')?.failure?.revision === crashing)
    expect(serviceIn(report, 'worker')).toMatchObject({
      applied: good,
      failure: {
        step: 'stay up for 10 s',
        problem: { code: 'check-failed', message: expect.stringContaining('out of memory') },
      },
    })
    await until(
      'the old one runs',
      () => host.read('/run/worker'),
      (text) => text === 'one\n',
    )
    expect(await unitState(host, 'worker.service')).toBe('enabled active')
    good = await followed.commit(files({ site: 'return 200 "two\\n";' }))
    await followed.inSyncAt(good)
  })

  test('a host whose plug is pulled in the middle of an apply is as before after the next boot, and takes the next commit', async () => {
    followed.tellMoreOnFailure()
    const { host } = followed
    const places = ['/etc/nginx', '/etc/systemd/system', '/usr/local', '/srv']
    const before = await traceOf(host, places, [])
    const cut = await followed.commit({
      ...files({ site: 'return 200 "three\\n";' }),
      'services/nginx/service.yaml': `${nginxYaml}checks: [{ run: "sleep 60" }]\n`,
      'services/nginx/files/srv/new/file': 'new\n',
    })
    await eventually('the apply is halfway', async () => {
      const { code } = await host.exec(['test', '-e', '/srv/new/file'])
      return code === 0 ? true : undefined
    })
    host.powerOff()
    await host.boot()
    const report = await followed.reportWith((found) => serviceIn(found, 'nginx')?.failure?.revision === cut)
    expect(serviceIn(report, 'nginx')?.failure?.problem.message).toContain('interrupted')
    expect(await traceOf(host, places, [])).toBe(before)
    await until(
      'nginx serves what it did',
      () => answerOf(host, '/'),
      (body) => body === 'two\n',
    )
    good = await followed.commit(files({ site: 'return 200 "four\\n";' }))
    await followed.inSyncAt(good)
    await until(
      'nginx serves it',
      () => answerOf(host, '/'),
      (body) => body === 'four\n',
    )
  })

  test('of an agent and a person who apply at once one does it; the other waits, says for whom, and finds nothing to do', async () => {
    followed.tellMoreOnFailure()
    const { host } = followed
    const revision = await followed.commit(waiting('one'))
    await isHalfway('one')

    const sh = (script: string) => host.output(['sh', '-c', script])
    await sh('(plumb apply > /run/second 2>&1; echo exit $? >> /run/second) > /dev/null 2>&1 &')
    const second = await until(
      'the person waits',
      () => host.read('/run/second'),
      (text) => text.includes('\n'),
    )
    expect(second).toMatch(/^waits: "plumb agent" is under way: process \d+, since .*\n$/)
    const looked = await host.exec(['plumb', 'check'])
    expect(looked).toMatchObject({ code: 1, stdout: expect.stringContaining('"plumb agent" is under way') })
    await sh('touch /run/go-one')

    const ended = await until(
      'both have ended',
      () => host.read('/run/second'),
      (text) => text.includes('exit'),
    )
    expect(ended.slice(second.length)).toBe(`nothing to change: in sync at ${revision.slice(0, 12)}\nexit 0\n`)
    expect(await host.read('/run/validated-one')).toBe('once\n')
    await followed.inSyncAt(revision)
    good = revision
  })

  test('an agent that is killed in the middle of an apply is started again, puts back what it had begun, and takes the next commit', async () => {
    followed.tellMoreOnFailure()
    const { host } = followed
    const places = ['/etc/nginx', '/etc/systemd/system', '/usr/local', '/srv']
    const before = await traceOf(host, places, ['nginx.service', 'worker.service'])
    const cut = await followed.commit(waiting('two'))
    await isHalfway('two')
    expect(await traceOf(host, places, ['nginx.service', 'worker.service'])).not.toBe(before)
    const pid = await mainPid(host, 'plumb.service')

    await host.output(['systemctl', 'kill', '--signal=KILL', 'plumb.service'])

    const report = await followed.reportWith((found) => serviceIn(found, 'nginx')?.failure?.revision === cut)
    expect(serviceIn(report, 'nginx')).toMatchObject({
      applied: good,
      failure: { attempts: 1, problem: { message: expect.stringContaining('interrupted') } },
      findings: [],
    })
    expect(await traceOf(host, places, ['nginx.service', 'worker.service'])).toBe(before)
    expect(await mainPid(host, 'plumb.service')).not.toBe(pid)
    expect((await host.exec(['ls', '/var/lib/plumb/journal'])).code).not.toBe(0)
    good = await followed.commit(files({ site: 'return 200 "five\\n";' }))
    await followed.inSyncAt(good)
    expect(await host.exec(['plumb', 'check'])).toMatchObject({ code: 0 })
  })

  test('a terminal that is lost in the middle of plumb install ends nothing: the apply and the agent are there', async () => {
    followed.tellMoreOnFailure()
    const { host } = followed
    await host.output(['systemctl', 'stop', 'plumb.service'])
    const revision = await followed.commit(waiting('three'))
    const sh = (script: string) => host.output(['sh', '-c', script])
    const inBackground = 'sh -c "echo \\$\\$ > /run/install-pid; exec plumb install" > /run/install 2>&1'
    await sh(`(${inBackground}; echo exit $? >> /run/install) > /dev/null 2>&1 &`)
    await isHalfway('three')

    await sh('kill -HUP $(cat /run/install-pid)')
    await sh('touch /run/go-three')

    const ended = await until(
      'the installation has ended',
      () => host.read('/run/install'),
      (text) => text.includes('exit'),
    )
    expect(ended).toMatch(/\nplumb\.service is enabled and keeps it in sync.*\nexit 0\n$/)
    await followed.inSyncAt(revision)
    expect(await unitState(host, 'plumb.service')).toBe('enabled active')
  })

  /** An apply that stands still, with its files in place, until /run/go-NAME is there. */
  function waiting(name: string) {
    const validate = `validate:\n  - echo once >> /run/validated-${name}; until [ -e /run/go-${name} ]; do sleep 0.1; done\n`
    return {
      ...files({ site: `return 200 "${name}\\n";` }),
      'services/nginx/service.yaml': nginxYaml.replace('validate: [nginx -t -q]\n', validate),
      'services/nginx/files/srv/new/file': `${name}\n`,
    }
  }

  async function isHalfway(name: string): Promise<void> {
    await eventually('the apply is halfway', async () => {
      const { code } = await followed.host.exec(['test', '-e', `/run/validated-${name}`])
      return code === 0 ? true : undefined
    })
  }

  type Said = { readonly site?: string; readonly worker?: string }

  function files({ site = 'return 200 "one\\n";', worker = 'echo one > /run/worker; exec sleep infinity' }: Said = {}) {
    return {
      'plumb.yaml': `version: 1
hosts: { web-1: { services: [base, nginx, worker] } }
defaults: { syncEvery: 1s, checkEvery: 5s }
`,
      'services/base/README.md': 'What every host has.\n',
      'services/base/files/etc/motd': `${site} ${worker}\n`,
      'services/nginx/README.md': 'The web server.\n',
      'services/nginx/service.yaml': nginxYaml,
      'services/nginx/files/etc/nginx/conf.d/site.conf': `server {\n  listen 80 default_server;\n  location / { ${site} }\n}\n`,
      'services/nginx/files/srv/new/file': null,
      'services/worker/README.md': 'Works in the background.\n',
      'services/worker/units/worker.service': `[Service]\nExecStart=/bin/sh -c '${worker}'\n\n[Install]\nWantedBy=multi-user.target\n`,
    }
  }
})

const nginxYaml = `settle: 0s
packages: [nginx-light]
files:
  /etc/nginx/conf.d/site.conf: { triggers: [reload nginx.service] }
directories:
  /etc/nginx/sites-enabled: { purge: true }
validate: [nginx -t -q]
units:
  nginx.service: { enabled: true, state: running }
`
