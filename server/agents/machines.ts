// One key, one machine: whether the machine that shows a host's key is the one that is known, or a copy of it (a cloned disk or container).
import type { HostName } from '../../shared/names.ts'
import type { Machine } from '../../shared/protocol.ts'
import type { Clock } from '../app/clock.ts'
import type { EventFeed } from '../app/events.ts'
import { type CopySign, findMachine, type KnownMachine, saveCopy, saveMachine } from '../store/machines.ts'
import type { Db } from '../store/tables.ts'

/** The connection that the host has already, if any. */
export type Connected = {
  readonly machine: Machine | undefined
  /** Whether its agent is still there: asked now, over the connection. */
  answers(): Promise<boolean>
}

export type Machines = {
  /** Undefined: it may come in, and is the known one from now on. */
  copySignOf(shown: Shown): Promise<CopySign | undefined>
}

export type Shown = {
  readonly host: HostName
  /** Undefined: it did not say, as agents of before there were machines. */
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

/** By what is on record. */
export function copySignAgainst(known: KnownMachine | undefined, machine: Machine | undefined): CopySign | undefined {
  if (known === undefined) return undefined
  if (machine === undefined) return 'no-machine'
  if (known.id !== machine.id) return 'other-machine-id'
  return known.endedBoots.includes(machine.boot) ? 'ended-boot' : undefined
}

/** Clones of containers have all in common but the process, and virtual machines are often cloned with their machine-id. */
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
