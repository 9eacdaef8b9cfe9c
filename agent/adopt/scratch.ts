// A private directory of the operator's, removed at the end whatever happens.
import { rmSync } from 'node:fs'
import { chown, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Operator } from '../host/operator.ts'

export type Scratch = { readonly directory: string }

export async function withScratch<Result>(
  { user, run }: Operator,
  work: (scratch: Scratch) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'plumb-adopt-'))
  if (user !== undefined) await chown(directory, user.uid, user.gid)
  const stop = () => {
    // What is the operator's own is not removed as root.
    if (user !== undefined) process.setuid?.(user.uid)
    rmSync(directory, { recursive: true, force: true })
    process.exit(130)
  }
  for (const signal of signals) process.once(signal, stop)
  try {
    return await work({ directory })
  } finally {
    for (const signal of signals) process.removeListener(signal, stop)
    await run({ args: ['rm', '-rf', '--', directory], ...(user === undefined ? {} : { user }) })
  }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
