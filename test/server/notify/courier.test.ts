import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bounds } from '../../../server/allowance/bounds.ts'
import type { AlertChange } from '../../../server/judge/judge.ts'
import { Courier, type CourierParts } from '../../../server/notify/courier.ts'
import { postJson } from '../../../server/notify/post.ts'
import { syncChannels, writeAlerts } from '../../../server/notify/write-alerts.ts'
import { type Cause, listOpenAlerts } from '../../../server/store/alerts.ts'
import { type OpenDatabase, openDatabase } from '../../../server/store/database.ts'
import { insertHost } from '../../../server/store/hosts.ts'
import { countWaiting } from '../../../server/store/outbox.ts'
import type { Db } from '../../../server/store/tables.ts'
import { hostNameSchema } from '../../../shared/names.ts'
import { FakeClock, type Receiver, startReceiver } from '../kit.ts'

const rogue = hostNameSchema.parse('rogue')
const web1 = hostNameSchema.parse('web-1')
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

test('an undelivered message is retried with growing waits, and arrives once', async () => {
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

test('a restart loses no queued message', async () => {
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
  await settle(open('a'))
  await courier.deliverDue()
  receiver.answerWith(500)
  await settle(open('b'))
  await settle(...(await ends(database.db)).slice(0, 1))
  await settle(open('c'))
  await courier.deliverDue()
  receiver.answerWith(200)
  clock.advance(10)
  await courier.deliverDue()

  expect(events().slice(2)).toEqual(['opened b', 'resolved a', 'opened c'])
})

test('Retry-After of a receiver is respected', async () => {
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

test.each([
  ['a day', 24],
  ['four days', 96],
  ['a month', 720],
])('after a receiver was down for %s an open alert is sent once, and so is its end', async (_, hours) => {
  await adopt(bySecret)
  receiver.answerWith(503)
  await settle(open('over'), open('a'))
  for (let hour = 0; hour < hours; hour += 4) {
    await courier.deliverDue()
    clock.advance(4 * 3600)
  }
  await settle(...(await ends(database.db)).slice(0, 1))
  receiver.answerWith(200)
  const before = events().length

  for (let turn = 0; turn < 5; turn += 1) await deliverLater()
  await settle(...(await ends(database.db)))
  await deliverLater()

  expect(events().slice(before)).toEqual(['opened a', 'resolved a'])
})

test('an alert that ends while its beginning is on the way is ended at the channel', async () => {
  await adopt(bySecret)
  await settle(open('a'))
  let sent = 0
  courier = newCourier(async (url, body, options) => {
    sent += 1
    if (sent === 1) await settle(...(await ends(database.db)))
    return postJson(url, body, options)
  })

  await courier.deliverDue()

  expect(events()).toEqual(['opened a', 'resolved a'])
})

test('an alert that changes before its beginning was sent is sent as it is', async () => {
  await adopt(bySecret)
  receiver.answerWith(500)
  await settle(open('a'))
  await courier.deliverDue()
  await settle(...(await updates('now')))
  receiver.answerWith(200)
  await deliverLater()
  await deliverLater()

  const [first, second, ...more] = receiver.bodies.map((body) => JSON.parse(body))
  expect([second.event, second.alert.text, more]).toEqual(['opened', 'now', []])
  expect(second.delivery).not.toBe(first.delivery)
})

test('an alert that changes while its beginning is on the way is updated at the channel', async () => {
  await adopt(bySecret)
  await settle(open('a'))
  let sent = 0
  courier = newCourier(async (url, body, options) => {
    sent += 1
    if (sent === 1) await settle(...(await updates('now')))
    return postJson(url, body, options)
  })

  await deliverLater()

  expect(events()).toEqual(['opened a', 'updated a'])
  expect(JSON.parse(receiver.bodies[1] ?? '').alert.text).toBe('now')
})

test.each([1, 2, 4])('%d messages that the receiver never takes let the others pass', async (count) => {
  await adopt(bySecret)
  const poison = Array.from({ length: count }, (_, index) => `poison ${index}`)
  courier = newCourier(async (_url, body) => {
    const text = JSON.stringify(body)
    if (text.includes('poison')) return { kind: 'failed', reason: 'the receiver answered 500' }
    return postJson(new URL(receiver.url), body, { deadlineMs: 10_000, anywhere: true })
  })
  await settle(...poison.map((title) => open(title)), open('good'), open('other'))
  const start = clock.elapsed()
  for (let turn = 0; turn < 20; turn += 1) await deliverLater()

  expect(events()).toEqual(['opened good', 'opened other'])
  // Known by now: what comes next waits only for the channel's own wait.
  await settle(open('late'))
  await deliverLater(Math.ceil((clock.elapsed() - start) / 1000))
  for (let turn = 0; turn <= count; turn += 1) await deliverLater()
  expect(events()).toEqual(['opened good', 'opened other', 'opened late'])
})

test.each([400, 413, 422])('a message that is refused with %d is sent in a short form, once', async (status) => {
  await adopt(bySecret)
  courier = newCourier((_url, body, options) =>
    postJson(new URL(JSON.stringify(body).length > 900 ? refusing.url : receiver.url), body, options),
  )
  const refusing = await startReceiver()
  refusing.answerWith(status)
  await settle(open('a', { diff: 'x\n'.repeat(1000), host: web1 }), open('b'))
  await deliverLater()

  const [short] = receiver.bodies.map((body) => JSON.parse(body))
  expect(events()).toEqual(['opened a', 'opened b'])
  expect(short.alert).toMatchObject({ title: 'a', host: 'web-1', text: expect.stringContaining('refused') })
  expect(short).toMatchObject({ dashboard: 'https://plumb.example.org/alerts' })
  expect(refusing.bodies).toHaveLength(1)
  expect(await courier.problems()).toEqual([])
  await settle(...(await ends(database.db)))
  await deliverLater()
  expect(events().slice(2)).toEqual(['resolved a', 'resolved b'])
  await refusing.close()
})

test.each([400, 413, 422])(
  'a channel that refuses short messages with %d is a problem at the first',
  async (status) => {
    await adopt(bySecret)
    const path = new URL(receiver.url).pathname
    const answer = (id: number) =>
      ({ kind: 'rejected', reason: `the receiver answered ${status}`, answer: `no ${id}` }) as const
    let asked = 0
    courier = newCourier(async () => {
      asked += 1
      return answer(asked)
    })
    await settle(open('a'), open('over'))
    await courier.deliverDue()

    const message = `The receiver refuses messages, also in their short form: the receiver answered ${status}: "no 2".`
    expect((await courier.problems()).map((problem) => problem.message)).toEqual([message])
    expect(message).not.toContain(path)
    for (let turn = 0; turn < 10; turn += 1) await deliverLater(600)
    expect((await courier.problems()).map((problem) => problem.message)).toEqual([message])

    // It is corrected: what is open is sent, and nothing of what was never known.
    await settle(...(await ends(database.db)).slice(1))
    courier = newCourier()
    await deliverLater(700)
    expect(events()).toEqual(['opened a'])
    expect(await courier.problems()).toEqual([])
  },
)

test('a message that is never taken is a problem, also while all others are', async () => {
  await adopt(bySecret)
  let failed = 0
  courier = newCourier(async (url, body, options) => {
    if (!JSON.stringify(body).includes('poison')) return postJson(url, body, options)
    failed += 1
    return { kind: 'failed', reason: 'the receiver answered 500' }
  })
  await settle(open('poison'))
  for (let minute = 0; minute < 18; minute += 1) {
    await settle(open(`good ${minute}`))
    await deliverLater()
  }

  expect(failed).toBeLessThan(12)
  expect(await database.db.selectFrom('channels').select('attempts').execute()).toEqual([{ attempts: 0 }])
  const messages = (await courier.problems()).map(({ message }) => message)
  expect(messages).toEqual(['Messages are not getting through: the receiver answered 500.'])
})

test('a receiver where all messages fail is asked less and less', async () => {
  await adopt(bySecret)
  receiver.answerWith(500)
  await settle(...Array.from({ length: 40 }, (_, index) => open(`a ${index}`)))
  for (let second = 0; second < 3600; second += 10) {
    await courier.deliverDue()
    clock.advance(10)
  }

  expect(receiver.bodies.length).toBeLessThan(16)
  expect(receiver.bodies.length).toBeGreaterThan(8)
})

test.each([
  ['says to wait an hour', 503, { 'retry-after': '3600' }],
  ['says to wait a day', 429, { 'retry-after': '86400' }],
  ['fails', 500, {}],
  ['redirects', 302, { location: 'http://127.0.0.1:1/' }],
])('a receiver that %s is a problem after a quarter of an hour, and asked again', async (_what, status, headers) => {
  await adopt(bySecret)
  receiver.answerWith(status, headers)
  await settle(open('a'))
  await courier.deliverDue()
  expect(await courier.problems()).toEqual([])
  await courier.deliverDue()
  expect(receiver.bodies).toHaveLength(1)
  clock.advance(15 * 60)

  expect(await courier.problems()).toMatchObject([{ message: expect.stringContaining(`answered ${status}`) }])
  receiver.answerWith(200)
  await courier.deliverDue()
  expect(receiver.bodies).toHaveLength(2)
  expect(await courier.problems()).toEqual([])
})

test('a receiver that fails is a problem also when no alert stays open for long', async () => {
  await adopt(bySecret)
  receiver.answerWith(503, { 'retry-after': '3600' })
  for (let turn = 0; turn < 3; turn += 1) {
    await settle(open(`a ${turn}`))
    await courier.deliverDue()
    if (turn === 2) break
    await settle(...(await ends(database.db)))
    expect(await courier.problems()).toEqual([])
    clock.advance(10 * 60)
  }

  expect(await courier.problems()).toHaveLength(1)
})

test.each([
  ['a day', 'was sent', 200],
  ['an hour', 'was sent', 200],
  ['a day', 'failed', 500],
  ['an hour', 'failed', 500],
])('a clock that is set back by %s after a message %s holds nothing up', async (back, _what, status) => {
  await adopt(bySecret)
  receiver.answerWith(status)
  await settle(open('a'))
  await courier.deliverDue()
  await settle(open('waits'))
  clock.setBack(back === 'a day' ? 24 * 3600 : 3600)
  receiver.answerWith(200)
  await settle(open('b'))
  const before = events().length

  await courier.deliverDue()

  const rest = status === 200 ? [] : ['opened a']
  expect(events().slice(before)).toEqual([...rest, 'opened waits', 'opened b'])
})

test('no two messages have one delivery, and every attempt of a message has the same', async () => {
  await adopt(bySecret, { to: 'webhook', url: ` \${{ secrets.url }}` })
  const deliveries: unknown[] = []
  for (let turn = 0; turn < 3; turn += 1) {
    await settle(open('a'))
    receiver.answerWith(500)
    await courier.deliverDue()
    receiver.answerWith(200)
    await deliverLater()
    await settle(...(await ends(database.db)))
    await deliverLater()
  }

  for (const body of receiver.bodies) deliveries.push(JSON.parse(body).delivery)
  expect(deliveries).toHaveLength(6 + 6 + 6)
  expect(new Set(deliveries).size).toBe(6 + 6)
})

test('a channel that is new learns what is open; one that is gone is sent nothing more', async () => {
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

test.each(['', '\n', ' \r\n'])(
  'a secret that holds %j is a missing secret, also where it is a part of an address',
  async (text) => {
    await writeFile(join(directory, 'secrets/token'), text, { mode: 0o600 })
    await adopt({ to: 'webhook', url: `${receiver.url}/\${{ secrets.token }}` })

    await settle(open('a'))
    await courier.deliverDue()

    expect(receiver.bodies).toEqual([])
    expect(await courier.problems()).toMatchObject([
      { code: 'secret-missing', message: expect.stringContaining('it is empty') },
    ])
  },
)

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

test('alerts that come and go before they are sent are not sent, and do not fill the disk', async () => {
  await adopt(bySecret)
  await database.db.transaction().execute(async (transaction) => {
    for (let round = 0; round < 510; round += 1) {
      await writeAlerts(transaction, [open('a')], clock.now())
      await writeAlerts(transaction, await ends(transaction), clock.now())
    }
  })

  await courier.deliverDue()

  expect(receiver.bodies).toEqual([])
  expect(await database.db.selectFrom('alerts').select('id').execute()).toHaveLength(500)
})

test('a resolved alert is sent only to the channels that had got its beginning', async () => {
  await adopt(bySecret)
  await settle(open('a'))
  await courier.deliverDue()
  await adopt(bySecret, { to: 'webhook', url: `${receiver.url}?second=\${{ secrets.missing }}` })
  await settle(...(await ends(database.db)))

  await courier.deliverDue()

  expect(events()).toEqual(['opened a', 'resolved a'])
  expect(await countWaiting(database.db)).toBe(0)
})

test('an alert that was never delivered resolves without a message', async () => {
  await adopt(bySecret)
  receiver.answerWith(500)
  await settle(open('a'), open('b'))
  await courier.deliverDue()
  await settle(...(await ends(database.db)))
  receiver.answerWith(200)
  await deliverLater()

  expect(events()).toEqual(['opened a'])
  expect(await countWaiting(database.db)).toBe(0)
})

test('a notice is over at once, and is sent all the same', async () => {
  await adopt(bySecret)
  await settle(open('a', { kind: 'hold-expired' }))
  await settle(...(await ends(database.db)))

  await courier.deliverDue()

  expect(events()).toEqual(['opened a', 'resolved a'])
})

test('a host with a full queue does not block another host, and its open alerts are sent later', async () => {
  await adopt(bySecret)
  const titles = Array.from({ length: bounds.messagesWaiting.limit + 30 }, (_, index) => `rogue ${index}`)
  receiver.answerWith(500)
  await settle(...titles.map((title) => open(title, { host: rogue })))
  await settle(open('good', { host: web1 }))
  expect(await countWaiting(database.db)).toBe(bounds.messagesWaiting.limit + 1)

  receiver.answerWith(200)
  await courier.deliverDue()
  expect(events()).toContain('opened good')
  expect(events()).toHaveLength(bounds.messagesWaiting.limit + 1)
  await courier.deliverDue()

  expect(new Set(events())).toEqual(new Set([...titles, 'good'].map((title) => `opened ${title}`)))
})

test('a channel that does not answer delays no other channel', async () => {
  const slow = await startSilentReceiver()
  await writeFile(join(directory, 'secrets/slow'), slow.url, { mode: 0o600 })
  await adopt({ to: 'webhook', url: `\${{ secrets.slow }}` }, bySecret)
  await settle(open('a'))
  const all = courier.deliverDue()
  await Promise.all([slow.asked, receiver.count(1)])

  await settle(open('b'), open('c'))
  while (receiver.bodies.length < 3) {
    for (const channel of await courier.due()) await courier.deliver(channel)
    await new Promise((resolve) => setImmediate(resolve))
  }

  expect(events()).toEqual(['opened a', 'opened b', 'opened c'])
  await slow.close()
  await all
})

/** After every wait there is, beside that of a channel that is failing for long. */
async function deliverLater(seconds = 60): Promise<void> {
  clock.advance(seconds)
  await courier.deliverDue()
}

function newCourier(post: CourierParts['post'] = postJson): Courier {
  return new Courier({
    ...{ db: database.db, clock, post, random: () => 0.5 },
    log: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
    secretsDirectory: join(directory, 'secrets'),
    publicUrl: new URL('https://plumb.example.org/'),
    allowOwnAddresses: false,
  })
}

async function adopt(...specs: readonly { to: 'webhook' | 'slack'; url: string }[]): Promise<void> {
  await syncChannels(database.db, specs, clock.now())
}

async function settle(...changes: readonly AlertChange[]): Promise<void> {
  await database.db.transaction().execute((transaction) => writeAlerts(transaction, changes, clock.now()))
}

function open(title: string, over: Partial<Cause> = {}): AlertChange {
  const cause: Cause = { key: title, scope: 'fleet', kind: 'drift', severity: 'warning', title, text: 'text', ...over }
  return { kind: 'open', cause }
}

async function updates(text: string): Promise<readonly AlertChange[]> {
  return (await listOpenAlerts(database.db)).map((alert) => ({ kind: 'update', alert, cause: { ...alert, text } }))
}

async function ends(db: Db): Promise<readonly AlertChange[]> {
  return (await listOpenAlerts(db)).map((alert) => ({ kind: 'resolve', alert, end: { kind: 'no-longer-true' } }))
}

/** Takes requests and answers none. */
async function startSilentReceiver() {
  const asked = Promise.withResolvers<void>()
  const server = createServer(() => asked.resolve())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}/`, asked: asked.promise, close }
}

function events(): readonly string[] {
  return receiver.bodies.map((body) => {
    const { event, alert } = JSON.parse(body)
    return `${event} ${alert.title}`
  })
}

test('one cause on thirteen hosts is one message, and its end is one', async () => {
  await adopt(bySecret)
  const hosts = Array.from({ length: 13 }, (_, index) => hostNameSchema.parse(`web-${index + 1}`))
  for (const host of hosts) await insertHost(database.db, host, `key of ${host}`, clock.now().toISOString())
  const common = { key: 'sshd', title: '/etc/ssh/sshd_config has drifted on {hosts}' }
  const cause = (key: string, more: Partial<Cause>): AlertChange => {
    const change = open(key)
    return change.kind === 'open' ? { ...change, cause: { ...change.cause, ...more } } : change
  }
  for (const host of hosts) {
    await settle(cause(host, { host, common }))
    clock.advance(0.5)
  }
  await settle(cause('alone', { host: rogue }))
  await courier.deliverDue()
  expect(events()).toEqual(['opened alone'])
  clock.advance(10)
  await courier.deliverDue()

  const [, message] = receiver.bodies.map((body) => JSON.parse(body))
  expect(receiver.bodies).toHaveLength(2)
  expect(message.alert).toMatchObject({
    title: '/etc/ssh/sshd_config has drifted on 13 hosts',
    hosts: [...hosts].sort(),
  })
  expect(message.alert.members).toHaveLength(13)

  const [first, ...rest] = (await listOpenAlerts(database.db)).filter((alert) => alert.common !== undefined)
  if (first === undefined) throw new Error('no alert')
  await settle({ kind: 'resolve', alert: first, end: { kind: 'no-longer-true' } })
  clock.advance(11)
  await courier.deliverDue()
  await settle(...rest.map((alert): AlertChange => ({ kind: 'resolve', alert, end: { kind: 'no-longer-true' } })))
  clock.advance(11)
  await courier.deliverDue()
  expect(
    receiver.bodies
      .slice(2)
      .map((body) => [JSON.parse(body).event, JSON.parse(body).alert.hosts?.length ?? JSON.parse(body).alert.host]),
  ).toEqual([
    ['resolved', 'web-1'],
    ['resolved', 12],
  ])
  expect(await countWaiting(database.db)).toBe(0)
})

test('one cause that ends for two reasons is two messages', async () => {
  await adopt(bySecret)
  const hosts = ['web-1', 'web-2', 'web-3'].map((name) => hostNameSchema.parse(name))
  for (const host of hosts) await insertHost(database.db, host, `key of ${host}`, clock.now().toISOString())
  const common = { key: 'sshd', title: 'sshd has drifted on {hosts}' }
  await settle(...hosts.map((host) => open(host, { host, common })))
  await deliverLater()
  const held = { kind: 'held', by: 'anna', until: '2026-11-23T05:00:00.000Z' } as const
  const over = { kind: 'no-longer-true' } as const
  const alerts = await listOpenAlerts(database.db)
  await settle(
    ...alerts.map((alert): AlertChange => ({ kind: 'resolve', alert, end: alert.host === 'web-2' ? held : over })),
  )
  await deliverLater()

  const [, ...sent] = receiver.bodies.map((body) => JSON.parse(body).alert)
  expect(sent.map((alert) => [alert.hosts ?? alert.host, alert.end])).toEqual([
    [['web-1', 'web-3'], over],
    ['web-2', held],
  ])
})

test('a message of many hosts that was not taken is sent again as it was; with another host it is another message', async () => {
  await adopt(bySecret)
  for (const host of [web1, rogue]) await insertHost(database.db, host, `key of ${host}`, clock.now().toISOString())
  const common = { key: 'sshd', title: 'sshd has drifted on {hosts}' }
  const drifted = (key: string): AlertChange => {
    const change = open(key)
    const host = hostNameSchema.parse(key)
    return change.kind === 'open' ? { ...change, cause: { ...change.cause, host, common } } : change
  }
  await settle(drifted('web-1'), drifted('rogue'))
  receiver.answerWith(503)
  clock.advance(11)
  await courier.deliverDue()
  clock.advance(11)
  await courier.deliverDue()
  receiver.answerWith(200)
  await settle(drifted('web-3'))
  await deliverLater()
  await settle(drifted('web-4'))
  await deliverLater()

  const sent = receiver.bodies.map((body) => JSON.parse(body))
  const hosts = [['rogue', 'web-1'], ['rogue', 'web-1'], ['rogue', 'web-1', 'web-3'], 'web-4']
  expect(sent.map(({ alert }) => alert.hosts ?? alert.host)).toEqual(hosts)
  expect(sent[0].delivery).toBe(sent[1].delivery)
  expect(new Set(sent.map(({ delivery }) => delivery)).size).toBe(3)
})
