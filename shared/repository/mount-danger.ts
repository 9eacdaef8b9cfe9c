// Paths of the host that make a container root on it, or give it what is others'. Pure.
import { agentPlace, reservedBelow, usualPlaceOf } from './reserved.ts'

type Danger = { readonly path: string; readonly why: string }

const agents = "it is the agent's own"
const kernels = "it is the kernel's"
const root = 'with it a container is root here'

/** They, and what is below them. */
const dangers: readonly Danger[] = [
  ...[
    '/run/podman',
    '/run/docker',
    '/run/containerd',
    '/run/crio',
    '/run/dbus',
    '/run/systemd',
    '/run/libvirt',
    '/run/incus',
    '/var/lib/incus',
    '/var/lib/lxd',
    '/var/snap/lxd',
    '/run/user/0',
  ].map((path) => ({ path, why: root })),
  ...['/var/lib/docker', '/var/lib/containers', '/var/lib/containerd'].map((path) => ({
    path,
    why: 'it is the data of all containers',
  })),
  ...['/proc', '/sys'].map((path) => ({ path, why: kernels })),
  { path: '/root', why: "it is root's home" },
  ...[
    '/boot',
    '/etc/anacrontab',
    '/etc/apt',
    '/etc/cron.d',
    '/etc/cron.daily',
    '/etc/cron.hourly',
    '/etc/cron.monthly',
    '/etc/cron.weekly',
    '/etc/crontab',
    '/etc/docker',
    '/etc/dpkg',
    '/etc/gshadow',
    '/etc/init.d',
    '/etc/ld.so.conf.d',
    '/etc/ld.so.preload',
    '/etc/logrotate.d',
    '/etc/modprobe.d',
    '/etc/pam.d',
    '/etc/passwd',
    '/etc/profile',
    '/etc/profile.d',
    '/etc/rc.local',
    '/etc/shadow',
    '/etc/ssh',
    '/etc/sudoers',
    '/etc/sudoers.d',
    '/etc/systemd',
    '/etc/udev',
    '/usr/bin',
    '/usr/lib/systemd',
    '/usr/lib/udev',
    '/usr/local/sbin',
    '/usr/sbin',
    '/var/spool/cron',
  ].map((path) => ({ path, why: 'what is in it decides who is root here' })),
]

/** They alone: what is below them is often mounted, and harmless. */
const broad: readonly Danger[] = [
  { path: '/dev', why: kernels },
  ...['/home', '/usr', '/usr/lib', '/usr/local', '/usr/local/bin'].map((path) => ({
    path,
    why: 'it is much of the host',
  })),
]

/** Of the managers and buses of users; what programs of theirs put beside them (`pulse`, `pipewire-0`) is harmless. */
const sessionSockets = /^\/run\/user(?:\/[1-9]\d*(?:\/(?:bus|systemd|dbus-1|podman|docker|gnupg|keyring)(?:\/.*)?)?)?$/

/** Why a path of the host is not for containers; undefined: it may be mounted. `directory`: the project's own. */
export function mountDanger(written: string, directory?: string): string | undefined {
  if (written === '/') return 'it is the whole host'
  // A mount follows a link that is its source.
  const path = usualPlaceOf(`${written}/.`).slice(0, -2)
  if (/(?:^|\/)\.ssh(?:\/|$)/.test(path)) return 'it is where ssh keys are'
  // Unless the whole project lies where nothing may be mounted.
  if (directory !== undefined && isWithin(path, directory) && !dangers.some((one) => isWithin(directory, one.path)))
    return undefined
  if (/\/(?:docker|podman|containerd|crio)\.sock$/.test(path)) return root
  if (agentPlace(path) !== undefined) return agents
  if (sessionSockets.test(path)) return 'with it a container starts what it likes as a user of the host'
  const danger = dangers.find((one) => isWithin(path, one.path)) ?? broad.find((one) => one.path === path)
  if (danger !== undefined) return danger.why
  const below = reservedBelow(path)
  if (below !== undefined) return `${below} is in it, and ${agents}`
  const inside = dangers.find((one) => isWithin(one.path, path))
  return inside && `${inside.path} is in it, and ${inside.why}`
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}
