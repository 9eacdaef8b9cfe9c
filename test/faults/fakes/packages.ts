// A fake of dpkg-query, apt-get and what is asked around them: every package can be had, and none has scripts.
import { type FakeHost, type FakeProgram, refused, said } from './fake-host.ts'

export const apt: Readonly<Record<string, FakeProgram>> = {
  'dpkg-query': (host, args) => {
    const format = args.find((arg) => arg.startsWith('--showformat='))?.slice('--showformat='.length) ?? ''
    const names = args.includes('--') ? args.slice(args.indexOf('--') + 1) : []
    const wanted = names.length === 0 ? [...host.packages.keys()] : names
    const known = wanted.filter((name) => host.packages.has(name))
    const stdout = known.map((name) => formatted(host, name, format)).join('')
    return { code: known.length === wanted.length ? 0 : 1, stdout, stderr: '' }
  },
  dpkg: (_, args) => (args[0] === '--audit' ? said() : refused('fake dpkg: --audit only', 64)),
  'apt-get': (host, args) => {
    const verb = args.find((arg) => ['install', 'update'].includes(arg))
    if (verb === 'update') return said()
    if (verb !== 'install') return refused('fake apt-get: install and update only', 64)
    const names = args.slice(args.indexOf('--') + 1)
    host.log.push(['apt-get install', ...names].join(' '))
    for (const each of names) {
      const [name = '', version = '1.0-1'] = each.split('=')
      host.packages.set(name, version)
    }
    return said()
  },
  'apt-mark': (host, args) => {
    host.log.push(['apt-mark', ...args].join(' '))
    return said()
  },
  // apt's lists are always young here.
  find: (_, args) => said(args[0] === '/var/lib/apt/lists' ? '/var/lib/apt/lists' : ''),
}

function formatted(host: FakeHost, name: string, format: string): string {
  const values: Readonly<Record<string, string>> = {
    Package: name,
    Architecture: 'amd64',
    'db:Status-Status': 'installed',
    'db:Status-Want': 'install',
    Version: host.packages.get(name) ?? '',
    Provides: '',
  }
  return format
    .replace(/\$\{([^}]+)\}/g, (_, field: string) => values[field] ?? '')
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
}
