// The layout convention: entries of a tree -> services with the place on a host for each of their files.
import { type AbsolutePath, absolutePathSchema, type ServiceName, serviceNameSchema } from '../names.ts'
import type { Problem } from '../problem.ts'
import { invalid, quoted } from './invalid.ts'
import { nearest } from './nearest.ts'
import { agentPlace, linkedPath, reservedBelow, reservedPlace, usualPlaceOf } from './reserved.ts'
import { composeFileNames, type RepositoryTree, type TreeEntry } from './tree.ts'

/** A file of a service and where it goes: a path on the host, or below the project's directory for what travels with a compose file. */
export type Placed<Target extends string> = PlacedFile<Target> | PlacedSymlink<Target>

type PlacedFile<Target extends string> = {
  readonly kind: 'file'
  readonly target: Target
  /** Path inside the repository. */
  readonly source: string
  readonly oid: string
  readonly executable: boolean
}

type PlacedSymlink<Target extends string> = {
  readonly kind: 'symlink'
  readonly target: Target
  readonly source: string
  /** What the link says, as it stands in the repository. */
  readonly link: string
}

export type ServiceLayout = {
  readonly name: ServiceName
  /** `services/caddy` */
  readonly directory: string
  /** `service.yaml`, when there is one. */
  readonly settings: TreeEntry | undefined
  /** The trees under files/ and units/. */
  readonly files: readonly Placed<AbsolutePath>[]
  readonly compose: ComposeLayout | undefined
}

export type ComposeLayout = {
  /** `compose.yaml`, as it is called here. */
  readonly file: string
  readonly files: readonly Placed<string>[]
}

export const unitDirectory = '/etc/systemd/system'

type Found<Value> = { readonly found: Value; readonly problems: readonly Problem[] }

export function layoutOf(
  entries: readonly TreeEntry[],
  texts: RepositoryTree['texts'],
): Found<readonly ServiceLayout[]> {
  const inServices = entries.filter((entry) => entry.path.startsWith('services/'))
  const byName = Map.groupBy(inServices, (entry) => entry.path.split('/', 2)[1] ?? '')
  const layouts = [...byName].map(([name, own]) => serviceLayout(name, own, texts))
  return {
    found: layouts.flatMap((layout) => layout.found),
    problems: [
      ...(entries.some((entry) => entry.path === 'services') ? [invalid(notADirectory, { file: 'services' })] : []),
      ...layouts.flatMap((layout) => layout.problems),
    ],
  }
}

const notADirectory = 'must be a directory'
const gitsOwnFiles = new Set(['.gitkeep', '.gitignore', '.gitattributes'])

type Inside = { readonly entry: TreeEntry; readonly path: string; readonly top: string }

function serviceLayout(
  name: string,
  entries: readonly TreeEntry[],
  texts: RepositoryTree['texts'],
): Found<readonly ServiceLayout[]> {
  const directory = `services/${name}`
  const notInside = entries.filter((entry) => entry.path === directory)
  if (notInside.length > 0) return { found: [], problems: notInside.flatMap((entry) => outsideServices(entry, name)) }
  const parsedName = serviceNameSchema.safeParse(name)
  if (!parsedName.success) {
    const message = `expected ${parsedName.error.issues[0]?.message}, found ${quoted(name)}`
    return { found: [], problems: [invalid(message, { file: directory }, { remedy: 'Rename the directory.' })] }
  }
  const inside = entries.map((entry) => insideOf(entry, directory))
  const tops = Map.groupBy(inside, ({ top }) => top)
  const context: Context = { service: parsedName.data, directory, texts }
  const files = placed(tops.get('files') ?? [], context, fileTarget)
  const units = placed(tops.get('units') ?? [], context, unitTarget)
  const rest = inside.filter(({ top }) => !notCopied.has(top))
  const compose = composeLayout(rest, context)
  const settings = tops.get('service.yaml')?.[0]?.entry
  return {
    found: [
      {
        name: parsedName.data,
        directory,
        settings: settings?.kind === 'symlink' ? undefined : settings,
        files: [...files.found, ...units.found],
        compose: compose.found,
      },
    ],
    problems: [
      ...readmeProblems(inside, context),
      ...settingsProblems(inside, context),
      ...files.problems,
      ...units.problems,
      ...compose.problems,
      ...(compose.found === undefined ? strayProblems(rest, context) : []),
    ],
  }
}

