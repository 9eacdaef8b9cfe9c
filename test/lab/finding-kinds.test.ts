// Every kind of drift, made as people make it, on a host that looks by itself once an hour; each is seen by its events, has its own
// kind and words, and is put right by `plumb apply`.
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { z } from 'zod'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { findingSchema } from '../../shared/finding.ts'
import type { FindingKind } from '../../shared/finding-kind.ts'
import type { TestFiles } from '../support/git.ts'
import { importImages } from './compose-host.ts'
import { type FollowedHost, followedHost } from './followed-host.ts'
import { buildPackages } from './own-packages.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`drift on real hosts cannot be shown here: ${reason}`)

const worker = '[Service]\nExecStart=/bin/sleep infinity\nRestart=no\n[Install]\nWantedBy=multi-user.target\n'
const compose = `services:
  web:
    image: localhost/box:1
    init: true
    command: [ sh, -c, ': > /tmp/well; exec sleep 100000' ]
    healthcheck: { test: [ CMD-SHELL, 'test -e /tmp/well' ], interval: 1s, retries: 1 }
  db: { image: localhost/box:1, init: true, command: sleep 100000 }
  flaky: { image: localhost/box:1, init: true, command: sleep 100000, restart: always }
`

const fleet: TestFiles = {
  'plumb.yaml': `version: 1
hosts: { kinds: { services: [app, shop] } }
defaults: { syncEvery: 1h, checkEvery: 1h }
`,
  'services/app/README.md': '# app\n',
  'services/app/service.yaml': `packages: [acl, libcap2-bin, plumb-a, { name: plumb-b, hold: true }]
directories: { /etc/app/parts.d: { purge: true } }
files:
  /etc/app/app.conf: { mode: "0640", acl: ["user:www-data:r--"] }
  /usr/local/bin/web: { capabilities: cap_net_bind_service=ep }
units: { apt-daily.timer: { enabled: true, state: running } }
settle: 0s
`,
  'services/app/files/usr/local/bin/web': { executable: '#!/bin/sh\n' },
  'services/app/files/etc/app/app.conf': 'one\ntwo\nthree\n',
  'services/app/files/etc/app/link': { link: 'app.conf' },
  'services/app/units/worker.service': worker,
  'services/app/units/flaky.service': worker.replace('Restart=no', 'Restart=always\nRestartSec=200ms'),
  'services/shop/README.md': '# shop\n',
  'services/shop/service.yaml': 'settle: 0s\n',
  'services/shop/compose.yaml': compose,
}

const conf = '/etc/app/app.conf'
const dropIn = '/etc/systemd/system/worker.service.d/override.conf'
/** What `systemctl edit` does for a person at a terminal. */
const edit = (text: string, ...args: readonly string[]) => `printf '${text}' | systemctl edit --stdin ${args.join(' ')}`

type Row = readonly [how: string, script: string, kind: FindingKind, summary: string | RegExp]

