// After an undo: a unit that came with the apply, failed, and left with the undo stays listed as `not-found failed` until
// systemd is told to forget it.
import { basename } from 'node:path'
import { z } from 'zod'
import type { HostWriter } from '../host/host.ts'
import { forgetRestarts, shownUnits, type UnitStatus } from '../host/systemd.ts'
import { savedPathSchema } from '../resources/paths.ts'
import type { JournalRecord } from './journal.ts'

export async function forgetFailed(records: readonly JournalRecord[], { query, run }: HostWriter): Promise<void> {
  const names = unitsIn(records)
  if (names.length === 0) return
  const units = [...(await shownUnits(names, query)).values()]
  await forgetRestarts(
    units.filter(isLeftOver).map(({ name }) => name),
    run,
  )
}

/** Those that it changed, and those whose files it brought. */
function unitsIn(records: readonly JournalRecord[]): readonly string[] {
  const points = records.flatMap((record) => (record.kind === 'saved' ? record.saved : []))
  const names = points.flatMap((point) => {
    const unit = unitSchema.safeParse(point)
    const path = savedPathSchema.safeParse(point)
    return [...(unit.success ? [unit.data.name] : []), ...(path.success ? unitOf(path.data.path) : [])]
  })
  return [...new Set(names)]
}

const unitSchema = z.object({ name: z.string(), enabled: z.string() })

/** Of `/etc/systemd/system/backup.service`, and of the quadlet that becomes a service. */
function unitOf(path: string): readonly string[] {
  const name = basename(path)
  if (/^\/etc\/systemd\/system\/[^/]+\.(?:service|socket|timer|path|mount|automount|swap)$/.test(path)) return [name]
  const [, quadlet] = /^\/etc\/containers\/systemd\/(?:.*\/)?([^/]+)\.(?:container|kube)$/.exec(path) ?? []
  return quadlet === undefined ? [] : [`${quadlet}.service`]
}

function isLeftOver({ loadState, activeState }: UnitStatus): boolean {
  return loadState === 'not-found' && activeState === 'failed'
}
