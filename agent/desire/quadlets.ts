// What podman's generator makes of the quadlets of a host: the names of services, and the networks and volumes that they use. Pure.

import { posix } from 'node:path'
import { compact } from '../../shared/compact.ts'
import { parseResourceId } from '../../shared/names.ts'
import {
  generatedService,
  mountOf,
  podmanOptions,
  type Quadlet,
  quadletAt,
  withSpecifiers,
} from '../../shared/repository/quadlet.ts'
import { type UnitSetting, unitSettings } from '../../shared/repository/unit-settings.ts'
import type { EngineObject, MadeObject, UnitResource } from '../../shared/resource.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'

/** By path inside the repository. */
type Texts = ReadonlyMap<string, string>

/** The service of a quadlet or its drop-in by its file name. */
export function serviceOfQuadlet(target: string): string | undefined {
  return quadletHere(target)?.usualService
}

/** Of a network or volume. */
export function isOfObject(target: string): boolean {
  const quadlet = quadletHere(target)
  return quadlet !== undefined && isObject(quadlet)
}

/** With the services that `ServiceName=` names. */
export function withServiceNames(service: ManagedService, texts: Texts): ManagedService {
  const files = service.files.map((file) => {
    const quadlet = quadletHere(file.target)
    if (quadlet === undefined) return file
    const generates = generatedService(quadlet, settingsOf(quadlet, service.files, texts))
    return generates === quadlet.usualService ? file : { ...file, generates }
  })
  return { ...service, files }
}

export type QuadletUses = Pick<UnitResource, 'objects' | 'mounts' | 'makes' | 'image'>

/** Of the files of all services of a host. */
export class HostQuadlets {
  readonly #files: readonly ManagedFile[]
  readonly #texts: Texts
  readonly #objects: readonly QuadletObject[]

  constructor(files: readonly ManagedFile[], texts: Texts) {
    this.#files = files.filter(({ target }) => /^\/etc\/(?:containers\/systemd|systemd\/system)\//.test(target))
    this.#texts = texts
    this.#objects = this.#files.flatMap(({ target }) => {
      const quadlet = quadletAt(target)
      if (quadlet?.main !== target || !isObject(quadlet)) return []
      return objectOf(quadlet, settingsOf(quadlet, this.#files, texts)) ?? []
    })
  }

