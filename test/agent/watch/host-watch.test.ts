import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { HostWatch } from '../../../agent/watch/host-watch.ts'
import { desiredHost, idOf, service } from '../apply/world.ts'

let root: string
let watch: HostWatch
const ask = vi.fn()
const name = 'web.service'

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'plumb-watch-'))
  for (const directory of ['etc/systemd/system', 'run/systemd/system'])
    mkdirSync(join(root, directory), { recursive: true })
  watch = new HostWatch({ root, system: false, ask, engine: async () => undefined })
})
afterEach(() => {
  watch.close()
  rmSync(root, { recursive: true, force: true })
})

test.each([
  ['systemctl edit', 'etc/systemd/system/web.service.d/override.conf'],
  ['systemctl edit --runtime', 'run/systemd/system/web.service.d/override.conf'],
  ['systemctl set-property', 'etc/systemd/system.control/web.service.d/50-MemoryMax.conf'],
  ['systemctl set-property --runtime', 'run/systemd/system.control/web.service.d/50-MemoryMax.conf'],
])('the file that %s leaves is looked for', async (_, path) => {
  await watch.follow(desiredHost([service('web', [{ kind: 'unit', id: idOf('unit', name), name, enabled: true }])]))
  watch.beforeLook()
  ask.mockClear()

  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), '[Service]\n')

  await vi.waitFor(() => expect(ask).toHaveBeenCalledWith('check'))
})
