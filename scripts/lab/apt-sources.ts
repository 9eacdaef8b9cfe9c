// Where hosts get Debian packages: from wherever this machine gets its own. Nothing is named here.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { outputNow } from './command.ts'

export type Suite = 'bookworm' | 'trixie'

export type AptSources = {
  /** What debootstrap fetches from. */
  readonly mirror: string
  /** The text of the host's own debian.sources. */
  readonly sources: string
  /** The text of an apt.conf with what this machine needs to reach them (proxies, date checks). */
  readonly configuration: string
}

/** The Debian sources among the machine's, other people's left out, with its release replaced by `suite`. */
export function aptSourcesFor(suite: Suite): AptSources {
  const codename = ownCodename()
  const entries = machineEntries()
    .filter((entry) => isDebian(entry, codename))
    .map(({ uris, suites, components }) => ({
      uris,
      components,
      suites: suites.map((each) => each.replace(codename, suite)),
    }))
  const mirror = entries.find(({ suites }) => suites.includes(suite))?.uris[0]
  if (mirror === undefined)
    throw new Error(
      `/etc/apt names no source of Debian ${codename} with the component main, so hosts could get no packages.`,
    )
  const sources = entries.map(
    ({ uris, suites, components }) => `Types: deb
URIs: ${uris.join(' ')}
Suites: ${suites.join(' ')}
Components: ${components.join(' ')}
Signed-By: ${keyring}
`,
  )
  return { mirror, sources: sources.join('\n'), configuration: ownConfiguration() }
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

type Entry = {
  readonly uris: readonly string[]
  readonly suites: readonly string[]
  readonly components: readonly string[]
  readonly signedBy: string
}

function ownCodename(): string {
  const codename = /^VERSION_CODENAME="?(\w+)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  if (codename === undefined) throw new Error('/etc/os-release names no VERSION_CODENAME.')
  return codename
}

function machineEntries(): readonly Entry[] {
  const parts = '/etc/apt/sources.list.d'
  const names = existsSync(parts) ? readdirSync(parts).sort() : []
  const read = (name: string) => readFileSync(join(parts, name), 'utf8')
  const main = existsSync('/etc/apt/sources.list') ? readFileSync('/etc/apt/sources.list', 'utf8') : ''
  return [
    ...fromLines(main),
    ...names.filter((name) => name.endsWith('.list')).flatMap((name) => fromLines(read(name))),
    ...names.filter((name) => name.endsWith('.sources')).flatMap((name) => fromStanzas(read(name))),
  ]
}

function fromLines(text: string): readonly Entry[] {
  return text.split('\n').flatMap((line) => {
    const found = /^deb\s+(?:\[(?<options>[^\]]*)\]\s+)?(?<uri>\S+)\s+(?<suite>\S+)\s+(?<components>[^#]+)/.exec(line)
    if (found?.groups === undefined) return []
    const { options = '', uri = '', suite = '', components = '' } = found.groups
    return [
      {
        uris: [uri],
        suites: [suite],
        components: words(components),
        signedBy: /signed-by=(\S+)/i.exec(options)?.[1] ?? '',
      },
    ]
  })
}

function fromStanzas(text: string): readonly Entry[] {
  const withoutComments = text.replace(/^#.*\n?/gm, '')
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string) => new RegExp(`^${name}:(.*(?:\\n[ \\t].*)*)`, 'im').exec(stanza)?.[1]?.trim() ?? ''
    if (!words(field('Types')).includes('deb') || /^no$/i.test(field('Enabled'))) return []
    return [
      {
        uris: words(field('URIs')),
        suites: words(field('Suites')),
        components: words(field('Components')),
        signedBy: field('Signed-By'),
      },
    ]
  })
}

/** Third parties use Debian's release names too, but neither its component `main` together with its keyring. */
function isDebian({ suites, components, signedBy }: Entry, codename: string): boolean {
  return (
    components.includes('main') &&
    suites.every((suite) => suite === codename || suite.startsWith(`${codename}-`)) &&
    (signedBy === '' || signedBy.includes('debian-archive'))
  )
}

function ownConfiguration(): string {
  const wanted = /^Acquire::(?:Check-Valid-Until|Check-Date|Languages|https?::Proxy)\b/
  const lines = outputNow(['apt-config', 'dump']).split('\n')
  return `${lines.filter((line) => wanted.test(line)).join('\n')}\n`
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/).filter(Boolean)
}
