import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  defaultSettings,
  publicUrlOf,
  type ServerSettings,
  settingsFromCommandLine,
  viewersOf,
} from '../../../server/settings.ts'

test('the command line says where things are; the rest has defaults', () => {
  expect(
    settings('--listen', '0.0.0.0:443', '--public-url', 'https://plumb.example.org', '--tls-self-signed'),
  ).toMatchObject({
    listen: { host: '0.0.0.0', port: 443 },
    publicUrl: new URL('https://plumb.example.org/'),
    tls: { kind: 'self-signed' },
    data: '/var/lib/plumb-server',
    repository: 'https://forge.example.org/fleet.git',
    fetchEverySeconds: 30,
    alertsToThisMachine: false,
    logLevel: 'info',
  })
})

test('the log level is also an environment variable, which the command line overrides', () => {
  onTestFinished(() => void delete process.env['PLUMB_LOG_LEVEL'])
  process.env['PLUMB_LOG_LEVEL'] = 'debug'
  expect(settings().logLevel).toBe('debug')
  expect(settings('--log-level', 'warn').logLevel).toBe('warn')
})

test('durations are given as people say them', () => {
  expect(settings('--fetch-every', '5m', '--silent-after', '90s')).toMatchObject({
    fetchEverySeconds: 300,
    silentAfterSeconds: 90,
  })
})

test('a server that listens on every address names one that hosts can be told', () => {
  for (const listen of ['0.0.0.0:7420', '[::]:7420']) {
    const { hostname, port } = publicUrlOf(settings('--listen', listen), { port: 7420 })
    expect(hostname).not.toMatch(/^(?:0\.0\.0\.0|\[::\]|localhost|127\..*)$/)
    expect(port).toBe('7420')
  }
})

test('the directory of a repository is counted from where the server is started', () => {
  expect(settings('--repository', 'fleet').repository).toBe(join(process.cwd(), 'fleet'))
  expect(settings('--repository', '../fleet').repository).toBe(join(process.cwd(), '../fleet'))
  expect(settings('--repository', 'git@forge.example:fleet.git').repository).toBe('git@forge.example:fleet.git')
  expect(settings('--repository', 'file:///srv/fleet').repository).toBe('file:///srv/fleet')
})

test('trusted proxies are networks, from the command line or the environment', () => {
  expect(settings().trustedProxies).toEqual([])
  expect(settings('--trusted-proxy', '10.0.0.0/8', '--trusted-proxy', '::1').trustedProxies).toEqual([
    '10.0.0.0/8',
    '::1/128',
  ])
  process.env['PLUMB_TRUSTED_PROXIES'] = '192.0.2.7,fd00::/8'
  onTestFinished(() => void delete process.env['PLUMB_TRUSTED_PROXIES'])
  expect(settings().trustedProxies).toEqual(['192.0.2.7/32', 'fd00::/8'])
})

test('the public address is where it listens, unless told otherwise', () => {
  expect(publicUrlOf(settings('--listen', '[::1]:0'), { port: 4711 }).href).toBe('http://[::1]:4711/')
  expect(publicUrlOf(settings('--tls-self-signed'), { port: 7420 }).href).toBe('https://127.0.0.1:7420/')
  expect(publicUrlOf(settings('--public-url', 'https://p.example'), { port: 7420 }).href).toBe('https://p.example/')
})

test.each([
  ['127.0.0.1', undefined, 'this-machine'],
  ['::1', undefined, 'this-machine'],
  ['0.0.0.0', undefined, 'signed-in'],
  ['10.77.0.1', undefined, 'signed-in'],
  ['127.0.0.1', 'https://plumb.example.org/', 'signed-in'],
])('listening on %s and known as %s, %s may read', (host, publicUrl, who) => {
  const listening: ServerSettings = {
    ...defaultSettings('/data', '/fleet'),
    listen: { host, port: 80 },
    ...(publicUrl === undefined ? {} : { publicUrl: new URL(publicUrl) }),
  }

  expect(viewersOf(listening, publicUrlOf(listening, { port: 80 }))).toBe(who)
})

function settings(...options: readonly string[]): ServerSettings {
  const required = ['--data', '/var/lib/plumb-server', '--repository', 'https://forge.example.org/fleet.git']
  return settingsFromCommandLine(['node', 'main.ts', ...required, ...options])
}
