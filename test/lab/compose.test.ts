// Compose projects on booted hosts, by the whole agent: what its plan foresees, what an apply does, and what is never touched.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { watchContainers } from '../../agent/resources/compose-settle.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import type { TestFiles } from '../support/git.ts'
import { type ComposeHost, composeHost, pastOf } from './compose-host.ts'
import { kindHost } from './kind-host.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`compose projects cannot be deployed here: ${reason}`)

const shopDirectory = '/var/lib/plumb/compose/shop'

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

  // What users of the peers suffer (PEERS.md, complaints 1 to 4).

  test('changed config content recreates its container', async () => {
    await deployed(box, { shop: files })
    const before = await box.containers('shop')

    await deployed(box, { shop: { ...files, 'app.conf': 'two' } })

    const after = await box.containers('shop')
    expect(after.get('web')).not.toBe(before.get('web'))
    expect(after.get('db')).toBe(before.get('db'))
  })

  test("the container sees the new inode's content", async () => {
    await deployed(box, { shop: files })
    const inode = await box.host.output(['stat', '-c', '%i', `${shopDirectory}/app.conf`])

    await deployed(box, { shop: { ...files, 'app.conf': 'three' } })

    expect(await box.host.output(['stat', '-c', '%i', `${shopDirectory}/app.conf`])).not.toBe(inode)
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toBe('three')
  })

  test('data under a relative path survives', async () => {
    await deployed(box, { shop: { ...files, 'data/seed': 'from the repository' } })
    await box.engine('exec', 'shop-web-1', 'sh', '-c', 'echo written > /data/own')

    await deployed(box, { shop: { ...files, 'data/seed': null, 'app.conf': 'four' } })
    expect(await box.seen('shop-web-1', '/data/own')).toBe('written')
    await deployed(box, {})

    expect(await box.containers('shop')).toEqual(new Map())
    expect(await box.host.output(['find', shopDirectory, '-type', 'f'])).toBe(`${shopDirectory}/data/own\n`)
  })

  test('an unrelated commit touches no container', async () => {
    await deployed(box, { shop: files })
    const before = await box.containers('shop')

    await deployed(box, { shop: { ...files, 'README.md': 'Other words.\n', 'notes.txt': 'mounted by nobody' } })
    await deployed(box, { shop: files, motd: { 'files/etc/motd': 'hello\n' } })

    expect(await box.containers('shop')).toEqual(before)
  })

  test('the plan says what the apply then does to containers, and nothing else is done', async () => {
    await deployed(box, {})
    let shop: TestFiles = files
    for (const [changed, expected] of transitions) {
      shop = { ...shop, ...changed }
      await box.commit({ shop })
      const before = await box.containers('shop')

      const planned = projectLines(await box.plan('shop'))
      const applied = await box.apply('shop')

      expect(planned).toEqual(expected === undefined ? [] : [`compose project shop: ${expected}`])
      const isLeft = expected === undefined || expected === 'its containers stay as they are'
      const done = applied.filter((line) => /shop: (?!wrote)|of shop/.test(line))
      const words = expected?.startsWith('stop ') ? 'stopped the containers of shop' : pastOf(planned[0] ?? '')
      expect(done).toEqual(isLeft ? [] : [words])
      if (isLeft) expect(await box.containers('shop')).toEqual(before)
      expect(await box.plan('shop')).toEqual([])
    }
    await box.commit({})
    expect(projectLines(await box.plan('shop'))).toEqual([
      'compose project shop: remove the containers of db, web; its volumes are kept',
    ])
    expect(await box.apply('shop')).toContain('removed the containers of shop, its volumes are kept')
  })

  test('a mounted file of the host that the service brings is seen by the container too', async () => {
    const mounted = { ...files, 'compose.yaml': compose.replace('./app.conf', '/etc/shop.conf') }
    await deployed(box, { shop: { ...mounted, 'files/etc/shop.conf': 'one' } })
    await box.commit({ shop: { ...mounted, 'files/etc/shop.conf': 'two' } })

    expect(projectLines(await box.plan('shop'))).toEqual([
      'compose project shop: make web anew (its mounted shop.conf changes)',
    ])
    expect(await box.apply('shop')).toContain('brought up shop: made web anew')
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toBe('two')
    await deployed(box, {})
  })

  test('drift of a mounted file is put right together with its container, in one apply that the plan foresees', async () => {
    await deployed(box, { shop: files })
    await box.host.output(['sh', '-c', `echo typed by hand >> ${shopDirectory}/app.conf`])
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toContain('typed by hand')

    expect(await box.plan('shop')).toEqual([
      `write ${shopDirectory}/app.conf (content)`,
      'compose project shop: make web anew (its mounted app.conf is put right)',
    ])
    expect(await box.apply('shop')).toEqual([
      `wrote ${shopDirectory}/app.conf (content)`,
      'brought up shop: made web anew',
    ])
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toBe('one')
    expect((await box.plumb('check')).code).toBe(0)
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

    const since = await watchContainers(['shop'], run)

    const told = await eventually('the crash is told', since)
    expect(told).toMatch(/^the container shop-db-1 (?:was restarted|is restarting).*\. Its log ends:\nno disk/s)
  })

  test('a container that crashes within the settle time takes its update back', async () => {
    await deployed(box, { shop: files })
    const web = (await box.containers('shop')).get('web')
    const crashing = compose.replace('sleep 200000', `sh -c 'sleep 4; echo no disk; exit 5'`)
    await box.commit({ shop: { ...files, 'compose.yaml': crashing, 'service.yaml': 'settle: 20s\n' } })

    const { code, text } = await box.plumb('apply')

    expect(code).toBe(1)
    expect(text).toMatch(/did not stay up for 20 s: the container shop-db-1 is exited \(exit code 5\).*no disk/s)
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
    const allowed = 'compose: { allowMounts: [/var/run/docker.sock] }\n'

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

describe.skipIf(reason !== null)('on a booted Debian 13 with podman', () => {
  let lab: Lab
  let box: ComposeHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await composeHost(lab, 'pods', 'trixie-podman')
  })
  afterAll(async () => {
    await box?.close()
    lab?.close()
  })

  test('a project comes up, a changed mounted file makes just its container anew, and it goes down', async () => {
    await box.commit({ shop: files })
    expect(projectLines(await box.plan('shop'))).toEqual(['compose project shop: start db; start web'])
    expect(await box.apply('shop')).toContain('brought up shop: started db, started web')
    expect((await box.plumb('check')).code).toBe(0)
    const before = await box.containers('shop')

    await box.commit({ shop: { ...files, 'app.conf': 'two' } })
    expect(projectLines(await box.plan('shop'))).toEqual([
      'compose project shop: make web anew (its mounted app.conf changes)',
    ])
    expect(await box.apply('shop')).toContain('brought up shop: made web anew')
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toBe('two')
    expect((await box.containers('shop')).get('db')).toBe(before.get('db'))

    await box.engine('stop', '--time', '1', 'shop-db-1')
    await box.engine('tag', 'localhost/box:2', 'localhost/box:1')
    expect((await box.plumb('check')).text).toMatch(/db: stopped.*; web: other image/)
    await deployed(box, { shop: { ...files, 'app.conf': 'two' } })
    expect(await box.seen('shop-web-1', '/version')).toBe('2')

    await box.commit({})
    expect(await box.apply('shop')).toContain('removed the containers of shop, its volumes are kept')
    expect(await box.containers('shop')).toEqual(new Map())
  })

  test("podman's socket is not given to a container, and a podman that does not listen is said", async () => {
    const mounting = compose.replace('./site:/site', '/run/podman/podman.sock:/site')
    await box.commit({ shop: { ...files, 'compose.yaml': mounting } })
    expect((await box.plumb('apply')).text).toContain('web mounts /run/podman/podman.sock: with it a container is root')
    await box.host.output(['systemctl', 'stop', 'podman.socket', 'podman.service'])
    await box.commit({ shop: files })
    expect((await box.plumb('apply')).text).toMatch(/podman\.sock.*units: \{ podman\.socket: \{\} \}/s)
    await box.host.output(['systemctl', 'start', 'podman.socket'])
    await deployed(box, { shop: files })
  })
})

