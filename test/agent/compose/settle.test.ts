// Containers from one look to the next. The docker here is a fake: it answers what a test says it would print.
import { expect, test } from 'vitest'
import type { Command, CommandResult, Run } from '../../../agent/host/run.ts'
import { watchContainers } from '../../../agent/resources/compose-settle.ts'

const web = { name: '/shop-web-1', restarts: 2, status: 'running', exitCode: 0, health: 'none' }

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
  const since = await watchContainers(['shop'], docker.run)
  docker.inspected = { web: { ...web, ...changed } }

  const told = await since()

  if (fault === undefined) expect(told).toBeUndefined()
  else expect(told).toContain(`the container ${fault}`)
  if (fault !== undefined) expect(told).toContain('Its log ends:\nno disk')
})

test('a container that is gone is said', async () => {
  const docker = fakeDocker({ web })
  const since = await watchContainers(['shop'], docker.run)
  docker.inspected = {}
  expect(await since()).toBe('the container shop-web-1 is gone.')
})

test('a docker that no longer answers is said', async () => {
  const docker = fakeDocker({ web })
  const since = await watchContainers(['shop'], docker.run)
  docker.isSilent = true
  expect(await since()).toBe('docker does not answer: Cannot connect')
})

test('containers of other projects, no projects and no docker are nothing to watch', async () => {
  const docker = fakeDocker({ web })
  const others = await watchContainers(['other'], docker.run)
  const nothing = await watchContainers([], docker.run)
  const without = await watchContainers(['shop'], async () => answer({ code: 127 }))
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
    const lines = Object.entries(docker.inspected).map(([id, { name, restarts, status, exitCode }]) =>
      [id, name, restarts, status, exitCode].join('\t'),
    )
    return answer({ code: lines.length === 0 ? 1 : 0, stdout: `${lines.join('\n')}\n` })
  }
  return docker
}

function answer(more: Partial<CommandResult>): CommandResult {
  return { code: 0, stdout: '', stderr: '', ...more }
}
