// podman's own event stream, on a host that looks by itself once an hour.
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import type { TestFiles } from '../support/git.ts'
import { importImages } from './compose-host.ts'
import { type FollowedHost, followedHost } from './followed-host.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`podman's events on a real host cannot be shown here: ${reason}`)

const fleet: TestFiles = {
  'plumb.yaml': 'version: 1\nhosts: { pods: { services: [shop] } }\ndefaults: { syncEvery: 1h, checkEvery: 1h }\n',
  'services/shop/README.md': '# shop\n',
  'services/shop/service.yaml': 'settle: 0s\nunits: { podman.socket: {} }\n',
  'services/shop/compose.yaml': `services:
  web: { image: "localhost/box:1", init: true, command: sleep 100000 }
  db: { image: "localhost/box:1", init: true, command: sleep 100000 }
`,
}

describe.skipIf(reason !== null)('a host with podman', () => {
  let lab: Lab
  let followed: FollowedHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    followed = await followedHost(lab, 'pods', { image: 'trixie-podman' })
    await followed.host.output(['systemctl', 'start', 'podman.socket'])
    await importImages(followed.host, 'podman')
    await followed.commit(fleet)
    await followed.install()
  })

  afterAll(async () => {
    await followed?.close()
    lab?.close()
  })

  test.each([
    ['podman stop', ['podman', 'stop', '-t', '0', 'shop-web-1'], /web: stopped/],
    ['podman rm', ['podman', 'rm', '-f', '-t', '0', 'shop-web-1'], /web: missing/],
  ] as const)('%s is seen at once', async (_, command, summary) => {
    onTestFailed(async () => console.log(await followed.host.journal('plumb', 30)))

    await followed.host.output(command)
    // podman tells of a container that is on its way out, too.
    const report = await followed.reportWith(({ services }) => summary.test(JSON.stringify(services)))

    expect(report.services.flatMap(({ findings }) => findings)).toMatchObject([{ resource: 'compose:shop' }])
    expect((await followed.host.exec(['plumb', 'apply'])).code).toBe(0)
    await followed.reportWith(({ services }) => services.every(({ findings }) => findings.length === 0))
  })
})
