// Where a request came from: the client's address behind the proxies that the operator trusts, and whether any proxy passed it on.
import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** What is looked at of a request; node's IncomingMessage is one. */
export type Arrival = {
  readonly socket: { readonly remoteAddress?: string | undefined }
  readonly httpVersion: string
  readonly headers: IncomingHttpHeaders
}

export type ClientAddress = (arrival: Arrival) => string

/** A part of the address space, `10.0.0.0/8` or `::1/128`; undefined for what is none, or is all of it. */
export function parseNetwork(text: string): string | undefined {
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? []
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0
  const length = Number(prefix ?? bits)
  return length >= 1 && length <= bits ? `${address}/${length}` : undefined
}

/**
 * `networks`: of trusted proxies, as `parseNetwork` gives them. Such a proxy is believed about whom it got a request from, and so is
 * each one before it; what a client wrote into the header itself stands before the first that is not trusted, and is not read.
 */
export function clientAddressBehind(networks: readonly string[]): ClientAddress {
  const trusted = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    trusted.addSubnet(address, Number(prefix), familyOf(address))
  }
  return ({ socket, headers }) => {
    const peer = plainAddress(socket.remoteAddress ?? '')
    if (peer === undefined) return 'an unknown address'
    const behind = (passed: Passed) => {
      let client = peer
      for (const before of passed.toReversed()) {
        if (!trusted.check(client, familyOf(client)) || before === undefined) return client
        client = before
      }
      return client
    }
    const [listed, forwarded] = [listedAddresses(headers), forwardedAddresses(headers)]
    // A proxy that sets one of the headers passes the other on as the client wrote it: where they differ, one of them lies.
    if (listed !== undefined && forwarded !== undefined && behind(listed) !== behind(forwarded)) return peer
    return behind(listed ?? forwarded ?? [])
  }
}

/** Whom limits are counted for: an IPv6 client has every address of its /64. */
export function shareOf(address: string): string {
  const plain = plainAddress(address)
  if (plain === undefined || isIP(plain) === 4) return plain ?? address
  const [head = [], tail] = plain
    .replace(/\d+\.\d+\.\d+\.\d+$/, '0:0')
    .split('::')
    .map(groupsOf)
  const zeros = Array.from({ length: 8 - head.length - (tail?.length ?? 0) }, () => 0)
  const groups = [...head, ...zeros, ...(tail ?? [])].slice(0, 4)
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`
}

function groupsOf(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
}

/** Each server of the world's proxies that says so leaves one of these; a browser or curl on this machine sends none. */
const leftByProxies =
  /^(?:forwarded|via|x-forwarded.*|x-original-.*|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-.*|cdn-loop|x-envoy-.*)$/

/** HTTP/1.0 is what nginx speaks to the server behind it unless it is configured otherwise, and then it leaves no header. */
export function isForwarded({ headers, httpVersion }: Arrival): boolean {
  return httpVersion === '1.0' || Object.keys(headers).some((name) => leftByProxies.test(name))
}

/** By its own programs, not for others. */
export function isFromThisMachine(arrival: Arrival): boolean {
  const peer = plainAddress(arrival.socket.remoteAddress ?? '')
  return peer !== undefined && (peer === '::1' || peer.startsWith('127.')) && !isForwarded(arrival)
}

/** In the order in which the request passed them; undefined for what names no address (`unknown`, `_hidden`). */
type Passed = readonly (string | undefined)[]

function listedAddresses(headers: IncomingHttpHeaders): Passed | undefined {
  const listed = headers['x-forwarded-for']
  return listed === undefined ? undefined : [listed].flat().join(',').split(',').map(plainAddress)
}

function forwardedAddresses({ forwarded }: IncomingHttpHeaders): Passed | undefined {
  return forwarded
    ?.split(',')
    .filter((element) => element.trim() !== '')
    .map((element) => plainAddress(/(?:^|;)\s*for\s*=\s*"?([^";]*)"?/i.exec(element)?.[1] ?? ''))
}

/** Without port and brackets; an IPv4 address also where the socket speaks IPv6. */
function plainAddress(text: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+)(?::\d+)?)$/.exec(text.trim()) ?? []
  const address = (bracketed ?? dotted ?? text.trim()).replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  return isIP(address) === 0 ? undefined : address
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
