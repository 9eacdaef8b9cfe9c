// What was found on a host -> a service's directory: its files, service.yaml and README, the secrets that stay on the host, and what was
// not taken. Pure: the readers are in agent/host, the writer in agent/commands.

import { isUtf8 } from 'node:buffer'
import { compact } from '../../shared/compact.ts'
import { absolutePathSchema } from '../../shared/names.ts'
import { projectName, projectsDirectory } from '../../shared/repository/compose-project.ts'
import { unitDirectory } from '../../shared/repository/layout.ts'
import { composeFileNames } from '../../shared/repository/tree.ts'
import type { HostEntry } from '../host/entries-below.ts'
import type { Findings, Untaken } from './findings.ts'
import { type Hidden, hiddenIn, type Proposal } from './hidden.ts'
import { linkedElsewhere } from './linked.ts'
import { readmeText } from './readme.ts'
import { type ComposeSaid, type FileSaid, serviceYaml } from './service-yaml.ts'
import { triggersFor, unitSaid } from './units.ts'
import { type Verdict, verdictOn, verdictOnPlace } from './verdict.ts'

export type Draft = {
  /** By path in the service's directory. */
  readonly files: ReadonlyMap<string, DraftFile>
  /** By name; never part of `files`. */
  readonly secrets: ReadonlyMap<string, string>
  readonly left: readonly Untaken[]
  readonly refused: readonly Untaken[]
  /** Files with likely secrets that are still in them: they are not in `files`. */
  readonly exposed: readonly Exposed[]
}

export type DraftFile =
  | { readonly kind: 'file'; readonly content: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'symlink'; readonly link: string }

export type Exposed = { readonly path: string; readonly proposals: readonly Proposal[]; readonly why?: string }

export function draftOf(findings: Findings): Draft {
  const judged = findings.entries.map((entry) => ({ entry, verdict: verdictOn(entry, findings.circumstances) }))
  const project = (findings.compose?.files ?? []).map((entry) => ({ entry, verdict: inProject(entry, findings) }))
  const untaken = (kind: Exclude<Verdict['kind'], 'taken'>) =>
    [...judged, ...project].flatMap(({ entry, verdict }) =>
      // A repository within is reported once, not with each of its objects.
      verdict.kind === kind && !entry.path.includes('/.git/') ? [{ path: entry.path, why: verdict.why }] : [],
    )
  const draft: Making = { findings, files: new Map(), said: new Map(), secrets: new Map(), exposed: [] }
  const takenOf = (all: typeof judged) => all.flatMap(({ entry, verdict }) => (verdict.kind === 'taken' ? [entry] : []))
  const taken = takenOf(judged)
  for (const entry of taken) place(draft, entry, { at: placeOf(entry.path), key: entry.path })
  for (const entry of takenOf(project)) {
    const at = besideComposeFile(entry, findings)
    place(draft, entry, { at, key: at })
  }
  const left = [...untaken('left'), ...linkedElsewhere(findings.entries, taken), ...directoryAcls(findings, taken)]
  const refused = untaken('refused')
  const exposed = draft.exposed.map(({ path }) => ({ path, why: 'likely holds secrets' }))
  const given = taken.filter(({ path }) => !exposed.some((one) => one.path === path))
  const units = new Map(
    findings.units.flatMap((unit) => {
      const said = unitSaid(unit)
      return said === undefined ? [] : [[unit.status.name, said] as const]
    }),
  )
  const settings = serviceYaml({
    packages: findings.packages.map(({ name }) => name),
    files: draft.said,
    // Purging a directory would remove a file of it that was not taken.
    directories: directoriesOf(findings, { taken, untaken: [...left, ...refused, ...exposed] }),
    units,
    ...(findings.compose === undefined
      ? {}
      : { compose: composeSaid(findings.service, findings.compose, draft.files) }),
  })
  const text = (content: string): DraftFile => ({ kind: 'file', content: Buffer.from(content), executable: false })
  if (settings !== undefined) draft.files.set('service.yaml', text(settings))
  const outcome = { taken: given, left, refused: [...exposed, ...refused], secrets: [...draft.secrets.keys()] }
  draft.files.set('README.md', text(readmeText(findings, outcome)))
  return { files: draft.files, secrets: draft.secrets, left, refused, exposed: draft.exposed }
}

/** service.yaml has ACLs for files alone. */
function directoryAcls({ extended }: Findings, taken: readonly HostEntry[]): readonly Untaken[] {
  return taken.flatMap(({ kind, path }) =>
    kind === 'directory' && extended.get(path)?.acl !== undefined
      ? [{ path, why: 'its ACL: only files can have one here' }]
      : [],
  )
}

function inProject(entry: HostEntry, findings: Findings): Verdict {
  const { circumstances } = findings
  const own = { ...circumstances, originals: new Map(), named: new Set([entry.path]) }
  return (
    (circumstances.leave.has(entry.path) ? undefined : verdictOnPlace(besideComposeFile(entry, findings))) ??
    verdictOn(entry, own)
  )
}

/** Its path in the project's directory. */
function besideComposeFile({ path }: HostEntry, { compose }: Findings): string {
  return compose === undefined ? path : path.slice(compose.directory.length + 1)
}

