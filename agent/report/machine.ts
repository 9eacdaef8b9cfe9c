// Identifies this machine, to distinguish it from a copy with the same key.
import { createHmac, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { readIfThere } from '../../shared/platform/durable.ts'
import { type Machine, machineText } from '../../shared/protocol.ts'
import { bootId } from '../host/boot.ts'
import type { Identity } from './identity.ts'

export type MachineMarker = Omit<Machine, 'signature'>

/**
 * This process: of two agents that are connected at once, one is a copy, even when a clone of a container has all else
 * in common.
 */
const run = randomUUID()

/** `root`: of a sandbox, which uses the machine's own machine-id unless it has one. */
export function machineMarker(root: string): MachineMarker {
  const own = readIfThere(join(root, 'etc/machine-id')) ?? readIfThere('/etc/machine-id')
  // machine-id(5): it is confidential, and is hashed with a key of the application before it leaves the machine.
  const id = createHmac('sha256', own?.toString('utf8').trim() ?? '')
    .update('plumb-machine-v1')
    .digest('hex')
  return { id, boot: bootId(), run }
}

/** For one connection. */
export function signedMachine(marker: MachineMarker, nonce: string, identity: Identity): Machine {
  return { ...marker, signature: identity.sign(machineText(nonce, marker)).toString('base64') }
}
