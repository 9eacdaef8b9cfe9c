// Compose projects on a booted host that cannot or must not come up, and images that not everybody may pull.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { watchContainers } from '../../agent/resources/compose-settle.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import type { TestFiles } from '../support/git.ts'
import { type ComposeHost, composeHost } from './compose-host.ts'
import { kindHost } from './kind-host.ts'
import { compose, deployed, files, projectLines, shopDirectory } from './shop.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`compose projects cannot be deployed here: ${reason}`)

describe.skipIf(reason !== null)('on a booted Debian 13 with docker', () => {
  let lab: Lab
  let box: ComposeHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await composeHost(lab, 'docks', 'trixie-docker')
  })
  afterAll(async () => {
    await box?.close()
    lab?.close()
  })

  test('an image that is nowhere is told with the words of the pull, and the containers stay', async () => {
    await deployed(box, { shop: files })
    const before = await box.containers('shop')
    await box.commit({
      shop: { ...files, 'compose.yaml': compose.replace('localhost/box:1', 'localhost:5999/none:1') },
    })

    const { code, text } = await box.plumb('apply')

    expect(code).toBe(1)
    expect(text).toMatch(/shop: an image of web is not here and cannot be pulled:\nweb Error .*localhost:5999/)
    expect(text).toContain('compose: { registries: ... }')
    expect(await box.containers('shop')).toEqual(before)
    expect(await box.host.read(`${shopDirectory}/compose.yaml`)).toBe(compose)
  })

  test('a network that would be another one is refused, told by the plan, and made anew once the project is down', async () => {
    const project = (network: string) => ({
      'compose.yaml': `services:\n  web:\n    image: localhost/box:1\n    command: [sleep, "100000"]\n    init: true\n    networks: [inner]\nnetworks: { inner: ${network} }\n`,
    })
    await deployed(box, { nets: project('{ ipam: { config: [{ subnet: 10.99.1.0/24 }] } }') })
    const before = await box.containers('nets')

    for (const [network, text] of [
      ['{ ipam: { config: [{ subnet: 10.99.2.0/24 }] } }', 'subnet 10.99.1.0/24 instead of 10.99.2.0/24'],
      ['{ internal: true }', 'internal false instead of true'],
      ['{ driver_opts: { com.docker.network.driver.mtu: 1400 } }', 'option com.docker.network.driver.mtu not set'],
    ] as const) {
      await box.commit({ nets: project(network) })
      expect((await box.plan('nets')).join('\n')).toContain(`will fail: `)
      const { code, text: told } = await box.plumb('apply')
      expect(code).toBe(1)
      expect(told).toContain(`the network nets_inner has ${text}`)
      expect(await box.containers('nets')).toEqual(before)
    }

    await box.engine('compose', '--project-name', 'nets', 'down')
    expect((await box.plumb('apply')).code).toBe(0)
    const mtu = '{{index .Options "com.docker.network.driver.mtu"}}'
    expect(await box.engine('network', 'inspect', '--format', mtu, 'nets_inner')).toBe('1400')
  })

  test('an update that is unhealthy is rolled back to the configuration and the image before it', async () => {
    const healthy = {
      ...files,
      'compose.yaml': compose.replace('# web', watched).replace('localhost/box:1', 'localhost/box:live'),
    }
    await box.engine('tag', 'localhost/box:1', 'localhost/box:live')
    await deployed(box, { shop: healthy })
    const [first, second] = await Promise.all([imageOf(box, 'localhost/box:1'), imageOf(box, 'localhost/box:2')])
    const db = (await box.containers('shop')).get('db')
    // As a pull does: the same name, another image.
    await box.engine('tag', 'localhost/box:2', 'localhost/box:live')
    await box.commit({ shop: { ...healthy, 'app.conf': 'two' } })

    const { code, text } = await box.plumb('apply')

    expect(code).toBe(1)
    expect(text).toContain('shop: not applied, put back as it was: bring up containers:')
    expect(text).toMatch(/shop did not come up: web: unhealthy/)
    expect(await box.engine('inspect', '--format', '{{.Image}}', 'shop-web-1')).toBe(first)
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toBe('one')
    expect((await box.containers('shop')).get('db')).toBe(db)
    expect(await imageOf(box, 'localhost/box:live')).toBe(second)

    await box.engine('tag', 'localhost/box:1', 'localhost/box:live')
    await deployed(box, { shop: { ...healthy, 'app.conf': 'two' } })
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toBe('two')
  })

  test('a container that crashes some seconds after it looked well is told with its log', async () => {
    const { run } = kindHost(box.host)
    const crashing = compose
      .replace('sleep 200000', `sh -c 'sleep 4; echo no disk; exit 5'`)
      .replace('# db', 'restart: always')
    await deployed(box, { shop: { ...files, 'compose.yaml': crashing } })

    const since = await watchContainers([{ name: 'shop', services: [] }], run)

    const told = await eventually('the crash is told', since)
    expect(told).toMatch(/^the container shop-db-1 (?:was restarted|is restarting).*\. Its log ends:\nno disk/s)
  })

  test('a container that was started again once before the first look takes its update back', async () => {
    await deployed(box, { shop: files })
    const web = (await box.containers('shop')).get('web')
    // Ends at once, and the second time it stays up.
    const stumbling = compose
      .replace(
        'sleep 200000',
        `sh -c 'if [ -e /tmp/again ]; then exec sleep 200000; fi; echo > /tmp/again; echo no disk; exit 5'`,
      )
      .replace('# db', 'restart: always')
    await box.commit({ shop: { ...files, 'compose.yaml': stumbling, 'service.yaml': 'settle: 5s\n' } })

    const { code, text } = await box.plumb('apply')

    expect(code).toBe(1)
    expect(text).toMatch(/did not stay up for 5 s: the container shop-db-1 was restarted once/)
    expect((await box.containers('shop')).get('web')).toBe(web)
  })

  test('a network that somebody made with other settings is told by a check', async () => {
    const yaml = `services:\n  web:\n    image: localhost/box:1\n    command: [sleep, "100000"]\n    init: true\n    networks: [inner]\nnetworks: { inner: { internal: true } }\n`
    await deployed(box, { odd: { 'compose.yaml': yaml } })
    expect((await box.plumb('check')).text).not.toContain('odd_inner')
    const labels = ['--label', 'com.docker.compose.project=odd', '--label', 'com.docker.compose.network=inner']
    await box.engine('network', 'disconnect', '--force', 'odd_inner', 'odd-web-1')
    await box.engine('network', 'rm', 'odd_inner')
    await box.engine('network', 'create', ...labels, 'odd_inner')
    await box.engine('network', 'connect', 'odd_inner', 'odd-web-1')

    const { code, text } = await box.plumb('check')

    expect(code).toBe(2)
    expect(text).toContain('network odd_inner has internal false instead of true')
  })

  test('a container that crashes within the settle time takes its update back', async () => {
    await deployed(box, { shop: files })
    const web = (await box.containers('shop')).get('web')
    const crashing = compose.replace(
      'sleep 200000',
      `sh -c 'until [ -e /tmp/crash ]; do sleep 1; done; echo no disk; exit 5'`,
    )
    await box.commit({ shop: { ...files, 'compose.yaml': crashing, 'service.yaml': 'settle: 20s\n' } })
    let crashed: Promise<string> | undefined

    const { code, stdout } = await box.host.exec(['plumb', 'apply', '--repo', box.url, '--host', 'docks'], {
      onOutput: (text) => {
        if (text.includes('to stay up for 20 s'))
          crashed = box.engine('exec', 'shop-db-1', 'sh', '-c', ': > /tmp/crash')
      },
    })

    await crashed
    expect(code).toBe(1)
    expect(stdout).toMatch(/did not stay up for 20 s: the container shop-db-1 is exited \(exit code 5\).*no disk/s)
    expect(await box.engine('inspect', '--format', '{{.State.Status}} {{.Config.Cmd}}', 'shop-db-1')).toBe(
      'running [sleep 200000]',
    )
    expect((await box.containers('shop')).get('web')).toBe(web)
  })

  test('a mount that gives the host away is refused before a container is touched, and made when it is allowed', async () => {
    await deployed(box, { shop: files })
    const before = await box.containers('shop')
    const mounting = (source: string) => compose.replace('./site:/site', `${source}:/site`)
    for (const [source, why, more] of refusedMounts) {
      await box.commit({ shop: { ...files, ...more, 'compose.yaml': mounting(source) } })
      const [planned] = projectLines(await box.plan('shop'))
      const { code, text } = await box.plumb('apply')
      expect(planned).toContain('will fail: ')
      for (const told of [planned, text]) {
        expect(told).toContain(`The containers of shop are left as they are: web mounts ${why}`)
        expect(told).toContain('compose: { allowMounts: [')
      }
      expect(code).toBe(1)
      expect(await box.containers('shop')).toEqual(before)
    }
    // Its container has a directory mounted there.
    const allowed = `compose: { allowMounts: [/var/run/docker.sock], moveMounts: [${shopDirectory}/site] }\n`

    await deployed(box, {
      shop: { ...files, 'compose.yaml': mounting('/var/run/docker.sock'), 'service.yaml': allowed },
    })

    expect(await box.engine('exec', 'shop-web-1', 'sh', '-c', 'test -S /site && echo a socket')).toBe('a socket')
  })

  test('a private image is pulled with the login of the service, which is left nowhere', async () => {
    await startRegistry(box)
    await box.host.write('/etc/plumb/secrets/registry_password', `${password}\n`, '0600')
    await box.host.output(['chmod', '0700', '/etc/plumb/secrets'])
    // As an agent that was killed in mid-apply leaves it.
    await box.host.write('/run/plumb-docker.dead/config.json', '{}')
    // The container of the test before has something else mounted.
    await box.engine('rm', '--force', 'shop-web-1')
    const shop = { ...files, 'compose.yaml': compose.replace('localhost/box:1', 'localhost:5000/box:1') }
    await box.commit({ shop })
    const refused = await box.plumb('apply')
    expect(refused.text).toMatch(
      /an image of web is not here and cannot be pulled:\nweb Error .*no basic auth credentials/,
    )
    await box.host.output(['sh', '-c', `(${watchForLeaks}) > /run/leaks 2>/dev/null & echo $! > /run/watcher`])

    await deployed(box, { shop: { ...shop, 'service.yaml': login('registry_password') } })

    await box.host.output([
      'sh',
      '-c',
      'touch /run/watched; while [ -e /proc/$(cat /run/watcher) ]; do sleep 0.1; done',
    ])
    expect(await box.engine('inspect', '--format', '{{.Config.Image}}', 'shop-web-1')).toBe('localhost:5000/box:1')
    expect(await box.host.read('/run/leaks')).toBe('')
    expect(await box.host.output(['find', '/run', '-maxdepth', '1', '-name', 'plumb-*'])).toBe('')
    const places = ['/var/lib/plumb', '/root', '/var/log']
    const { stdout } = await box.host.exec(['grep', '-rlFf', '/etc/plumb/secrets/registry_password', ...places])
    expect(stdout).toBe('')
    await box.commit({ shop: { ...shop, 'service.yaml': login('registry_pasword') } })
    expect((await box.plumb('plan')).text).toMatch(
      /service\.yaml:\d+:\d+: the secret "registry_pasword" is not set on this host\. Did you mean "registry_password"\?/,
    )
  })
})

