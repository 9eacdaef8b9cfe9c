// Where the lab keeps what it makes, and the addresses it uses.
import { join } from 'node:path'

/** Outlives a checkout and a boot: base images, and the changes of hosts that run. */
export const cacheDirectory = '/var/cache/plumb-lab'
/** Gone with a boot of the machine, as are the processes and mounts that its records are about. */
export const runDirectory = '/run/plumb-lab'

export const bridge = 'plumb0'
export const subnet = '10.77.0.0/24'
/** The machine itself, as its hosts see it. */
export const machineAddress = '10.77.0.1'
/** A host's number is the last byte of its address, and names its machine, network device, directory and record. */
export const hostNumbers = { first: 11, last: 250 } as const

export function addressOf(number: number): string {
  return `10.77.0.${number}`
}

export function machineNameOf(number: number): string {
  return `plumb-${number}`
}

/** systemd-nspawn's name for the machine's end of the host's cable. */
export function deviceOf(number: number): string {
  return `vb-${machineNameOf(number)}`
}

export function hostDirectoryOf(number: number): string {
  return join(cacheDirectory, 'hosts', String(number))
}
