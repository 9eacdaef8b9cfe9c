// Directories whose reader takes some names and skips the rest in silence.
import type { Pitfall } from './pitfall.ts'

type Reader = {
  readonly code: string
  readonly at: RegExp
  /** Of a name that is read. */
  readonly takes: RegExp
  /** Who reads the directory. */
  readonly reader: string
  /** In words, what is read. */
  readonly rule: string
}

const plain = { takes: /^[A-Za-z0-9_-]+$/, rule: 'names of letters, digits, - and _ (no dot)' } as const
const ending = (...suffixes: readonly string[]) => ({
  takes: new RegExp(`.\\.(?:${suffixes.join('|')})$`),
  rule: `names that end with ${suffixes.map((suffix) => `.${suffix}`).join(' or ')}`,
})

/** Directories that `run-parts` goes through; it skips programs that are not executable, too. */
export const runParts =
  /^\/etc\/(?:cron\.(?:hourly|daily|weekly|monthly)|update-motd\.d|network\/if-(?:pre-up|up|down|post-down)\.d|kernel\/[a-z]+\.d|ca-certificates\/update\.d|ppp\/ip(?:v6)?-(?:up|down)\.d)\/[^/]+$/

const readers: readonly Reader[] = [
  { code: 'cron-name', at: /^\/etc\/cron\.d\/[^/]+$/, reader: 'cron', ...plain },
  { code: 'run-parts-name', at: runParts, reader: 'run-parts', ...plain },
  {
    code: 'sudoers-name',
    at: /^\/etc\/sudoers\.d\/[^/]+$/,
    reader: 'sudo',
    takes: /^[^.]*[^.~]$/,
    rule: 'names without a dot that do not end with ~',
  },
  {
    code: 'conf-name',
    at: /^\/(?:etc|usr\/(?:local\/)?lib|run)\/(?:sysctl|tmpfiles|sysusers|modprobe|modules-load|binfmt|environment|depmod|user-tmpfiles)\.d\/[^/]+$/,
    reader: 'its reader',
    ...ending('conf'),
  },
  { code: 'conf-name', at: /^\/etc\/systemd\/[^/]+\.conf\.d\/[^/]+$/, reader: 'systemd', ...ending('conf') },
  {
    code: 'drop-in-name',
    at: /^\/(?:etc|usr\/lib|run)\/systemd\/(?:system|user)\/[^/]+\.d\/[^/]+$/,
    reader: 'systemd',
    ...ending('conf'),
  },
  {
    code: 'networkd-name',
    at: /^\/etc\/systemd\/network\/[^/]+$/,
    reader: 'systemd-networkd',
    ...ending('network', 'netdev', 'link'),
  },
  {
    code: 'unit-name',
    at: /^\/etc\/systemd\/(?:system|user)\/[^/]+$/,
    reader: 'systemd',
    ...ending('service', 'socket', 'timer', 'path', 'mount', 'automount', 'swap', 'slice', 'target', 'scope'),
  },
  {
    code: 'quadlet-name',
    at: /^\/etc\/containers\/systemd\/(?!users\/)[^/]+$/,
    reader: "podman's generator",
    ...ending('container', 'volume', 'network', 'kube', 'pod', 'image', 'build'),
  },
  {
    code: 'apt-sources-name',
    at: /^\/etc\/apt\/sources\.list\.d\/[^/]+$/,
    reader: 'apt',
    takes: /^[A-Za-z0-9_.-]+\.(?:list|sources)$/,
    rule: 'names of letters, digits, -, _ and . that end with .list or .sources',
  },
  {
    code: 'apt-name',
    at: /^\/etc\/apt\/(?:apt\.conf|preferences)\.d\/[^/]+$/,
    reader: 'apt',
    takes: /^[A-Za-z0-9_-]+(?:\.(?:conf|pref))?$/,
    rule: 'names of letters, digits, - and _, without an extension or with .conf or .pref',
  },
  { code: 'apt-key-name', at: /^\/etc\/apt\/trusted\.gpg\.d\/[^/]+$/, reader: 'apt', ...ending('gpg', 'asc') },
  { code: 'udev-name', at: /^\/etc\/udev\/rules\.d\/[^/]+$/, reader: 'udev', ...ending('rules') },
  { code: 'polkit-name', at: /^\/etc\/polkit-1\/rules\.d\/[^/]+$/, reader: 'polkit', ...ending('rules') },
  { code: 'profile-name', at: /^\/etc\/profile\.d\/[^/]+$/, reader: 'a login shell', ...ending('sh', 'csh') },
  {
    code: 'conf-name',
    at: /^\/etc\/(?:ssh\/sshd?_config|rsyslog|ld\.so\.conf|security\/limits|dbus-1\/(?:system|session)|NetworkManager\/conf|supervisor\/conf|dracut\.conf|fail2ban\/(?:action|filter|jail))\.d\/[^/]+$/,
    reader: 'its reader',
    ...ending('conf', 'local'),
  },
  {
    code: 'conf-name',
    at: /^\/etc\/(?:nginx\/conf\.d|chrony\/(?:conf|sources)\.d|php\/[^/]+\/fpm\/pool\.d|php-fpm\.d|httpd\/conf\.d|postgresql\/[^/]+\/[^/]+\/conf\.d|apache2\/(?:conf|sites)-(?:available|enabled)|collectd\/collectd\.conf\.d|telegraf\/telegraf\.d)\/[^/]+$/,
    reader: 'its reader',
    // Others of their files include the ones that end with .inc.
    takes: /.\.(?:conf|sources|inc)$/,
    rule: 'names that end with .conf',
  },
  {
    code: 'php-name',
    at: /^\/etc\/php(?:\/[^/]+\/[^/]+\/conf\.d|\.d)\/[^/]+$/,
    reader: 'PHP',
    ...ending('ini'),
  },
  { code: 'audit-name', at: /^\/etc\/audit\/rules\.d\/[^/]+$/, reader: 'augenrules', ...ending('rules') },
  { code: 'yum-repository-name', at: /^\/etc\/yum\.repos\.d\/[^/]+$/, reader: 'dnf', ...ending('repo') },
  {
    code: 'cfg-name',
    at: /^\/etc\/(?:default\/grub|cloud\/cloud\.cfg)\.d\/[^/]+$/,
    reader: 'its reader',
    ...ending('cfg'),
  },
  { code: 'my-cnf-name', at: /^\/etc\/mysql\/(?:[^/]+\.)?conf\.d\/[^/]+$/, reader: 'MySQL', ...ending('cnf') },
  { code: 'netplan-name', at: /^\/etc\/netplan\/[^/]+$/, reader: 'netplan', ...ending('yaml') },
  {
    code: 'certificate-name',
    at: /^\/usr\/local\/share\/ca-certificates\/.+$/,
    reader: 'update-ca-certificates',
    ...ending('crt'),
  },
  {
    code: 'logrotate-name',
    at: /^\/etc\/logrotate\.d\/[^/]+$/,
    reader: 'logrotate',
    takes:
      /^(?!\.).*(?<!~|,v|\.(?:bak|cfsaved|disabled|dpkg-[a-z]+|new|old|orig|rhn-cfg-tmp-[^.]+|rpm[a-z]+|swp|ucf-[a-z]+))$/,
    rule: 'names that do not begin with a dot or end as a backup does',
  },
]

export const namePitfalls: readonly Pitfall[] = readers.map(({ code, at, takes, reader, rule }) => ({
  code,
  at,
  // Podman's generator skips what a quadlet names, and `podman` reads it.
  holds: ({ name, isNamedByQuadlet }) => !takes.test(name) && !isNote.test(name) && !isNamedByQuadlet,
  message: `is skipped by ${reader}, which reads ${rule} only`,
  remedy: 'Rename it.',
}))

/** Meant for people. */
const isNote = /^(?:README.*|\.placeholder|\.gitkeep)$/
