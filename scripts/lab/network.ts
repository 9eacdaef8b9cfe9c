// The cable between the machine and its hosts: a bridge, and a way out for the hosts through the machine.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Arguments, outputNow, runNow } from './command.ts'
import { bridge, machineAddress, runDirectory, subnet } from './places.ts'

/** Does only what is not so yet. */
export function networkUp(): void {
  if (!existsSync(`/sys/class/net/${bridge}`)) outputNow(['ip', 'link', 'add', bridge, 'type', 'bridge'])
  if (readFileSync(`/sys/class/net/${bridge}/address`, 'utf8').trim() !== hardwareAddress) {
    // Hosts that are there hear of it.
    writeFileSync(`/proc/sys/net/ipv4/conf/${bridge}/arp_notify`, '1')
    outputNow(['ip', 'link', 'set', bridge, 'address', hardwareAddress])
  }
  outputNow(['ip', 'address', 'replace', `${machineAddress}/24`, 'dev', bridge])
  outputNow(['ip', 'link', 'set', bridge, 'up'])
  if (!existsSync(forwardingBefore)) writeFileSync(forwardingBefore, readFileSync(forwarding))
  writeFileSync(forwarding, '1')
  for (const rule of rules) if (!isThere(rule)) outputNow(iptables(rule, '-I'))
}

export function networkDown(): void {
  for (const rule of rules) while (isThere(rule)) outputNow(iptables(rule, '-D'))
  if (existsSync(`/sys/class/net/${bridge}`)) outputNow(['ip', 'link', 'delete', bridge])
  if (!existsSync(forwardingBefore)) return
  writeFileSync(forwarding, readFileSync(forwardingBefore))
  rmSync(forwardingBefore)
}

/**
 * Without one of its own a bridge takes the lowest of its ports': each host that comes or goes could change it, and the
 * others would send to the one before for half a minute.
 */
const hardwareAddress = '02:70:6c:75:6d:62'

const forwarding = '/proc/sys/net/ipv4/ip_forward'
const forwardingBefore = join(runDirectory, 'ip_forward.before')

type Rule = { readonly table: string; readonly chain: string; readonly match: readonly string[] }

const own = ['-m', 'comment', '--comment', 'plumb-lab']
const rules: readonly Rule[] = [
  { table: 'nat', chain: 'POSTROUTING', match: ['-s', subnet, '!', '-d', subnet, ...own, '-j', 'MASQUERADE'] },
  // A machine with docker drops what it forwards unless a rule accepts it.
  { table: 'filter', chain: 'FORWARD', match: ['-i', bridge, ...own, '-j', 'ACCEPT'] },
  { table: 'filter', chain: 'FORWARD', match: ['-o', bridge, ...own, '-j', 'ACCEPT'] },
]

function iptables({ table, chain, match }: Rule, action: '-C' | '-I' | '-D'): Arguments {
  return ['iptables', '--wait', '-t', table, action, chain, ...match]
}

function isThere(rule: Rule): boolean {
  return runNow(iptables(rule, '-C')).code === 0
}
