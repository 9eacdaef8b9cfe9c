// A real DNS server on the lab's bridge, so that a host has a name to lose: dnsmasq, for one name and whatever this machine's own resolver knows.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { machineAddress } from '../../scripts/lab/places.ts'

export type NameServer = { readonly address: string; close(): Promise<void> }

/** The bridge must be there: boot a host first. */
export async function startNameServer(name: string): Promise<NameServer> {
  const own = [`--listen-address=${machineAddress}`, '--bind-interfaces', '--except-interface=lo']
  const answers = [`--address=/${name}/${machineAddress}`, '--no-hosts']
  const child = spawn(
    'dnsmasq',
    ['--keep-in-foreground', '--log-facility=-', '--conf-file=/dev/null', ...own, ...answers],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const ended = once(child, 'close')
  await new Promise<void>((resolve, reject) => {
    let said = ''
    child.once('error', reject)
    child.once('close', () => reject(new Error(`dnsmasq ended: ${said}`)))
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('started')) resolve()
    })
  })
  return {
    address: machineAddress,
    close: async () => {
      child.kill()
      await ended
    },
  }
}
