// An apply that a person typed, from the command by way of the running agent into the host's history at the server.
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { exampleFleet } from '../../lab/example-fleet.ts'
import { makeSandbox, runPlumb } from '../../support/plumb.ts'
import { startServerFor } from '../../support/server.ts'

const hostSchema = z.object({
  applies: z.array(z.object({ by: z.string().optional(), changes: z.array(z.object({ summary: z.string() })) })),
})

test('plumb apply is in the history of the host, with who typed it, once', async () => {
  const fleet = await exampleFleet((text) => text.replace('checkEvery: 10s', 'checkEvery: 1s'))
  const server = await startServerFor(fleet.directory)
  const box = await makeSandbox({})
  onTestFinished(async () => {
    await box.remove()
    await server.remove()
    await fleet.remove()
  })
  const env = { PLUMB_TOKEN: await server.token('web-1') }
  const repo = ['--repo', new URL('git/fleet.git', server.url).href]
  const places = ['--root', box.root, '--state', box.state]
  await runPlumb(['install', '--host', 'web-1', '--server', server.url, ...repo, ...places], { env })
  const agent = box.agent()
  await agent.said('"base":"in-sync"')
  const history = async () => hostSchema.parse(await server.get('/api/v1/hosts/web-1')).applies

  await box.write('/etc/motd', 'typed\n')
  await agent.said('"base":"drift"')
  agent.mark()
  expect(await runPlumb(['apply', ...places], { env: { SUDO_USER: 'anna' } })).toMatchObject({ code: 0 })
  await agent.said('"base":"in-sync"')
  while (!(await history()).some(({ by }) => by === 'anna@web-1')) await server.logged('report recorded')
  await box.write('/etc/motd', 'typed again\n')
  agent.mark()
  await agent.said('"base":"drift"')

  const own = (await history()).filter(({ by }) => by === 'anna@web-1')
  expect(own.map(({ changes }) => changes.map(({ summary }) => summary))).toEqual([['wrote /etc/motd (content)']])
})
