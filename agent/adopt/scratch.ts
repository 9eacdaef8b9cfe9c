// A private directory of the operator's, removed at the end whatever happens.

import { chown, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compact } from '../../shared/compact.ts'
import { interruptible } from '../host/interruptible.ts'
import type { Operator } from '../host/operator.ts'

export type Scratch = { readonly directory: string }

/** `work` gets an operator whose commands end with it when a signal comes. */
export async function withScratch<Result>(
  operator: Operator,
  work: (scratch: Scratch, operator: Operator) => Promise<Result>,
): Promise<Result> {
  return await interruptible(operator.run, async ({ run, atSignal }) => {
    const { user } = operator
    const directory = await mkdtemp(join(tmpdir(), 'plumb-adopt-'))
    // What is the operator's own is not removed as root.
    const remove = { args: ['rm', '-rf', '--', directory], ...compact({ user }) }
    atSignal(remove)
    if (user !== undefined) await chown(directory, user.uid, user.gid)
    try {
      return await work({ directory }, { ...operator, run })
    } finally {
      await operator.run(remove)
    }
  })
}
