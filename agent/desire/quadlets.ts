// What podman's generator makes of quadlets: the names of services, and the networks and volumes that containers use. Pure.
import { posix } from 'node:path'
import { type UnitSetting, unitSettings } from '../../shared/repository/unit-settings.ts'
import type { EngineObject } from '../../shared/resource.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'

/** By path inside the repository. */
type Texts = ReadonlyMap<string, string>

/** `/etc/containers/systemd/app.container` and its drop-ins; those below users/ are for the managers of users. */
const quadletPath =
  /^(\/etc\/containers\/systemd\/(?!users\/)(?:.*\/)?([^/]+)\.(container|kube|pod|network|volume|build|image))(?:\.d\/[^/]+\.conf)?$/

/** Podman before 5.3 knows no `ServiceName=`, and passes over what it does not know. */
const sections = { container: 'Container', kube: 'Kube', pod: 'Pod', build: 'Build', image: 'Image' } as const

/** The service of a quadlet or its drop-in by its file name: networks and volumes have one that is never restarted for a change. */
export function serviceOfQuadlet(target: string): string | undefined {
  const [, , name = '', kind = ''] = quadletPath.exec(target) ?? []
  if (!(kind in sections)) return undefined
  return `${name}${kind === 'container' || kind === 'kube' ? '' : `-${kind}`}.service`
}

/** With the services that `ServiceName=` names. */
export function withServiceNames(service: ManagedService, texts: Texts): ManagedService {
  const files = service.files.map((file) => {
    const [, main, , kind = ''] = quadletPath.exec(file.target) ?? []
    const section = Object.entries(sections).find(([one]) => one === kind)?.[1]
    if (main === undefined || section === undefined) return file
    const named = settingsOf(main, service.files, texts).findLast(
      (one) => one.section === section && one.key === 'ServiceName' && one.value !== '',
    )
    return named === undefined || named.value.includes('%') ? file : { ...file, generates: `${named.value}.service` }
  })
  return { ...service, files }
}

/** Networks and volumes of the repository that a quadlet of a container or pod uses, as they are to be. */
export function objectsUsedBy(main: string, all: readonly ManagedFile[], texts: Texts): readonly EngineObject[] {
  const named = settingsOf(main, all, texts).flatMap(({ section, key, value }) =>
    ['Container', 'Pod', 'Kube'].includes(section) ? namedIn(key, value) : [],
  )
  return [...new Set(named)].flatMap((name) => {
    const quadlet = quadletNamed(name, all)
    return quadlet === undefined ? [] : (objectOf(quadlet.target, settingsOf(quadlet.target, all, texts)) ?? [])
  })
}

/** By the path in the container, what of the host or of the engine is mounted there; undefined where a specifier decides. */
export function mountsOf(main: string, all: readonly ManagedFile[], texts: Texts): Readonly<Record<string, string>> {
  const mounts = settingsOf(main, all, texts).flatMap(({ section, key, value }) =>
    section === 'Container' || section === 'Pod' ? mountIn(key, value) : [],
  )
  return Object.fromEntries(mounts.map(([at, source]) => [at, volumeNamed(source, all, texts)]))
}

function mountIn(key: string, value: string): readonly (readonly [at: string, source: string])[] {
  if (value.includes('%')) return []
  if (key === 'Volume') {
    const [source = '', at = ''] = value.replaceAll('"', '').split(':')
    return at === '' ? [] : [[at, source]]
  }
  const option = (names: string) => new RegExp(`(?:^|,)(?:${names})=([^,]+)`).exec(value)?.[1]
  const [source, at] = key === 'Mount' ? [option('source|src'), option('destination|dst|target')] : []
  return source === undefined || at === undefined ? [] : [[at, source]]
}

function volumeNamed(source: string, all: readonly ManagedFile[], texts: Texts): string {
  if (!source.endsWith('.volume')) return source
  const quadlet = quadletNamed(source, all)
  const object = quadlet && objectOf(quadlet.target, settingsOf(quadlet.target, all, texts))
  return object?.name ?? `systemd-${source.replace(/\.volume$/, '')}`
}

function quadletNamed(name: string, all: readonly ManagedFile[]): ManagedFile | undefined {
  return all.find(({ target }) => quadletPath.exec(target)?.[1] === target && posix.basename(target) === name)
}

function namedIn(key: string, value: string): readonly string[] {
  const [first = ''] = value.split(':')
  if (key === 'Network' && first.endsWith('.network')) return [first]
  if (key === 'Volume' && first.endsWith('.volume')) return [first]
  const source = key === 'Mount' ? /(?:^|,)(?:source|src)=([^,]+\.volume)(?:,|$)/.exec(value)?.[1] : undefined
  return source === undefined ? [] : [source]
}

/** Undefined where a specifier would have to be filled in. */
function objectOf(target: string, settings: readonly UnitSetting[]): EngineObject | undefined {
  const [, , stem = '', kind] = quadletPath.exec(target) ?? []
  const own = settings.filter(({ section }) => section === (kind === 'network' ? 'Network' : 'Volume'))
  if (own.some(({ value }) => value.includes('%')) || stem.endsWith('@')) return undefined
  const last = (key: string) => own.findLast((one) => one.key === key)?.value || undefined
  const every = (key: string) => own.flatMap((one) => (one.key === key && one.value !== '' ? [one.value] : []))
  const isOn = (key: string) => /^(?:1|yes|true|on)$/i.test(last(key) ?? '')
  const entries: readonly (readonly [string, readonly string[]])[] =
    kind === 'network'
      ? [
          ['driver', every('Driver').slice(-1)],
          ['subnet', every('Subnet').filter(isIpv4)],
          ['gateway', every('Gateway').filter(isIpv4)],
          ['internal', [String(isOn('Internal'))]],
          ['IPv6', last('IPv6') === undefined ? [] : [String(isOn('IPv6'))]],
          ['DNS', last('DisableDNS') === undefined ? [] : [String(!isOn('DisableDNS'))]],
          ...every('Options').flatMap((words) => words.split(/\s+/).map(optionOf)),
        ]
      : [
          ['driver', every('Driver').slice(-1)],
          ['option device', every('Device').slice(-1)],
          ['option type', every('Type').slice(-1)],
        ]
  return {
    kind: kind === 'network' ? 'network' : 'volume',
    name: last(kind === 'network' ? 'NetworkName' : 'VolumeName') ?? `systemd-${stem}`,
    madeBy: `${last('ServiceName') ?? `${stem}-${kind}`}.service`,
    settings: new Map(entries.filter(([, values]) => values.length > 0)),
  }
}

/** `mtu=1400` */
function optionOf(word: string): readonly [string, readonly string[]] {
  const at = word.indexOf('=')
  return at < 0 ? [`option ${word}`, []] : [`option ${word.slice(0, at)}`, [word.slice(at + 1)]]
}

/** The engine writes the same address of IPv6 in another way. */
function isIpv4(value: string): boolean {
  return /^[0-9.]+(?:\/[0-9]+)?$/.test(value)
}

/** Of its file, then of its drop-ins. */
function settingsOf(main: string, files: readonly ManagedFile[], texts: Texts): readonly UnitSetting[] {
  const own = files.filter(({ target }) => quadletPath.exec(target)?.[1] === main)
  return own
    .toSorted((one, other) => (one.target < other.target ? -1 : 1))
    .flatMap(({ source }) => unitSettings(texts.get(source) ?? ''))
}
