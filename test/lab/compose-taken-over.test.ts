// Compose projects that run already on a booted host when the repository gets them: their data stays theirs.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { type ComposeHost, composeHost } from './compose-host.ts'
import { deployed, projectLines } from './shop.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`compose projects cannot be deployed here: ${reason}`)

describe.skipIf(reason !== null)('on a booted Debian 13 with docker', () => {
  let lab: Lab
  let box: ComposeHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    box = await composeHost(lab, 'quay', 'trixie-docker')
  })
  afterEach(() => cleared(box))
  afterAll(async () => {
    await box?.close()
    lab?.close()
  })

  test('an import keeps the directory and the name of a project, and an apply touches no container', async () => {
    await running(box, { directory: '/opt/stacks/Vault', text: vault })
    const before = await box.containers('prodvault')

    const yaml = await imported(box, 'vault', 'prodvault')

    expect(yaml['service.yaml']).toContain('directory: /opt/stacks/Vault')
    // Written down by `name:` already.
    expect(yaml['service.yaml']).not.toContain('project:')
    await deployed(box, { vault: yaml })
    expect(await box.containers('prodvault')).toEqual(before)
    expect(await box.seen('prodvault-app-1', '/data/rows')).toBe('rows')
    expect(await box.engine('volume', 'ls', '--quiet')).toBe('prodvault_db')

    // Leaving the host leaves the data, and what the agent made is gone.
    await deployed(box, {})
    expect(await box.host.output(['find', '/opt/stacks/Vault', '-type', 'f'])).toBe('/opt/stacks/Vault/data/rows\n')
    expect(await box.engine('volume', 'ls', '--quiet')).toBe('prodvault_db')
  })

  test('a project that runs without a name of its own keeps the one that it has', async () => {
    await running(box, { directory: '/opt/stacks/till', text: vault.replace('name: prodvault\n', '') })

    const yaml = await imported(box, 'cash', 'till')

    expect(yaml['service.yaml']).toContain('directory: /opt/stacks/till')
    expect(yaml['service.yaml']).toContain('project: till')
    await deployed(box, { cash: yaml })
    expect(await box.seen('till-app-1', '/data/rows')).toBe('rows')
  })

  test('an apply that would show containers other data is refused until service.yaml says so, and the plan says what moves', async () => {
    await running(box, {
      directory: '/opt/stacks/shop',
      text: 'services:\n  app:\n    image: localhost/box:1\n    init: true\n    command: sleep 100000\n    volumes: ["./data:/data"]\n',
    })
    const before = await box.containers('shop')
    const compose = await box.host.read('/opt/stacks/shop/compose.yaml')
    await box.commit({ shop: { 'compose.yaml': compose } })

    const [line = ''] = projectLines(await box.plan('shop'))
    const { code, text } = await box.plumb('apply')

    const what = 'app has /opt/stacks/shop/data mounted at /data, and would have /srv/compose/shop/data'
    expect(line).toContain(`will fail:`)
    expect(line).toContain(what)
    expect(code).toBe(1)
    expect(text).toContain(what)
    expect(text).toContain('compose: { directory: /opt/stacks/shop }')
    expect(await box.containers('shop')).toEqual(before)
    expect((await box.host.exec(['ls', '/srv/compose'])).code).not.toBe(0)

    await box.commit({
      shop: { 'compose.yaml': compose, 'service.yaml': 'compose: { moveMounts: [/opt/stacks/shop/data] }\n' },
    })
    expect(projectLines(await box.plan('shop'))).toEqual([
      'compose project shop: recreate app (mounts /srv/compose/shop/data instead of /opt/stacks/shop/data at /data)',
    ])
    await deployed(box, {
      shop: { 'compose.yaml': compose, 'service.yaml': 'compose: { moveMounts: [/opt/stacks/shop/data] }\n' },
    })
    expect(await box.engine('exec', 'shop-app-1', 'sh', '-c', 'echo /data/*')).toBe('/data/*')
    expect(await box.host.read('/opt/stacks/shop/data/rows')).toBe('rows')
  })

  test('a volume that another takes the place of is refused, and so is another project name', async () => {
    const compose =
      'services:\n  app:\n    image: localhost/box:1\n    init: true\n    command: sleep 100000\n    volumes: ["db:/data"]\nvolumes: { db: {} }\n'
    await deployed(box, { shop: { 'compose.yaml': compose } })
    await box.engine('exec', 'shop-app-1', 'sh', '-c', 'echo rows > /data/rows')
    const before = await box.containers('shop')
    const refused = async (files: Readonly<Record<string, string>>) => {
      await box.commit({ shop: files })
      const plan = (await box.plumb('plan')).text
      const { code, text } = await box.plumb('apply')
      expect(code).toBe(1)
      expect(await box.containers('shop')).toEqual(before)
      return { plan, text }
    }

    const volume = await refused({ 'compose.yaml': compose.replaceAll('db', 'pg') })
    const name = await refused({ 'compose.yaml': `name: store\n${compose}` })

    for (const text of Object.values(volume))
      expect(text).toContain('app has shop_db mounted at /data, and would have shop_pg')
    for (const text of Object.values(name)) {
      expect(text).toContain('The compose project shop would be called store')
      expect(text).toContain('compose: { project: shop }')
    }
    await deployed(box, {
      shop: { 'compose.yaml': `name: store\n${compose}`, 'service.yaml': 'compose: { project: shop }\n' },
    })
    expect(await box.containers('shop')).toEqual(before)
    await deployed(box, {
      shop: { 'compose.yaml': `name: store\n${compose}`, 'service.yaml': 'compose: { replaceProject: shop }\n' },
    })
    expect(await box.containers('shop')).toEqual(new Map())
    expect((await box.engine('volume', 'ls', '--quiet')).split('\n')).toEqual(['shop_db', 'store_db'])
  })

  test('a container name that another project has is told with the project, before anything is made', async () => {
    const compose =
      'services:\n  app:\n    image: localhost/box:1\n    init: true\n    container_name: the-app\n    command: sleep 100000\n    volumes: ["db:/data"]\nvolumes: { db: {} }\n'
    await running(box, { directory: '/opt/stacks/old', text: compose })
    const before = await box.containers('old')
    await box.commit({ fresh: { 'compose.yaml': compose } })

    const { code, text } = await box.plumb('apply')

    expect(code).toBe(1)
    expect(text).toContain('the container the-app is of the compose project old')
    expect(text).toContain('compose: { project: old }')
    expect(await box.containers('old')).toEqual(before)
    expect(await box.engine('volume', 'ls', '--quiet')).toBe('old_db')
    await deployed(box, { fresh: { 'compose.yaml': compose, 'service.yaml': 'compose: { replaceProject: old }\n' } })
    expect(await box.containers('old')).toEqual(new Map())
    expect((await box.containers('fresh')).size).toBe(1)
  })

  test.each([
    ['a command that is not there', 'command: /no/such/program\n    volumes: ["db:/data"]'],
    ['a container that dies', 'command: sh -c "exit 3"\n    volumes: ["db:/data", "/cache"]'],
    ['a port that is taken', 'command: sleep 100000\n    volumes: ["db:/data"]\n    ports: ["22222:1"]'],
  ])('of a first apply that fails by %s no container, network and volume is left', async (_, how) => {
    await box.engine('volume', 'create', 'kept')
    await box.engine('volume', 'create', '--label', 'com.docker.compose.project=first', 'first_before')
    await box.engine('run', '--detach', '--name', 'taker', '--publish', '22222:1', 'localhost/box:1', 'sleep', '100000')
    const compose = `services:\n  app:\n    image: localhost/box:1\n    init: true\n    ${how}\n    networks: [own]\nnetworks: { own: {} }\nvolumes: { db: {} }\n`
    const networks = await box.engine('network', 'ls', '--quiet')
    await box.commit({ first: { 'compose.yaml': compose } })

    const { code } = await box.plumb('apply')

    expect(code).toBe(1)
    expect(await box.containers('first')).toEqual(new Map())
    expect(await box.engine('network', 'ls', '--quiet')).toBe(networks)
    expect((await box.engine('volume', 'ls', '--quiet')).split('\n')).toEqual(['first_before', 'kept'])
    expect((await box.host.exec(['ls', '/srv/compose'])).code).not.toBe(0)
  })
})

