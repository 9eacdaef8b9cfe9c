// After an undo: a unit that came with the apply, failed, and left with the undo stays listed as `not-found failed` until
// systemd is told to forget it.
import { z } from 'zod'
import { quadletAt } from '../../shared/repository/quadlet.ts'
import { generatedUnits } from '../host/generated-units.ts'
import type { HostWriter } from '../host/host.ts'
import { forgetRestarts, shownUnits, type UnitStatus } from '../host/systemd.ts'
import { savedPathSchema } from '../resources/paths.ts'
import type { JournalRecord } from './journal.ts'

/** Those whose files the apply changed, and those that it changed itself: to be asked before the files are put back. */
export async function unitsOfApply(
  records: readonly JournalRecord[],
  { query, capabilities }: Pick<HostWriter, 'query' | 'capabilities'>,
): Promise<readonly string[]> {
  if (!capabilities.units) return []
  const points = records.flatMap((record) => (record.kind === 'saved' ? record.saved : []))
  const paths = points.flatMap((point) => savedPathSchema.safeParse(point).data?.path ?? [])
  const changed = points.flatMap((point) => unitSchema.safeParse(point).data?.name ?? [])
  const quadlets = paths.flatMap((path) => quadletAt(path)?.main ?? [])
  const generated = await generatedUnits(new Set(quadlets), query)
  return [...new Set([...changed, ...paths.flatMap(unitAt), ...generated.map(({ name }) => name)])]
}

export async function forgetFailed(names: readonly string[], { query, run }: HostWriter): Promise<void> {
  if (names.length === 0) return
  const units = [...(await shownUnits(names, query)).values()]
  await forgetRestarts(
    units.filter(isLeftOver).map(({ name }) => name),
    run,
  )
}

const unitSchema = z.object({ name: z.string(), enabled: z.string() })

/** Of `/etc/systemd/system/backup.service`. */
function unitAt(path: string): readonly string[] {
  const [, name] =
    /^\/etc\/systemd\/system\/([^/]+\.(?:service|socket|timer|path|mount|automount|swap))$/.exec(path) ?? []
  return name === undefined ? [] : [name]
}

function isLeftOver({ loadState, activeState }: UnitStatus): boolean {
  return loadState === 'not-found' && activeState === 'failed'
}
