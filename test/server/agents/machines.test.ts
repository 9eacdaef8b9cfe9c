// One key, one machine: what a copy of a host is refused by, that nothing of it is recorded, and the ways out.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type AgentLine,
  drifted,
  enrollAgent,
  hello,
  type MachineMarker,
  openLine,
  reportOf,
  startTestServer,
  type TestAgent,
  type TestServer,
} from '../kit.ts'

let server: TestServer
let agent: TestAgent

beforeEach(async () => {
  server = await startTestServer()
  agent = await enrollAgent(server, 'web-1')
})

afterEach(() => server.remove())

const machine: MachineMarker = { id: 'a'.repeat(64), boot: 'boot-1', run: 'run-1' }
const restarted = { ...machine, run: 'run-2' }
const rebooted = { ...machine, boot: 'boot-2', run: 'run-3' }

describe('a copy is refused, and the alert says how it gave itself away', () => {
  test('another machine-id, while the known machine is connected', async () => {
    const known = await agent.connect(machine)

    await expectRefused(await agent.call({ id: 'b'.repeat(64), boot: 'boot-9', run: 'run-9' }))

    await expectAlert('it has another machine-id')
    await known.report(reportOf('web-1'))
  })

  test('another machine-id, while the known machine is away', async () => {
    await (await agent.connect(machine)).close()

    await expectRefused(await agent.call({ ...machine, id: 'b'.repeat(64), run: 'run-9' }))

    await expectAlert('it has another machine-id')
  })

  test.each([
    ['a clone of a container, which has boot and machine-id in common', { ...machine, run: 'run-9' }],
    ['a clone of a virtual machine that kept its machine-id', { ...machine, boot: 'boot-9', run: 'run-9' }],
  ])('%s, while the known machine is connected', async (_what, copy) => {
    const known = await agent.connect(machine)

    await expectRefused(await agent.call(copy))

    await expectAlert('both were connected at the same time')
    await known.report(reportOf('web-1'))
  })

  test.each(['connected', 'away'])(
    'one that does not say which machine it is, while the known one is %s',
    async (where) => {
      const known = await agent.connect(machine)
      await known.report(drifted('web-1'))
      if (where === 'away') await known.close()

      await expectRefused(await agent.call())

      await expectAlert('it does not identify its machine')
      expect(await kinds()).toContain('drift')
      if (where === 'connected') await known.report(drifted('web-1'))
    },
  )

  test('one that does not say which machine it is, beside the one that was forgotten and is connected', async () => {
    await agent.connect(machine)
    await server.delete('/api/v1/hosts/web-1/machine')

    await expectRefused(await agent.call())

    await expectAlert('both were connected at the same time')
  })

  test('a machine that runs since before the restart of the known one', async () => {
    await (await agent.connect(machine)).close()
    await (await agent.connect(rebooted)).close()

    await expectRefused(await agent.call({ ...machine, run: 'run-9' }))

    await expectAlert("it has been running since before the known machine's latest restart")
  })
})

describe('the known machine comes in', () => {
  test.each([
    ['with the same process, whose earlier connection seems open still', machine],
    ['with an agent that was restarted', restarted],
    ['after a reboot', rebooted],
  ])('%s', async (_what, marker) => {
    const earlier = await agent.connect(machine)
    if (marker !== machine) await earlier.close()

    const line = await agent.connect(marker)

    await line.report(reportOf('web-1'))
    expect(await kinds()).not.toContain('identity-shared')
  })

  test('when its earlier connection is dead and answers nothing', async () => {
    const dead = await agent.connect(machine)
    dead.socket.pause()

    const line = await agent.connect(rebooted)

    await line.report(reportOf('web-1'))
    expect(await kinds()).not.toContain('identity-shared')
  }, 900_000)

  test('after a server was restarted, which remembers it', async () => {
    await (await agent.connect(machine)).close()
    await server.restart()

    await expectRefused(await agent.call({ ...machine, id: 'b'.repeat(64) }))
    await (await agent.connect(restarted)).report(reportOf('web-1'))
  })

  test('with an agent of before there were machines, as long as none is known', async () => {
    await (await agent.connect()).close()

    await (await agent.connect()).report(reportOf('web-1'))
    await (await agent.connect(machine)).report(reportOf('web-1'))
  })
})

