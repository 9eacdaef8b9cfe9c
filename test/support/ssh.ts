// A real sshd on loopback that lets root in by one key: the machine's own, or the one that scripts/setup unpacks.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const unpacked = resolve('build/sshd/usr/sbin/sshd')
const sshd = existsSync(unpacked) ? unpacked : '/usr/sbin/sshd'

/** Why there is none to be had; null: there is. */
export function sshUnavailable(): string | null {
  if (!existsSync(sshd)) return 'no sshd: sh scripts/setup test unpacks one'
  return process.getuid?.() === 0 ? null : 'sshd is started by root alone'
}

export type SshServer = {
  readonly port: number
  /** The private key that it knows. */
  readonly key: string
  /** With its host key. */
  readonly knownHosts: string
  url(path: string): string
  close(): Promise<void>
}

export type SshServerOptions = {
  /** For its keys and configuration. */
  readonly directory: string
  /** Of the private key. */
  readonly passphrase?: string
}

export async function startSshServer({ directory, passphrase = '' }: SshServerOptions): Promise<SshServer> {
  const port = await freePort()
  const [hostKey, key, knownHosts] = ['host', 'key', 'known_hosts'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  await makeKey(hostKey, '')
  await makeKey(key, passphrase)
  const { stdout: publicHostKey } = await promisify(execFile)('ssh-keygen', ['-y', '-f', hostKey])
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${publicHostKey}`)
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const options = [
    'ListenAddress=127.0.0.1',
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
      ...[sshd, '-D', '-e', '-f', '/dev/null', '-p', String(port)],
      ...options.flatMap((option) => ['-o', option]),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  await once(child.stderr, 'data')
  child.stderr.resume()
  return {
    ...{ port, key, knownHosts },
    url: (path) => `ssh://root@127.0.0.1:${port}${path}`,
    close: async () => {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

export async function makeKey(path: string, passphrase: string): Promise<void> {
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', path])
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