type Context = { readonly service: ServiceName; readonly directory: string; readonly texts: RepositoryTree['texts'] }

function outsideServices(entry: TreeEntry, name: string): readonly Problem[] {
  if (entry.kind !== 'symlink' && (gitsOwnFiles.has(name) || name.endsWith('.md'))) return []
  return [
    invalid(
      'is not in a service: everything under services/ belongs to services/NAME/',
      { file: entry.path },
      {
        remedy: 'Move it into the directory of its service, or out of services/.',
      },
    ),
  ]
}

function insideOf(entry: TreeEntry, directory: string): Inside {
  const path = entry.path.slice(directory.length + 1)
  return { entry, path, top: path.split('/', 1)[0] ?? path }
}

function readmeProblems(inside: readonly Inside[], { service, directory }: Context): readonly Problem[] {
  const readme = inside.find(({ path }) => path === 'README.md')
  if (readme !== undefined && readme.entry.kind !== 'symlink') return []
  const other = inside.find(({ path }) => /^readme(?:\.(?:md|txt|rst))?$/i.test(path) && path !== 'README.md')
  const remedy =
    other === undefined ? 'Write in it what the service does and how it is deployed.' : `Rename ${other.path}.`
  const message = `the service ${quoted(service)} has no README.md${readme === undefined ? '' : ' that is a plain file'}`
  return [invalid(message, { file: `${directory}/README.md` }, { service, remedy })]
}

function settingsProblems(inside: readonly Inside[], { service }: Context): readonly Problem[] {
  return inside.flatMap(({ path, entry }) => {
    const where = { file: entry.path }
    if (path === 'service.yml')
      return [invalid('must be called service.yaml', where, { service, remedy: 'Rename it.' })]
    if (path === 'service.yaml' && entry.kind === 'symlink')
      return [invalid('must be a plain file, not a symlink', where, { service })]
    return path.startsWith('service.yaml/') || path.startsWith('README.md/')
      ? [invalid('must be a plain file, not a directory', where, { service })]
      : []
  })
}

type TargetOf = (path: string, entry: TreeEntry) => { readonly target: AbsolutePath } | { readonly refused: string }

function placed(
  inside: readonly Inside[],
  context: Context,
  targetOf: TargetOf,
): Found<readonly Placed<AbsolutePath>[]> {
  const problems: Problem[] = []
  const found: Placed<AbsolutePath>[] = []
  const refuse = (entry: TreeEntry, message: string) =>
    problems.push(invalid(message, { file: entry.path }, { service: context.service }))
  for (const { entry, path } of inside) {
    const slash = path.indexOf('/')
    const place = slash === -1 ? { refused: notADirectory } : targetOf(path.slice(slash + 1), entry)
    if ('refused' in place) refuse(entry, place.refused)
    else placeEntry(entry, place.target, context, { found, refuse })
  }
  return { found, problems }
}

function placeEntry<Target extends string>(
  entry: TreeEntry,
  target: Target,
  { texts }: Context,
  into: { readonly found: Placed<Target>[]; readonly refuse: (entry: TreeEntry, message: string) => void },
): void {
  const { path: source, oid, kind } = entry
  if (kind !== 'symlink') {
    into.found.push({ kind: 'file', target, source, oid, executable: kind === 'executable' })
    return
  }
  const link = texts.get(source) ?? ''
  if (link === '' || link.length > 4000 || /[\0\uFFFD]/.test(link)) into.refuse(entry, 'is a symlink to nowhere')
  else if (leadsToAgent(target, link)) into.refuse(entry, `leads to ${link}, which is the agent's own`)
  else into.found.push({ kind: 'symlink', target, source, link })
}

/** Beside a compose file there is no place on a host yet. */
function leadsToAgent(target: string, link: string): boolean {
  const isPlaced = target.startsWith('/') || link.startsWith('/')
  return isPlaced && agentPlace(usualPlaceOf(linkedPath(target, link))) !== undefined
}

/** By name, on a host with the usual links: the agent asks again about where a path leads before it writes. */
function reservedFor(path: string): string | undefined {
  const place = usualPlaceOf(path)
  const [at, below] = [reservedPlace(place), reservedBelow(place)]
  if (at !== undefined) return `no repository writes in ${at}, which is the system's or the agent's own`
  return below === undefined ? undefined : `it would take the place of a directory that holds ${below}`
}

