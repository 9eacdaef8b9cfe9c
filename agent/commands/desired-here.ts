// What a verb looks at: the revision that was named, else the remote's head, else - with the reason told - the last good one.
import type { Revision } from '../../shared/names.ts'
import { PlumbError, type Problem } from '../../shared/problem.ts'
import { type Agent, type Desired, desiredAt } from '../inspect.ts'
import { dedupeProblems } from '../report/build.ts'
import type { SyncOptions } from '../sync/repository.ts'

export type DesiredHere = {
  readonly desired: Desired
  /** Why it is not the head's; empty when it is, or when a revision was named. */
  readonly problems: readonly Problem[]
}

/** Throws PlumbError when there is no revision at all that can be desired. */
export async function desiredHere(
  agent: Agent,
  named: string | undefined,
  allowed: SyncOptions = { allowRewind: false },
): Promise<DesiredHere> {
  const { repository } = agent
  if (named !== undefined) return { desired: await desiredAt(agent, await repository.readerAt(named)), problems: [] }
  let head: Revision | undefined
  try {
    const reader = await repository.sync(allowed)
    head = reader.revision
    return { desired: await desiredAt(agent, reader), problems: [] }
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
    return await lastGoodInstead(agent, head, error)
  }
}

/** A broken head takes nothing out of force: what was good is still checked, and still put right. */
async function lastGoodInstead(agent: Agent, head: Revision | undefined, reason: PlumbError): Promise<DesiredHere> {
  const good = await agent.repository.lastGood()
  if (good === undefined || good.revision === head) throw reason
  try {
    return { desired: await desiredAt(agent, good), problems: reason.problems }
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
    throw new PlumbError(dedupeProblems([...reason.problems, ...error.problems]))
  }
}
