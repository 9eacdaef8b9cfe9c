// The server's settings, from its command line.

import { hostname, networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type Credentials, type SplitAddress, splitAddress, withoutUserInformation } from '../shared/address.ts'
import { compact } from '../shared/compact.ts'
import { type LogLevel, logLevels, logLevelVariable } from '../shared/platform/log.ts'
import { visibleText } from '../shared/visible-text.ts'
import { parseNetwork } from './client-address.ts'
import { isLoopbackName } from './origin.ts'
import { serverVersion } from './version.ts'

export type ServerSettings = {
  readonly listen: { readonly host: string; readonly port: number }
  /** How hosts and browsers reach this server; default: where it listens. */
  readonly publicUrl?: URL
  readonly data: string
  /** An address without credentials, or the whole path of a directory. */
  readonly repository: string
  readonly repositoryCredentials?: Credentials
  readonly branch?: string
  /** PEM file of the authority that vouches for the repository's https. */
  readonly repositoryCertificate?: string
  /** What hosts follow, without credentials; default: this server's mirror. */
  readonly hostRepository?: string
  /** It was given with credentials: the install script is for anyone to read, so that hosts get them another way. */
  readonly hostCredentialsDropped?: true
  readonly fetchEverySeconds: number
  /** Overrides `silentAfter` of plumb.yaml. */
  readonly silentAfterSeconds?: number
  readonly tls: TlsSettings
  /** Directory with what `npm run build` made. */
  readonly artifacts: string
  /** Default: this machine's own programs when only this machine can reach the server, else signed-in. */
  readonly viewers?: 'anyone' | 'signed-in'
  /** Networks of proxies that are believed about whom they got a request from, as `10.0.0.0/8`. */
  readonly trustedProxies: readonly string[]
  /** Alerts may be sent to this very machine, also when plumb.yaml and not a secret of the server says so. */
  readonly alertsToThisMachine: boolean
  /** False: an operator wants no channel, and no page asks for one. */
  readonly notifications: boolean
  readonly logLevel: LogLevel
  /** Hosts that are directories of this machine, as `npm start` has them: pages print their commands with those. */
  readonly sandboxes?: ReadonlyMap<string, Sandbox>
}

export type Sandbox = {
  /** The executable. */
  readonly plumb: string
  readonly root: string
  readonly state: string
  /** Where `plumb adopt` pushes. */
  readonly remote: string
}

export type TlsSettings =
  | { readonly kind: 'none' }
  | { readonly kind: 'self-signed' }
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string }

/** What a server has that is told nothing but its directory and repository. */
export function defaultSettings(data: string, repository: string): ServerSettings {
  return {
    listen: { host: '127.0.0.1', port: 7420 },
    data,
    repository,
    fetchEverySeconds: 30,
    tls: { kind: 'none' },
    artifacts: defaultArtifacts,
    trustedProxies: [],
    alertsToThisMachine: false,
    notifications: true,
    logLevel: 'info',
  }
}

/** `argv` as in process.argv. Ends the process with a message when an option is wrong. */
export function settingsFromCommandLine(argv: readonly string[]): ServerSettings {
  const command = new Command('plumb-server')
    .description('The Plumbline server: reports come in, alerts and the dashboard go out.')
    // It repeats arguments that it does not expect.
    .configureOutput({ outputError: (text, write) => write(visibleText(withoutUserInformation(text))) })
    .version(serverVersion)
    .addOption(
      option('--repository <url>', 'the fleet repository: http(s), ssh, or a directory')
        .argParser(parseRepository)
        .env('PLUMB_REPOSITORY')
        .makeOptionMandatory(),
    )
    .requiredOption('--data <dir>', 'where the server keeps its database, clone, tokens and secrets')
    .addOption(
      option('--listen <address>', 'address and port')
        .argParser(parseListen)
        .default(parseListen(listenDefault), listenDefault),
    )
    .addOption(option('--public-url <url>', 'how hosts and browsers reach it').argParser(parsePublicUrl))
    .addOption(option('--branch <name>', "default: the remote's HEAD"))
    .addOption(option('--repository-certificate <file>', 'authority to trust for an https repository'))
    .addOption(
      option('--host-repository <url>', "what hosts follow; default: this server's mirror").argParser(splitAddress),
    )
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
    .addOption(
      option('--trusted-proxy <network>', 'a proxy whose X-Forwarded-For is believed, as 10.0.0.0/8; may be repeated')
        .argParser(parseTrustedProxies)
        .env('PLUMB_TRUSTED_PROXIES')
        .default([], 'none'),
    )
    .addOption(option('--alerts-to-this-machine', 'plumb.yaml may send alerts to loopback addresses'))
    .addOption(
      option('--no-notifications', 'alerts go nowhere on purpose: pages do not say that plumb.yaml has no channel'),
    )
    .addOption(option('--log-level <level>', 'what is logged').choices(logLevels).env(logLevelVariable).default('info'))
  command.parse(argv)
  return settingsFrom(command)
}

