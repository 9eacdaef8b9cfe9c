// Mounts as the kernel shows them, against what a unit names: which of two units of one place are the same mount.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSame, mountAt, wantedMount } from '../../../agent/host/mounted.ts'
import { runTrigger } from '../../../agent/host/triggers.ts'
import type { Run } from '../../../shared/command.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { triggerOfChange } from '../../../shared/repository/changed-unit.ts'

const run = createRun()

describe.skipIf(process.geteuid?.() !== 0)('what is mounted at a place', () => {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-mounted-'))
  const at = (name: string) => join(directory, name)
  const where = at('where it is')

  beforeAll(() => {
    for (const name of ['one', 'two', 'upper', 'work', 'where it is', 'space']) mkdirSync(at(name), { recursive: true })
    for (const name of ['one.img', 'two.img']) {
      writeFileSync(at(name), Buffer.alloc(4 << 20))
      execFileSync('mkfs.ext4', ['-q', at(name)])
    }
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', at('space')])
    for (const name of ['upper', 'work']) mkdirSync(at(`space/${name}`))
  })
  afterAll(() => {
    execFileSync('umount', [at('space')])
    rmSync(directory, { recursive: true })
  })

  /** Of units by what they say beside Where=, those that are what the first one has mounted. */
  async function sameAs(mounted: string, others: readonly string[]): Promise<readonly boolean[]> {
    const unit = (settings: string) => wantedMount(`[Unit]\nWhat=no\n[Mount]\nWhere=${where}\n${settings}\n`)
    const { what, type, options } = unit(mounted)
    const written = [...options].map(([key, value]) => (value === '' ? key : `${key}=${value}`)).join()
    const typed = type === '' ? [] : ['-t', type]
    const device = /^(?:tmpfs|overlay)$/.test(type) || options.has('bind') ? [] : ['-o', 'loop']
    execFileSync('mount', [...typed, ...device, ...(written === '' ? [] : ['-o', written]), what, where])
    try {
      const here = mountAt(where, readFileSync('/proc/self/mountinfo', 'utf8'))
      if (here === undefined) throw new Error('nothing is mounted')
      const answers: boolean[] = []
      for (const other of [mounted, ...others]) answers.push(await isSame(unit(other), here, run))
      return answers
    } finally {
      execFileSync('umount', [where])
    }
  }

  test('a file system in memory is the same whatever its size and its label', async () => {
    const tmpfs = 'What=tmpfs\nType=tmpfs\nOptions=size=1m'
    const others = ['What=scratch\nType=tmpfs\nOptions=size=2m', 'What=tmpfs\nType=ramfs', `What=${at('one')}`]
    expect(await sameAs(tmpfs, others)).toEqual([true, true, false, false])
  })

  test('a bind mount is the same by the directory that it shows', async () => {
    const bind = (name: string, more = '') => `What=${at(name)}\nOptions=bind${more}`
    expect(await sameAs(bind('one'), [bind('one', ',ro'), bind('one/../one'), bind('two'), bind('gone')])).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
  })

  test('a file system of a device is the same by the device, under each of its names', async () => {
    const image = (name: string, more = '') => `What=${at(name)}\nType=ext4${more}`
    const link = at('link.img')
    execFileSync('ln', ['-s', at('one.img'), link])
    const uuid = execFileSync('blkid', ['-o', 'value', '-s', 'UUID', at('one.img')], { encoding: 'utf8' }).trim()
    const others = [
      image('one.img', '\nOptions=noatime'),
      image('link.img'),
      image('two.img'),
      `What=${at('one.img')}\nType=xfs`,
      'What=UUID=00000000-0000-0000-0000-000000000000',
    ]
    expect(uuid).not.toBe('')
    expect(await sameAs(image('one.img'), others)).toEqual([true, true, true, false, false, false])
  })

  test('an overlay is the same by its layers', async () => {
    const overlay = (lower: string) =>
      `What=overlay\nType=overlay\nOptions=lowerdir=${at(lower)},upperdir=${at('space/upper')},workdir=${at('space/work')}`
    expect(await sameAs(overlay('one'), [overlay('one'), overlay('two')])).toEqual([true, true, false])
  })
})

test('the last assignment of a unit and its drop-ins counts, and of mounts at one place the topmost', () => {
  const text = '# /etc/x.mount\n[Mount]\nWhat=/dev/a\nWhere=/srv/x/\nType=auto\n\n# drop-in\n[Mount]\nWhat="/dev/b"\n'
  expect(wantedMount(text)).toMatchObject({ what: '/dev/b', where: '/srv/x', type: '' })
  const lines = [
    '30 1 8:1 / /srv/x rw - ext4 /dev/sda1 rw',
    '31 30 0:50 /@data /srv/x rw shared:1 - btrfs /dev/sdb rw,subvolid=256,subvol=/@data',
    '32 1 0:51 / /srv/x\\040y rw - tmpfs none rw',
  ].join('\n')
  expect(mountAt('/srv/x', lines)).toMatchObject({ device: '0:50', root: '/@data', type: 'btrfs' })
  expect(mountAt('/srv/x y', lines)?.type).toBe('tmpfs')
})

test.each([
  ['subvol=@data', true],
  ['subvol=/@data', true],
  ['subvolid=256', true],
  ['subvol=@other', false],
  ['subvolid=257', false],
  ['noatime', false],
])('a btrfs mount of %s is the subvolume that is mounted: %s', async (options, same) => {
  const here = mountAt('/x', '31 30 0:50 /@data /x rw - btrfs /dev/sdb rw,subvolid=256,subvol=/@data')
  if (here === undefined) throw new Error('no mount')
  expect(await isSame(wantedMount(`[Mount]\nWhat=/dev/sdb\nOptions=${options}`), here, run)).toBe(same)
})

test.each([
  ['srv.mount', 'reload-or-restart'],
  ['srv.automount', 'reload-or-restart'],
  ['dev-sda2.swap', undefined],
  ['web.socket', 'restart'],
  ['web.service', 'restart'],
])('what a change of %s implies is %s', (unit, kind) => {
  expect(triggerOfChange(unit)?.kind).toBe(kind)
})

// Containers have no autofs: systemd's answers are written down here.
test.each([
  ['running', undefined],
  ['waiting', 'restarted srv.automount'],
])('an automount that is %s: %s', async (subState, told) => {
  const asked: string[] = []
  const systemd: Run = async ({ args }) => {
    asked.push(args.join(' '))
    const stdout = args.includes('show')
      ? `Id=srv.automount\nLoadState=loaded\nActiveState=active\nSubState=${subState}\n`
      : 'enabled\n'
    return { ...(await run({ args: ['true'] })), stdout }
  }
  expect(await runTrigger({ kind: 'reload-or-restart', unit: 'srv.automount' }, systemd)).toBe(told)
  expect(asked.some((line) => line.includes(' restart '))).toBe(told !== undefined)
})
