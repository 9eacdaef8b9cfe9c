// The lab: real Debian hosts with a real systemd on one machine, for tests and for `npm run lab`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runNow } from './command.ts'
import { mountDisk, removeHost, rootOf } from './container.ts'
import { LabHost } from './host.ts'
import { baseImage, type ImageName, imageNames, type Say } from './image.ts'
import { lockedNow } from './lock.ts'
import { networkDown, networkUp } from './network.ts'
import { addressOf, hostNumbers, machineAddress, runDirectory } from './places.ts'
import { type HostRecord, hostRecords, isLeftover, markOf, writeRecord } from './records.ts'

export type Lab = {
  /** Boots one more host; its disk is a fresh one. */
  host(name: string, image?: ImageName): Promise<LabHost>
  /** Removes every host of this lab that is not kept. Safe to call twice. */
  close(): void
}

export type LabOptions = {
  /** Where progress is said. */
  readonly say?: Say
  /** Hosts stay when this process ends, until `npm run lab -- down`. */
  readonly keep?: boolean
}

/** Why no host can be booted on this machine; null when it can. */
export function labUnavailable(): string | null {
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version')) return 'this machine is not a Debian'
  if (process.getuid?.() !== 0) return 'booting hosts needs root'
  const missing = programs.filter((program) => runNow(['sh', '-c', 'command -v "$1"', 'sh', program]).code !== 0)
  if (missing.length > 0) return `${missing.join(', ')} is missing; scripts/setup test installs the packages`
  if (!/ cgroup2 /.test(readFileSync('/proc/mounts', 'utf8'))) return 'no cgroup2 is mounted'
  return null
}

/** Removes first what killed runs left behind. Throws when this machine cannot boot hosts. */
export function openLab({ say = () => {}, keep = false }: LabOptions = {}): Lab {
  const reason = labUnavailable()
  if (reason !== null) throw new Error(`No lab host can be booted here: ${reason}.`)
  removeLeftovers()
  const hosts: LabHost[] = []
  const close = () => {
    for (const host of hosts.splice(0)) release(host.record)
  }
  const forget = atExit(close)
  return {
    async host(name, image = 'bookworm') {
      const base = await baseImage(image, { inUse, say })
      const host = new LabHost(claim({ name, image, base }), keep)
      hosts.push(host)
      prepareDisk(host.record)
      await host.boot()
      if (keep) {
        writeRecord({ ...host.record, owner: null })
        hosts.splice(hosts.indexOf(host), 1)
      }
      return host
    },
    close() {
      close()
      forget()
    },
  }
}

/** Makes every base image that is missing, side by side. */
export async function makeImages(say: Say): Promise<void> {
  const reason = labUnavailable()
  if (reason !== null) throw new Error(`No base image can be made here: ${reason}.`)
  await Promise.all(imageNames().map((name) => baseImage(name, { inUse, say })))
}

function inUse(): readonly string[] {
  return hostRecords().map(({ base }) => base)
}

/** Every host there is, those of other processes too. */
export function allHosts(): readonly HostRecord[] {
  return inRunDirectory(hostRecords)
}

/** Hosts whose owner is gone, and what they had. Returns how many there were. */
export function removeLeftovers(): number {
  return inRunDirectory(() => {
    const leftovers = hostRecords().filter(isLeftover)
    for (const record of leftovers) removeHost(record)
    if (hostRecords().length === 0) networkDown()
    return leftovers.length
  })
}

export function release(record: HostRecord): void {
  inRunDirectory(() => {
    removeHost(record)
    if (hostRecords().length === 0) networkDown()
  })
}

const programs = ['systemd-nspawn', 'debootstrap', 'ip', 'iptables', 'nsenter', 'setpriv', 'flock', 'unshare', 'mount']

function inRunDirectory<T>(work: () => T): T {
  mkdirSync(runDirectory, { recursive: true, mode: 0o700 })
  return lockedNow(join(runDirectory, 'lock'), work)
}

/** Takes the lowest free number, which is the host's address, and sees to the bridge. */
function claim({ name, image, base }: Pick<HostRecord, 'name' | 'image' | 'base'>): HostRecord {
  return inRunDirectory(() => {
    const taken = new Set(hostRecords().map(({ number }) => number))
    let number: number = hostNumbers.first
    while (taken.has(number)) number += 1
    if (number > hostNumbers.last) throw new Error('Every address of the lab is taken. npm run lab -- list')
    const record = { number, name, image, base, owner: markOf(process.pid), supervisor: null }
    writeRecord(record)
    networkUp()
    return record
  })
}

function prepareDisk(record: HostRecord): void {
  mountDisk(record)
  const write = (path: string, text: string) => writeFileSync(join(rootOf(record.number), path), text)
  write('etc/hostname', `${record.name}\n`)
  write('etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${record.name}\n${machineAddress} lab\n`)
  write('etc/resolv.conf', readFileSync('/etc/resolv.conf', 'utf8'))
  write('etc/systemd/network/10-host0.network', networkFile(addressOf(record.number)))
}

/** Stays configured without a carrier, as a machine with a pulled cable does. */
function networkFile(address: string): string {
  return `[Match]
Name=host0

[Network]
Address=${address}/24
Gateway=${machineAddress}
LinkLocalAddressing=no
IPv6AcceptRA=no
ConfigureWithoutCarrier=yes
IgnoreCarrierLoss=yes
`
}

/** Runs when the process ends by itself, by an uncaught error or by a signal that a person sends. */
function atExit(work: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals) => process.exit(signal === 'SIGINT' ? 130 : 143)
  process.on('exit', work)
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  return () => {
    process.off('exit', work)
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}
