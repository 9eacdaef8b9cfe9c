// Containers from one look to the next. The docker here is a fake: it answers what a test says it would print.
import { expect, test } from 'vitest'
import { watchContainers } from '../../../agent/resources/compose-settle.ts'
import type { Command, CommandResult, Run } from '../../../shared/command.ts'

const shop = { name: 'shop', services: [{ name: 'web', ends: true, replicas: 1 }] }
const server = { name: 'shop', services: [{ name: 'web', ends: false, replicas: 1 }] }
const startedAt = '2026-11-01T12:00:05.123456789Z'
const web = { name: '/shop-web-1', restarts: 2, status: 'running', exitCode: 0, health: 'none', startedAt }

test.each([
  ['goes on running', {}, undefined],
  ['ends well', { status: 'exited' }, undefined],
  ['becomes healthy', { health: 'healthy' }, undefined],
  ['was restarted', { restarts: 3 }, 'shop-web-1 was restarted once'],
  [
    'was restarted and ended again',
    { restarts: 3, status: 'restarting', exitCode: 5 },
    'shop-web-1 was restarted once, last after the exit code 5',
  ],
  ['was restarted often', { restarts: 7, exitCode: 1 }, 'shop-web-1 was restarted 5 times'],
  ['is between two starts', { status: 'restarting' }, 'shop-web-1 is restarting'],
  ['ended with an error', { status: 'exited', exitCode: 3 }, 'shop-web-1 is exited (exit code 3)'],
  ['is dead', { status: 'dead' }, 'shop-web-1 is dead'],
  ['is unhealthy', { health: 'unhealthy' }, 'shop-web-1 has become unhealthy'],
])('a container that %s', async (_, changed, fault) => {
  const docker = fakeDocker({ web })
  const since = await watchContainers([shop], docker.run)
  docker.inspected = { web: { ...web, ...changed } }

  const told = await since()

  if (fault === undefined) expect(told).toBeUndefined()
  else expect(told).toContain(`the container ${fault}`)
  if (fault !== undefined) expect(told).toContain('Its log ends:\nno disk')
})

test('a container that is gone is said', async () => {
  const docker = fakeDocker({ web })
  const since = await watchContainers([shop], docker.run)
  docker.inspected = {}
  expect(await since()).toBe('the container shop-web-1 is gone.')
})

test.each([
  ['ended with an error', shop, { status: 'exited', exitCode: 5 }, 'shop-web-1 is exited (exit code 5)'],
  ['ended, though it should run', server, { status: 'exited' }, 'shop-web-1 is exited (exit code 0)'],
  ['became unhealthy', server, { health: 'unhealthy' }, 'shop-web-1 has become unhealthy'],
  ['was never started', server, { status: 'created' }, 'shop-web-1 is created'],
  ['did its work', shop, { status: 'exited' }, undefined],
])('a container that %s before the watch began is judged the same', async (_, project, changed, fault) => {
  const docker = fakeDocker({ web: { ...web, ...changed } })
  const since = await watchContainers([project], docker.run)

  const told = await since()

  if (fault === undefined) expect(told).toBeUndefined()
  else expect(told).toContain(`the container ${fault}`)
})

test.each([
  ['started again by itself before the first look', '2026-11-01T12:00:00Z', {}, 'was restarted 2 times'],
  ['started again once', '2026-11-01T12:00:00Z', { restarts: 1 }, 'was restarted once'],
  ['never ended since', '2026-11-01T12:00:00Z', { restarts: 0 }, undefined],
  ['restarted before it began, and runs since', '2026-11-01T12:01:00Z', {}, undefined],
  ['never started', '2026-11-01T12:00:00Z', { startedAt: '0001-01-01T00:00:00Z' }, undefined],
])('a container that was %s', async (_, since, changed, fault) => {
  const docker = fakeDocker({ web: { ...web, ...changed } })
  const watch = await watchContainers([server], docker.run, Date.parse(since))
  const told = await watch()
  if (fault === undefined) expect(told).toBeUndefined()
  else expect(told).toContain(`the container shop-web-1 ${fault}`)
})

test('a declared service whose container was removed before the watch began is said', async () => {
  const docker = fakeDocker({})
  const since = await watchContainers([server], docker.run)
  expect(await since()).toBe('web of shop has no container any more.')
})

test('a container of a service that is not declared is at fault only when it changes', async () => {
  const ended = { ...web, status: 'exited', exitCode: 1 }
  const docker = fakeDocker({ web: ended })
  const before = await watchContainers([{ name: 'shop', services: [] }], docker.run)
  expect(await before()).toBeUndefined()
  docker.inspected = { web }
  const running = await watchContainers([{ name: 'shop', services: [] }], docker.run)
  docker.inspected = { web: ended }
  expect(await running()).toContain('the container shop-web-1 is exited (exit code 1)')
})

test('a docker that answers only after the watch began is asked again', async () => {
  const docker = fakeDocker({ web: { ...web, status: 'exited', exitCode: 5 } })
  docker.isSilent = true
  const since = await watchContainers([server], docker.run)
  docker.isSilent = false
  expect(await since()).toContain('the container shop-web-1 is exited (exit code 5)')
})

test('a docker that no longer answers is said', async () => {
  const docker = fakeDocker({ web })
  const since = await watchContainers([shop], docker.run)
  docker.isSilent = true
  expect(await since()).toBe('docker does not answer: Cannot connect')
})

test('containers of other projects, no projects and no docker are nothing to watch', async () => {
  const docker = fakeDocker({ web })
  const others = await watchContainers([{ ...shop, name: 'other', services: [] }], docker.run)
  const nothing = await watchContainers([], docker.run)
  const without = await watchContainers([{ ...shop, services: [] }], async () => answer({ code: 127 }))
  docker.inspected = { web: { ...web, restarts: 9 } }
  expect([await others(), await nothing(), await without()]).toEqual([undefined, undefined, undefined])
})

type Inspected = typeof web

function fakeDocker(first: Readonly<Record<string, Inspected>>) {
  const docker = {
    inspected: first,
    isSilent: false,
    run: (async ({ args }) => answerOf(args)) satisfies Run,
  }
  const answerOf = (args: Command['args']): CommandResult => {
    if (args[1] === '--version') return answer({ stdout: 'Docker version 26.1.5' })
    if (docker.isSilent) return answer({ code: 1, stderr: 'Cannot connect' })
    if (args[1] === 'ps') {
      const rows = Object.entries(docker.inspected).map(([id, { health }]) => [
        ...[id, 'shop-web-1', 'running', `Up 4 seconds (${health})`, 'box', 'shop', 'web'],
      ])
      return answer({ stdout: rows.map((row) => `${row.join('\t')}\n`).join('') })
    }
    if (args[1] === 'logs') return answer({ stdout: 'no disk\n' })
    const lines = Object.entries(docker.inspected).map(([id, { name, restarts, status, exitCode, startedAt: at }]) =>
      [id, name, restarts, status, exitCode, JSON.stringify(at)].join('\t'),
    )
    return answer({ code: lines.length === 0 ? 1 : 0, stdout: `${lines.join('\n')}\n` })
  }
  return docker
}

function answer(more: Partial<CommandResult>): CommandResult {
  return { code: 0, stdout: '', stderr: '', ...more }
}