function fileTarget(path: string): ReturnType<TargetOf> {
  const target = absolutePathSchema.safeParse(`/${path}`)
  if (!target.success) return { refused: `expected ${target.error.issues[0]?.message}` }
  const reserved = reservedFor(target.data)
  return reserved === undefined ? { target: target.data } : { refused: `would go to /${path}: ${reserved}` }
}

const suffixes = 'service|socket|timer|path|mount|automount|swap|slice|target'
const unitFile = new RegExp(`^[A-Za-z0-9:_.\\\\@-]+\\.(?:${suffixes})$`)
const dropIn = new RegExp(`^(?:[A-Za-z0-9:_.\\\\@-]+\\.)?(?:${suffixes})\\.d/[^/]+\\.conf$`)

function unitTarget(path: string, entry: TreeEntry): ReturnType<TargetOf> {
  if (entry.kind === 'symlink')
    return { refused: `a symlink is not a unit: put it under files${unitDirectory}/ if it is wanted` }
  if (!unitFile.test(path) && !dropIn.test(path))
    return { refused: 'units/ holds NAME.service, .socket, .timer, ... and NAME.service.d/SOMETHING.conf only' }
  const target = absolutePathSchema.parse(`${unitDirectory}/${path}`)
  const reserved = reservedFor(target)
  return reserved === undefined ? { target } : { refused: `would go to ${target}: ${reserved}` }
}

function composeLayout(rest: readonly Inside[], context: Context): Found<ComposeLayout | undefined> {
  const candidates = rest.filter(({ path }) => composeFileNames.has(path))
  const [first, second] = candidates
  if (first === undefined) return { found: undefined, problems: [] }
  const { service } = context
  const problems: Problem[] = []
  const refuse = (entry: TreeEntry, message: string) =>
    problems.push(invalid(message, { file: entry.path }, { service }))
  if (second !== undefined) refuse(second.entry, `a service has one compose file, and there is ${first.path} already`)
  if (first.entry.kind === 'symlink') refuse(first.entry, 'must be a plain file, not a symlink')
  const found: Placed<string>[] = []
  for (const { entry, path } of rest) placeEntry(entry, path, context, { found, refuse })
  for (const file of found) {
    const reason = file.kind === 'symlink' ? leavesProject(file) : undefined
    if (reason !== undefined)
      problems.push(invalid(reason, { file: file.source }, { service, remedy: 'Put a copy of the file in its place.' }))
  }
  return { found: { file: first.path, files: found }, problems }
}

/** Only what is beside the compose file is beside it on a host: a relative link from there leads nowhere. */
function leavesProject({ target, link }: PlacedSymlink<string>): string | undefined {
  if (link.startsWith('/')) return undefined
  const reached: string[] = target.split('/').slice(0, -1)
  for (const part of link.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') reached.push(part)
    else if (reached.pop() === undefined)
      return `is a symlink to ${quoted(link)}, out of the service: on a host it would lead to nothing`
  }
  const [top = ''] = reached
  return notCopied.has(top)
    ? `is a symlink to ${quoted(link)}, and ${top} is not copied beside the compose file`
    : undefined
}

const notCopied = new Set(['README.md', 'service.yaml', 'files', 'units'])

/** One problem for each name that the convention does not know, not one for each file below it. */
function strayProblems(rest: readonly Inside[], { service }: Context): readonly Problem[] {
  const strays = rest.filter(
    ({ path }) => !gitsOwnFiles.has(path) && path !== 'service.yml' && !/^[^/]+\.md$/.test(path),
  )
  return [...Map.groupBy(strays, ({ top }) => top)].map(([top, [first, ...others]]) => {
    const meant = nearest(top, ['README.md', 'service.yaml', 'files', 'units', 'compose.yaml'])
    const more = others.length === 0 ? '' : ` (nor ${others.length} more in ${quoted(top)})`
    return invalid(
      `nothing says where this file goes${more}`,
      { file: first?.entry.path ?? top },
      {
        service,
        remedy:
          meant === undefined
            ? 'Put it under files/ at its path on the host, or beside a compose.yaml that uses it.'
            : `Did you mean "${meant}"?`,
      },
    )
  })
}
