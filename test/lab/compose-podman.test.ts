// Compose projects on a booted host with podman and its socket in place of docker.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { type ComposeHost, composeHost } from './compose-host.ts'
import { compose, deployed, files, projectLines } from './shop.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`compose projects cannot be deployed here: ${reason}`)

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
      'compose project shop: recreate web (its mounted app.conf changes)',
    ])
    expect(await box.apply('shop')).toContain('brought up shop: recreated web')
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
