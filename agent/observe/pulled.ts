// Turns a reader that gives its parts into one that is asked for them, and may be left before its end.

/** `read` waits for each `take`, so that no more than one part is on its way. */
export async function* pulled(
  read: (take: (part: Uint8Array) => Promise<void>) => Promise<unknown>,
): AsyncGenerator<Uint8Array> {
  let given = Promise.withResolvers<Uint8Array | undefined>()
  let taken = Promise.withResolvers<void>()
  const reading = read(async (part) => {
    given.resolve(part)
    await taken.promise
    taken = Promise.withResolvers<void>()
  }).then(
    () => given.resolve(undefined),
    (error: unknown) => given.reject(error),
  )
  let isDone = false
  try {
    for (;;) {
      const part = await given.promise
      if (part === undefined) {
        isDone = true
        return
      }
      yield part
      given = Promise.withResolvers<Uint8Array | undefined>()
      taken.resolve()
    }
  } finally {
    if (!isDone) {
      // Nothing waits for what this rejection ends.
      given.promise.catch(() => {})
      taken.reject(new Error('no longer read'))
      await reading
    }
  }
}
