// A guard for addresses that others may choose: none of this machine's own, nor link-local ones, where clouds keep their credentials.
import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

const ownAddresses = new BlockList()
ownAddresses.addSubnet('127.0.0.0', 8, 'ipv4')
ownAddresses.addSubnet('0.0.0.0', 8, 'ipv4')
ownAddresses.addSubnet('169.254.0.0', 16, 'ipv4')
ownAddresses.addAddress('::', 'ipv6')
ownAddresses.addAddress('::1', 'ipv6')
ownAddresses.addSubnet('fe80::', 10, 'ipv6')

/** Of an IP address; a name is none. */
export function isOwnAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && ownAddresses.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress'
}

/** Checks the very addresses that are then connected to: a name that resolves to something else a moment later gains nothing. */
export const ownAddressesRefused: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? []
    if (error !== null || first === undefined) callback(error ?? new Error('no address'), '')
    else if (addresses.some(({ address }) => isOwnAddress(address)))
      callback(new ForbiddenAddress(`${hostname} is an address of this machine`), '')
    else if (options.all === true) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}