const changes: readonly Row[] = [
  ['vim', `vim.tiny -n -es -u NONE '+$s/$/ by hand/' +wq ${conf}`, 'content', `${conf}: content differs`],
  ['sed -i', `sed -i s/two/2/ ${conf}`, 'content', `${conf}: content differs`],
  ['chmod', `chmod 0666 ${conf}`, 'mode', `${conf}: mode is 0666, should be 0640`],
  [
    'setfacl',
    `setfacl -m user:nobody:r-- ${conf}`,
    'acl',
    `${conf}: acl is user:nobody:r--, user:www-data:r--, should be user:www-data:r--`,
  ],
  [
    'setcap -r',
    'setcap -r /usr/local/bin/web',
    'capabilities',
    '/usr/local/bin/web: capabilities is none, should be cap_net_bind_service=ep',
  ],
  ['chown', `chown nobody ${conf}`, 'owner', `${conf}: owner is nobody, should be root`],
  ['chgrp', `chgrp adm ${conf}`, 'group', `${conf}: group is adm, should be root`],
  ['rm', `rm ${conf}`, 'missing', `${conf}: missing`],
  ['rm and mkfifo', `rm ${conf}; mkfifo ${conf}`, 'type', `${conf}: a fifo, should be a file`],
  ['ln -sf', 'ln -sfn /etc/hostname /etc/app/link', 'link-target', /^\/etc\/app\/link: target is \/etc\/hostname/],
  [
    'tee in a purged directory',
    'echo x | tee /etc/app/parts.d/typed.conf',
    'extra',
    '/etc/app/parts.d: not in the repository: typed.conf',
  ],
  ['systemctl stop', 'systemctl stop worker', 'unit-state', 'worker.service: stopped, should be running'],
  ['kill -9', 'systemctl kill -s KILL worker', 'unit-failed', 'worker.service: failed, should be running'],
  [
    'a service that dies again and again',
    'for n in 1 2 3 4; do systemctl kill -s KILL flaky; sleep 1.5; done',
    'unit-state',
    'flaky.service: restarting, should be running',
  ],
  ['systemctl disable', 'systemctl disable worker', 'unit-enabled', 'worker.service: disabled, should be enabled'],
  ['systemctl mask', 'systemctl mask apt-daily.timer', 'unit-masked', /^apt-daily\.timer: masked, should be enabled/],
  [
    'systemctl edit',
    edit('[Service]\\nNice=5\\n', 'worker'),
    'unit-override',
    `${dropIn}: changes worker.service, and is not in the repository`,
  ],
  [
    'systemctl edit --full',
    edit('[Timer]\\nOnCalendar=weekly\\n[Install]\\nWantedBy=timers.target\\n', '--full', 'apt-daily.timer'),
    'unit-override',
    '/etc/systemd/system/apt-daily.timer: changes apt-daily.timer, and is not in the repository',
  ],
  [
    'systemctl edit --runtime',
    edit('[Service]\\nNice=6\\n', '--runtime', 'worker'),
    'unit-override',
    /^\/run\/systemd\/system\/worker\.service\.d\/override\.conf: changes worker\.service/,
  ],
  [
    'systemctl set-property',
    'systemctl set-property worker MemoryMax=64M',
    'unit-override',
    /^\/etc\/systemd\/system\.control\/worker\.service\.d\/50-MemoryMax\.conf: changes worker\.service/,
  ],
  [
    'a unit file touched without daemon-reload',
    'sleep 1; touch /etc/systemd/system/worker.service',
    'unit-stale',
    'worker.service: its files changed, and systemd has not read them again (systemctl daemon-reload)',
  ],
  ['apt-get remove', 'apt-get remove -y plumb-a', 'package-missing', 'plumb-a: not installed, should be installed'],
  [
    'apt-get install of an older version',
    'apt-get install -y --allow-downgrades plumb-a=1.0',
    'package-downgraded',
    /^plumb-a: downgraded to 1\.0, was /,
  ],
  ['apt-mark unhold', 'apt-mark unhold plumb-b', 'package-hold', 'plumb-b: not held'],
  ['docker stop', 'docker stop -t 0 shop-web-1', 'container-stopped', /^compose project shop: web: stopped/],
  ['docker rm -f', 'docker rm -f shop-web-1', 'container-missing', 'compose project shop: web: missing'],
  ['docker pause', 'docker pause shop-web-1', 'container-stopped', 'compose project shop: web: paused'],
  [
    'a health check that fails',
    'docker exec shop-web-1 busybox rm /tmp/well',
    'container-unhealthy',
    'compose project shop: web: unhealthy',
  ],
  [
    'a container that dies again and again',
    'for n in 1 2 3 4; do kill -9 $(docker inspect -f "{{.State.Pid}}" shop-flaky-1); sleep 2; done',
    'container-restarting',
    'compose project shop: flaky: restarting',
  ],
  [
    'docker tag',
    'docker tag localhost/box:2 localhost/box:1',
    'container-image',
    'compose project shop: db: other image; flaky: other image; web: other image',
  ],
]

describe.skipIf(reason !== null)('a host with units, packages and containers', () => {
  let lab: Lab
  let followed: FollowedHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    followed = await followedHost(lab, 'kinds', { image: 'trixie-docker' })
    const { host } = followed
    await importImages(host, 'docker')
    await host.write('/root/packages.sh', buildPackages)
    await host.output(['sh', '-c', 'sh /root/packages.sh && sh /root/index.sh'])
    await followed.commit(fleet)
    await followed.install()
  })

  afterAll(async () => {
    await followed?.close()
    lab?.close()
  })

  test.each(changes)('%s', async (_, script, kind, summary) => {
    onTestFailed(async () => {
      console.log(await followed.host.journal('plumb', 30))
      // So that the next change is not told beside this one.
      await followed.host.exec(['plumb', 'apply'])
    })
    const { host } = followed
    await followed.quiet()

    const { code, stdout, stderr } = await host.exec(['sh', '-c', script])
    if (code !== 0) throw new Error(`${script}: ${stdout}${stderr}`)
    const isIt = typeof summary === 'string' ? (text: string) => text === summary : (text: string) => summary.test(text)
    // On its way a container may be something else for a moment, and is told as that.
    const report = await followed.reportWith(({ services }) =>
      findingsIn(services).some((finding) => isIt(finding.summary)),
    )

    expect(findingsIn(report.services)).toMatchObject([{ kinds: expect.arrayContaining([kind]) }])
    const applied = await host.exec(['plumb', 'apply'])
    expect(applied.stdout).toMatch(/in sync/)
    expect(applied.code).toBe(0)
    expect((await host.exec(['plumb', 'check'])).stdout).toMatch(/^in sync/)
  })
})

function findingsIn(services: readonly { readonly findings: readonly unknown[] }[]) {
  return z.array(findingSchema).parse(services.flatMap(({ findings }) => findings))
}
