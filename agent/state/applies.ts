// When the agent's last applies ran, so that evidence does not attribute their changes to another user. No decision
// depends on it, so it need not survive a power cut.
import { z } from 'zod'
import { type OwnApply, ownApplySchema } from '../../shared/evidence.ts'
import type { Revision } from '../../shared/names.ts'
import { readIfThere, replaceFile } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'

export type ApplyTimes = {
  /** The last fifty, oldest first. */
  read(): readonly OwnApply[]
  /** Records the start, and returns a function that records the end. */
  begin(revision: Revision, now: () => Date): () => void
}

const kept = 50

export function applyTimes(path: string): ApplyTimes {
  const write = (applies: readonly OwnApply[]) => {
    try {
      replaceFile({ path, content: JSON.stringify(applies.slice(-kept)) })
    } catch (error) {
      // A full disk must not stop an apply.
      if (!(error instanceof PlumbError)) throw error
    }
  }
  return {
    read: () => read(path),
    begin: (revision, now) => {
      const begun: OwnApply = { startedAt: now().toISOString(), revision }
      const before = read(path)
      write([...before, begun])
      return () => write([...before, { ...begun, endedAt: now().toISOString() }])
    },
  }
}

function read(path: string): readonly OwnApply[] {
  try {
    return z
      .array(ownApplySchema)
      .max(1000)
      .parse(JSON.parse(readIfThere(path)?.toString('utf8') ?? '[]'))
      .slice(-kept)
  } catch {
    return []
  }
}
