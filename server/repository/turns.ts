// Lets so many in at the same time, so many wait, and sends the rest away: a storm of fetches must not start a storm of gits.

export type Turns = {
  /** Resolves to what must be called once on leaving; undefined: the queue is full, or the asker has gone. */
  enter(signal: AbortSignal): Promise<(() => void) | undefined>
}

export function createTurns(atOnce: number, waiting: number): Turns {
  let inside = 0
  const queue: (() => void)[] = []
  const leave = () => {
    inside -= 1
    queue.shift()?.()
  }
  const admit = () => {
    inside += 1
    let left = false
    return () => {
      if (left) return
      left = true
      leave()
    }
  }
  return {
    enter: (signal) => {
      if (signal.aborted) return Promise.resolve(undefined)
      if (inside < atOnce) return Promise.resolve(admit())
      if (queue.length >= waiting) return Promise.resolve(undefined)
      return new Promise((resolve) => {
        const turn = () => {
          signal.removeEventListener('abort', gone)
          resolve(admit())
        }
        const gone = () => {
          queue.splice(queue.indexOf(turn), 1)
          resolve(undefined)
        }
        queue.push(turn)
        signal.addEventListener('abort', gone, { once: true })
      })
    },
  }
}
