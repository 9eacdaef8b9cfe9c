// The server's settings, from its command line.
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { isLoopbackName } from './api/guards.ts'
import { serverVersion } from './version.ts'

export type ServerSettings = {
  readonly listen: { readonly host: string; readonly port: number }
  /** How hosts and browsers reach this server; default: where it listens. */
  readonly publicUrl?: URL
  readonly data: string
  readonly repository: string
  readonly branch?: string
  /** PEM file of the authority that vouches for the repository's https. */
  readonly repositoryCertificate?: string
  /** What hosts follow; default: this server's mirror. */
  readonly hostRepository?: string
  readonly fetchEverySeconds: number
  /** Overrides `silentAfter` of plumb.yaml. */
  readonly silentAfterSeconds?: number
  readonly tls: TlsSettings
  /** Directory with what `npm run build` made. */
  readonly artifacts: string
  /** Default: anyone when only this machine can reach the server, else signed-in. */
  readonly viewers?: 'anyone' | 'signed-in'
  /** Alerts may be sent to this very machine, also when plumb.yaml and not a secret of the server says so. */
  readonly alertsToThisMachine: boolean
  readonly logLevel: LogLevel
}

export type TlsSettings =
  | { readonly kind: 'none' }
  | { readonly kind: 'self-signed' }
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string }

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** What a server has that is told nothing but its directory and repository. */
export function defaultSettings(data: string, repository: string): ServerSettings {
  return {
    listen: { host: '127.0.0.1', port: 7420 },
    data,
    repository,
    fetchEverySeconds: 30,
    tls: { kind: 'none' },
    artifacts: defaultArtifacts,
    alertsToThisMachine: false,
    logLevel: 'info',
  }
}

/** `argv` as in process.argv. Ends the process with a message when an option is wrong. */
export function settingsFromCommandLine(argv: readonly string[]): ServerSettings {
  const command = new Command('plumb-server')
    .description('The Plumbline server: reports come in, alerts and the dashboard go out.')
    .version(serverVersion)
    .requiredOption('--repository <url>', 'the fleet repository: http(s), ssh, or a local path')
    .requiredOption('--data <dir>', 'where the server keeps its database, clone, tokens and secrets')
    .addOption(
      option('--listen <address>', 'address and port').argParser(parseListen).default(parseListen('127.0.0.1:7420')),
    )
    .addOption(option('--public-url <url>', 'how hosts and browsers reach it').argParser(parsePublicUrl))
    .addOption(option('--branch <name>', "default: the remote's HEAD"))
    .addOption(option('--repository-certificate <file>', 'authority to trust for an https repository'))
    .addOption(option('--host-repository <url>', "what hosts follow; default: this server's mirror"))
    .addOption(
      option('--fetch-every <duration>', 'how often to look at the repository')
        .argParser(parseDuration)
        .default(30, '30s'),
    )
    .addOption(option('--silent-after <duration>', 'overrides silentAfter of plumb.yaml').argParser(parseDuration))
    .addOption(option('--tls-cert <file>', 'PEM certificate').conflicts('tlsSelfSigned'))
    .addOption(option('--tls-key <file>', "the certificate's PEM key").conflicts('tlsSelfSigned'))
    .addOption(option('--tls-self-signed', 'make a certificate once and keep it; the install line pins it'))
    .addOption(option('--artifacts <dir>', 'what `npm run build` made').default(defaultArtifacts))
    .addOption(option('--viewers <who>', 'who may read without signing in').choices(['anyone', 'signed-in']))
    .addOption(option('--alerts-to-this-machine', 'plumb.yaml may send alerts to loopback addresses'))
    .addOption(option('--log-level <level>', 'what is logged').choices(logLevels).default('info'))
  command.parse(argv)
  return settingsFrom(command)
}

const defaultArtifacts = join(import.meta.dirname, '../build')

type Options = {
  readonly repository: string
  readonly data: string
  readonly listen: ServerSettings['listen']
  readonly publicUrl?: URL
  readonly branch?: string
  readonly repositoryCertificate?: string
  readonly hostRepository?: string
  readonly fetchEvery: number
  readonly silentAfter?: number
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsSelfSigned?: true
  readonly artifacts: string
  readonly viewers?: 'anyone' | 'signed-in'
  readonly alertsToThisMachine?: true
  readonly logLevel: LogLevel
}

function settingsFrom(command: Command): ServerSettings {
  const { fetchEvery, silentAfter, tlsCert, tlsKey, tlsSelfSigned, ...options } = command.opts<Options>()
  if ((tlsCert === undefined) !== (tlsKey === undefined)) command.error('--tls-cert and --tls-key go together')
  const files = tlsCert === undefined || tlsKey === undefined ? undefined : { certificate: tlsCert, key: tlsKey }
  const tls: TlsSettings =
    files === undefined ? { kind: tlsSelfSigned ? 'self-signed' : 'none' } : { kind: 'files', ...files }
  return {
    ...options,
    data: resolve(options.data),
    artifacts: resolve(options.artifacts),
    fetchEverySeconds: fetchEvery,
    tls,
    alertsToThisMachine: options.alertsToThisMachine === true,
    ...(silentAfter === undefined ? {} : { silentAfterSeconds: silentAfter }),
  }
}

/** `listening` is where the socket really is: the port may have been chosen by the system. */
export function publicUrlOf(settings: ServerSettings, listening: { readonly port: number }): URL {
  if (settings.publicUrl !== undefined) return settings.publicUrl
  const { host } = settings.listen
  const name = host.includes(':') ? `[${host}]` : host
  return new URL(`${settings.tls.kind === 'none' ? 'http' : 'https'}://${name}:${listening.port}/`)
}

/** Anyone on a machine that only itself can reach may read; a public address behind a proxy is reached by others. */
export function viewersOf({ viewers, listen }: ServerSettings, publicUrl: URL): 'anyone' | 'signed-in' {
  if (viewers !== undefined) return viewers
  return isLoopbackName(listen.host) && isLoopbackName(publicUrl.hostname) ? 'anyone' : 'signed-in'
}

function option(flags: string, description: string): Option {
  return new Option(flags, description)
}

function parseListen(text: string): ServerSettings['listen'] {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('Expected ADDRESS:PORT, as 127.0.0.1:7420.')
  return { host, port: Number(port) }
}

function parsePublicUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url?.pathname === '/' && url.search === '' && url.username === '' && url.hash === ''
  if (url === undefined || !isPlain || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('Expected http(s)://NAME[:PORT] and no path.')
  }
  return url
}

function parseDuration(text: string): number {
  const [, count, unit = 's'] = /^(\d{1,6})(s|m|h)?$/.exec(text) ?? []
  const seconds = Number(count) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1)
  if (count === undefined || seconds < 1) throw new InvalidArgumentError('Expected a duration, as 30s, 5m or 1h.')
  return seconds
}
