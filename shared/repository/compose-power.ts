// What a compose file can give a container that makes it root on the host: settings, by the names under which service.yaml allows
// them, and paths of the host. One account of it for lint, which has the file as it is written, and for the agent, which has what
// compose made of it. Pure.

export type Power = {
  /** As in `compose: { allow: [...] }`. */
  readonly allowance: string
  /** `privileged: true`, `cap_add: NET_ADMIN` */
  readonly written: string
  readonly why: string
}

const settings = [
  'privileged',
  'network-host',
  'pid-host',
  'ipc-host',
  'uts-host',
  'userns-host',
  'cgroup-host',
  'device-cgroup-rules',
  'volumes-from',
  'provider',
  'watch',
  'build-secrets',
  'build-ssh',
  'build-privileged',
  'build-network-host',
] as const

type Setting = (typeof settings)[number]

export const allowancePattern = new RegExp(
  `^(?:${settings.join('|')}|cap:[A-Z][A-Z_]{1,40}|(?:device|security-opt|container|volume-type):\\S{1,400})$`,
)

export const allowanceExpected = `${settings.join(', ')}, cap:NAME, device:PATH, security-opt:NAME=VALUE, volume-type:TYPE or container:NAME`

type Fields = Readonly<Record<string, unknown>>

/** Of one service, in compose's long or short forms. */
export function powersOf(service: Fields): readonly Power[] {
  return [
    ...(isTrue(service['privileged']) ? [power('privileged', 'privileged: true', whyPrivileged)] : []),
    ...['post_start', 'pre_stop'].flatMap((hook) =>
      listOf(service[hook]).some((each) => isTrue(fieldsOf(each)['privileged']))
        ? [power('privileged', `${hook}: privileged`, whyPrivileged)]
        : [],
    ),
    ...namespaces.flatMap(([key, allowance, why]) => namespacePowers(service[key], { key, allowance, why })),
    ...listOf(service['cap_add']).flatMap((each) => capabilityPowers(String(each))),
    ...listOf(service['devices']).flatMap(devicePowers),
    ...listOf(service['security_opt']).flatMap((each) => securityPowers(String(each))),
    ...present(service, 'device_cgroup_rules', 'device-cgroup-rules', 'it opens devices of the host'),
    ...present(service, 'volumes_from', 'volumes-from', 'its containers get all mounts of others'),
    ...present(service, 'provider', 'provider', 'compose runs a program of the host for it'),
    ...present(fieldsOf(service['develop']), 'watch', 'watch', 'it is for a machine that is developed on'),
    ...buildPowers(fieldsOf(service['build'])),
  ]
}

/** The network of the host, taken as a network of the project: `networks: { default: { name: host, external: true } }`. */
export function networkPowers(service: Fields, networks: Fields): readonly Power[] {
  const used = service['networks'] ?? (service['network_mode'] === undefined ? ['default'] : [])
  const names = Array.isArray(used) ? used.map(String) : Object.keys(fieldsOf(used))
  return names
    .filter((name) => ['name', 'driver'].some((key) => fieldsOf(networks[name])[key] === 'host'))
    .map((name) => power('network-host', `networks: ${name}, which is the host's`, namespaces[0][2]))
}

/** A named volume can be a mount of anything: of a file system of the kernel, of a disk. */
export function volumePowers(service: Fields, volumes: Fields): readonly Power[] {
  return usedVolumes(service).flatMap((name) => powersOfVolume(name, fieldsOf(volumes[name])))
}

/** As a compose file has it, or as the engine tells of one that exists. */
export function powersOfVolume(name: string, volume: Fields): readonly Power[] {
  const options = fieldsOf(volume['driver_opts'])
  const type = String(options['type'] ?? (options['device'] === undefined ? '' : 'none')).toLowerCase()
  const isOther = !['', 'local'].includes(String(volume['driver'] ?? ''))
  // Its directory is judged as a path.
  if (isOther || type === '' || type === 'tmpfs' || isBind(options) || networkTypes.has(type)) return []
  return [power(`volume-type:${type}`, `the volume ${name} of type ${type}`, 'it is a mount of its own on this host')]
}

const networkTypes: ReadonlySet<string> = new Set(['nfs', 'nfs4', 'cifs', 'smb3'])

function isBind({ o }: Fields): boolean {
  return String(o ?? '')
    .split(',')
    .some((flag) => ['bind', 'rbind'].includes(flag.trim()))
}

/** Paths of the host in its options: `{ type: none, o: bind, device: /etc }`, `o: "lowerdir=/:/srv"`. */
export function pathsOfVolume(volume: Fields): readonly string[] {
  const { device, ...others } = fieldsOf(volume['driver_opts'])
  const options = networkTypes.has(String(others['type'])) && !isBind(others) ? others : { device, ...others }
  return Object.values(options).flatMap((option) =>
    String(option)
      .split(/[,=:]/)
      .filter((part) => part.startsWith('/')),
  )
}

/**
 * Paths of the host that a service gets at otherwise than by its own mounts: absolute ones of named volumes, secrets, configs, files of
 * environment variables and builds, and the engine's socket. `sections`: `volumes`, `secrets` and `configs` of the project.
 */
