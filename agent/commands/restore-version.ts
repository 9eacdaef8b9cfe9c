// Writes one kept version over what is live, which is kept in turn; journalled like an apply, so that a crash leaves one of the two.
import { type AbsolutePath, revisionSchema } from '../../shared/names.ts'
import { PlumbError, problemLine } from '../../shared/problem.ts'
import { keepDisplaced } from '../apply/displaced.ts'
import { ServiceJournal } from '../apply/journal.ts'
import { forget, undo } from '../apply/undo.ts'
import type { HostWriter } from '../host/host.ts'
import { knownName } from '../host/known-name.ts'
import { pathInId } from '../resources/paths.ts'
import { type Archived, archiveLimitBytes } from '../state/archive.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import type { State } from '../state/state.ts'

export type BringingBack = {
  readonly host: HostWriter
  readonly state: State
  readonly target: AbsolutePath
  readonly now: Date
}

/** Under the lock. What is to be known of it, one line each. */
export async function bringBack(version: Archived, context: BringingBack): Promise<readonly string[]> {
  const { host, state, target, now } = context
  const { service } = version
  const { baselines } = state.baselines.read()
  const revision = baselines.get(service)?.revision ?? revisionSchema.parse('0'.repeat(40))
  const journal = new ServiceJournal(service, { revision, since: now }, state.journal)
  let lines: readonly string[]
  try {
    await journal.saved('file', host.files.mark, [host.files.undoPoint(target, becomes(version))])
    await host.files.pass(() => write(version, context))
    const what = [{ path: target, why: 'restored', known: new Set<string>(), wanted: undefined }] as const
    const budget = { bytes: archiveLimitBytes }
    const { notKept } = await keepDisplaced(what, [], { service, at: now.toISOString(), host, state, budget })
    await journal.committed(baselines.get(service))
    const known = [...baselines.values()].flatMap(({ resources }) =>
      [...resources.keys()].flatMap((id) => pathInId(id) ?? []),
    )
    lines = [...notKept, afterwards(version, knownName(target, known, host.files), [...baselines.values()])]
  } catch (error) {
    const undoing = await undo(journal.records, host, journal.undoing)
    if (undoing.isComplete) await state.journal.remove()
    throw error
  }
  const left = await forget(journal.records, host)
  await state.journal.remove()
  return [...lines, ...left.map(problemLine)]
}

async function write({ was, path }: Archived, { host: { files }, state, target }: BringingBack): Promise<void> {
  const isRoot = process.geteuid?.() === 0
  switch (was.type) {
    case 'file': {
      const { mode, uid, gid } = was
      await files.stage(target, state.objects.parts(was.sha256), isRoot ? { mode, uid, gid } : { mode })
      break
    }
    case 'symlink':
      files.stageLink(target, was.target)
      break
    case 'not-kept':
      throw new PlumbError({
        code: 'usage',
        message: 'this version was not kept: it was too large.',
        where: { file: path },
        remedy: 'Only that it was there is known.',
      })
  }
  files.publish(target)
  await files.syncDirectories()
}

function becomes({ was }: Archived): string | undefined {
  if (was.type === 'file') return was.sha256
  return was.type === 'symlink' ? was.target : undefined
}

/** Whether that is drift now, and what to do about it. */
function afterwards(version: Archived, target: AbsolutePath, baselines: readonly ServiceBaseline[]): string {
  const applied = baselines.find(({ resources }) => [...resources.keys()].some((id) => pathInId(id) === target))
  const known = [...(applied?.resources ?? [])].find(([id]) => pathInId(id) === target)?.[1].attributes
  const now = becomes(version)
  if (known !== undefined && now !== undefined && [known['content'], known['target']].includes(now))
    return `its content is what ${applied?.service} was last applied with`
  if (applied !== undefined)
    return `it differs from the repository (${applied.service}) now, which is drift: commit it to keep it; plumb apply, or the agent where onDrift is repair, puts the repository's version back`
  const purged = baselines.find(({ resources }) =>
    [...resources].some(
      ([id, { attributes }]) => attributes['extra'] !== undefined && target.startsWith(`${pathInId(id)}/`),
    ),
  )
  return purged === undefined
    ? 'nothing in the repository manages this path: it stays as it is'
    : `the repository (${purged.service}) does not have it in a directory that it purges: commit it to keep it; the next repair removes it again`
}
