// Places that are taken for a while - sockets, streams, turns, bytes: so many in all, and of these so many for each owner, so that one
// owner who takes every place of their own leaves the rest to others.
import { guarded } from '../../shared/platform/guarded.ts'

export type SlotLimits = { readonly total: number; readonly each: number }

export type Slots = {
  /** Returns the way to give `count` places (default 1) back, to be called once or more often; undefined: not so many are left for this owner. */
  take(owner: string, count?: number): (() => void) | undefined
}

export function createSlots({ total, each }: SlotLimits): Slots {
  const taken = new Map<string, number>()
  let all = 0
  const add = (owner: string, count: number) => {
    all += count
    const now = (taken.get(owner) ?? 0) + count
    if (now === 0) taken.delete(owner)
    else taken.set(owner, now)
  }
  return {
    take(owner, count = 1) {
      if (all + count > total || (taken.get(owner) ?? 0) + count > each) return undefined
      add(owner, count)
      let given = false
      return () => {
        if (given) return
        given = true
        add(owner, -count)
      }
    },
  }
}

export type Turns = {
  /** Resolves to what must be called once on leaving; undefined: the owner's queue is full, or the asker has gone. */
  enter(owner: string, signal: AbortSignal): Promise<(() => void) | undefined>
}

/** Slots with a queue: of those who wait, the first whose owner has a place left is next. `waiting` as SlotLimits, for the queue. */
export function createTurns(inside: SlotLimits, waiting: SlotLimits): Turns {
  const places = createSlots(inside)
  const queue = createSlots(waiting)
  const asking = new Set<{ readonly owner: string; enter(leave: () => void): void }>()
  const admit = () => {
    for (const one of asking) {
      const leave = places.take(one.owner)
      if (leave === undefined) continue
      asking.delete(one)
      one.enter(leave)
    }
  }
  const leaving = (leave: () => void) => () => {
    leave()
    admit()
  }
  return {
    enter(owner, signal) {
      if (signal.aborted) return Promise.resolve(undefined)
      const place = places.take(owner)
      if (place !== undefined) return Promise.resolve(leaving(place))
      const dequeue = queue.take(owner)
      if (dequeue === undefined) return Promise.resolve(undefined)
      return new Promise((resolve) => {
        const leaveQueue = () => {
          asking.delete(one)
          dequeue()
          resolve(undefined)
        }
        const gone = guarded(leaveQueue, () => resolve(undefined))
        const one = {
          owner,
          enter(leave: () => void) {
            signal.removeEventListener('abort', gone)
            dequeue()
            resolve(leaving(leave))
          },
        }
        asking.add(one)
        signal.addEventListener('abort', gone, { once: true })
      })
    },
  }
}
