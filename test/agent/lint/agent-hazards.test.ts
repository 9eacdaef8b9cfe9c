// Units and settings of systemd by which a commit would stop, replace or confine the agent: lint and hosts refuse them by name.
import { describe, expect, test } from 'vitest'
import { lintWorkTree } from '../../../agent/commands/lint.ts'
import { desire, type Files, fleetDirectory, refusal } from '../desire/fleet.ts'

const units = 'services/a/units'
const system = 'services/a/files/etc/systemd/system'

async function linted(files: Files) {
  const { problems } = await lintWorkTree(fleetDirectory(files))
  return problems
}

describe.each<[path: string, text: string, line: number, why: RegExp]>([
  [`${units}/x.service`, '[Unit]\nConflicts=other.service plumb.service\n', 2, /starting x\.service stops the agent/],
  [`${units}/x.target`, '[Unit]\nConflicts=sysinit.target\n', 2, /stops sysinit\.target, and the agent with it/],
  [`${units}/x.service`, '[Unit]\nAfter=a.service\nPropagatesStopTo=plumb.service\n', 3, /stopping x\.service stops/],
  [`${units}/x.service`, '[Unit]\nOnFailure=rescue.target\nOnFailureJobMode=isolate\n', 3, /stops everything else/],
  [`${units}/x.service`, '[Install]\nRequiredBy=\\\n  plumb.service\n', 2, /its failing start, stops the agent/],
  [`${units}/x.service`, '[Install]\nAlias=plumb.service\n', 2, /takes the place of the agent's/],
  [`${units}/x.socket`, '[Socket]\nListenStream=80\nService=plumb.service\n', 3, /the agent would be stopped/],
  [`${units}/x.service.d/c.conf`, '[Unit]\nConflicts=plumb.service\n', 2, /starting x\.service stops the agent/],
  ['services/a/files/lib/systemd/system/x.service', '[Unit]\nConflicts=plumb.service\n', 2, /stops the agent/],
  ['services/a/files/etc/containers/systemd/x.container', '[Unit]\nConflicts=plumb.service\n', 2, /stops the agent/],
  [`${units}/service.d/hard.conf`, '[Service]\nProtectSystem=strict\n', 2, /confines every service and so the agent/],
  [`${units}/service.d/user.conf`, '[Service]\nNice=5\nUser=nobody\n', 3, /replaces what every service/],
  [
    `${units}/service.d/unit.conf`,
    '[Unit]\nPartOf=web.service\n',
    2,
    /another unit stops every service and so the agent/,
  ],
  [
    `${system}/service.d/when.conf`,
    '[Unit]\nConditionPathExists=/srv\n',
    2,
    /keeps every service and so the agent from/,
  ],
  [
    `${units}/plumb.service.d/own.conf`,
    '[Service]\nExecStart=\nExecStart=/bin/true\n',
    3,
    /replaces what the agent runs/,
  ],
  [`${units}/plumb.service.d/own.conf`, '[Unit]\nBindsTo=db.service\n', 2, /another unit stops the agent/],
  [
    `${units}/plumb.service.d/own.conf`,
    '[Unit]\nBefore=a.service\nRequisite=db.service\n',
    3,
    /another unit stops the agent/,
  ],
  [`${units}/plumb.service.d/own.conf`, '[Service]\nRuntimeMaxSec=1d\n', 2, /ends the agent after that time/],
  [`${units}/plumb-.service.d/a.conf`, '[Service]\nProtectSystem=strict\n', 2, /confines plumb-restart-guard/],
  [
    `${units}/plumb-restart-.service.d/a.conf`,
    '[Service]\nExecStart=\nExecStart=/bin/true\n',
    3,
    /replaces what plumb-/,
  ],
  [`${units}/plumb-.timer.d/a.conf`, '[Unit]\nConditionPathExists=/x\n', 2, /keeps plumb-restart-guard/],
  [`${units}/plumb@.service`, '[Unit]\nConflicts=%p.service\n', 2, /stops the agent/],
  [`${units}/plumb@.service.d/a.conf`, '[Unit]\nConflicts=a.service %p.service\n', 2, /stops the agent/],
  [`${units}/x@.service`, '[Unit]\nConflicts=%i.service\n', 2, /stops the agent/],
  [`${units}/x-plumb.timer`, '[Unit]\nPropagatesStopTo=%j.service\n', 2, /stops the agent/],
  [`${units}/plumb.target`, '[Unit]\nConflicts=%N.service\n', 2, /stops the agent/],
  ['services/a/files/etc/containers/systemd/plumb.kube', '[Unit]\nConflicts=%n\n', 2, /stops the agent/],
  ['services/a/files/etc/containers/systemd/plumb.kube.d/a.conf', '[Unit]\nConflicts=%n\n', 2, /plumb\.kube stops/],
  [`${units}/x.service`, '[Unit]\nConflicts="plumb.service"\n', 2, /stops the agent/],
  [`${units}/x.service`, "[Install]\nAlias='plumb.service'\n", 2, /takes the place of the agent's/],
  [`${units}/etc-plumb.mount`, '[Mount]\nWhat=tmpfs\nWhere=/etc/plumb\n', 3, /hides \/etc\/plumb/],
  [`${units}/var-lib-plumb-objects.mount`, '[Mount]\nWhat=tmpfs\nWhere=/var/lib/plumb/objects\n', 3, /hides/],
  [`${units}/var-lib.mount`, '[Mount]\nWhat=/dev/sdb1\nWhere=/var/lib\n', 3, /hides \/var\/lib\/plumb/],
  [`${units}/run-plumb.automount`, '[Automount]\nWhere=/run/plumb\n', 2, /hides \/run\/plumb/],
  [`${units}/var-run-plumb.mount`, '[Mount]\nWhat=tmpfs\nWhere=/var/run/plumb\n', 3, /hides \/run\/plumb/],
  [`${units}/etc-plumb.mount`, '[Mount]\nWhat=tmpfs\nWhere=/%N\n', 3, /hides \/etc\/plumb/],
  ['services/a/files/etc/fstab', '# /\n/dev/sda1 / ext4\ntmpfs /etc/plumb tmpfs\n', 3, /hides \/etc\/plumb/],
  ['services/a/files/etc/fstab', '/dev/sdb1\t/var/lib\text4 defaults 0 0\n', 1, /hides \/var\/lib\/plumb/],
  ['services/a/files/etc/tmpfiles.d/a.conf', '#\nR /var/lib/plumb\n', 2, /agent's own/],
  ['services/a/files/etc/tmpfiles.d/a.conf', 'R! /etc/pl*\n', 1, /agent's own/],
  ['services/a/files/etc/tmpfiles.d/a.conf', 'D "%S" 0755 root root -\n', 1, /empties/],
  ['services/a/files/usr/lib/tmpfiles.d/a.conf', 'd /var/lib 0755 root root 10d\n', 1, /old/],
  ['services/a/files/etc/tmpfiles.d/a.conf', 'Z /var/lib - app app\n', 1, /all that is below/],
  ['services/a/files/etc/systemd/system.conf', '[Manager]\nNoNewPrivileges=yes\n', 2, /confines every service/],
  ['services/a/files/etc/systemd/system.conf.d/a.conf', '[Manager]\nProtectSystem=yes\n', 2, /confines every service/],
])('%s with %j', (path, text, line, why) => {
  test('is refused by lint and by hosts, unless service.yaml allows it', async () => {
    const expected = [
      { code: 'unsafe-path', message: expect.stringMatching(why), where: { file: path, line }, service: 'a' },
    ]
    expect(await linted({ [path]: text })).toMatchObject(expected)
    expect(await refusal(desire({ [path]: text }))).toMatchObject(expected)
    const target = path.replace(/^services\/a\/(?:files|units)/, path.startsWith(units) ? '/etc/systemd/system' : '')
    const allowed = { [path]: text, 'services/a/service.yaml': `files: { ${target}: { allow: agent-hazard } }\n` }
    expect(await linted(allowed)).toEqual([])
    expect((await desire(allowed)).desired.services).toHaveLength(1)
  })
})

test('a link that makes the agent require another unit is refused', async () => {
  const files = { [`${system}/plumb.service.requires/db.service`]: { link: '/etc/systemd/system/db.service' } }
  const expected = [{ code: 'unsafe-path', remedy: expect.stringContaining('plumb.service.wants/') }]
  expect(await linted(files)).toMatchObject(expected)
  expect(await refusal(desire(files))).toMatchObject(expected)
})

test('a template is refused by what it becomes on the host', async () => {
  const files = {
    'plumb.yaml': 'version: 1\nhosts: { web-1: { services: [a], vars: { enemy: plumb.service } } }\n',
    [`${units}/x.service`]: `[Unit]\nConflicts=\${{ vars.enemy }}\n`,
    'services/a/service.yaml': 'files: { /etc/systemd/system/x.service: { template: true } }\n',
  }
  expect(await refusal(desire(files))).toMatchObject([{ message: expect.stringContaining('stops the agent') }])
})

test.each([
  [`${units}/x.service`, '[Unit]\nAfter=plumb.service\nWants=plumb.service\nOnFailure=plumb.service\n'],
  [`${units}/x.service`, '[Unit]\n# Conflicts=plumb.service\nConflicts=\nConflicts=plumb-exporter.service\n'],
  [`${units}/x.service`, '[Service]\nConflicts=plumb.service\n[Install]\nWantedBy=plumb.service\n'],
  [`${units}/x.service`, '[Service]\nProtectSystem=strict\nUser=nobody\n[Unit]\nPartOf=web.service\n'],
  [`${units}/service.d/a.conf`, '[Service]\nOOMScoreAdjust=10\nProtectSystem=no\nPrivateTmp=false\nMemoryMax=2G\n'],
  [`${units}/plumb-.service.d/a.conf`, '[Service]\nMemoryMax=2G\n'],
  [`${units}/plumb-exporter-.service.d/a.conf`, '[Service]\nProtectSystem=strict\n'],
  [
    `${units}/plumb.service.d/a.conf`,
    '[Service]\nEnvironment=HTTPS_PROXY=http://p\nMemoryHigh=1G\n[Unit]\nAfter=x.service\n',
  ],
  ['services/a/files/etc/systemd/system.conf.d/a.conf', '[Manager]\nDefaultTimeoutStopSec=30s\n'],
  [`${units}/plumb@.service`, '[Unit]\nConflicts=%p-old.service %i.target\n'],
  [`${units}/srv-plumb.mount`, '[Mount]\nWhat=tmpfs\nWhere=/srv/plumb\n'],
  [`${units}/var-lib-plumbing.mount`, '[Mount]\nWhat=tmpfs\nWhere=/var/lib/plumbing\n'],
  [
    'services/a/files/etc/fstab',
    '/dev/sda1 / ext4\n/dev/sda2 /var ext4\n/dev/sda3 /srv ext4\nproc /proc proc hidepid=2\nUUID=1 none swap\n',
  ],
  [
    'services/a/files/etc/tmpfiles.d/a.conf',
    'x /var/lib/plumb\nd /var/lib/app 0755 app app 10d\nR /tmp/x*\nd /etc/app 0755\nz /var/lib 0755\n',
  ],
  ['services/a/files/etc/containers/systemd/x.container', '[Container]\nVolume=/srv/x:/etc/plumb\nVolume=plumb:/x\n'],
  ['services/a/files/etc/systemd/user/x.service', '[Unit]\nConflicts=plumb.service\n'],
  ['services/a/files/srv/x.service', '[Unit]\nConflicts=plumb.service\n'],
])('%s with %j is not refused', async (path, text) => {
  expect(await linted({ [path]: text })).toEqual([])
  expect((await desire({ [path]: text })).desired.services).toHaveLength(1)
})

test.each(['sysinit.target', 'system.slice'])('what the agent runs on is not stopped by an apply: %s', async (unit) => {
  const settings = (said: string) => ({ 'services/a/service.yaml': `units: { "${unit}": ${said} }\n` })
  for (const said of ['{ state: stopped }', '{ masked: true }'])
    expect(await linted(settings(said))).toMatchObject([
      { message: expect.stringContaining(`${unit} is what the agent runs on`) },
    ])
  expect(await linted(settings('{ state: running }'))).toEqual([])
})

test.each(['reboot', 'poweroff', 'halt', 'kexec', 'rescue', 'emergency', 'suspend', 'runlevel6'])(
  '%s.target is never started by an apply, and may be masked',
  async (name) => {
    const settings = (said: string) => ({ 'services/a/service.yaml': `units: { ${name}.target: ${said} }\n` })
    for (const said of ['{}', '{ state: running }'])
      expect(await linted(settings(said))).toMatchObject([
        { message: expect.stringContaining('ends or restarts the host') },
      ])
    expect(await linted(settings('{ masked: true }'))).toEqual([])
  },
)