const defaultArtifacts = join(import.meta.dirname, '../build')

type Options = {
  readonly repository: SplitAddress
  readonly data: string
  readonly listen: ServerSettings['listen']
  readonly publicUrl?: URL
  readonly branch?: string
  readonly repositoryCertificate?: string
  readonly hostRepository?: SplitAddress
  readonly fetchEvery: number
  readonly silentAfter?: number
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsSelfSigned?: true
  readonly artifacts: string
  readonly viewers?: 'anyone' | 'signed-in'
  readonly trustedProxy: readonly string[]
  readonly alertsToThisMachine?: true
  readonly notifications: boolean
  readonly logLevel: LogLevel
}

function settingsFrom(command: Command): ServerSettings {
  const {
    repository,
    hostRepository,
    fetchEvery,
    silentAfter,
    tlsCert,
    tlsKey,
    tlsSelfSigned,
    trustedProxy,
    ...options
  } = command.opts<Options>()
  if ((tlsCert === undefined) !== (tlsKey === undefined)) command.error('--tls-cert and --tls-key go together')
  const files = tlsCert === undefined || tlsKey === undefined ? undefined : { certificate: tlsCert, key: tlsKey }
  const tls: TlsSettings =
    files === undefined ? { kind: tlsSelfSigned ? 'self-signed' : 'none' } : { kind: 'files', ...files }
  return {
    ...options,
    repository: repository.url,
    ...compact({ repositoryCredentials: repository.credentials }),
    ...(hostRepository === undefined ? {} : { hostRepository: hostRepository.url }),
    ...(hostRepository?.credentials === undefined ? {} : { hostCredentialsDropped: true }),
    data: resolve(options.data),
    artifacts: resolve(options.artifacts),
    fetchEverySeconds: fetchEvery,
    tls,
    trustedProxies: trustedProxy,
    alertsToThisMachine: options.alertsToThisMachine === true,
    ...compact({ silentAfterSeconds: silentAfter }),
  }
}

/** `listening` is where the socket really is: the port may have been chosen by the system. */
export function publicUrlOf(settings: ServerSettings, listening: { readonly port: number }): URL {
  if (settings.publicUrl !== undefined) return settings.publicUrl
  const { host } = settings.listen
  const reachable = isEveryAddress(host) ? ownReachableName() : host
  const name = reachable.includes(':') ? `[${reachable}]` : reachable
  return new URL(`${settings.tls.kind === 'none' ? 'http' : 'https'}://${name}:${listening.port}/`)
}

/** Hosts cannot be told to go to it. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host)
}

/** Where a server that listens on every address is probably found: its full name, or its first address on a network. */
function ownReachableName(): string {
  if (hostname().includes('.')) return hostname()
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? hostname()
}

export type Viewers = 'anyone' | 'this-machine' | 'signed-in'

/** A server that only its own machine can reach is for that machine's people; one behind a proxy is reached by others. */
export function viewersOf({ viewers, listen, trustedProxies }: ServerSettings, publicUrl: URL): Viewers {
  if (viewers !== undefined) return viewers
  const isBehindProxy = trustedProxies.length > 0 || !isLoopbackName(publicUrl.hostname)
  return isLoopbackName(listen.host) && !isBehindProxy ? 'this-machine' : 'signed-in'
}

function option(flags: string, description: string): Option {
  return new Option(flags, description)
}

const listenDefault = '127.0.0.1:7420'

function parseListen(text: string): ServerSettings['listen'] {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('Expected ADDRESS:PORT, as 127.0.0.1:7420.')
  return { host, port: Number(port) }
}

/** A directory is counted from where the server is started, and from nowhere else later. */
function parseRepository(text: string): SplitAddress {
  const split = splitAddress(text)
  return isDirectory(split.url) ? { url: resolve(split.url) } : split
}

/** git's own rule: anything else has a colon before the first slash. */
function isDirectory(address: string): boolean {
  return address !== '' && !/^(?:-|[^/]+:)/.test(address)
}

function parsePublicUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain =
    url?.pathname === '/' && url.search === '' && url.username === '' && url.password === '' && url.hash === ''
  if (url === undefined || !isPlain || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('Expected http(s)://NAME[:PORT] and no path.')
  }
  return url
}

/** One, or in the environment several behind commas. */
function parseTrustedProxies(text: string, before: readonly string[]): readonly string[] {
  const networks = text.split(',').map((part) => {
    const network = parseNetwork(part)
    if (network === undefined)
      throw new InvalidArgumentError(`"${part}" is no part of the address space, as 10.0.0.0/8, 192.0.2.7 or fd00::/8.`)
    return network
  })
  return [...before, ...networks]
}

function parseDuration(text: string): number {
  const [, count, unit = 's'] = /^(\d{1,6})(s|m|h)?$/.exec(text) ?? []
  const seconds = Number(count) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1)
  if (count === undefined || seconds < 1) throw new InvalidArgumentError('Expected a duration, as 30s, 5m or 1h.')
  return seconds
}
