// Base images: a Debian as debootstrap makes it, with packages; kept whole and unchanged, and hosts lie on them as overlays.
// Images of one suite are copies of one bootstrap, to which their packages are added.
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
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

export const imageNames = (): readonly ImageName[] => Object.keys(recipes).filter(isImageName)

export type ImageOptions = {
  /** Directories that must not be removed. */
  readonly inUse: () => readonly string[]
  readonly say: Say
}

/** The directory of the image, made first when it is not there. */
export async function baseImage(name: ImageName, options: ImageOptions): Promise<string> {
  const recipe: Recipe = recipes[name]
  const apt = aptSourcesFor(recipe.suite)
  const made = { name, hash: hashOf(recipe, apt), takes: recipe.takes }
  return once(made, options, async (directory) => {
    const bootstrap = await bootstrapOf(recipe.suite, apt, options)
    await step(['cp', '--archive', '--reflink=auto', bootstrap, directory], directory)
    await addPackages(recipe, directory)
    writeSystemSetup(directory)
  })
}

/** What the images of a suite have in common. */
function bootstrapOf(suite: Suite, apt: AptSources, options: ImageOptions): Promise<string> {
  const made = { name: `debian-${suite}`, hash: hashOf(suite, apt), takes: 'about half a minute' }
  return once(made, options, (directory) => bootstrapInto(directory, suite, apt))
}

type Made = { readonly name: string; readonly hash: string; readonly takes: string }

async function once(
  { name, hash, takes }: Made,
  { inUse, say }: ImageOptions,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const directory = join(imagesDirectory, `${name}-${hash}`)
  if (existsSync(directory)) return directory
  const onWait = () => say(`waiting for another process that makes ${name}`)
  return locked(join(cacheDirectory, `${name}.lock`), () => makeOnce(), onWait)

  async function makeOnce(): Promise<string> {
    if (existsSync(directory)) return directory
    for (const former of formerOf(name)) if (!inUse().includes(former)) rmSync(former, { recursive: true, force: true })
    const start = performance.now()
    say(`making ${name}, once: ${takes}`)
    const building = `${directory}${unfinished}`
    await make(building)
    rmSync(logOf(building), { force: true })
    // A build that was killed keeps its name, and is not taken for a finished one.
    renameSync(building, directory)
    say(`${name} made in ${((performance.now() - start) / 1000).toFixed(0)} s`)
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
  bookworm: { suite: 'bookworm', packages: bare, fetched: ['nginx', 'python3', 'git'], takes: 'half a minute' },
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
    takes: 'about a minute',
  },
  'trixie-podman': {
    suite: 'trixie',
    packages: [
      ...bare,
      'podman',
      'docker-compose',
      'nftables',
      'aardvark-dns',
      'catatonit',
      'busybox-static',
      'libpam-systemd',
    ],
    fetched: [],
    takes: 'about a minute',
  },
} as const satisfies Readonly<Record<string, Recipe>>

/** Changes with what it is made of, and every week, because package lists grow stale. */
function hashOf(recipe: Recipe | Suite, apt: AptSources): string {
  const week = Math.floor(Date.now() / (7 * 24 * 3600 * 1000))
  return createHash('sha256')
    .update(JSON.stringify([formVersion, recipe, bare, apt, week]))
    .digest('hex')
    .slice(0, 12)
}

/** Raised when the functions below change what they make. */
const formVersion = 4

/** Images that were never finished, and those of weeks ago: a checkout of another commit may have another recipe. */
function formerOf(name: string): readonly string[] {
  mkdirSync(imagesDirectory, { recursive: true, mode: 0o700 })
  const form = new RegExp(`^${name}-[0-9a-f]{12}(?:\\${unfinished})?(?:\\.log)?$`)
  return readdirSync(imagesDirectory)
    .filter((entry) => form.test(entry))
    .map((entry) => join(imagesDirectory, entry))
    .filter((path) => path.includes(unfinished) || Date.now() - statSync(path).mtimeMs > keptMs)
}

const keptMs = 14 * 24 * 3600 * 1000

async function bootstrapInto(directory: string, suite: Suite, apt: AptSources): Promise<void> {
  writeAptSetup(directory)
  const bootstrap = ['debootstrap', '--variant=minbase', `--include=${bare.join(',')}`, suite, directory, apt.mirror]
  // In namespaces of its own: what debootstrap started and mounted is gone with it, also when it is killed.
  await step(['unshare', '--mount', '--pid', '--fork', '--kill-child', ...bootstrap], directory)
  rmSync(join(directory, 'etc/apt/sources.list'), { force: true })
  writeFileSync(join(directory, 'etc/apt/sources.list.d/debian.sources'), apt.sources)
  writeFileSync(join(directory, 'etc/apt/apt.conf.d/99lab'), apt.configuration)
  await inside(directory, 'apt-get', 'update')
  dropArchives(directory)
}

async function addPackages(recipe: Recipe, directory: string): Promise<void> {
  const more = recipe.packages.filter((name) => !bare.includes(name))
  if (more.length > 0) await inside(directory, 'apt-get', 'install', '--yes', '--no-install-recommends', ...more)
  dropArchives(directory)
  const fetching = ['install', '--yes', '--no-install-recommends', '--download-only', ...recipe.fetched]
  if (recipe.fetched.length > 0) await inside(directory, 'apt-get', ...fetching)
  // Hosts install what a test asks for in full.
  rmSync(join(directory, dpkgSetup.forImages))
}

/** Unlike `apt-get clean`, which takes apt's index too: each host would work it out again. */
function dropArchives(directory: string): void {
  const archives = join(directory, 'var/cache/apt/archives')
  for (const name of readdirSync(archives)) if (name.endsWith('.deb')) rmSync(join(archives, name))
}

const dpkgSetup = { forHosts: 'etc/dpkg/dpkg.cfg.d/lab', forImages: 'etc/dpkg/dpkg.cfg.d/lab-image' } as const

/** Before the first package: most of the files of a Debian are documentation and translations. */
function writeAptSetup(directory: string): void {
  mkdirSync(join(directory, 'etc/dpkg/dpkg.cfg.d'), { recursive: true })
  // A lab host is thrown away: syncing each unpacked file would only make installing slow.
  writeFileSync(join(directory, dpkgSetup.forHosts), 'force-unsafe-io\n')
  const left = ['doc/*', 'info/*', 'locale/*', 'man/*'].map((path) => `path-exclude=/usr/share/${path}\n`)
  const kept = 'path-include=/usr/share/doc/*/copyright\n'
  writeFileSync(join(directory, dpkgSetup.forImages), [...left, kept].join(''))
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

function inside(directory: string, ...args: readonly string[]): Promise<void> {
  return step(chroot(directory, args), directory)
}

function logOf(directory: string): string {
  return `${directory}.log`
}

async function step(args: Arguments, directory: string): Promise<void> {
  const log = logOf(directory)
  const ran = await run([...untilParentEnds, ...args], { timeoutMs: 60 * 60_000, env: environment() })
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
