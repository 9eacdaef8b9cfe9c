import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAptHistory, parseDpkgLog, parseOwners } from '../../../agent/host/evidence/dpkg-log.ts'
import { parseJournal } from '../../../agent/host/evidence/journal.ts'
import {
  endedSessions,
  interactiveSession,
  isTracking,
  merged,
  parseLast,
  parseSessionIds,
  parseShownSessions,
  wasOpenAt,
} from '../../../agent/host/evidence/sessions.ts'
import { latestOf, unitTime } from '../../../agent/host/evidence/state-times.ts'
import { sudoCommands, sudoMessage } from '../../../agent/host/evidence/sudo.ts'
import type { Run } from '../../../shared/command.ts'

const recorded = (name: string) => readFileSync(join(import.meta.dirname, 'recorded', name), 'utf8')

// dpkg and apt write the host's own time; the recordings are of a host in UTC.
const zone = process.env['TZ']
beforeAll(() => {
  process.env['TZ'] = 'UTC'
})
afterAll(() => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

describe('login sessions', () => {
  test('logind tells who is logged in, from where, on which terminal and since when', () => {
    expect(parseSessionIds(recorded('sessions-list.txt'))).toEqual(['18'])
    expect(parseShownSessions(recorded('sessions-show.txt'))).toEqual([
      { user: 'anna', from: '10.77.0.1', tty: 'pts/0', service: 'ssh', since: '2026-11-26T12:41:07.000Z' },
    ])
  })

  test('and so it does in systemd 257, where the user manager is listed too', () => {
    expect(parseSessionIds(recorded('sessions-list-systemd-257.txt'))).toEqual(['c2', 'c3'])
    expect(parseShownSessions(recorded('sessions-show-systemd-257.txt'))).toMatchObject([
      { user: 'anna', from: '10.77.0.1', service: 'ssh' },
    ])
  })

  test('a user manager, a greeter and what cron opens are no people', () => {
    const shown = recorded('sessions-show.txt')
    for (const other of ['manager', 'greeter', 'background'])
      expect(parseShownSessions(shown.replace('Class=user', `Class=${other}`))).toEqual([])
  })

  test('wtmp tells of those that ended too, and how far back it goes', () => {
    expect(parseLast(recorded('last.txt'))).toEqual({
      begins: '2026-11-26T12:16:41.000Z',
      sessions: [
        { user: 'anna', from: '10.77.0.1', tty: 'pts/0', since: '2026-11-26T12:25:34.000Z' },
        {
          user: 'anna',
          from: '10.77.0.1',
          tty: 'pts/0',
          since: '2026-11-26T12:17:27.000Z',
          until: '2026-11-26T12:21:27.000Z',
        },
      ],
    })
  })

  test('the journal tells of a session without a terminal that wtmp does not know', () => {
    const [, ended] = endedSessions(parseJournal(recorded('journal-logind.jsonl')))
    if (ended === undefined) throw new Error('the second session is not found')
    const [told] = interactiveSession(ended, parseJournal(recorded('journal-leaders.jsonl')))
    expect(told).toMatchObject({ user: 'anna', from: '10.77.0.1', service: 'ssh' })
    expect(told?.since?.slice(0, 18)).toBe('2026-11-26T12:25:3')
  })

  test('what cron opened is no login', () => {
    const [ended] = endedSessions(parseJournal(recorded('journal-logind.jsonl')))
    if (ended === undefined) throw new Error('no session is found')
    const said = parseJournal(recorded('journal-leaders.jsonl').replaceAll('pam_unix(sshd:', 'pam_unix(cron:'))
    expect(interactiveSession(ended, said)).toEqual([])
  })

  test('one login that logind and wtmp tell of is one, with what each knows', () => {
    const since = '2026-11-26T12:25:34.000Z'
    const open = { user: 'anna', from: '10.77.0.1', service: 'ssh', since }
    const wtmp = { user: 'anna', tty: 'pts/0', from: '10.77.0.1', since: '2026-11-26T12:25:35.000Z' }
    expect(merged([open], [wtmp])).toEqual([{ ...open, tty: 'pts/0' }])
    expect(merged([open], [{ ...wtmp, user: 'bob' }])).toHaveLength(2)
  })

  test('a login that ended at once and one that began in the same second are two', () => {
    const since = '2026-11-26T12:40:25.000Z'
    const open = { user: 'anna', from: '10.77.0.1', service: 'ssh', since }
    const ended = { ...open, until: '2026-11-26T12:40:25.624Z' }
    expect(merged([open, ended], [])).toHaveLength(2)
    expect(merged([ended], [{ user: 'anna', tty: 'pts/0', since }])).toHaveLength(2)
  })

  test('logind knows of every login only where PAM tells it', () => {
    expect(isTracking('session required pam_unix.so\nsession\toptional\tpam_systemd.so \n')).toBe(true)
    expect(isTracking('-session   optional   pam_systemd.so\n')).toBe(true)
    expect(isTracking('# session optional pam_systemd.so\nsession required pam_unix.so\n')).toBe(false)
  })

  test('a session counts for the time between its begin and its end', () => {
    const session = { user: 'anna', since: '2026-11-26T12:17:27.000Z', until: '2026-11-26T12:21:27.000Z' }
    const open = ['12:17:20', '12:17:27', '12:21:27', '12:21:40'].map((time) =>
      wasOpenAt(session, Date.parse(`2026-11-26T${time}Z`)),
    )
    expect(open).toEqual([false, true, true, false])
  })
})

describe('sudo', () => {
  test('the journal tells who ran what as whom; what PAM says beside it is no command', () => {
    const told = parseJournal(recorded('journal-sudo.jsonl')).flatMap(({ at, fields }) =>
      sudoMessage(at, fields['MESSAGE'] ?? ''),
    )
    expect(told).toHaveLength(2)
    expect(told[0]).toEqual({
      at: '2026-11-26T12:17:27.515Z',
      user: 'anna',
      as: 'root',
      tty: 'pts/0',
      command: "/usr/bin/sh -c 'echo hi=1 >> /etc/motd'",
    })
    expect(told[1]).toMatchObject({ user: 'anna', as: 'root', command: '/usr/bin/touch /etc/motd' })
  })

  test('what sudo refused was not run, and what the words of a command say is a part of it', () => {
    const refused = ['command not allowed', '3 incorrect password attempts', 'user NOT in sudoers'].flatMap((why) =>
      sudoMessage('', `anna : ${why} ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/vi /etc/motd`),
    )
    expect(refused).toEqual([])
    const [told] = sudoMessage('', 'anna : PWD=/ ; USER=root ; COMMAND=/bin/ls ; USER=bob ; COMMAND=/bin/rm')
    expect(told).toMatchObject({ as: 'root', command: '/bin/ls ; USER=bob ; COMMAND=/bin/rm' })
  })

  test('only what the program of sudo wrote is asked for, not what was written in its name', async () => {
    const asked: string[] = []
    const query: Run = ({ args }) => {
      asked.push(...args)
      return Promise.resolve({ code: 1, stdout: '', stderr: '' })
    }
    expect(await sudoCommands(query, { from: 0, to: 1, deadlineSeconds: 1 })).toEqual([])
    const matches = asked.filter((arg) => /^_?[A-Z_]+=/.test(arg))
    expect(matches).toContain('_EXE=/usr/bin/sudo')
    expect(matches.filter((match) => !match.startsWith('_EXE=/'))).toEqual([])
    expect(asked[0]).toBe('journalctl')
    expect(asked.join(' ')).not.toContain('auth.log')
  })

  test('control characters and overlong commands are cut down', () => {
    const [told] = sudoMessage('', `anna : USER=root ; COMMAND=/bin/echo \u001b[2J\u202e${'x'.repeat(2000)}`)
    expect(told?.command).toMatch(/^\/bin\/echo {2}\[2J x+$/)
    expect(told?.command.length).toBe(500)
  })
})

describe('the package manager', () => {
  test('dpkg tells what it did to a package, and in which versions', () => {
    expect(parseDpkgLog(recorded('dpkg-log.txt')).slice(-2)).toEqual([
      { at: '2026-11-26T12:17:30.000Z', package: 'cron', action: 'upgrade', from: '3.0pl1-162', to: '3.0pl1-162' },
      { at: '2026-11-26T12:17:30.000Z', package: 'cron', action: 'configure', from: '3.0pl1-162' },
    ])
  })

  test('apt tells by which command, and between which times', () => {
    expect(parseAptHistory(recorded('apt-history-log.txt')).at(-1)).toEqual({
      from: '2026-11-26T12:17:30.000Z',
      to: '2026-11-26T12:17:31.000Z',
      commandLine: 'apt-get install -y --reinstall cron',
    })
    expect(parseAptHistory('Start-Date: 2026-11-26  12:17:30\nRequested-By: anna (1000)\n')).toEqual([
      { from: '2026-11-26T12:17:30.000Z', requestedBy: 'anna (1000)' },
    ])
  })

  test('dpkg tells the owners of a path, several of a shared directory', () => {
    const owners = parseOwners(recorded('dpkg-search.txt'))
    expect(owners.get('/usr/sbin/cron')).toEqual(['cron'])
    expect(owners.get('/usr/share/doc')).toContain('openssh-server')
    expect(parseOwners('diversion by dash from: /bin/sh\ndiversion by dash to: /bin/sh.distrib\n').size).toBe(0)
  })
})

describe('units and containers', () => {
  test('systemd tells since when a unit is as it is', () => {
    expect(unitTime(recorded('unit-times.txt'))).toBe('2026-11-26T12:17:31.220Z')
    expect(unitTime('StateChangeTimestamp=Thu 2026-11-26 12:17:31 UTC\n')).toBe('2026-11-26T12:17:31.000Z')
    expect(unitTime('StateChangeTimestamp=\nInactiveEnterTimestamp=\n')).toBeUndefined()
  })

  test('of containers the latest time counts, in the words of docker and of podman', () => {
    const docker = '2026-11-26T12:00:00.5Z\t2026-11-26T12:00:01.123456789Z\t0001-01-01T00:00:00Z\n'
    const podman =
      '2026-11-26 12:00:00.5 +0000 UTC\t2026-11-26 13:00:02.123456789 +0100 CET\t0001-01-01 00:00:00 +0000 UTC\n'
    expect(latestOf(docker)).toBe('2026-11-26T12:00:01.123Z')
    expect(latestOf(podman)).toBe('2026-11-26T12:00:02.123Z')
    expect(latestOf('0001-01-01T00:00:00Z\n')).toBeUndefined()
  })
})
