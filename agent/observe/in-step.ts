// Two contents of any size, gone through side by side in parts, with a bound on what is held: a part of each.

/** One content; may be gone through again and again. */
export type Content = {
  readonly size: number
  /** A part is used again for the next one. */
  parts(): AsyncIterable<Uint8Array>
}

/** False: what follows is not needed. */
export type Visit = (one: Uint8Array, other: Uint8Array, offset: number) => boolean

/** Visits equally long pieces of both, the longer one without what it has more at its start, or its end. `offset` counts from where they begin. */
export async function inStep(one: Content, other: Content, alignedAt: 'start' | 'end', visit: Visit): Promise<void> {
  const [first, second] = [new Reading(one), new Reading(other)]
  try {
    if (alignedAt === 'end') {
      await first.skip(Math.max(0, one.size - other.size))
      await second.skip(Math.max(0, other.size - one.size))
    }
    for (let offset = 0; ; ) {
      const length = Math.min(await first.available(), await second.available())
      if (length === 0) return
      if (!visit(first.take(length), second.take(length), offset)) return
      offset += length
    }
  } finally {
    await first.end()
    await second.end()
  }
}

/** The bytes from `start` to `end`. */
export async function rangeOf(content: Content, start: number, end: number): Promise<Uint8Array> {
  const range = Buffer.alloc(end - start)
  const reading = new Reading(content)
  try {
    await reading.skip(start)
    for (let filled = 0; filled < range.length; ) {
      const length = Math.min(await reading.available(), range.length - filled)
      if (length === 0) return range.subarray(0, filled)
      range.set(reading.take(length), filled)
      filled += length
    }
    return range
  } finally {
    await reading.end()
  }
}

class Reading {
  readonly #parts: AsyncIterator<Uint8Array>
  #held: Uint8Array = new Uint8Array()

  constructor(content: Content) {
    this.#parts = content.parts()[Symbol.asyncIterator]()
  }

  /** 0 at the end. */
  async available(): Promise<number> {
    while (this.#held.length === 0) {
      const { done, value } = await this.#parts.next()
      if (done === true) return 0
      this.#held = value
    }
    return this.#held.length
  }

  /** Of what is available. */
  take(length: number): Uint8Array {
    const taken = this.#held.subarray(0, length)
    this.#held = this.#held.subarray(length)
    return taken
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) {
      const length = Math.min(await this.available(), left)
      if (length === 0) return
      this.take(length)
      left -= length
    }
  }

  async end(): Promise<void> {
    await this.#parts.return?.()
  }
}
