// What a quadlet can give a container that makes it root on the host, in the words in which a compose file is judged: settings by the names
// under which service.yaml allows them, and paths of the host. One account of it for lint and hosts. Pure.
import { pathsOfVolume, powersOf, powersOfVolume } from './compose-power.ts'
import { mountOf, type PodmanOption, podmanArguments, podmanOptions, type Quadlet, withSpecifiers } from './quadlet.ts'
import type { UnitSetting } from './unit-settings.ts'

/** Something that it gives: `allowance` as in `quadlets: { allow: [...] }`. */
export type QuadletPower = {
  readonly allowance: string
  /** `AddCapability=NET_ADMIN` */
  readonly written: string
  readonly why: string
  readonly line: number
}

/** A path of the host that it gives. */
export type QuadletPath = { readonly path: string; readonly written: string; readonly line: number }

type Fields = Readonly<Record<string, unknown>>

/** `settings`: of its file, or of a drop-in of it. */
export function quadletPowers(quadlet: Quadlet, settings: readonly UnitSetting[]): readonly QuadletPower[] {
  const options = podmanOptions(quadlet, settings)
  const given = options.flatMap((option) => {
    const { written, line } = option
    return powersOf(fieldsOf(option, quadlet)).map(({ allowance, why }) => ({ allowance, written, why, line }))
  })
  return [...given, ...options.flatMap(unmasked), ...volumePowers(quadlet, settings)]
}

/** `unit`: the service that is made of it, which specifiers stand for. */
export function quadletPaths(quadlet: Quadlet, settings: readonly UnitSetting[], unit: string): readonly QuadletPath[] {
  const options = podmanOptions(quadlet, settings).flatMap((option) => {
    const { written, line } = option
    return pathsOfOption(option).map((path) => ({ path, written, line }))
  })
  const [first] = settings.filter(({ section, key }) => section === 'Volume' && key === 'Device')
  const device = pathsOfVolume(volumeOf(settings)).map((path) => ({
    ...{ path, written: `Device=${path}`, line: first?.line ?? 1 },
  }))
  const all = quadlet.kind === 'volume' ? [...options, ...device] : options
  return all.flatMap(({ path, ...where }) => {
    const place = placeOf(path, unit, quadlet)
    return place === undefined ? [] : [{ ...where, path: place }]
  })
}

/** As the option of a service in a compose file. */
function fieldsOf({ name, value }: PodmanOption, { kind }: Quadlet): Fields {
  if (kind === 'build') {
    if (name === 'network') return { build: { network: namespaceOf(value) } }
    if (name === 'secret' || name === 'ssh') return { build: { [name === 'secret' ? 'secrets' : 'ssh']: [value] } }
  }
  switch (name) {
    case 'privileged':
      return { privileged: !/^(?:false|0|f|no)$/i.test(value) }
    case 'cap-add':
      return { cap_add: value.split(',') }
    case 'device':
      return { devices: [value.replace(/^-/, '')] }
    case 'device-cgroup-rule':
      return { device_cgroup_rules: [value] }
    case 'volumes-from':
      return { volumes_from: [value] }
    case 'security-opt':
      return { security_opt: [value] }
    case 'label-disable':
      return { security_opt: ['label=disable'] }
    case 'seccomp':
      return { security_opt: [`seccomp=${value}`] }
  }
  const key = namespaces[name]
  return key === undefined ? {} : { [key]: namespaceOf(value) }
}

const namespaces: Readonly<Record<string, string>> = {
  ...{ network: 'network_mode', net: 'network_mode', pid: 'pid', ipc: 'ipc', uts: 'uts', userns: 'userns_mode' },
  cgroupns: 'cgroup',
}

/** Podman joins any namespace by its path. */
function namespaceOf(value: string): string {
  return value.startsWith('ns:') ? 'host' : value
}

function unmasked({ name, value, written, line }: PodmanOption): readonly QuadletPower[] {
  const places = name === 'unmask' ? value : name === 'security-opt' ? /^unmask=(.*)$/.exec(value)?.[1] : undefined
  if (places === undefined) return []
  const why = "it shows the container what is the kernel's"
  return [{ allowance: `security-opt:unmask=${places}`, written, why, line }]
}

function volumePowers(quadlet: Quadlet, settings: readonly UnitSetting[]): readonly QuadletPower[] {
  if (quadlet.kind !== 'volume') return []
  const [first] = settings.filter(({ section, key }) => section === 'Volume' && ['Type', 'Device'].includes(key))
  return powersOfVolume(quadlet.stem, volumeOf(settings)).map((power) => ({ ...power, line: first?.line ?? 1 }))
}

/** In the form of a compose file. */
function volumeOf(settings: readonly UnitSetting[]): Fields {
  const own = settings.filter(({ section }) => section === 'Volume')
  const last = (key: string) => own.findLast((one) => one.key === key)?.value || undefined
  const options = own.flatMap(({ key, value }) =>
    key === 'PodmanArgs' ? podmanArguments(value).filter(({ name }) => name === 'opt') : [],
  )
  const said = { type: last('Type'), device: last('Device'), o: last('Options') }
  return {
    driver: last('Driver'),
    driver_opts: {
      ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
      ...Object.fromEntries(options.map(({ value }) => [value.replace(/=.*$/s, ''), value.replace(/^[^=]*=?/, '')])),
    },
  }
}

function pathsOfOption(option: PodmanOption): readonly string[] {
  const { name, value } = option
  if (['rootfs', 'context', 'build-context', 'env-file', 'yaml', 'secret'].includes(name))
    return [name === 'secret' || name === 'build-context' ? (/(?:src|source|)=([^,]*)$/.exec(value)?.[1] ?? '') : value]
  const source = mountOf(option)?.source
  return source === undefined ? [] : [source]
}

/** What systemd fills in for its own manager, and the directory of a pattern; undefined: no path, or one that only the host knows. */
function placeOf(written: string, unit: string, { main }: Quadlet): string | undefined {
  const filled = withSpecifiers(withUsualDirectories(written), unit)
  const path = filled?.startsWith('.') ? `${main}/../${filled}` : filled
  if (path?.startsWith('/') !== true) return undefined
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (/[*?[]/.test(part)) break
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  // `/srv/x:O`, as of Rootfs=
  return `/${parts.join('/')}`.replace(/:[^/]*$/, '')
}

/** The specifiers of directories, as systemd's own manager fills them in. */
export function withUsualDirectories(written: string): string {
  return written.replace(/%([htSECLTV])/g, (_, letter: string) => directories[letter] ?? '')
}

const directories: Readonly<Record<string, string>> = {
  ...{ h: '/root', t: '/run', S: '/var/lib', E: '/etc', C: '/var/cache', L: '/var/log', T: '/tmp', V: '/var/tmp' },
}