const vault = `name: prodvault
services:
  app:
    image: localhost/box:1
    init: true
    command: sleep 100000
    volumes: ["./data:/data", "db:/var/db"]
volumes: { db: {} }
`

/** By hand, with data in its directory. */
async function running(box: ComposeHost, { directory, text }: { readonly directory: string; readonly text: string }) {
  await box.host.output(['mkdir', '-p', `${directory}/data`])
  await box.host.output([
    'sh',
    '-c',
    'cd "$1"; printf rows > data/rows; printf "%s" "$2" > compose.yaml; docker compose up --detach',
    'sh',
    directory,
    text,
  ])
}

/** The service's files as `plumb import` writes them. */
async function imported(box: ComposeHost, service: string, project: string): Promise<Record<string, string>> {
  const into = (await box.host.output(['mktemp', '-d'])).trim()
  await box.host.output([
    'sh',
    '-c',
    'printf "version: 1\\nhosts: { quay: { services: [] } }\\n" > "$1"/plumb.yaml',
    'sh',
    into,
  ])
  await box.host.output(['plumb', 'import', service, '--compose', project, '--into', into])
  const below = `${into}/services/${service}`
  const paths = (await box.host.output(['find', below, '-type', 'f', '-printf', '%P\\n'])).trim().split('\n')
  const files = await Promise.all(paths.map(async (path) => [path, await box.host.read(`${below}/${path}`)] as const))
  return Object.fromEntries(files)
}

async function cleared(box: ComposeHost): Promise<void> {
  await deployed(box, {})
  const containers = await box.engine('ps', '--all', '--quiet')
  if (containers !== '') await box.engine('rm', '--force', ...containers.split('\n'))
  await box.engine('network', 'prune', '--force')
  await box.engine('volume', 'prune', '--all', '--force')
  await box.host.output(['rm', '-rf', '/opt/stacks', '/srv/compose'])
}