/** Well with the first image, not with the second. */
const watched = `healthcheck: { test: [ CMD-SHELL, 'test "$$(cat /version)" = 1' ], interval: 1s, retries: 1 }`

/** What the compose file mounts, how that is told, and what is in the project beside it. */
const refusedMounts: readonly (readonly [string, string, TestFiles])[] = [
  ['/', '/: it is the whole host', {}],
  ['/var/run/docker.sock', '/var/run/docker.sock, which is /run/docker.sock: with it a container is root here', {}],
  ['/etc', '/etc: /etc/plumb is in it', {}],
  ['./all', `${shopDirectory}/all, which is /: it is the whole host`, { all: { link: '/' } }],
]

function imageOf(box: ComposeHost, name: string): Promise<string> {
  return box.engine('image', 'inspect', '--format', '{{.Id}}', name)
}

const password = 'swordfish-5000-barracuda'
// htpasswd -nbB deploy PASSWORD
const account = 'deploy:$2y$05$bVSRy74gtFShMiuVLjtnduOUEKQ6VOZNZzlf3vnswmwuGEsX4xB8.'

function login(secret: string): string {
  return `compose:\n  registries:\n    localhost:5000: { username: deploy, password: ${secret} }\n`
}

/** Until /run/watched is there: processes that have the password in their arguments or environment. */
const watchForLeaks =
  'until [ -e /run/watched ]; do grep -slFf /etc/plumb/secrets/registry_password /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done'

