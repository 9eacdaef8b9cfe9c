// What podman's generator makes of a quadlet, by its path and its text: the service, and what `podman run` is given. One account of it for
// the names of units, for the volumes that a container has, and for what it may not have. Pure.
import { quadletWords } from './quadlet-words.ts'
import { usualPlaceOf } from './reserved.ts'
import type { UnitSetting } from './unit-settings.ts'

/** Podman before 5.3 knows no `ServiceName=`, and passes over what it does not know. */
const kinds = {
  container: { section: 'Container', suffix: '' },
  kube: { section: 'Kube', suffix: '' },
  pod: { section: 'Pod', suffix: '-pod' },
  network: { section: 'Network', suffix: '-network' },
  volume: { section: 'Volume', suffix: '-volume' },
  build: { section: 'Build', suffix: '-build' },
  image: { section: 'Image', suffix: '-image' },
} as const

export type QuadletKind = keyof typeof kinds

export type Quadlet = {
  /** The path of its file, also where a drop-in of it was asked for. */
  readonly main: string
  /** `app` of app.container. */
  readonly stem: string
  readonly kind: QuadletKind
  /** `Container`: the section that podman reads. */
  readonly section: string
  /** What the service is called unless `ServiceName=` names it. */
  readonly usualService: string
}

/** Those below users/ are for the managers of users. */
const path =
  /^(\/(?:etc|run|usr\/share)\/containers\/systemd\/(?!users\/)(?:.*\/)?([^/]+)\.(container|kube|pod|network|volume|build|image))(?:\.d\/[^/]+\.conf)?$/

/** Of the path of a quadlet or of a drop-in of one. */
export function quadletAt(target: string): Quadlet | undefined {
  const [, main, stem = '', kind] = path.exec(usualPlaceOf(target)) ?? []
  if (main === undefined || !isKind(kind)) return undefined
  const { section, suffix } = kinds[kind]
  return { main, stem, kind, section, usualService: `${stem}${suffix}.service` }
}

const commonDropIn =
  /^(\/(?:etc|run|usr\/share)\/containers\/systemd\/(?!users\/)(?:.*\/)?(container|kube|pod|network|volume|build|image))\.d\/[^/]+\.conf$/

/** Of the path of a drop-in that podman merges into all quadlets of a kind, `container.d/10.conf`: any of them, whatever it is called. */
export function quadletsMergedWith(target: string): Quadlet | undefined {
  const [, main, kind] = commonDropIn.exec(usualPlaceOf(target)) ?? []
  if (main === undefined || !isKind(kind)) return undefined
  return { main, stem: '*', kind, section: kinds[kind].section, usualService: '*.service' }
}

function isKind(kind: string | undefined): kind is QuadletKind {
  return kind !== undefined && kind in kinds
}

/** `settings`: of its file, then of its drop-ins. */
export function generatedService(quadlet: Quadlet, settings: readonly UnitSetting[]): string {
  const named = settings.findLast(
    ({ section, key, value }) => section === quadlet.section && key === 'ServiceName' && value !== '',
  )?.value
  return named === undefined || named.includes('%') ? quadlet.usualService : `${named}.service`
}

/** With the specifiers that the name of a unit fills in; undefined where others decide. */
export function withSpecifiers(value: string, unit: string): string | undefined {
  const whole = unit.replace(/\.[a-z]+$/, '')
  const prefix = whole.replace(/@.*$/, '')
  const final = prefix.slice(prefix.lastIndexOf('-') + 1)
  const instance = whole.includes('@') ? whole.slice(prefix.length + 1) : undefined
  const values: Readonly<Record<string, string | undefined>> = {
    ...{ n: unit, N: whole, p: prefix, P: prefix, j: final, J: final, '%': '%' },
    ...(instance === '' ? {} : { i: instance ?? '', I: instance ?? '' }),
  }
  let isKnown = true
  const filled = value.replace(/%(.?)/g, (_, letter: string) => {
    const text = values[letter]
    isKnown &&= text !== undefined
    return text ?? ''
  })
  return isKnown ? filled : undefined
}

/** An option of `podman run`, whether the quadlet has a key for it or passes it on by `PodmanArgs=`. */
export type PodmanOption = {
  /** `volume`, `cap-add` */
  readonly name: string
  /** Empty: a flag. */
  readonly value: string
  /** `Volume=/srv:/x`, `PodmanArgs=--privileged` */
  readonly written: string
  readonly line: number
}

const keys: Readonly<Record<string, string>> = {
  ...{ Volume: 'volume', Mount: 'mount', AddDevice: 'device', AddCapability: 'cap-add', Network: 'network' },
  ...{ UserNS: 'userns', Rootfs: 'rootfs', Unmask: 'unmask', SeccompProfile: 'seccomp', EnvironmentFile: 'env-file' },
  ...{ Yaml: 'yaml', ConfigMap: 'yaml', SetWorkingDirectory: 'context', File: 'context' },
}

