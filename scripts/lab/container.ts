// One booted host as the machine sees it: an overlay, a control group and a systemd-nspawn process.
import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Arguments, outputNow, runNow, untilParentEnds } from './command.ts'
import { bridge, deviceOf, hostDirectoryOf, machineNameOf } from './places.ts'
import { type HostRecord, isAlive, markOf, type ProcessMark, removeRecord } from './records.ts'

export function rootOf(number: number): string {
  return join(hostDirectoryOf(number), 'root')
}

export function consoleOf(number: number): string {
  return join(hostDirectoryOf(number), 'console.log')
}

/** The host's disk: what it writes lies apart from the base and outlives its reboots. */
export function mountDisk({ number, base }: HostRecord): void {
  const [upper, work, root] = ['upper', 'work', 'root'].map((part) => join(hostDirectoryOf(number), part))
  for (const part of [upper, work, root, containersOf(number)]) mkdirSync(String(part), { recursive: true })
  const options = `lowerdir=${base},upperdir=${upper},workdir=${work}`
  outputNow(['mount', '-t', 'overlay', 'plumb-lab', '-o', options, String(root)])
}

/** Starts systemd in it. A host that is not kept ends with the thread that called this, however that ends. */
export function startContainer(record: HostRecord, isKept: boolean): ProcessMark {
  const cgroup = cgroupOf(record.number)
  mkdirSync(cgroup, { recursive: true })
  const console = openSync(consoleOf(record.number), 'a')
  const [program, ...args] = [...(isKept ? [] : untilParentEnds), ...inCgroup(cgroup), ...nspawn(record)]
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', console, console],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1', SYSTEMD_NSPAWN_LOCK: '0' },
  })
  closeSync(console)
  child.unref()
  const mark = child.pid === undefined ? null : markOf(child.pid)
  if (mark === null) throw new Error(`${program} could not be started for ${record.name}.`)
  return mark
}

/** The pid of the host's systemd, seen from the machine; null before it is there. */
export function initOf({ pid }: ProcessMark): number | null {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return child === undefined || child === '' ? null : Number(child)
  } catch {
    return null
  }
}

/** As when the plug is pulled. Returns when no process of the host is left. */
export function killContainer(number: number, supervisor: ProcessMark): void {
  if (isAlive(supervisor)) process.kill(supervisor.pid, 'SIGKILL')
  const cgroup = cgroupOf(number)
  if (existsSync(cgroup)) writeFileSync(join(cgroup, 'cgroup.kill'), '1')
  waitNow(`the end of ${machineNameOf(number)}`, () => !isAlive(supervisor) && !isPopulated(cgroup))
  removeCgroup(cgroup)
}

/** Removes every trace of the host; any part of it may be gone already. */
export function removeHost({ number, supervisor }: HostRecord): void {
  if (supervisor !== null) killContainer(number, supervisor)
  if (isMounted(rootOf(number))) outputNow(['umount', rootOf(number)])
  if (existsSync(`/sys/class/net/${deviceOf(number)}`)) runNow(['ip', 'link', 'delete', deviceOf(number)])
  removeCgroup(cgroupOf(number))
  rmSync(hostDirectoryOf(number), { recursive: true, force: true })
  rmSync(join('/run/systemd/nspawn/propagate', machineNameOf(number)), { recursive: true, force: true })
  removeRecord(number)
}

/**
 * Hosts must not share a control group: each systemd would take the other's services for its own. A process has to move
 * itself before it becomes systemd-nspawn, and only a shell can do that without another program.
 */
function inCgroup(cgroup: string): Arguments {
  return ['sh', '-c', 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"', 'sh', cgroup]
}

function nspawn({ number, name, image }: HostRecord): Arguments {
  const settings = [
    '--register=no',
    '--keep-unit',
    '--resolv-conf=off',
    '--console=pipe',
    `--machine=${machineNameOf(number)}`,
    `--hostname=${name}`,
    `--network-bridge=${bridge}`,
    ...engineSettings(image, number),
  ]
  return ['systemd-nspawn', '--quiet', '-D', rootOf(number), '--boot', ...settings]
}

/** An engine's own overlays cannot lie on the host's overlay, so its directories are the machine's. */
function engineSettings(image: string, number: number): readonly string[] {
  const storage = image.includes('docker') ? '/var/lib/docker' : '/var/lib/containers'
  if (!image.includes('docker') && !image.includes('podman')) return []
  return [
    '--capability=all',
    '--system-call-filter=add_key keyctl bpf @keyring',
    '--bind=/dev/fuse',
    `--bind=${containersOf(number)}:${storage}`,
  ]
}

function containersOf(number: number): string {
  return join(hostDirectoryOf(number), 'containers')
}

function cgroupOf(number: number): string {
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1]
  if (mount === undefined) throw new Error('No cgroup2 is mounted on this machine; systemd in a host needs one.')
  return join(mount, 'plumb-lab', String(number))
}

function isPopulated(cgroup: string): boolean {
  return existsSync(cgroup) && /^populated 1$/m.test(readFileSync(join(cgroup, 'cgroup.events'), 'utf8'))
}

function removeCgroup(cgroup: string): void {
  if (!existsSync(cgroup)) return
  for (const entry of readdirSync(cgroup, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(cgroup, entry.name))
  rmdirSync(cgroup)
}

function isMounted(directory: string): boolean {
  return readFileSync('/proc/mounts', 'utf8').includes(` ${directory} `)
}

function waitNow(what: string, isSo: () => boolean): void {
  const never = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + 300_000
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after 30 s.`)
    Atomics.wait(never, 0, 0, 20)
  }
}