/** Debian's registry, for one account, with the image in it and no longer beside it. */
async function startRegistry({ host, engine }: ComposeHost): Promise<void> {
  await host.write('/etc/lab-registry/accounts', `${account}\n`)
  await host.write('/etc/lab-registry/config.yml', registryConfiguration)
  await host.output(['apt-get', 'install', '--yes', '--no-install-recommends', '-qq', 'docker-registry'])
  await host.output(['systemctl', 'stop', 'docker-registry.service'])
  await host.output(['systemd-run', '--unit=lab-registry', 'docker-registry', 'serve', '/etc/lab-registry/config.yml'])
  await engine('tag', 'localhost/box:2', 'localhost:5000/box:1')
  const push = `
    export DOCKER_CONFIG=$(mktemp -d)
    until docker login --username deploy --password-stdin localhost:5000 < /run/password; do sleep 0.2; done
    docker push --quiet localhost:5000/box:1
    rm -r $DOCKER_CONFIG /run/password
  `
  await host.write('/run/password', password)
  await host.output(['timeout', '60', 'sh', '-ec', push])
  await engine('rmi', 'localhost:5000/box:1')
}

const registryConfiguration = `version: 0.1
storage: { filesystem: { rootdirectory: /var/lib/lab-registry } }
http: { addr: 127.0.0.1:5000 }
auth: { htpasswd: { realm: lab, path: /etc/lab-registry/accounts } }
`