const listed: ReadonlySet<string> = new Set([
  ...['AddCapability', 'Unmask', 'AddDevice', 'Mount', 'EnvironmentFile', 'Yaml', 'ConfigMap'],
])

/** In the order in which they are written; of `Volume`, the quadlet, what a volume is made of. */
export function podmanOptions({ section }: Quadlet, settings: readonly UnitSetting[]): readonly PodmanOption[] {
  const own = settings.filter((one) => one.section === section)
  return own.flatMap(({ key, value, line }): readonly PodmanOption[] => {
    const written = `${key}=${value}`.slice(0, 200)
    if (key === 'PodmanArgs') return podmanArguments(value).map((one) => ({ ...one, line, ...writtenAs(one) }))
    if (key === 'SecurityLabelDisable') return isOn(value) ? [{ name: 'label-disable', value: '', written, line }] : []
    if (key === 'SecurityLabelType')
      return [{ name: 'security-opt', value: `label=type:${value.replaceAll('"', '')}`, written, line }]
    const name = section === 'Build' && key === 'Secret' ? 'secret' : keys[key]
    if (name === undefined || value === '') return []
    const values = listed.has(key) ? quadletWords(value) : [value.replaceAll('"', '')]
    return values.map((each) => ({ name, value: each, written: values.length > 1 ? `${key}=${each}` : written, line }))
  })
}

function writtenAs({ name, value }: Pick<PodmanOption, 'name' | 'value'>): Pick<PodmanOption, 'written'> {
  return { written: `PodmanArgs=--${name}${value === '' ? '' : `=${value}`}`.slice(0, 200) }
}

/** Long names of the short ones that take a value. */
const short: Readonly<Record<string, string>> = {
  ...{ a: 'attach', c: 'cpu-shares', e: 'env', h: 'hostname', l: 'label', m: 'memory', p: 'publish', u: 'user' },
  ...{ v: 'volume', w: 'workdir', o: 'opt' },
}

/** `--name=value`, `--name value`, `-v value`, `-vvalue`, `-dv value`. What follows a flag begins with a dash itself. */
export function podmanArguments(value: string): readonly Pick<PodmanOption, 'name' | 'value'>[] {
  const words = quadletWords(value)
  const found: { readonly name: string; readonly value: string }[] = []
  for (let index = 0; index < words.length; index += 1) {
    const option = optionIn(words[index] ?? '')
    if (option === undefined) continue
    const next = words[index + 1]
    const isApart = option.value === undefined && next !== undefined && !next.startsWith('-')
    if (isApart) index += 1
    found.push({ name: option.name, value: option.value ?? (isApart ? next : '') })
  }
  return found
}

/** `value` undefined: in the word behind it, if at all. */
function optionIn(word: string): { readonly name: string; readonly value: string | undefined } | undefined {
  const [, long, equals, given] = /^--([a-z0-9-]+)(=?)(.*)$/s.exec(word) ?? []
  if (long !== undefined) return { name: long, value: equals === '=' ? given : undefined }
  const [, letter = '', rest = ''] = /^-[a-zA-Z]*?([acehlmopuvw])(.*)$/s.exec(word) ?? []
  const name = short[letter]
  return name === undefined ? undefined : { name, value: rest === '' ? undefined : rest.replace(/^=/, '') }
}

export type QuadletMount = {
  /** In the container; empty where the option does not say it. */
  readonly at: string
  /** A path of the host, the name of a volume, a `.volume` quadlet; undefined: a new volume without a name, or memory. */
  readonly source: string | undefined
}

/** What an option mounts; undefined where it mounts nothing. */
export function mountOf({ name, value }: Pick<PodmanOption, 'name' | 'value'>): QuadletMount | undefined {
  if (name === 'volume') {
    const [source = '', at = ''] = value.split(':')
    return at === '' ? { at: source, source: undefined } : { at, source }
  }
  if (name !== 'mount') return undefined
  const fields = new Map(
    // A list of CSV.
    value
      .replaceAll('"', '')
      .split(',')
      .map((part) => {
        const at = part.indexOf('=')
        return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
      }),
  )
  const type = fields.get('type') ?? 'volume'
  const at = ['destination', 'dst', 'target'].flatMap((key) => fields.get(key) ?? [])[0] ?? ''
  const source = ['source', 'src'].flatMap((key) => fields.get(key) ?? [])[0]
  return { at, source: ['tmpfs', 'ramfs', 'devpts', 'image'].includes(type) ? undefined : source }
}

function isOn(value: string): boolean {
  return /^(?:1|yes|true|on)$/i.test(value)
}
