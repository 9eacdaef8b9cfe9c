// That alerts reach nobody is said on every page, until there is a channel or somebody says that it is meant.
import { afterEach, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../../kit.ts'
import { dashboard, readablePaths, textOf } from './dashboard.ts'

const said = 'Alerts are sent to nobody'

test.each(readablePaths)('%s says that no alert is sent', async (path) => {
  expect(textOf(await dashboard({ isNotified: async () => false }).html(path))).toContain(said)
  expect(textOf(await dashboard().html(path))).not.toContain(said)
})

test('it is no business of those who may not read', async () => {
  const pages = dashboard({ isNotified: async () => false, mayRead: false })
  expect(textOf(await pages.html('/login'))).not.toContain(said)
})

describe('a server', () => {
  let server: TestServer | undefined

  afterEach(() => server?.remove())

  const channel =
    'version: 1\nhosts:\n  web-1: { services: [] }\nalerts:\n  - { to: webhook, url: "https://example.org/x" }\n'

  test.each([
    ['without a channel', {}, undefined, true],
    ['without a channel on purpose', { notifications: false }, undefined, false],
    ['with a channel', {}, channel, false],
  ])('%s', async (_, settings, fleet, isSaid) => {
    server = await startTestServer(settings, fleet === undefined ? {} : { files: { 'plumb.yaml': fleet } })
    await server.tick()
    expect((await (await server.get('/')).text()).includes(said)).toBe(isSaid)
  })
})
