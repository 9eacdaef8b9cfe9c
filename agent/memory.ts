// What the stages remember from one look to the next, so that a host at rest costs little. The agent owns one and passes it down:
// no stage keeps anything in its module, so that one with an empty memory computes the same, only slower.

export class Memory {
  readonly #held = new Map<object, unknown>()

  /** What this memory holds for a slot; empty when it is asked for first. */
  at<Held extends object>(slot: Slot<Held>): Held {
    const known = this.#held.get(slot) as Held | undefined
    if (known !== undefined) return known
    const empty = slot.empty()
    this.#held.set(slot, empty)
    return empty
  }
}

/** The name of one thing to be remembered, which only the module that has it can read. It holds nothing itself. */
export type Slot<Held extends object> = { readonly empty: () => Held }

/** What is remembered of an object for as long as that is there. */
export function slotByObject<Key extends object, Value>(): Slot<WeakMap<Key, Value>> {
  return { empty: () => new WeakMap() }
}

/** `limit`: the oldest is forgotten for one more. */
export function slotByText<Value>(limit: number): Slot<Recent<Value>> {
  return { empty: () => new Recent(limit) }
}

/** A map of the latest entries. */
class Recent<Value> {
  readonly #entries = new Map<string, Value>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)
  }

  set(key: string, value: Value): void {
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined && this.#entries.size >= this.#limit && !this.#entries.has(key))
      this.#entries.delete(oldest)
    this.#entries.set(key, value)
  }
}