test('nothing that a copy reports is recorded', async () => {
  const known = await agent.connect(machine)
  await known.report(reportOf('web-1'))
  const copy = await agent.call({ ...machine, id: 'b'.repeat(64), run: 'run-9' })

  copy.send({ type: 'report', report: drifted('web-1') })
  await copy.closed

  expect(await (await server.get('/api/v1/hosts/web-1')).json()).toMatchObject({ state: 'in-sync' })
})

test('a machine that is not signed by the key, or was signed on another connection, is refused', async () => {
  const first = await openLine(server)
  const { nonce } = await first.next('challenge')
  const signed = hello('web-1', nonce, agent.privateKey, machine)
  const second = await openLine(server)
  const challenge = await second.next('challenge')
  const own = hello('web-1', challenge.nonce, agent.privateKey, machine)
  if (signed.type !== 'hello' || own.type !== 'hello' || signed.machine === undefined) throw new Error('no machine')

  second.send({ ...own, machine: signed.machine })

  expect((await second.next('refused')).reason).toContain('is not signed by its key')
  await first.close()
})

describe('ways out', () => {
  test('a copy that is heard of no more is no alert any more', async () => {
    await (await agent.connect(machine)).close()
    await expectRefused(await agent.call({ ...machine, id: 'b'.repeat(64) }))
    expect(await kinds()).toContain('identity-shared')

    server.clock.advance(31 * 60)

    expect(await kinds()).not.toContain('identity-shared')
  })

  test('a machine with a new machine-id comes in once the known one is forgotten', async () => {
    await (await agent.connect(machine)).close()
    const changed = { id: 'b'.repeat(64), boot: 'boot-2', run: 'run-2' }
    await expectRefused(await agent.call(changed))

    expect((await server.delete('/api/v1/hosts/web-1/machine')).status).toBe(200)

    await (await agent.connect(changed)).report(reportOf('web-1'))
    expect(await kinds()).not.toContain('identity-shared')
    await expectRefused(await agent.call(machine))
  })

  test('while the known machine is connected, forgetting it lets no copy in', async () => {
    await agent.connect(machine)

    await server.delete('/api/v1/hosts/web-1/machine')

    await expectRefused(await agent.call({ id: 'b'.repeat(64), boot: 'boot-9', run: 'run-9' }))
  })

  test('a host that was removed and enrolled again is known with its new machine', async () => {
    await (await agent.connect(machine)).close()
    await server.delete('/api/v1/hosts/web-1')
    const again = await enrollAgent(server, 'web-1')

    await (await again.connect({ id: 'b'.repeat(64), boot: 'boot-9', run: 'run-9' })).report(reportOf('web-1'))
  })

  test('a host that is not enrolled has no machine', async () => {
    expect((await server.delete('/api/v1/hosts/web-2/machine')).status).toBe(404)
    expect((await fetch(new URL('/api/v1/hosts/web-1/machine', server.url), { method: 'DELETE' })).status).toBe(401)
  })
})

async function expectRefused(line: AgentLine): Promise<void> {
  expect(await line.next('refused')).toMatchObject({ code: 'identity-shared' })
  expect((await line.closed).code).toBe(4005)
}

async function expectAlert(sign: string): Promise<void> {
  const [alert] = (await server.openAlerts()).filter(({ kind }) => kind === 'identity-shared')
  expect(alert).toMatchObject({ host: 'web-1', title: 'web-1: two machines use its key' })
  expect(alert?.text).toContain(`at 127.0.0.1`)
  expect(alert?.text).toContain(sign)
}

async function kinds(): Promise<readonly string[]> {
  return (await server.openAlerts()).map(({ kind }) => kind)
}