/** What keeps the project where it is and as it is called, where that is not what it would be without saying. */
function composeSaid(
  service: string,
  { directory, project, composeFiles }: NonNullable<Findings['compose']>,
  files: Making['files'],
): ComposeSaid {
  const textOf = (path: string) => {
    const file = files.get(path)
    return file?.kind === 'file' ? Buffer.from(file.content).toString() : undefined
  }
  const composeFile = [...composeFileNames].map(textOf).find((text) => text !== undefined)
  const overrides = composeFiles?.map((path) => textOf(path) ?? '')
  const environment = textOf('.env')
  const said = { service, project: undefined, composeFile, environment, ...(overrides && { overrides }) }
  const { name } = projectName(said)
  return {
    ...compact({ files: composeFiles }),
    ...(directory === `${projectsDirectory}/${service}` ? {} : { directory }),
    ...(name === project ? {} : { project }),
  }
}

type Making = {
  readonly findings: Findings
  readonly files: Map<string, DraftFile>
  readonly said: Map<string, FileSaid>
  readonly secrets: Map<string, string>
  readonly exposed: Exposed[]
}

/** `units/foo.service` for units and their drop-ins, the mirror under files/ for the rest. */
export function placeOf(path: string): string {
  const below = path.startsWith(`${unitDirectory}/`) ? path.slice(unitDirectory.length + 1) : ''
  return isUnitFile.test(below) ? `units/${below}` : `files${path}`
}

const suffixes = '(?:service|socket|timer|path|mount|automount|swap|slice|target)'
const isUnitFile = new RegExp(`^[A-Za-z0-9:_.\\\\@-]+\\.${suffixes}(?:\\.d/[^/]+\\.conf)?$`)

type FileEntry = Extract<HostEntry, { readonly kind: 'file' }>

type Where = { readonly at: string; readonly key: string }

function place(draft: Making, entry: HostEntry, { at, key }: Where): void {
  if (entry.kind === 'symlink') draft.files.set(at, { kind: 'symlink', link: entry.link })
  if (entry.kind !== 'file' || entry.content === undefined) return
  const { findings } = draft
  const hidden = findings.notSecret.has(entry.path) ? plain : hiddenOf(entry, draft)
  const isWanted = findings.hide || findings.hideIn.has(entry.path)
  if (hidden.kind === 'stuck' || (hidden.kind === 'template' && !isWanted)) {
    const why = hidden.kind === 'stuck' ? { why: hidden.why } : {}
    draft.exposed.push({ path: entry.path, proposals: hidden.proposals, ...why })
    return
  }
  const content = hidden.kind === 'template' ? Buffer.from(hidden.text) : entry.content
  if (hidden.kind === 'template') for (const [name, value] of hidden.values) draft.secrets.set(name, value)
  const byDefault = hidden.kind === 'plain' ? [0o644, 0o755] : []
  const owners = findings.circumstances.owners.get(entry.path) ?? []
  const triggers = at.startsWith('files/') ? triggersFor(entry.path, { owners, units: findings.units }) : []
  const said: FileSaid = {
    ...(byDefault.includes(entry.mode) ? {} : { mode: entry.mode }),
    ...(entry.owner === 'root' ? {} : { owner: entry.owner }),
    ...(entry.group === 'root' ? {} : { group: entry.group }),
    ...findings.extended.get(entry.path),
    ...(hidden.kind === 'template' ? { template: true } : {}),
    ...(triggers.length === 0 ? {} : { triggers }),
  }
  if (Object.keys(said).length > 0) draft.said.set(key, said)
  draft.files.set(at, { kind: 'file', content, executable: (entry.mode & 0o100) !== 0 })
}

const plain: Hidden = { kind: 'plain' }

/** What is not text is searched too, but cannot become a template. */
function hiddenOf({ path, content = new Uint8Array() }: FileEntry, { findings, secrets }: Making): Hidden {
  const isText = isUtf8(content) && !content.includes(0)
  const name = findings.hideIn.get(path)
  const naming = { service: findings.service, taken: secrets, ...compact({ name }) }
  const hidden = hiddenIn(Buffer.from(content).toString(isText ? 'utf8' : 'latin1'), naming)
  if (isText || hidden.kind === 'plain') return hidden
  return { kind: 'stuck', why: 'it is binary', proposals: hidden.proposals.map(({ line, what }) => ({ line, what })) }
}

type Sorted = { readonly taken: readonly HostEntry[]; readonly untaken: readonly Untaken[] }

/**
 * Those with a mode or owner of their own; those that would not be made because nothing is in them; and purged, those in which what is
 * there is in force: a new host's package would put its default site beside ours.
 */
function directoriesOf({ circumstances }: Findings, { taken, untaken }: Sorted) {
  const directories = taken.flatMap((entry) => (entry.kind === 'directory' ? [entry] : []))
  return new Map(
    directories.flatMap(({ path, mode, owner, group, isEmpty }) => {
      const isWhole = !untaken.some((one) => one.path.startsWith(`${path}/`))
      const purge = /-enabled$/.test(path) && isWhole
      const said = {
        ...(purge ? { purge } : {}),
        ...(mode === 0o755 ? {} : { mode }),
        ...(owner === 'root' ? {} : { owner }),
        ...(group === 'root' ? {} : { group }),
      }
      const isMade = isEmpty && !circumstances.owners.has(path)
      return Object.keys(said).length > 0 || isMade ? [[absolutePathSchema.parse(path), said] as const] : []
    }),
  )
}
