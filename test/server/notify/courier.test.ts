import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AlertChange } from '../../../server/judge/judge.ts'
import { type Courier, createCourier } from '../../../server/notify/courier.ts'
import { postJson } from '../../../server/notify/post.ts'
import { adoptChannels, settleAlerts } from '../../../server/notify/settle.ts'
import { type Cause, listOpenAlerts } from '../../../server/store/alerts.ts'
import { type OpenDatabase, openDatabase } from '../../../server/store/database.ts'
import { countWaiting } from '../../../server/store/outbox.ts'
import { FakeClock, type Receiver, startReceiver } from '../kit.ts'

let directory = ''
let database: OpenDatabase
let receiver: Receiver
let clock: FakeClock
let courier: Courier
let log: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-notify-'))
  await mkdir(join(directory, 'secrets'))
  receiver = await startReceiver()
  await writeFile(join(directory, 'secrets/url'), receiver.url, { mode: 0o600 })
  clock = new FakeClock()
  log = []
  database = await openDatabase(directory, clock.now())
  courier = newCourier()
})

afterEach(async () => {
  await database.close()
  await receiver.close()
  await rm(directory, { recursive: true, force: true })
})

const bySecret = { to: 'webhook', url: `\${{ secrets.url }}` } as const

test('what cannot be delivered is tried again, later each time, and arrives once', async () => {
  await adopt(bySecret)
  receiver.answerWith(503)
  await settle(open('a'))

  await courier.deliverDue()
  await courier.deliverDue()
  expect(receiver.bodies).toHaveLength(1)
  clock.advance(6)
  await courier.deliverDue()
  expect(receiver.bodies).toHaveLength(2)
  clock.advance(6)
  await courier.deliverDue()
  expect(receiver.bodies).toHaveLength(2)
  receiver.answerWith(200)
  clock.advance(6)
  await courier.deliverDue()
  await courier.deliverDue()

  expect(receiver.bodies).toHaveLength(3)
  expect(new Set(receiver.bodies).size).toBe(1)
  expect(await countWaiting(database.db)).toBe(0)
})

test('a restart loses nothing that waits', async () => {
  await adopt(bySecret)
  await settle(open('a'))
  await database.close()

  database = await openDatabase(directory, clock.now())
  courier = newCourier()
  await courier.deliverDue()

  expect(events()).toEqual(['opened a'])
})

test('messages arrive in the order things happened, also after a receiver was away', async () => {
  await adopt(bySecret)
  receiver.answerWith(500)
  await settle(open('a'), open('b'))
  await courier.deliverDue()
  const [a] = await listOpenAlerts(database.db)
  if (a !== undefined) await settle({ kind: 'resolve', alert: a })
  receiver.answerWith(200)
  clock.advance(10)
  await courier.deliverDue()

  expect(events().slice(1)).toEqual(['opened a', 'opened b', 'resolved a'])
})

test('a receiver that says how long to wait is left alone for that long', async () => {
  await adopt(bySecret)
  receiver.answerWith(429, { 'retry-after': '120' })
  await settle(open('a'))
  await courier.deliverDue()

  clock.advance(119)
  await courier.deliverDue()
  expect(receiver.bodies).toHaveLength(1)
  clock.advance(2)
  await courier.deliverDue()
  expect(receiver.bodies).toHaveLength(2)
})

test('a message that the receiver calls malformed does not hold up the others', async () => {
  await adopt(bySecret)
  receiver.answerWith(400)
  await settle(open('a'), open('b'))
  await courier.deliverDue()

  expect(events()).toEqual(['opened a', 'opened b'])
  expect(await countWaiting(database.db)).toBe(0)
  expect(log.join('')).toContain('does not take it')
})

test('after three days a message is given up', async () => {
  await adopt(bySecret)
  receiver.answerWith(500)
  await settle(open('a'))
  await courier.deliverDue()
  clock.advance(3 * 24 * 3600 + 1)
  await courier.deliverDue()

  expect(await countWaiting(database.db)).toBe(0)
})

test('a channel that is new learns what is open; one that is gone is told nothing more', async () => {
  await settle(open('a'))
  await adopt(bySecret)
  await courier.deliverDue()
  expect(events()).toEqual(['opened a'])

  await adopt()
  await settle(open('b'))
  await courier.deliverDue()
  expect(events()).toEqual(['opened a'])
})

test('a redirect is not followed', async () => {
  await adopt(bySecret)
  const elsewhere = await startReceiver()
  receiver.answerWith(307, { location: elsewhere.url })
  await settle(open('a'))
  await courier.deliverDue()

  expect(elsewhere.bodies).toEqual([])
  expect(await countWaiting(database.db)).toBe(1)
  await elsewhere.close()
})

