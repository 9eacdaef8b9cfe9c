// Base images: a Debian as debootstrap makes it, kept whole and unchanged; hosts lie on them as overlays.
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { type AptSources, aptSourcesFor, type Suite } from './apt-sources.ts'
import { type Arguments, CommandFailed, run, untilParentEnds } from './command.ts'
import { locked } from './lock.ts'
import { cacheDirectory } from './places.ts'

export type ImageName = keyof typeof recipes
export type Say = (text: string) => void

export function isImageName(name: string): name is ImageName {
  return Object.hasOwn(recipes, name)
}

/** The directory of the image, made first when it is not there. `inUse`: directories that must not be removed. */
export async function baseImage(name: ImageName, inUse: () => readonly string[], say: Say): Promise<string> {
  const recipe: Recipe = recipes[name]
  const apt = aptSourcesFor(recipe.suite)
  const directory = join(imagesDirectory, `${name}-${hashOf(recipe, apt)}`)
  if (existsSync(directory)) return directory
  const onWait = () => say(`waiting for another process that makes the base image ${name}`)
  return locked(join(cacheDirectory, `${name}.lock`), () => makeOnce(), onWait)

  async function makeOnce(): Promise<string> {
    if (existsSync(directory)) return directory
    for (const former of formerOf(name)) if (!inUse().includes(former)) rmSync(former, { recursive: true, force: true })
    const start = performance.now()
    say(`making the base image ${name}, once: ${recipe.takes}`)
    const building = `${directory}${unfinished}`
    await make(recipe, apt, building)
    // A build that was killed keeps its name, and is not taken for a finished one.
    renameSync(building, directory)
    say(`base image ${name} made in ${((performance.now() - start) / 1000).toFixed(0)} s`)
    return directory
  }
}

const imagesDirectory = join(cacheDirectory, 'images')
const unfinished = '.unfinished'

type Recipe = {
  readonly suite: Suite
  /** In the image. */
  readonly packages: readonly string[]
  /** Fetched and not installed: hosts install these without fetching them again. */
  readonly fetched: readonly string[]
  readonly takes: string
}

// curl is the one thing that the install line needs on a bare host.
const bare = ['systemd', 'systemd-sysv', 'dbus', 'ca-certificates', 'iproute2', 'curl']

const recipes = {
  bookworm: { suite: 'bookworm', packages: bare, fetched: ['nginx', 'python3', 'git'], takes: 'about a minute' },
  'trixie-docker': {
    suite: 'trixie',
    packages: [
      ...bare,
      'docker.io',
      'docker-cli',
      'docker-compose',
      'iptables',
      'busybox-static',
      'vim-tiny',
      'acl',
      'libcap2-bin',
    ],
    fetched: [],
    takes: 'about two minutes',
  },
  'trixie-podman': {
    suite: 'trixie',
    packages: [...bare, 'podman', 'docker-compose', 'nftables', 'aardvark-dns', 'catatonit', 'busybox-static'],
    fetched: [],
    takes: 'about two minutes',
  },
} as const satisfies Readonly<Record<string, Recipe>>

/** Changes with what the image is made of, and every week, because package lists grow stale. */
function hashOf(recipe: Recipe, apt: AptSources): string {
  const week = Math.floor(Date.now() / (7 * 24 * 3600 * 1000))
  return createHash('sha256')
    .update(JSON.stringify([formVersion, recipe, apt, week]))
    .digest('hex')
    .slice(0, 12)
}

/** Raised when `make` below changes what it makes. */
const formVersion = 3

function formerOf(name: ImageName): readonly string[] {
  mkdirSync(imagesDirectory, { recursive: true, mode: 0o700 })
  const form = new RegExp(`^${name}-[0-9a-f]{12}(?:\\${unfinished})?(?:\\.log)?$`)
  return readdirSync(imagesDirectory)
    .filter((entry) => form.test(entry))
    .map((entry) => join(imagesDirectory, entry))
}

