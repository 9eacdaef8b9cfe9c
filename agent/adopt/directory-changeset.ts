// A drifted directory, or a file that changes a unit -> new files of the service, and what service.yaml has to say.
import { parseResourceId, type ServiceName } from '../../shared/names.ts'
import type { HostEntry } from '../host/entries-below.ts'
import { placeOf } from '../import/draft.ts'
import { verdictOn } from '../import/verdict.ts'
import { modeText } from '../resources/paths.ts'
import { type AdoptionInput, type Changeset, nothing, refusedChangeset } from './changeset.ts'
import type { Drifted } from './drifted.ts'
import type { OpenRevision } from './revision.ts'
import type { SettingsEdit } from './settings.ts'

export function directoryChangeset(one: Drifted, input: AdoptionInput): Changeset {
  const path = parseResourceId(one.id).name
  const type = one.differences.find(({ name }) => name === 'type')
  if (type !== undefined)
    return refusedChangeset(
      type.live === 'missing' ? 'a directory that was removed is not adopted' : `it is a ${type.live} now`,
      'Take it out of directories in service.yaml by hand, or plumb apply.',
    )
  const set = Object.fromEntries(
    one.differences.flatMap(({ name, live }) => (['mode', 'owner', 'group'].includes(name) ? [[name, live]] : [])),
  )
  const own: readonly SettingsEdit[] = Object.keys(set).length === 0 ? [] : [{ section: 'directories', key: path, set }]
  const extras = newFilesChangeset(one, input)
  return { ...extras, edits: [...own, ...extras.edits] }
}

/** What the repository does not have: in a purged directory, or a file that changes a unit. */
export function newFilesChangeset({ extras, service }: Drifted, { head }: AdoptionInput): Changeset {
  const all = extras.map((entry) => extraChangeset(entry, service, head))
  return {
    changes: new Map(all.flatMap(({ changes }) => [...changes])),
    edits: all.flatMap(({ edits }) => edits),
    problems: all.flatMap(({ problems }) => problems),
  }
}

/** An entry that the repository does not have becomes a file of the service, at its place on the host. */
function extraChangeset(entry: HostEntry, service: ServiceName, head: OpenRevision): Changeset {
  const { path } = entry
  const place = placeOf(path)
  const source = `services/${service}/${place}`
  if (path.startsWith('/run/'))
    return refusedChangeset(`${path} is gone with the next boot`, 'plumb apply takes it away.')
  const verdict = verdictOn(entry, {
    originals: new Map(),
    owners: new Map(),
    named: new Set([path]),
    all: true,
    leave: new Set(),
  })
  if (verdict.kind !== 'taken')
    return refusedChangeset(`${path}: ${verdict.why}`, 'Remove it on the host, or plumb apply.')
  if (head.entries.has(source)) return refusedChangeset(`the repository has ${source} by now`, 'plumb apply')
  if (entry.kind === 'symlink')
    return {
      ...nothing,
      changes: new Map([[source, { kind: 'write', content: Buffer.from(entry.link), mode: '120000' }]]),
    }
  if (entry.kind === 'directory')
    return entry.isEmpty
      ? refusedChangeset(`${path}: an empty directory`, 'Remove it on the host, or plumb apply.')
      : nothing
  if (entry.kind !== 'file' || entry.content === undefined) return nothing
  const isGits = entry.mode === 0o644 || (entry.mode === 0o755 && !place.startsWith('units/'))
  const set = {
    ...(isGits ? {} : { mode: modeText(entry.mode) }),
    ...(entry.owner === 'root' ? {} : { owner: entry.owner }),
    ...(entry.group === 'root' ? {} : { group: entry.group }),
  }
  const mode = (entry.mode & 0o100) === 0 ? '100644' : '100755'
  return {
    changes: new Map([[source, { kind: 'write', content: entry.content, mode }]]),
    edits: Object.keys(set).length === 0 ? [] : [{ section: 'files', key: path, set }],
    problems: [],
  }
}
