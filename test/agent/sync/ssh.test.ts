// Against a real sshd on loopback: the machine's own, or the one that scripts/setup unpacks.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createRun, type Run } from '../../../agent/host/run.ts'
import { afterwards, fleetWith, openWith, stateDirectory, texts } from './fixture.ts'

const unpacked = resolve('build/sshd/usr/sbin/sshd')
const sshd = existsSync(unpacked) ? unpacked : '/usr/sbin/sshd'
const noRewind = { allowRewind: false }

describe.skipIf(!existsSync(sshd) || process.getuid?.() !== 0)('over ssh', () => {
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
  const directory = await stateDirectory()
  const port = await freePort()
  const [hostKey, key] = [join(directory, 'host'), join(directory, 'key')]
  for (const path of [hostKey, key])
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path])
  const { stdout: publicHostKey } = await promisify(execFile)('ssh-keygen', ['-y', '-f', hostKey])
  await writeFile(join(directory, 'known_hosts'), `[127.0.0.1]:${port} ${publicHostKey}`)
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const options = [
    `HostKey=${hostKey}`,
    `AuthorizedKeysFile=${key}.pub`,
    'StrictModes=no',
    'PermitRootLogin=yes',
    'UsePAM=no',
    'PidFile=none',
  ]
  const child = spawn(
    'unshare',
    [
      ...['--mount', 'sh', '-c', 'mount --bind "$1" /etc/passwd && shift && exec "$@"', 'sh'],
      await passwdWithSshd(directory),
      sshd,
      '-D',
      '-e',
      '-f',
      '/dev/null',
      '-p',
      String(port),
      '-o',
      'ListenAddress=127.0.0.1',
      ...options.flatMap((option) => ['-o', option]),
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  afterwards(async () => {
    const ended = once(child, 'exit')
    child.kill()
    await ended
  })
  await once(child.stderr, 'data')
  const run = createRun()
  return {
    port,
    url: (path: string) => `ssh://root@127.0.0.1:${port}${path}`,
    run: (changed: Record<string, string>): Run => {
      const all = {
        IdentityFile: key,
        IdentitiesOnly: 'yes',
        UserKnownHostsFile: join(directory, 'known_hosts'),
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

/** sshd drops its rights to a user that only the installed package makes: it gets one in a mount namespace of its own. */
async function passwdWithSshd(directory: string): Promise<string> {
  const path = join(directory, 'passwd')
  const users = await readFile('/etc/passwd', 'utf8')
  const added = /^sshd:/m.test(users) ? '' : 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n'
  await writeFile(path, users + added, { mode: 0o644 })
  return path
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
