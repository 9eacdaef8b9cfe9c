// A fake of apt and dpkg, and of what is asked around them: every package can be had in two versions, and none has scripts.
import { type FakeHost, type FakeProgram, refused, said } from './fake-host.ts'

export type FakePackage = { version: string; held: boolean }

/** The newest first. */
export const versions = ['2.0-1', '1.0-1'] as const

/** What detect.ts and apt.ts look for; apt's lists are always young here, and nobody else is at work. */
const places = ['/usr/bin/apt-get', '/var/lib/dpkg/status', '/var/lib/apt/lists']

export const apt: Readonly<Record<string, FakeProgram>> = {
  'dpkg-query': (host, args) => {
    const format = args.find((arg) => arg.startsWith('--showformat='))?.slice('--showformat='.length) ?? ''
    const names = afterDashes(args)
    const wanted = names.length === 0 ? [...host.packages.keys()] : names
    const known = wanted.filter((name) => host.packages.has(name))
    const stdout = known.map((name) => formatted(host, name, format)).join('')
    return { code: known.length === wanted.length ? 0 : 1, stdout, stderr: '' }
  },
  dpkg: (_, [verb, one = '', , other = '']) =>
    verb === '--compare-versions' ? said('', one < other ? 0 : 1) : refused('fake dpkg: --compare-versions only', 64),
  'apt-cache': (_, args) =>
    said(
      afterDashes(args)
        .flatMap((name) => versions.map((version) => madisonLine(name, version)))
        .join('\n'),
    ),
  'apt-get': (host, args) =>
    args.includes('install') ? install(host, args) : refused('fake apt-get: install only', 64),
  'apt-mark': (host, args) => {
    const [verb = '', ...names] = args
    host.log.push(['apt-mark', ...args].join(' '))
    for (const name of names) {
      const known = host.packages.get(name)
      if (known === undefined) return refused(`E: Unable to locate package ${name}`, 100)
      known.held = verb === 'hold'
    }
    return said()
  },
  find: (_, args) => said(args.filter((arg) => places.includes(arg)).join('\n')),
  stat: () => refused('fake stat: nobody locks anything here'),
}

function install(host: FakeHost, args: readonly string[]) {
  const targets = afterDashes(args).map((target) => {
    const [name = '', version = host.packages.get(name)?.version ?? versions[0]] = target.split('=')
    return { name, version, known: host.packages.get(name) }
  })
  const moved = targets.filter(({ known, version }) => known !== undefined && known.version !== version)
  if (moved.some(({ known }) => known?.held)) return refused('E: Held packages were changed', 100)
  const isDown = moved.some(({ known, version }) => known !== undefined && version < known.version)
  if (isDown && !args.includes('--allow-downgrades')) return refused('E: Packages were downgraded', 100)
  host.log.push(['apt-get install', ...targets.map(({ name }) => name)].join(' '))
  for (const { name, version, known } of targets) host.packages.set(name, { version, held: known?.held ?? false })
  return said()
}

function madisonLine(name: string, version: string): string {
  return `${name} | ${version} | http://fake.example/debian trixie/main amd64 Packages`
}

function formatted(host: FakeHost, name: string, format: string): string {
  const known = host.packages.get(name)
  const values: Readonly<Record<string, string>> = {
    Package: name,
    Architecture: 'amd64',
    'db:Status-Status': 'installed',
    'db:Status-Want': known?.held ? 'hold' : 'install',
    'db:Status-Eflag': 'ok',
    Version: known?.version ?? '',
    Provides: '',
  }
  return format
    .replace(/\$\{([^}]+)\}/g, (_, field: string) => values[field] ?? '')
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
}

function afterDashes(args: readonly string[]): readonly string[] {
  return args.includes('--') ? args.slice(args.indexOf('--') + 1) : []
}