export function furtherPathsOf(service: Fields, sections: Fields): readonly string[] {
  const build = fieldsOf(service['build'])
  const contexts = build['additional_contexts']
  const written = [
    ...usedVolumes(service).flatMap((name) => pathsOfVolume(fieldsOf(fieldsOf(sections['volumes'])[name]))),
    ...['secrets', 'configs'].flatMap((section) =>
      listOf(service[section]).map((used) => {
        const name = typeof used === 'string' ? used : fieldsOf(used)['source']
        return typeof name === 'string' ? fieldsOf(fieldsOf(sections[section])[name])['file'] : undefined
      }),
    ),
    ...environmentFilesOf(service),
    // A build copies from them whatever its Dockerfile asks for.
    ...(typeof service['build'] === 'string' ? [service['build']] : [build['context']]),
    ...(Array.isArray(contexts)
      ? contexts.map((each) => String(each).replace(/^[^=]*=/, ''))
      : Object.values(fieldsOf(contexts))),
    ...(isTrue(service['use_api_socket']) ? ['/var/run/docker.sock'] : []),
  ]
  return written.flatMap((path) => (typeof path === 'string' && path.startsWith('/') ? [path] : []))
}

/** As they are written; one that need not be there is read where it is. */
export function environmentFilesOf(service: Fields): readonly string[] {
  return listOf(service['env_file']).flatMap((each) => {
    const path = typeof each === 'string' ? each : fieldsOf(each)['path']
    return typeof path === 'string' ? [path] : []
  })
}

/** By the names they have in the compose file. */
function usedVolumes(service: Fields): readonly string[] {
  return listOf(service['volumes']).flatMap((each) => {
    const { type, source } = fieldsOf(each)
    const name = typeof each === 'string' ? each.split(':')[0] : type === 'volume' ? source : undefined
    const isName = typeof name === 'string' && /^[A-Za-z0-9]/.test(name)
    return isName && (typeof each !== 'string' || each.includes(':')) ? [name] : []
  })
}

/** Compose takes words for it, too. */
function isTrue(value: unknown): boolean {
  return value === true || (typeof value === 'string' && /^(?:true|t|yes|y|on|1)$/i.test(value))
}

const whyPrivileged = 'with it a container is root here'

const namespaces = [
  ['network_mode', 'network-host', 'it reaches whatever listens on this host alone'],
  ['pid', 'pid-host', 'it sees and signals every process of the host'],
  ['ipc', 'ipc-host', 'it shares the memory of processes of the host'],
  ['uts', 'uts-host', 'it may rename the host'],
  ['userns_mode', 'userns-host', 'its root is the root of the host'],
  ['cgroup', 'cgroup-host', 'it sees the limits of the whole host'],
] as const

type Namespace = { readonly key: string; readonly allowance: Setting; readonly why: string }

function namespacePowers(value: unknown, { key, allowance, why }: Namespace): readonly Power[] {
  if (value === 'host') return [power(allowance, `${key}: host`, why)]
  const container = typeof value === 'string' ? /^container:(\S+)$/.exec(value)?.[1] : undefined
  if (container === undefined) return []
  return [power(`container:${container}`, `${key}: ${value}`, 'it joins a container that is not of its project')]
}

/** Those that containers have anyway, and that are often given back after `cap_drop: [ALL]`. */
const ordinaryCapabilities = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
)

function capabilityPowers(written: string): readonly Power[] {
  const name = written.toUpperCase().replace(/^CAP_/, '')
  if (ordinaryCapabilities.has(name)) return []
  return [
    power(`cap:${name}`, `cap_add: ${written}`, 'a container does not have it by default, which protects the host'),
  ]
}

function devicePowers(device: unknown): readonly Power[] {
  const source = typeof device === 'string' ? device.split(':')[0] : fieldsOf(device)['source']
  if (typeof source !== 'string' || source === '') return []
  return [power(`device:${source}`, `devices: ${source}`, 'it is a device of the host')]
}

function securityPowers(written: string): readonly Power[] {
  // Only the first sign: `label:type:spc_t` and `label=type:spc_t` are one.
  const option = written.replace(/^([a-z-]+):/, '$1=')
  if (!/=(?:unconfined|disable)$|^label=type:spc_t$/.test(option)) return []
  return [power(`security-opt:${option}`, `security_opt: ${written}`, 'it takes a protection of the host away')]
}

function buildPowers(build: Fields): readonly Power[] {
  return [
    ...present(build, 'secrets', 'build-secrets', 'the build reads secrets of the host', 'build.secrets'),
    ...present(build, 'ssh', 'build-ssh', 'the build uses ssh keys of the host', 'build.ssh'),
    ...(isTrue(build['privileged']) ? [power('build-privileged', 'build.privileged: true', whyPrivileged)] : []),
    ...present(build, 'entitlements', 'build-privileged', 'the build may be privileged', 'build.entitlements'),
    ...(build['network'] === 'host' ? [power('build-network-host', 'build.network: host', namespaces[0][2])] : []),
  ]
}

function present(fields: Fields, key: string, allowance: Setting, why: string, written = key): readonly Power[] {
  const value = fields[key]
  const isEmpty = value === undefined || value === null || (Array.isArray(value) && value.length === 0)
  return isEmpty ? [] : [power(allowance, written, why)]
}

function power(allowance: string, written: string, why: string): Power {
  return { allowance, written, why }
}

/** `compose: { allow: [privileged], allowMounts: [/run/docker.sock] }`: whole, to take the place of what is there. */
export function allowLine(
  allow: readonly string[],
  allowMounts: readonly string[],
  key: 'compose' | 'quadlets' = 'compose',
): string {
  const list = (items: readonly string[]) =>
    [...new Set(items)].map((item) => (/[,{}[\]#&*!|>'"%@`]/.test(item) ? JSON.stringify(item) : item)).join(', ')
  const parts = [
    ...(allow.length === 0 ? [] : [`allow: [${list(allow)}]`]),
    ...(allowMounts.length === 0 ? [] : [`allowMounts: [${list(allowMounts)}]`]),
  ]
  return `${key}: { ${parts.join(', ')} }`
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return value === undefined || value === null ? [] : [value]
}
