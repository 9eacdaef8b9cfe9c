// What an undo does that comes after a reboot, or after an undo that was killed; the reboot itself is test/lab/apply.test.ts's.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type JournalRecord, undoLog } from '../../../agent/apply/journal.ts'
import { recover } from '../../../agent/apply/recover.ts'
import { undo } from '../../../agent/apply/undo.ts'
import { bootId } from '../../../agent/host/boot.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { fakeSystemd } from './fake-systemd.ts'
import { makeWorld, service } from './world.ts'

const web = service('web', []).name

test.each([
  ['an earlier boot', 'another', ['reload web.service']],
  ['this boot', bootId(), []],
])(
  'what was only going to be told is told by an undo of %s: it was started with the files as they were halfway',
  async (_, boot, told) => {
    const systemd = fakeSystemd(() => world.root, createRun())
    const world = makeWorld({ capabilities: { commands: true, units: true }, run: systemd.run })
    systemd.units.set('web.service', { active: true, enabled: true, failed: false })
    const begun: JournalRecord = {
      kind: 'begun',
      service: web,
      boot,
      triggers: [{ kind: 'reload', unit: 'web.service' }],
    }
    try {
      expect(await undo([begun], world.host, undoLog(web, world.state.journal))).toEqual({
        problems: [],
        isComplete: true,
      })
      expect(systemd.log).toEqual(told)
    } finally {
      world.remove()
    }
  },
)

test('an undo that is killed when it has put everything back, and not told of it yet, is carried on', async () => {
  const systemd = fakeSystemd(() => world.root, createRun())
  const world = makeWorld({ capabilities: { commands: true, units: true }, run: systemd.run })
  systemd.units.set('web.service', { active: true, enabled: true, failed: false })
  const told = `${world.directory}/told`
  const { journal } = world.state
  try {
    await journal.append({ kind: 'trigger', service: web, action: { kind: 'run', command: `echo told >> ${told}` } })
    await journal.append({ kind: 'trigger', service: web, action: { kind: 'reload', unit: 'web.service' } })
    await undoLog(web, journal).undone()
    const lock = await world.state.lock({ purpose: 'test', now: new Date() })
    expect(await recover(world.state, world.host, { lock, answering: async () => [] })).toEqual({
      undone: [],
      finished: [],
      problems: [],
    })
    lock.release()
    expect(systemd.log.filter((line) => !line.startsWith('reset-failed'))).toEqual(['reload web.service'])
    expect(readFileSync(told, 'utf8')).toBe('told\n')
    expect(journal.read()).toEqual([])
  } finally {
    world.remove()
  }
})

test('a journal of which only the first line was begun is gone after the next recovery', async () => {
  const world = makeWorld()
  try {
    writeFileSync(join(world.state.directory, 'journal'), '{"kind":"guar')
    const lock = await world.state.lock({ purpose: 'test', now: new Date() })
    await recover(world.state, world.host, { lock, answering: async () => [] })
    lock.release()
    expect(existsSync(join(world.state.directory, 'journal'))).toBe(false)
  } finally {
    world.remove()
  }
})