  /** Of a unit: of the quadlet that it is made of, or of those that it requires. */
  usesOf({ name, file }: Pick<UnitResource, 'name' | 'file'>): QuadletUses {
    const main = file && parseResourceId(file).name
    const quadlet = main === undefined ? undefined : quadletAt(main)
    const used = [
      ...this.#requiredBy(name, main),
      ...(quadlet === undefined || isObject(quadlet) ? [] : this.#usedBy(quadlet, name)),
    ]
    const mounts = quadlet === undefined ? {} : this.#mountsOf(quadlet, name)
    const image = quadlet === undefined ? undefined : this.#imageOf(quadlet)
    const makes = [...new Map(used.map((one) => [`${one.kind}:${one.name}`, madeObject(one)])).values()]
    const objects = [...new Map(used.map((one) => [`${one.kind}:${one.name}`, one.settled])).values()].flatMap(
      (one) => one ?? [],
    )
    return {
      ...(objects.length === 0 ? {} : { objects }),
      ...(Object.keys(mounts).length === 0 ? {} : { mounts, ...compact({ image }) }),
      ...(makes.length === 0 ? {} : { makes }),
    }
  }

  #usedBy(quadlet: Quadlet, unit: string): readonly UsedObject[] {
    const options = podmanOptions(quadlet, settingsOf(quadlet, this.#files, this.#texts))
    const networks = options.flatMap(({ name, value }) => (name === 'network' ? [value.split(':')[0] ?? ''] : []))
    const volumes = options.flatMap((option) => mountOf(option)?.source ?? [])
    const claims = quadlet.kind === 'kube' ? this.#claimsOf(quadlet, options) : []
    // `podman kube play` makes one of its own where the quadlet names none.
    const common = quadlet.kind === 'kube' && networks.length === 0 ? ['podman-default-kube-network'] : []
    return [
      ...networks.filter((one) => one.endsWith('.network')).flatMap((one) => this.#objectNamed(one)),
      ...[...volumes, ...claims].flatMap((one) => {
        const source = withSpecifiers(one, unit)
        if (source === undefined || isPath(source)) return []
        return source.endsWith('.volume') ? this.#objectNamed(source) : [{ kind: 'volume' as const, name: source }]
      }),
      ...common.map((name) => ({ kind: 'network' as const, name })),
    ]
  }

  /** A volume is called as it is without its quadlet, which may be on the host alone. */
  #objectNamed(file: string): readonly UsedObject[] {
    const known = this.#objects.find((one) => posix.basename(one.main) === file)
    return known === undefined ? [] : [known]
  }

  #mountsOf(quadlet: Quadlet, unit: string): Readonly<Record<string, string>> {
    const options = podmanOptions(quadlet, settingsOf(quadlet, this.#files, this.#texts))
    const mounts = options.flatMap((option): readonly (readonly [string, string])[] => {
      const { at, source } = mountOf(option) ?? {}
      const [place, from] = [at, source].map((text) => (text === undefined ? undefined : withSpecifiers(text, unit)))
      if (!place || !from) return []
      return [[place, this.#sourceOf(from, quadlet)]]
    })
    return Object.fromEntries(mounts)
  }

  #imageOf(quadlet: Quadlet): string | undefined {
    const settings = settingsOf(quadlet, this.#files, this.#texts)
    return settings.findLast(({ section, key, value }) => section === 'Container' && key === 'Image' && value !== '')
      ?.value
  }

  #sourceOf(source: string, { main }: Quadlet): string {
    if (/^\.{1,2}(?:\/|$)/.test(source)) return posix.resolve(posix.dirname(main), source)
    if (!source.endsWith('.volume')) return source
    return this.#objectNamed(source)[0]?.name ?? `systemd-${source.replace(/\.volume$/, '')}`
  }

  /** Volumes that the pods of a kube quadlet claim. */
  #claimsOf({ main }: Quadlet, options: ReturnType<typeof podmanOptions>): readonly string[] {
    const paths = options.flatMap(({ name, value }) =>
      name === 'yaml' ? [posix.resolve(posix.dirname(main), value)] : [],
    )
    const texts = this.#files.flatMap(({ target, source }) =>
      paths.includes(target) ? (this.#texts.get(source) ?? []) : [],
    )
    return texts.flatMap((text) => [...text.matchAll(/\bclaimName:\s*["']?([\w.-]+)/g)].map(([, name = '']) => name))
  }

  /** `Requires=data-volume.service`, and what the unit is itself. */
  #requiredBy(unit: string, main: string | undefined): readonly UsedObject[] {
    const own = this.#files.filter(({ target }) => target === main || target.startsWith(`${main}.d/`))
    const required = own
      .flatMap(({ source }) => unitSettings(this.#texts.get(source) ?? ''))
      .filter(({ section, key }) => section === 'Unit' && /^(?:Requires|Wants|BindsTo|Upholds)$/.test(key))
      .flatMap(({ value }) => value.split(/\s+/))
    const names = new Set([unit, ...required])
    return this.#objects.filter(({ madeBy, main: file }) => names.has(madeBy) || names.has(posix.basename(file)))
  }
}

type UsedObject = MadeObject & { readonly settled?: EngineObject | undefined }

type QuadletObject = UsedObject & { readonly main: string; readonly madeBy: string }

function madeObject({ kind, name, madeBy }: UsedObject): MadeObject {
  return { kind, name, ...compact({ madeBy }) }
}

function isObject({ kind }: Quadlet): boolean {
  return kind === 'network' || kind === 'volume'
}

/** Where the quadlets of an administrator are: others are packages' or of this boot alone. */
function quadletHere(target: string): Quadlet | undefined {
  return target.startsWith('/etc/') ? quadletAt(target) : undefined
}

function isPath(source: string): boolean {
  return /^[/.~]/.test(source) || /\.(?:image|build)$/.test(source)
}

/** Undefined where a value would depend on an unknown specifier. */
function objectOf(quadlet: Quadlet, settings: readonly UnitSetting[]): QuadletObject | undefined {
  const { main, stem, section } = quadlet
  const madeBy = generatedService(quadlet, settings)
  const own = settings.filter((one) => one.section === section)
  const kind: EngineObject['kind'] = quadlet.kind === 'network' ? 'network' : 'volume'
  const said = own.findLast(({ key }) => key === (kind === 'network' ? 'NetworkName' : 'VolumeName'))?.value
  const name = withSpecifiers(said || `systemd-${stem}`, madeBy)
  if (name === undefined || stem.endsWith('@')) return undefined
  const isOpen = own.some(({ value }) => value.includes('%'))
  const settled = isOpen ? undefined : { kind, name, madeBy, settings: settingsIn(kind, own) }
  return { kind, name, madeBy, main, settled }
}

function settingsIn(kind: EngineObject['kind'], own: readonly UnitSetting[]): EngineObject['settings'] {
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
  return new Map(entries.filter(([, values]) => values.length > 0))
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
function settingsOf({ main }: Quadlet, files: readonly ManagedFile[], texts: Texts): readonly UnitSetting[] {
  const own = files.filter(({ target }) => quadletAt(target)?.main === main)
  return own
    .toSorted((one, other) => (one.target < other.target ? -1 : 1))
    .flatMap(({ source }) => unitSettings(texts.get(source) ?? ''))
}