test.each([
  ['an address of this machine', (port: string) => `http://127.0.0.1:${port}/hook`],
  ['a name that resolves to this machine', (port: string) => `http://localhost:${port}/hook`],
  ['this machine in disguise', (port: string) => `http://[::ffff:127.0.0.1]:${port}/hook`],
  ['this machine in octal', (port: string) => `http://0177.1:${port}/hook`],
  ['any address of this machine', (port: string) => `http://0.0.0.0:${port}/hook`],
  ['the cloud metadata address', () => 'http://169.254.169.254/latest/meta-data'],
])('plumb.yaml cannot send to %s', async (_what, url) => {
  await adopt({ to: 'webhook', url: url(new URL(receiver.url).port) })
  await settle(open('a'))
  await courier.deliverDue()

  expect(receiver.bodies).toEqual([])
  expect(log.join('')).toContain('which only a secret of the server may name')
})

test('a part of an address that is a secret does not make all of it the operator`s', async () => {
  await writeFile(join(directory, 'secrets/port'), new URL(receiver.url).port, { mode: 0o600 })
  await adopt({ to: 'webhook', url: `http://127.0.0.1:\${{ secrets.port }}/hook` })
  await settle(open('a'))
  await courier.deliverDue()

  expect(receiver.bodies).toEqual([])
})

test('a secret that others can read is not used', async () => {
  await writeFile(join(directory, 'secrets/open'), receiver.url, { mode: 0o644 })
  await adopt({ to: 'webhook', url: `\${{ secrets.open }}` })
  await settle(open('a'))
  await courier.deliverDue()

  expect(receiver.bodies).toEqual([])
  expect(await courier.problems()).toMatchObject([
    { code: 'secret-exposed', remedy: expect.stringContaining('chmod 600') },
  ])
})

test.each(['../operator-token', '', 'a/b', 'x y'])('"%s" is no name of a secret', async (name) => {
  await writeFile(join(directory, 'operator-token'), receiver.url, { mode: 0o600 })
  await adopt({ to: 'webhook', url: `\${{ secrets.${name} }}` })

  expect(await courier.problems()).toMatchObject([{ message: expect.not.stringContaining(receiver.url) }])
})

test('a channel that keeps failing is a problem that names no address', async () => {
  await adopt(bySecret)
  receiver.answerWith(500)
  await settle(open('a'))
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await courier.deliverDue()
    clock.advance(600)
  }

  const [problem] = await courier.problems()
  expect(problem?.message).toBe('Messages are not getting through: the receiver answered 500.')
  expect(log.join('')).not.toContain(receiver.url)
})

test('alerts that come and go for ever do not fill the disk, and none that waits is lost', async () => {
  await adopt(bySecret)
  await database.db.transaction().execute(async (transaction) => {
    for (let round = 0; round < 510; round += 1) {
      await settleAlerts(transaction, [open('a')], clock.now())
      const resolved = (await listOpenAlerts(transaction)).map((alert) => ({ kind: 'resolve', alert }) as const)
      await settleAlerts(transaction, resolved, clock.now())
    }
  })
  expect(await database.db.selectFrom('alerts').select('id').execute()).toHaveLength(510)

  await courier.deliverDue()
  expect(receiver.bodies).toHaveLength(1020)
  await settle(open('a'))
  const [alert] = await listOpenAlerts(database.db)
  if (alert !== undefined) await settle({ kind: 'resolve', alert })

  expect(await database.db.selectFrom('alerts').select('id').execute()).toHaveLength(500)
})

function newCourier(): Courier {
  return createCourier({
    ...{ db: database.db, clock, post: postJson, random: () => 0.5 },
    log: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
    secretsDirectory: join(directory, 'secrets'),
    publicUrl: new URL('https://plumb.example.org/'),
    allowOwnAddresses: false,
  })
}

async function adopt(...specs: readonly { to: 'webhook' | 'slack'; url: string }[]): Promise<void> {
  await adoptChannels(database.db, specs, clock.now())
}

async function settle(...changes: readonly AlertChange[]): Promise<void> {
  await database.db.transaction().execute((transaction) => settleAlerts(transaction, changes, clock.now()))
}

function open(title: string): AlertChange {
  const cause: Cause = { key: title, scope: 'fleet', kind: 'drift', severity: 'warning', title, text: 'text' }
  return { kind: 'open', cause }
}

function events(): readonly string[] {
  return receiver.bodies.map((body) => {
    const { event, alert } = JSON.parse(body)
    return `${event} ${alert.title}`
  })
}
