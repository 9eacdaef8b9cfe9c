import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { auditDay, auditedPath, auditRecords } from '../../../agent/host/evidence/audit.ts'
import { parseAudit } from '../../../agent/host/evidence/audit-records.ts'
import { openHost } from '../../../agent/host/host.ts'
import type { Command } from '../../../shared/command.ts'
import { createRun } from '../../../shared/platform/run.ts'

const recorded = (name: string) => readFileSync(join(import.meta.dirname, 'recorded', name), 'utf8')
const changes = recorded('ausearch-motd.txt')
const removed = recorded('ausearch-removed-directory.txt')
const numbersOnly = recorded('ausearch-raw-with-node.txt')
const motd = { path: '/etc/motd' }
const told = (...[text, audited]: Parameters<typeof parseAudit>) =>
  parseAudit(text, audited).map(({ command, systemCall }) => `${command} ${systemCall}`)

test('a record tells when, who was logged in, by which program and system call', () => {
  expect(parseAudit(changes, motd)[0]).toEqual({
    at: '2026-11-26T18:24:54.418Z',
    loginUid: 1000,
    executable: '/usr/bin/sed',
    command: 'sed',
    pid: 9487,
    systemCall: 'rename',
  })
})

test('a system call that is not known by its number has the name that auditd gave it', () => {
  expect(told(changes.replace('syscall=82 ', 'syscall=999 '), motd)[0]).toBe('sed rename')
})

test('editors and shells that work in the directory, as ./motd and as motd, are found, and what failed is left out', () => {
  expect(told(changes, motd)).toEqual([
    'sed rename', // sed -i /etc/motd
    'sh openat', // cd /etc; echo again >> motd
    'sed rename', // cd /etc; sed -i ./motd
    'chmod fchmodat',
    'vim.tiny openat', // and not its backup motd~
    'mv renameat2',
    'perl truncate',
    'rm unlinkat', // /etc/sudoers.d/../motd
  ])
  expect(told(changes, { path: '/etc/motd.bak' })).toEqual(['mv renameat2'])
})

test('another file of that name in another directory is another file', () => {
  expect(told(changes, { path: '/srv/etc/motd' })).toEqual([])
  expect(told(changes, { path: '/home/anna/motd' })).toEqual([])
})

test('what rm -r removed is not taken for a file where it was started, as the kernel names its directory', () => {
  expect(told(removed, { path: '/home/anna/file' })).toEqual([])
  expect(told(removed, { path: '/home/anna' })).toEqual([])
  expect(told(removed, { path: '/etc/dir/sub/file' })).toEqual(['touch openat'])
  expect(told(removed, { path: '/etc/dir' })).toEqual(['rm unlinkat'])
})

test('the inode of its directory, or its own, tells a file that was reached by another way', () => {
  const bySub = { path: '/etc/link/file', directoryInode: 2794811 }
  expect(told(removed, bySub)).toEqual(['touch openat', 'rm unlinkat'])
  expect(told(removed, { ...bySub, path: '/etc/link/other' })).toEqual([])
  expect(told(changes, { path: '/etc/link/motd', inode: 2794807 })).toEqual(['perl truncate', 'rm unlinkat'])
})

test('a log with numbers only, under the name of its host, tells the same; reading is no change', () => {
  expect(parseAudit(numbersOnly, motd)).toEqual([
    {
      at: '2026-11-26T18:27:37.722Z',
      loginUid: 1000,
      executable: '/usr/bin/dash',
      command: 'sh',
      pid: expect.any(Number),
      systemCall: 'openat',
    },
  ])
  expect(told(numbersOnly.replace('success=no exit=-22', 'success=yes exit=5'), motd)).toEqual(['sh openat'])
  expect(told(numbersOnly.replaceAll('syscall=257', 'syscall=999'), motd)).toContain('sh 999')
})

test('a name in hexadecimal is read', () => {
  expect(told(recorded('ausearch-quoted-name.txt'), { path: '/etc/a "q b' })).toEqual(['sh openat'])
})

test('a process that nobody logged in to start has no user', () => {
  const unset = changes.replaceAll('auid=1000', 'auid=4294967295')
  expect(parseAudit(unset, motd)[0]).not.toHaveProperty('loginUid')
})

test('numbers of events begin anew when the machine boots: those of another time are other events', () => {
  const again = changes.replaceAll('audit(179571', 'audit(179570').replaceAll('comm="sed"', 'comm="ed"')
  const all = parseAudit(again + changes, motd)
  expect(all).toHaveLength(16)
  expect(all.map(({ command }) => command)).toEqual(expect.arrayContaining(['ed', 'sed']))
})

test('it is asked for by the last part of the name, in the time around the change', async () => {
  const asked: Command[] = []
  const query = async (command: Command) => {
    asked.push(command)
    return { code: 0, stdout: changes, stderr: '' }
  }
  const at = Date.parse('2026-11-26T18:24:54.418Z')
  const records = await auditRecords(query, { audited: motd, from: at - 500, to: at + 500, deadlineSeconds: 2 })
  expect(records.map(({ command }) => command)).toEqual(['sed'])
  expect(asked[0]?.args.join(' ')).toBe(
    'ausearch --input-logs --file motd --start 11/26/26 18:24:53 --end 11/26/26 18:24:55 --format raw',
  )
  expect(auditDay(Date.parse('2013-03-28T14:00:05.7Z'))).toEqual(['03/28/13', '14:00:05'])
})

test('what vanished with its directories is asked for as the uppermost that is gone', () => {
  const root = mkdtempSync(join(tmpdir(), 'plumb-audit-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'etc/here'), { recursive: true })
  writeFileSync(join(root, 'etc/here/file'), '')
  const { files } = openHost({ root, run: createRun() })
  const inodeOf = (path: string) => statSync(join(root, path)).ino
  expect(auditedPath('/etc/gone/sub/file', files)).toEqual({
    path: '/etc/gone',
    inode: undefined,
    directoryInode: inodeOf('etc'),
  })
  expect(auditedPath('/etc/here/file', files)).toEqual({
    path: '/etc/here/file',
    inode: inodeOf('etc/here/file'),
    directoryInode: inodeOf('etc/here'),
  })
})
