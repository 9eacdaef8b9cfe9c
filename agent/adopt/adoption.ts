// In: what drifted, the revision of the branch and what was applied. Out: the changes of the repository's files that make it so, and what cannot
// be adopted, each with its reason. Changes nothing itself; reads revisions alone.
import { parseResourceId, type ResourceId, type ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { isAdoptable, isKindName, kinds } from '../resources/registry.ts'
import { type AdoptionInput, type Changeset, type FileChange, refusedChangeset } from './changeset.ts'
import { directoryChangeset, newFilesChangeset } from './directory-changeset.ts'
import type { Drifted } from './drifted.ts'
import { exposures } from './exposure.ts'
import { fileChangeset, linkChangeset } from './file-changeset.ts'
import { type SettingsEdit, withSettings } from './settings.ts'
import { unitChangeset } from './unit-changeset.ts'

export type Adoption = {
  /** By path in the repository. */
  readonly changes: ReadonlyMap<string, FileChange>
  readonly adopted: readonly Drifted[]
  readonly refused: readonly Refused[]
}

export type Refused = {
  readonly id: ResourceId
  readonly problems: readonly Problem[]
  /** The branch has the change already. */
  readonly isAlready: boolean
}

export async function adoptionOf(drifted: readonly Drifted[], input: AdoptionInput): Promise<Adoption> {
  const changes = new Map<string, FileChange>()
  const adopted: Drifted[] = []
  const refused: Refused[] = []
  let edits: readonly ServiceEdit[] = []
  for (const one of drifted) {
    const planned = await changesetFor(one, input)
    const isAlready = isEmpty(planned)
    const changeset = isAlready ? already : planned
    const problems = [...changeset.problems, ...(await exposedIn(changeset, one, input))]
    if (problems.length > 0) {
      refused.push({ id: one.id, problems, isAlready })
      continue
    }
    for (const [source, change] of changeset.changes) changes.set(source, change)
    edits = [...edits, ...changeset.edits.map((edit) => ({ service: one.service, edit }))]
    adopted.push(one)
  }
  for (const [service, own] of Map.groupBy(edits, (one) => one.service))
    await addSettings(service, own, { input, changes })
  return { changes, adopted, refused }
}

type ServiceEdit = { readonly service: ServiceName; readonly edit: SettingsEdit }

async function changesetFor(one: Drifted, input: AdoptionInput): Promise<Changeset> {
  if (one.differences.some(({ name }) => name === 'override')) return newFilesChangeset(one, input)
  const { kind } = parseResourceId(one.id)
  // Units and what has become another thing say more of why below.
  const others = one.differences.filter(
    (difference) => isPathKind(kind) && difference.name !== 'type' && !isAdoptable(one.id, difference),
  )
  if (others.length > 0)
    return refusedChangeset(
      `${others.map(({ name }) => name).join(', ')}: not adopted`,
      'Say it in service.yaml by hand, or plumb apply.',
    )
  switch (kind) {
    case 'file':
      return await fileChangeset(one, input)
    case 'symlink':
      return linkChangeset(one, input)
    case 'directory':
      return directoryChangeset(one, input)
    case 'unit':
      return unitChangeset(one)
    default: {
      const { why, remedy } = (isKindName(kind) ? kinds[kind].notAdopted : undefined) ?? notKnown
      return refusedChangeset(why, remedy)
    }
  }
}

const notKnown = { why: 'it is not adopted', remedy: 'Change the repository by hand, or plumb apply.' }

function isPathKind(kind: string): boolean {
  return isKindName(kind) && kinds[kind].order === 'paths'
}

/** The branch has it, and the host has not applied that yet: an apply keeps what was changed. */
const already = refusedChangeset('the repository has it already', 'plumb apply keeps it.')

function isEmpty({ changes, edits, problems }: Changeset): boolean {
  return changes.size === 0 && edits.length === 0 && problems.length === 0
}

async function exposedIn(
  changeset: Changeset,
  one: Drifted,
  { head, mask, notSecret }: AdoptionInput,
): Promise<readonly Problem[]> {
  const found: Problem[] = []
  for (const [source, change] of changeset.changes) {
    if (change.kind !== 'write') continue
    const path = head.files.get(source)?.target ?? `/${source.split('/').slice(3).join('/')}`
    const isNotSecret = notSecret.has(path) || notSecret.has(parseResourceId(one.id).name)
    found.push(...exposures({ source, content: change.content, before: await head.read(source), isNotSecret }, mask))
  }
  const settings = `services/${one.service}/service.yaml`
  for (const { key, set } of changeset.edits) {
    const content = Buffer.from([key, ...Object.values(set ?? {})].join('\n'))
    found.push(...exposures({ source: settings, content, before: undefined, isNotSecret: true }, mask))
  }
  return found
}

type Making = { readonly input: AdoptionInput; readonly changes: Map<string, FileChange> }

async function addSettings(
  service: ServiceName,
  edits: readonly ServiceEdit[],
  { input, changes }: Making,
): Promise<void> {
  const file = `services/${service}/service.yaml`
  const before = await input.head.read(file)
  const text = before === undefined ? undefined : Buffer.from(before).toString('utf8')
  const after = withSettings(
    { file, text },
    edits.map(({ edit }) => edit),
  )
  if (after === text || (text === undefined && after.trim() === '')) return
  changes.set(file, { kind: 'write', content: Buffer.from(after), mode: '100644' })
}
