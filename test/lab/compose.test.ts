// Compose projects on a booted host, by the whole agent: what its plan foresees, what an apply does, and what is never touched.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { TestFiles } from '../support/git.ts'
import { type ComposeHost, composeHost, pastOf } from './compose-host.ts'
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
      'compose project shop: recreate web (its mounted shop.conf changes)',
    ])
    expect(await box.apply('shop')).toContain('brought up shop: recreated web')
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toBe('two')
    await deployed(box, {})
  })

  test('drift of a mounted file is put right together with its container, in one apply that the plan foresees', async () => {
    await deployed(box, { shop: files })
    await box.host.output(['sh', '-c', `echo typed by hand >> ${shopDirectory}/app.conf`])
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toContain('typed by hand')

    expect(await box.plan('shop')).toEqual([
      `write ${shopDirectory}/app.conf (content)`,
      'compose project shop: recreate web (its mounted app.conf is repaired)',
    ])
    expect(await box.apply('shop')).toEqual([
      `wrote ${shopDirectory}/app.conf (content)`,
      'brought up shop: recreated web',
    ])
    expect(await box.seen('shop-web-1', '/etc/app.conf')).toBe('one')
    expect((await box.plumb('check')).code).toBe(0)
  })
})

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

const other = withJob.replace('box:1', 'box:2')

/** What is committed beside what is there, and what the plan says of containers. */
const transitions: readonly (readonly [TestFiles, string | undefined])[] = [
  [{}, 'start db; start web'],
  [{ 'README.md': 'Other words.\n' }, undefined],
  [{ 'app.conf': 'two' }, 'recreate web (its mounted app.conf changes)'],
  [{ 'site/index.html': 'two' }, 'recreate web (its mounted index.html changes)'],
  [{ 'db.env': 'SIZE=2\n' }, 'recreate db (its configuration changes)'],
  [{ 'notes.txt': 'mounted by nobody' }, 'its containers stay as they are'],
  [{ 'compose.yaml': withJob }, 'start job; start worker'],
  [{ 'db.env': 'SIZE=3\n' }, 'recreate db (its configuration changes); start job again; recreate worker (with db)'],
  [{ 'compose.yaml': other }, 'recreate web (its configuration changes)'],
  [{ 'compose.yaml': other.replace('# web', 'scale: 2') }, 'scale web to 2'],
  [{ 'service.yaml': 'compose: { state: stopped }\n' }, 'stop db, web, worker'],
  [{ 'app.conf': 'three' }, 'its containers stay as they are'],
  [
    { 'service.yaml': null },
    'start db again; recreate job (with web); recreate web (its configuration changes); recreate worker (with job)',
  ],
  [{ 'compose.yaml': compose }, 'remove job; recreate web (its configuration changes); remove worker'],
]