async function make(recipe: Recipe, apt: AptSources, directory: string): Promise<void> {
  const log = `${directory}.log`
  const bootstrap = [
    'debootstrap',
    '--variant=minbase',
    `--include=${bare.join(',')}`,
    recipe.suite,
    directory,
    apt.mirror,
  ]
  // In namespaces of its own: what debootstrap started and mounted is gone with it, also when it is killed.
  await step(['unshare', '--mount', '--pid', '--fork', '--kill-child', ...bootstrap], log)
  writeAptSetup(directory, apt)
  const inside = (...args: readonly string[]) => step(chroot(directory, args), log)
  await inside('apt-get', 'update')
  const more = recipe.packages.filter((name) => !bare.includes(name))
  if (more.length > 0) await inside('apt-get', 'install', '--yes', '--no-install-recommends', ...more)
  await inside('apt-get', 'clean')
  if (recipe.fetched.length > 0) await inside('apt-get', 'install', '--yes', '--download-only', ...recipe.fetched)
  writeSystemSetup(directory)
  rmSync(log)
}

function writeAptSetup(directory: string, apt: AptSources): void {
  rmSync(join(directory, 'etc/apt/sources.list'), { force: true })
  writeFileSync(join(directory, 'etc/apt/sources.list.d/debian.sources'), apt.sources)
  writeFileSync(join(directory, 'etc/apt/apt.conf.d/99lab'), apt.configuration)
  // A lab host is thrown away: syncing each unpacked file would only make installing slow.
  writeFileSync(join(directory, 'etc/dpkg/dpkg.cfg.d/lab'), 'force-unsafe-io\n')
}

/** Each host gets its own machine id, and sets up its network by itself at every boot. */
function writeSystemSetup(directory: string): void {
  writeFileSync(join(directory, 'etc/machine-id'), '')
  rmSync(join(directory, 'var/lib/dbus/machine-id'), { force: true })
  const wants = join(directory, 'etc/systemd/system/multi-user.target.wants')
  mkdirSync(wants, { recursive: true })
  symlinkSync('/lib/systemd/system/systemd-networkd.service', join(wants, 'systemd-networkd.service'))
  const containers = join(directory, 'etc/containers')
  // Podman asks for a control group's `pids`, which the machine's own cgroups may hold.
  if (existsSync(containers)) {
    mkdirSync(join(containers, 'containers.conf.d'), { recursive: true })
    writeFileSync(join(containers, 'containers.conf.d/lab.conf'), '[containers]\npids_limit = 0\n')
  }
  // With every capability, as docker needs, a host would try to load the machine's kernel modules.
  symlinkSync('/dev/null', join(directory, 'etc/systemd/system/systemd-modules-load.service'))
}

/** Into the image as a container, so that no maintainer script sees the machine's processes. */
function chroot(directory: string, args: readonly string[]): Arguments {
  const machine = `plumb-${basename(directory).replace(/[^a-z0-9]/g, '-')}`
  const settings = ['--register=no', '--keep-unit', '--resolv-conf=copy-host', '--console=pipe', `--machine=${machine}`]
  return ['systemd-nspawn', '--quiet', ...settings, '--setenv=DEBIAN_FRONTEND=noninteractive', '-D', directory, ...args]
}

async function step(args: Arguments, log: string): Promise<void> {
  const ran = await run([...untilParentEnds, ...args], { timeoutMs: 15 * 60_000, env: environment() })
  appendFileSync(log, `$ ${args.join(' ')}\n${ran.stdout}${ran.stderr}`)
  if (ran.code !== 0) throw new CommandFailed(args, ran, `exit ${ran.code}; the whole output is in ${log}`)
}

/** What debootstrap's maintainer scripts may see of ours: nothing but how to reach the mirror. */
function environment(): Readonly<Record<string, string>> {
  const proxies = ['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    SYSTEMD_NSPAWN_LOCK: '0',
    ...Object.fromEntries(proxies),
  }
}
