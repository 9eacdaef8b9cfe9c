// The agent's own ground, by where a path leads: the writer refuses it whatever was let through before.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FileWriter } from '../../../agent/host/files.ts'
import { openHost } from '../../../agent/host/host.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { applyIn, compareIn, desiredHost, directory, file, makeWorld, outcome, service } from '../apply/world.ts'

let root: string
let files: FileWriter

const at = (path: string) => join(root, path)
const path = (text: string) => absolutePathSchema.parse(text)
const refused = expect.objectContaining({ code: 'unsafe-path' })

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'plumb-ground-'))
  for (const own of [
    '/etc/plumb/secrets/db',
    '/var/lib/plumb/identity.pem',
    '/srv/state/mark',
    '/usr/local/bin/plumb',
  ]) {
    mkdirSync(dirname(at(own)), { recursive: true })
    writeFileSync(at(own), 'own')
  }
  files = openHost({ root, run: createRun(), own: [at('/srv/state')] }).files
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const reserved = ['/etc/plumb/agent.yaml', '/var/lib/plumb/identity.pem', '/srv/state/mark', '/usr/local/bin/plumb']

test.each(reserved)('%s is neither written nor removed nor given away, also through a link', async (own) => {
  symlinkSync(dirname(own), at('/way'))
  for (const name of [own, `/way/${own.slice(own.lastIndexOf('/') + 1)}`].map(path)) {
    await expect(files.stage(name, Buffer.from('x'), { mode: 0o644 })).rejects.toEqual(refused)
    expect(() => files.stageLink(name, '/etc/motd')).toThrow(/reserved/)
    expect(() => files.makeDirectory(name, { mode: 0o755 })).toThrow(/reserved/)
    if (!existsSync(at(own))) continue
    expect(() => files.moveAway(name)).toThrow(/reserved/)
    await expect(files.setPermissions(name, 'file', { mode: 0o666 })).rejects.toEqual(refused)
  }
})

test.each(['/var/lib/plumb', '../etc/plumb/secrets', '/srv/state', '/way/plumb'])('no link leads to %s', (target) => {
  symlinkSync('/var/lib', at('/way'))
  expect(() => files.stageLink(path('/srv/link'), target)).toThrow(/reserved/)
})

test('directories above are not replaced, not emptied of it, and not given to others', async () => {
  expect(() => files.moveEntriesAway(path('/etc'), ['plumb'])).toThrow(/reserved/)
  expect(() => files.moveEntriesAway(path('/usr/local'), ['bin'])).toThrow(/reserved/)
  await expect(files.setPermissions(path('/etc'), 'directory', { mode: 0o777 })).rejects.toEqual(refused)
  expect(() => files.makeDirectory(path('/srv'), { mode: 0o755, uid: 1000, gid: 1000 })).toThrow(/reserved/)
  await files.setPermissions(path('/usr/local/bin'), 'directory', { mode: 0o755 })
  expect(statSync(at('/usr/local/bin')).mode & 0o777).toBe(0o755)
})

test('the agent itself writes there', async () => {
  const own = openHost({ root, run: createRun(), own: 'all' }).files
  await own.stage(path('/etc/plumb/agent.yaml'), Buffer.from('x'), { mode: 0o600 })
  own.publish(path('/etc/plumb/agent.yaml'))
  expect(readFileSync(at('/etc/plumb/agent.yaml'), 'utf8')).toBe('x')
})

test.each([
  ['/usr/local/bin', '/usr/local/bin/plumb'],
  ['/lib/systemd/system', '/usr/lib/systemd/system/plumb.service'],
  ['/srv', '/srv/state/mark'],
  ['/var/lib', '/var/lib/plumb/identity.pem'],
])('a purge of %s spares %s and nothing else', async (purged, own) => {
  const world = makeWorld({ root, stateDirectory: at('/srv/state') })
  try {
    mkdirSync(at('/usr/lib/systemd/system'), { recursive: true })
    symlinkSync('usr/lib', at('/lib'))
    writeFileSync(at(own), 'own')
    writeFileSync(at(`${purged}/stray`), '')
    const desired = desiredHost([service('web', [directory(purged, { purge: true })])])

    expect(outcome(await applyIn(world, desired, { repair: 'everything' }))?.kind).toBe('applied')

    expect(existsSync(at(`${purged}/stray`))).toBe(false)
    expect(readFileSync(at(own), 'utf8')).toBe('own')
    const { services } = await compareIn(world, desired)
    expect(services.flatMap(({ differing }) => differing)).toEqual([])
  } finally {
    rmSync(world.directory, { recursive: true, force: true })
  }
})

test('what a link leads to the agent is refused before an apply, and what an older agent let be taken is left', async () => {
  const world = makeWorld({ root })
  try {
    symlinkSync('/etc/plumb', at('/srv/x'))
    const through = desiredHost([service('web', [file('/srv/x/agent.yaml', 'x'), file('/etc/motd', 'x')])])
    const { services } = await compareIn(world, through)
    expect(services[0]?.problems[0]?.message).toMatch(/is \/etc\/plumb\/agent.yaml on this host.*reserved/)

    const older = service('older', [file('/var/lib/plumb/identity.pem', 'own')])
    await applyIn(world, desiredHost([older]))
    await applyIn(world, desiredHost([], '2'))
    expect(readFileSync(at('/var/lib/plumb/identity.pem'), 'utf8')).toBe('own')
  } finally {
    rmSync(world.directory, { recursive: true, force: true })
  }
})
