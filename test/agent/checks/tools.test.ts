import { expect, test } from 'vitest'
import { runTools, toolSteps } from '../../../agent/host/tools.ts'
import type { CommandResult, Run } from '../../../shared/command.ts'
import { absolutePathSchema } from '../../../shared/names.ts'

test.each([
  ['/etc/sysusers.d/web.conf', ['systemd-sysusers /etc/sysusers.d/web.conf']],
  ['/etc/tmpfiles.d/web.conf', ['systemd-tmpfiles --create /etc/tmpfiles.d/web.conf']],
  ['/etc/sysctl.d/50-net.conf', ['/usr/lib/systemd/systemd-sysctl /etc/sysctl.d/50-net.conf']],
  ['/etc/udev/rules.d/70-x.rules', ['udevadm control --reload', 'udevadm trigger --action=change']],
  ['/etc/systemd/system/a.service', ['systemctl daemon-reload']],
  ['/etc/systemd/system/nginx.service.d/limits.conf', ['systemctl daemon-reload']],
  ['/etc/containers/systemd/app.container', ['systemctl daemon-reload']],
  ['/etc/systemd/user/a.service', ['systemctl kill --kill-whom=main --signal=HUP user@*.service']],
  ['/etc/systemd/user/a.service.d/x.conf', ['systemctl kill --kill-whom=main --signal=HUP user@*.service']],
  ['/etc/containers/systemd/users/1000/app.container', ['systemctl kill --kill-whom=main --signal=HUP user@*.service']],
  ['/etc/nginx/nginx.conf', []],
  ['/etc/sysusers.d/README', []],
  ['/srv/etc/sysusers.d/x.conf', []],
])('writing %s calls for %o', (path, commands) => {
  expect(commandsFor({ written: [path] })).toEqual(commands)
})

test('one run of each tool takes all its files, users first and units last', () => {
  const written = [
    '/etc/systemd/system/a.service',
    '/etc/tmpfiles.d/b.conf',
    '/etc/tmpfiles.d/a.conf',
    '/etc/sysusers.d/a.conf',
    '/etc/systemd/system/b.service',
  ]
  expect(commandsFor({ written })).toEqual([
    'systemd-sysusers /etc/sysusers.d/a.conf',
    'systemd-tmpfiles --create /etc/tmpfiles.d/b.conf /etc/tmpfiles.d/a.conf',
    'systemctl daemon-reload',
  ])
  expect(toolSteps(paths({ written })).map(({ when }) => when)).toEqual(['before-files', 'after-files', 'after-files'])
})

test('a removed unit is forgotten by systemd, a removed sysctl or user stays', () => {
  expect(commandsFor({ removed: ['/etc/systemd/system/a.service'] })).toEqual(['systemctl daemon-reload'])
  expect(
    commandsFor({ removed: ['/etc/sysctl.d/a.conf', '/etc/sysusers.d/a.conf', '/etc/tmpfiles.d/a.conf'] }),
  ).toEqual([])
})

test("a user's manager that cannot listen is not the repository's fault", async () => {
  const steps = toolSteps(paths({ written: ['/etc/systemd/user/a.service'] }))
  const failing: Run = async () => ({
    code: 1,
    stdout: '',
    stderr: 'Failed to kill unit user@0.service: No main process',
  })
  expect(await runTools(steps, failing)).toEqual(['reloaded the units of users'])
})

test('udev is left alone where it does not run, as in a container', async () => {
  const ran: string[] = []
  const steps = toolSteps(paths({ written: ['/etc/udev/rules.d/70-x.rules', '/etc/systemd/system/a.service'] }))
  const without: Run = async ({ args }) => {
    ran.push(args.join(' '))
    return { code: args[0] === 'test' ? 1 : 0, stdout: '', stderr: '' } satisfies CommandResult
  }
  expect(await runTools(steps, without)).toEqual(['ran systemctl daemon-reload'])
  expect(ran.filter((command) => command.startsWith('udevadm'))).toEqual([])
})

test('a tool that refuses its file is named with its words', async () => {
  const refusing: Run = async () => ({
    code: 65,
    stdout: '',
    stderr: '/etc/tmpfiles.d/a.conf:1: Unknown command type.',
  })
  const steps = toolSteps(paths({ written: ['/etc/tmpfiles.d/a.conf'] }))
  await expect(runTools(steps, refusing)).rejects.toThrow(
    /systemd-tmpfiles --create .*a\.conf failed: .*Unknown command type/,
  )
})

type Texts = { readonly written?: readonly string[]; readonly removed?: readonly string[] }

function paths({ written = [], removed = [] }: Texts) {
  const parse = (path: string) => absolutePathSchema.parse(path)
  return { written: written.map(parse), removed: removed.map(parse) }
}

function commandsFor(texts: Texts): readonly string[] {
  return toolSteps(paths(texts)).map(({ command }) => command.args.join(' '))
}
