// Against a real sshd on loopback.
import { describe, expect, test } from 'vitest'
import type { Run } from '../../../shared/command.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { sshUnavailable, startSshServer } from '../../support/ssh.ts'
import { afterwards, fleetWith, openWith, stateDirectory, texts } from './fixture.ts'

const unavailable = sshUnavailable()
if (unavailable !== null) console.log(`skipped: ${unavailable}`)
const noRewind = { allowRewind: false }

describe.skipIf(unavailable !== null)('over ssh', () => {
  test('a host clones, and follows what is pushed', async () => {
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const server = await sshServer()
    const repository = openWith(await stateDirectory(), { url: server.url(fleet.directory) }, { run: server.run({}) })

    await repository.accept((await repository.sync(noRewind)).revision)
    const next = await fleet.commit({ 'plumb.yaml': 'b' })
    const reader = await repository.sync(noRewind)

    expect(reader.revision).toBe(next)
    expect(await texts(reader)).toEqual({ 'plumb.yaml': 'b' })
  })

  test('user@host:path is the same address', async () => {
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const server = await sshServer()
    const run = server.run({ Port: String(server.port) })

    const reader = await openWith(await stateDirectory(), { url: `root@127.0.0.1:${fleet.directory}` }, { run }).sync(
      noRewind,
    )

    expect(reader.revision).toBe(await fleet.head())
  })

  test.each([
    ['an unknown host key', { UserKnownHostsFile: '/dev/null' }, 'Host key verification failed'],
    ['a key that the server does not know', { IdentityFile: '/nonexistent' }, 'Permission denied'],
  ])('%s is told in the words of ssh, and nothing waits for an answer', async (_, options, words) => {
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const server = await sshServer()

    const failed = openWith(
      await stateDirectory(),
      { url: server.url(fleet.directory) },
      { run: server.run(options) },
    ).sync(noRewind)

    await expect(failed).rejects.toMatchObject({ code: 'repository-unreachable' })
    await expect(failed).rejects.toThrow(words)
  })
})

/** Its `run` gives ssh what a host has in root's own ~/.ssh: a key and the server's host key. */
async function sshServer() {
  const server = await startSshServer({ directory: await stateDirectory() })
  afterwards(server.close)
  const run = createRun()
  return {
    ...server,
    run: (changed: Record<string, string>): Run => {
      const all = {
        IdentityFile: server.key,
        IdentitiesOnly: 'yes',
        UserKnownHostsFile: server.knownHosts,
        ...changed,
      }
      const flags = Object.entries(all).map(([name, value]) => `-o${name}=${value}`)
      return (command) => {
        const ssh = `${command.environment?.['GIT_SSH_COMMAND']} ${flags.join(' ')}`
        return run({ ...command, environment: { ...command.environment, GIT_SSH_COMMAND: ssh } })
      }
    },
  }
}