const compose = `services:
  web:
    image: localhost/box:1
    init: true
    command: sleep 100000
    volumes: [ "./app.conf:/etc/app.conf:ro", "./site:/site", "./data:/data" ]
    # web
  db:
    image: localhost/box:1
    init: true
    command: sleep 200000
    env_file: db.env
    # db
`

const withJob = `${compose}
  job:
    image: localhost/box:1
    command: "true"
    restart: "no"
    depends_on: { web: { condition: service_started } }
  worker:
    image: localhost/box:1
    init: true
    command: sleep 300000
    depends_on: { db: { condition: service_started }, job: { condition: service_completed_successfully } }
`

/** Well with the first image, not with the second. */
const watched = `healthcheck: { test: [ CMD-SHELL, 'test "$$(cat /version)" = 1' ], interval: 1s, retries: 1 }`

const files: TestFiles = {
  'compose.yaml': compose,
  'app.conf': 'one',
  'db.env': 'SIZE=1\n',
  'site/index.html': 'one',
}

const other = withJob.replace('box:1', 'box:2')

/** What is committed beside what is there, and what the plan says of containers. */
const transitions: readonly (readonly [TestFiles, string | undefined])[] = [
  [{}, 'start db; start web'],
  [{ 'README.md': 'Other words.\n' }, undefined],
  [{ 'app.conf': 'two' }, 'make web anew (its mounted app.conf changes)'],
  [{ 'site/index.html': 'two' }, 'make web anew (its mounted index.html changes)'],
  [{ 'db.env': 'SIZE=2\n' }, 'make db anew (its configuration changes)'],
  [{ 'notes.txt': 'mounted by nobody' }, 'its containers stay as they are'],
  [{ 'compose.yaml': withJob }, 'start job; start worker'],
  [{ 'db.env': 'SIZE=3\n' }, 'make db anew (its configuration changes); start job again; make worker anew (with db)'],
  [
    { 'compose.yaml': other },
    'make job anew (with web); make web anew (its configuration changes); make worker anew (with job)',
  ],
  [{ 'compose.yaml': other.replace('# web', 'scale: 2') }, 'start job again; scale web to 2'],
  [{ 'service.yaml': 'compose: { state: stopped }\n' }, 'stop db, web, worker'],
  [{ 'app.conf': 'three' }, 'its containers stay as they are'],
  [
    { 'service.yaml': null },
    'start db again; make job anew (with web); make web anew (its configuration changes); make worker anew (with job)',
  ],
  [{ 'compose.yaml': compose }, 'remove job; make web anew (its configuration changes); remove worker'],
]

/** What the compose file mounts, how that is told, and what is in the project beside it. */
const refusedMounts: readonly (readonly [string, string, TestFiles])[] = [
  ['/', '/: it is the whole host', {}],
  ['/var/run/docker.sock', '/var/run/docker.sock, which is /run/docker.sock: with it a container is root here', {}],
  ['/etc', '/etc: /etc/plumb is in it', {}],
  ['./all', `${shopDirectory}/all, which is /: it is the whole host`, { all: { link: '/' } }],
]

/** A commit that must be applied in full. */
async function deployed(box: ComposeHost, services: Readonly<Record<string, TestFiles>>): Promise<void> {
  await box.commit(services)
  const { code, text } = await box.plumb('apply')
  expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining('in plumb') })
}

function projectLines(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => line.startsWith('compose project '))
}

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
