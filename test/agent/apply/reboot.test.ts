// What an undo does that comes after a reboot; the reboot itself is test/lab/apply.test.ts's.
import { expect, test } from 'vitest'
import type { JournalRecord } from '../../../agent/apply/journal.ts'
import { undo } from '../../../agent/apply/undo.ts'
import { bootId } from '../../../agent/host/boot.ts'
import { createRun } from '../../../agent/host/run.ts'
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
      expect(await undo([begun], world.host, { told: async () => {}, undone: async () => {} })).toEqual({
        problems: [],
        isComplete: true,
      })
      expect(systemd.log).toEqual(told)
    } finally {
      world.remove()
    }
  },
)
