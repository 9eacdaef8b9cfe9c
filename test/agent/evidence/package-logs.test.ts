import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dnfLog, parseDnfLog, parseDnfRpmLog } from '../../../agent/host/evidence/dnf-log.ts'
import { parsePacmanActions, parsePacmanOwners, parsePacmanRuns } from '../../../agent/host/evidence/pacman-log.ts'
import type { Command } from '../../../shared/command.ts'

const recorded = (name: string) => readFileSync(join(import.meta.dirname, 'recorded', name), 'utf8')

test('dnf tells what it did to a package, and from which version to which', () => {
  const said = parseDnfRpmLog(recorded('dnf-rpm-log.txt'))
  expect(said.map(({ action, package: name, from, to }) => `${action} ${name} ${from} ${to}`)).toEqual([
    'install plumb-b undefined 1:2.0-1.lab',
    'install plumb-c undefined 1.0-1.lab',
    'install plumb-a undefined 1.0-1.lab',
    'upgrade plumb-a 1.0-1.lab 2.0-1.lab',
    'reinstall plumb-c 1.0-1.lab 1.0-1.lab',
    'downgrade plumb-a 2.0-1.lab 1.1-1.lab',
    'remove plumb-c 1.0-1.lab undefined',
    'remove plumb-b 1:2.0-1.lab undefined',
    'install plumb-b undefined 1:2.0-1.lab',
  ])
  expect(said[3]?.at).toBe('2026-11-26T18:43:11.000Z')
  expect(parseDnfRpmLog('2026-11-26T19:43:11+0100 INFO Erase: a-b-1-2.x86_64\n')).toEqual([
    { at: '2026-11-26T18:43:11.000Z', package: 'a-b', action: 'remove', from: '1-2' },
  ])
})

test('dnf tells by which command; what only asks is none, and what had nothing to do has no part in another', () => {
  const runs = parseDnfLog(recorded('dnf-log.txt'))
  expect(runs.slice(0, 3)).toEqual([
    {
      from: '2026-11-26T18:43:09.000Z',
      to: '2026-11-26T18:43:09.000Z',
      commandLine: 'dnf -y install plumb-a-1.0 plumb-c',
    },
    {
      from: '2026-11-26T18:43:13.000Z',
      to: '2026-11-26T18:43:14.000Z',
      commandLine: 'dnf -y downgrade plumb-a-1.1',
    },
    { from: '2026-11-26T18:43:14.000Z', to: '2026-11-26T18:43:15.000Z', commandLine: 'dnf -y remove plumb-c' },
  ])
  const asking =
    '2026-11-26T18:43:14+0000 DDEBUG Command: dnf makecache\n2026-11-26T18:43:14+0000 DDEBUG Base command: makecache\n'
  const beside = recorded('dnf-log.txt').replace(/^.*RPM transaction start\.$/gm, (line) => `${asking}${line}`)
  expect(parseDnfLog(beside)).toEqual(runs)
})

test('rpm is asked for the owner of each path, of the first twenty', async () => {
  const asked: Command[] = []
  const query = async (command: Command) => {
    asked.push(command)
    const isOwned = command.args.at(-1) === '/etc/1'
    return {
      code: isOwned ? 0 : 1,
      stdout: isOwned ? 'one\nother\n' : 'file /etc/2 is not owned by any package\n',
      stderr: '',
    }
  }
  const paths = Array.from({ length: 30 }, (_, index) => `/etc/${index}`)
  const owners = await dnfLog.owners(query, { paths, deadlineSeconds: 2 })
  expect(owners.get('/etc/1')).toEqual(['one', 'other'])
  expect(owners.get('/etc/2')).toEqual([])
  expect(asked).toHaveLength(20)
})

test('pacman tells what it did to a package, and from which version to which', () => {
  const said = parsePacmanActions(recorded('pacman-log.txt'))
  expect(said.map(({ action, package: name, from, to }) => `${action} ${name} ${from} ${to}`)).toEqual([
    'install plumb-p undefined 1.0-1',
    'install plumb-q undefined 1:2.0-1',
    'install plumb-r undefined 1.0-1',
    'upgrade plumb-p 1.0-1 1.1-1',
    'downgrade plumb-p 1.1-1 1.0-1',
    'remove plumb-r 1.0-1 undefined',
    'upgrade plumb-p 1.0-1 1.1-1',
    'reinstall plumb-q undefined 1:2.0-1',
  ])
  expect(said[0]?.at).toBe('2026-11-26T18:43:16.000Z')
  const byOthers = ['PACMAN', 'ALPM-SCRIPTLET'].map(
    (who) => `[2026-11-26T18:43:16+0000] [${who}] removed glibc (2.40-1)`,
  )
  expect(parsePacmanActions(byOthers.join('\n'))).toEqual([])
})

test('pacman tells by which command; what ended without a transaction has no part in another', () => {
  const runs = parsePacmanRuns(recorded('pacman-log.txt'))
  expect(runs.map(({ commandLine }) => commandLine)).toEqual([
    'pacman -S --noconfirm plumb-p plumb-r',
    'pacman -Su --noconfirm',
    'pacman -U --noconfirm /var/cache/pacman/pkg/plumb-p-1.0-1-any.pkg.tar.gz',
    'pacman -R --noconfirm plumb-r',
    'pacman -S --noconfirm plumb-p',
    'pacman -S --noconfirm --overwrite * plumb-q',
  ])
  expect(runs[0]).toMatchObject({ from: '2026-11-26T18:43:16.000Z', to: '2026-11-26T18:43:16.000Z' })
  const atWork = "[2026-11-26T18:50:00+0000] [PACMAN] Running 'pacman -Su'\n"
  expect(parsePacmanRuns(atWork)).toEqual([{ from: '2026-11-26T18:50:00.000Z', commandLine: 'pacman -Su' }])
})

test('pacman tells the owners of a path, several of a shared directory', () => {
  const owners = parsePacmanOwners(recorded('pacman-owners.txt'))
  expect(owners.get('/usr/share/plumb-p/version')).toEqual(['plumb-p'])
  expect(owners.get('/usr/share/plumb-q')).toEqual(['plumb-q'])
  expect(owners.get('/usr/share')).toEqual(['plumb-p', 'plumb-q'])
})
