// The connectivity guard: what answered before an apply must answer again after it, or the whole apply is undone.
// It stands in the journal before anything is changed, so that it also holds for whoever recovers after a reboot.
// Decision: docs/decisions/2026-11-26-the-guard-rolls-back-the-whole-apply.md
import type { Problem } from '../../shared/problem.ts'
import type { ContactName } from '../host/contact.ts'
import { pollUntil } from '../host/poll.ts'
import type { JournalFile } from '../state/journal.ts'

export type Guarding = {
  /** Which of server and remote answer now. */
  readonly answering: () => Promise<readonly ContactName[]>
  /** How long both may be gone; 0: the guard is off. */
  readonly withinSeconds: number
}

export type Guard = {
  /** What answered before; not empty. */
  readonly had: readonly ContactName[]
  readonly withinSeconds: number
}

/** On disk when it returns. Undefined: it is off, or nothing answers that could be lost. */
export async function arm(guarding: Guarding | undefined, journal: JournalFile): Promise<Guard | undefined> {
  if (guarding === undefined || guarding.withinSeconds === 0) return undefined
  const had = await guarding.answering()
  if (had.length === 0) return undefined
  const guard = { had, withinSeconds: guarding.withinSeconds }
  await journal.append({ kind: 'guarded', ...guard })
  return guard
}

/** One of them is enough: the other may have gone by itself. */
export async function isInContact(
  { had, withinSeconds }: Guard,
  answering: Guarding['answering'],
  onWait?: (line: string) => void,
): Promise<boolean> {
  let isTold = false
  const attempt = async () => {
    if ((await answering()).some((name) => had.includes(name))) return true
    if (!isTold) onWait?.(`no answer from ${had.join(' and ')}: all is undone if that lasts for ${withinSeconds} s`)
    isTold = true
    return undefined
  }
  return (await pollUntil(attempt, { seconds: withinSeconds, pauseMs: 1000 })) === true
}

export const contactLost: Problem = {
  code: 'contact-lost',
  message: 'after the apply neither the server nor the remote could be reached any more, so all of it was undone.',
  remedy:
    'Look at what it changes in routes, names, firewall or sshd, and push a correction. The agent also tries again by itself.',
}
