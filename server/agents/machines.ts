// Distinguishes the known machine of a host's key from copies of it (a cloned disk or container).
import type { HostName } from '../../shared/names.ts'
import type { Machine } from '../../shared/protocol.ts'
import type { Clock } from '../app/clock.ts'
import type { EventFeed } from '../app/events.ts'
import { type CopySign, findMachine, type KnownMachine, saveCopy, saveMachine } from '../store/machines.ts'
import type { Db } from '../store/tables.ts'

/** The host's present connection, if any. */
export type Connected = {
  readonly machine: Machine | undefined
  /** Pings the agent over the connection. */
  answers(): Promise<boolean>
}

export type Machines = {
  /** Undefined: the machine is accepted, and is the known one from now on. */
  copySignOf(shown: Shown): Promise<CopySign | undefined>
}

export type Shown = {
  readonly host: HostName
  /** Undefined: not sent, as by agents that predate the check. */
  readonly machine: Machine | undefined
  readonly connected: Connected | undefined
  readonly address: string
}

export type MachinesParts = {
  readonly db: Db
  readonly clock: Clock
  readonly events: EventFeed
}

export function createMachines({ db, clock, events }: MachinesParts): Machines {
  return {
    async copySignOf({ host, machine, connected, address }) {
      const known = await findMachine(db, host)
      const sign = copySignAgainst(known, machine) ?? (await copySignBeside(connected, machine))
      if (sign === undefined) {
        if (machine !== undefined) await saveMachine(db, host, knownAfter(known, machine))
        return undefined
      }
      if (await saveCopy(db, { host, sign, address }, clock.now().toISOString()))
        events.emit({ kind: 'copy-seen', host })
      return sign
    },
  }
}

/** Compares with the recorded machine. */
export function copySignAgainst(known: KnownMachine | undefined, machine: Machine | undefined): CopySign | undefined {
  if (known === undefined) return undefined
  if (machine === undefined) return 'no-machine'
  if (known.id !== machine.id) return 'other-machine-id'
  return known.endedBoots.includes(machine.boot) ? 'ended-boot' : undefined
}

/** Cloned containers share everything but the process, and virtual machines are often cloned with their machine-id. */
async function copySignBeside(
  connected: Connected | undefined,
  machine: Machine | undefined,
): Promise<CopySign | undefined> {
  if (connected?.machine === undefined || connected.machine.run === machine?.run) return undefined
  return (await connected.answers()) ? 'both-connected' : undefined
}

const endedBootsKept = 50

export function knownAfter(known: KnownMachine | undefined, { id, boot }: Machine): KnownMachine {
  if (known === undefined) return { id, boot, endedBoots: [] }
  const endedBoots = known.boot === boot ? known.endedBoots : [known.boot, ...known.endedBoots].slice(0, endedBootsKept)
  return { id, boot, endedBoots }
}
