// One compose project of the repository: its compose file and the files that belong to it, read as compose would, with what is wrong. Pure.
import { posix } from 'node:path'
import type { Problem } from '../../../shared/problem.ts'
import { readEnvironment } from '../../../shared/repository/compose-environment.ts'
import { type ComposeValues, variableFaults } from '../../../shared/repository/compose-variables.ts'
import { invalid, quoted } from '../../../shared/repository/invalid.ts'
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import type { ManagedService } from '../../desire/managed-files.ts'
import { textLimitBytes } from '../texts.ts'
import type { LintWarning } from '../warning.ts'
import {
  agentValues,
  type ComposeModel,
  type Fields,
  fieldsOf,
  isKnown,
  readComposeModel,
  shapeProblem,
  withoutPlaceholders,
  withValues,
} from './model.ts'
import { type Reference, referencesIn } from './references.ts'

export type ComposeSource = {
  readonly managed: ManagedService
  /** By path inside the repository; of small text files. */
  readonly texts: ReadonlyMap<string, string>
  readonly ignored: ReadonlySet<string>
  /** Paths on the host that any service has: files, directories. */
  readonly onHost: ReadonlySet<string>
}

export type ComposeProject = {
  readonly source: ComposeSource
  /** The main file and those it includes, the main one first: what they define is the project's. */
  readonly files: readonly ReadFile[]
  /** Files that are not merged, with the services of them that others extend. */
  readonly extended: readonly ExtendedFile[]
  /** Every file that compose reads, those that services extend among them: of these, single services count. */
  readonly read: readonly string[]
  /** Every file that it includes or extends was read. */
  readonly isWhole: boolean
  readonly problems: readonly Problem[]
  readonly warnings: readonly LintWarning[]
}

export type ReadFile = {
  /** In the project's directory. */
  readonly target: string
  readonly model: ComposeModel
  /** With the values of variables; a text with one that has no value is left out. */
  readonly root: Fields
  /** Where its relative paths begin, in the project's directory. */
  readonly base: string
  /** What its references see. */
  readonly values: ComposeValues
}

export type ExtendedFile = ReadFile & { readonly services: ReadonlySet<string> }

type Walk = {
  readonly source: ComposeSource
  readonly byTarget: ReadonlyMap<string, { readonly source: string; readonly isLink: boolean }>
  readonly directories: ReadonlySet<string>
  /** By target, the directory in which the relative paths of a compose file begin; default: its own. */
  readonly bases: Map<string, string>
  readonly files: ReadFile[]
  readonly problems: Problem[]
  readonly warnings: LintWarning[]
}

/** Undefined for a service without a compose file. */
export function composeProject(source: ComposeSource): ComposeProject | undefined {
  const { compose } = source.managed.service
  if (compose === undefined) return undefined
  const walk: Walk = {
    source,
    byTarget: new Map(
      compose.files.map((file) => [file.target, { source: file.source, isLink: file.kind === 'symlink' }]),
    ),
    directories: new Set(compose.files.flatMap(({ target }) => directoriesAbove(target))),
    bases: new Map(),
    files: [],
    problems: [],
    warnings: [],
  }
  const merged = new Set(source.managed.service.settings.compose?.files ?? [compose.file])
  const queue = [...merged]
  for (const target of queue) walk.bases.set(target, '.')
  let isWhole = true
  const extended = new Map<string, Set<string>>()
  for (const target of queue) {
    const read = readFile(walk, target)
    const references = read === undefined ? [] : referencesIn(read.root)
    const found = references.map((reference) => ({ reference, target: read && judge(walk, read, reference) }))
    const files = found.filter(({ reference }) => reference.use === 'compose')
    isWhole &&= read !== undefined && files.every((file) => file.target !== undefined)
    for (const { reference, target: next } of files) {
      if (next === undefined) continue
      if (reference.key === 'include') merged.add(next)
      else extended.set(next, new Set([...(extended.get(next) ?? []), reference.service ?? '']))
      if (queue.includes(next)) continue
      if (reference.projectDirectory !== undefined)
        walk.bases.set(next, posix.join(baseOf(walk, target), reference.projectDirectory))
      queue.push(next)
    }
  }
  const files = walk.files.filter(({ target }) => merged.has(target))
  const others = walk.files.filter(({ target }) => !merged.has(target))
  return {
    source,
    isWhole,
    files,
    extended: others.map((file) => ({ ...file, services: extended.get(file.target) ?? new Set() })),
    read: queue,
    problems: walk.problems,
    warnings: walk.warnings,
  }
}

function baseOf({ bases }: Walk, target: string): string {
  return bases.get(target) ?? posix.dirname(target)
}

function directoriesAbove(target: string): readonly string[] {
  const parts = target.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function readFile(walk: Walk, target: string): ReadFile | undefined {
  const { service } = walk.source.managed
  const path = walk.byTarget.get(target)?.source
  const text = path === undefined ? undefined : walk.source.texts.get(path)
  if (path !== undefined && text === undefined) {
    const message = `is read by compose, but not here: it is not UTF-8, or larger than ${textLimitBytes / 1024} KiB`
    walk.problems.push(invalid(message, { file: path }, { service: service.name }))
  }
  if (path === undefined || text === undefined) return undefined
  const model = readComposeModel(path, text)
  walk.problems.push(...model.yaml.problems.map((problem) => ({ ...problem, service: service.name })))
  if (model.yaml.value === undefined) return undefined
  const shape = shapeProblem(model, target === service.compose?.file)
  if (shape !== undefined) {
    walk.problems.push(invalid(shape, model.yaml.placeOf([]), { service: service.name }))
    return undefined
  }
  const base = baseOf(walk, target)
  const values = valuesFor(walk, base)
  walk.problems.push(...variableProblems(walk, model, values))
  const read = { target, model, root: fieldsOf(withValues(model.yaml.value, values)), base, values }
  walk.files.push(read)
  return read
}

/** `.env` beside the main file, then beside this one. */
function valuesFor({ source, byTarget }: Walk, directory: string): ComposeValues {
  const values = new Map(agentValues)
  for (const target of ['.env', posix.join(directory, '.env')]) {
    const text = source.texts.get(byTarget.get(target)?.source ?? '')
    const own = text === undefined ? [] : readEnvironment(withoutPlaceholders(text)).values
    for (const [name, value] of own) if (!values.has(name)) values.set(name, value)
  }
  return values
}

function variableProblems({ source, byTarget }: Walk, model: ComposeModel, values: ComposeValues): readonly Problem[] {
  const { service } = source.managed
  // Where a link leads is not known here, and so are its values.
  if (byTarget.get('.env')?.isLink === true) return []
  const seen = new Set<string>()
  return variableFaults(model.yaml.value, values).flatMap(({ path, kind, name }) => {
    if (seen.has(name)) return []
    seen.add(name)
    const message =
      kind === 'malformed'
        ? `${quoted(name)} is no reference to a variable`
        : `the variable ${quoted(name)} has no value: compose would put an empty text in its place`
    const remedy =
      kind === 'malformed'
        ? 'Write $$ for a dollar sign.'
        : variableRemedy(name, source.ignored.has(`${service.directory}/.env`))
    const details = { code: 'variable-unknown', service: service.name, remedy } as const
    return [invalid(message, model.yaml.placeOf(path), details)]
  })
}

function variableRemedy(name: string, isIgnored: boolean): string {
  return isIgnored
    ? 'The .env beside it is ignored by git and would not be committed: commit it, with secrets as names in a template.'
    : `Set it in .env beside the compose file, or give a default: \${${name}:-value}.`
}

/** The path in the project's directory, where it is a file of the project. */
function judge(walk: Walk, file: ReadFile, reference: Reference): string | undefined {
  const { written } = reference
  const isElsewhere = /^(?:[a-z][a-z0-9+.-]*:\/\/|git@|[~/\\]|[A-Za-z]:\\|service:|docker-image:)/i.test(written)
  if (written === '' || !isKnown(written) || isElsewhere) return undefined
  const target = posix.join(baseOf(walk, file.target), written).replace(/(?<=.)\/$/, '')
  if (target === '..' || target.startsWith('../')) {
    refuse(walk, { file, reference }, outside(reference))
    return undefined
  }
  if (reference.dockerfile === undefined) {
    if (isThere(walk, target)) return target
  } else if (isThere(walk, target)) {
    return judgeBuild(walk, { file, reference }, { context: target, dockerfile: reference.dockerfile })
  }
  tellMissing(walk, { file, reference }, target)
  return undefined
}

type Build = { readonly context: string; readonly dockerfile: string }

/** Of a context that is there. By an absolute path the host has it, or nobody knows here. */
function judgeBuild(walk: Walk, at: At, { context, dockerfile }: Build): string | undefined {
  if (dockerfile.startsWith('/') || !isKnown(dockerfile)) return context
  const wanted = dockerfiles(context, dockerfile)
  if (wanted.some((one) => isThere(walk, one))) return context
  const { name, directory } = walk.source.managed.service
  const [first = context] = wanted
  if (first.startsWith('../')) {
    refuse(walk, at, outside({ ...at.reference, key: 'build.dockerfile', written: dockerfile }))
    return undefined
  }
  const place = context === '.' ? directory : `${directory}/${context}`
  const file = dockerfile === '' ? 'Dockerfile' : dockerfile
  const message = `the build of ${quoted(at.reference.path[1]?.toString() ?? name)} has no ${file}: the repository has no ${directory}/${first}`
  const remedy = whyNotThere(walk, first) ?? `Add it to the context, ${place}, or name another one by \`dockerfile\`.`
  refuse(walk, at, { message, remedy })
  return undefined
}

function dockerfiles(context: string, dockerfile: string): readonly string[] {
  const names = dockerfile === '' ? ['Dockerfile', 'Containerfile'] : [dockerfile]
  return names.map((name) => posix.join(context, name))
}

/** What lies below a link is where the link leads, which is not known here. */
function isThere({ byTarget, directories, source }: Walk, target: string): boolean {
  if (target === '.' || byTarget.has(target) || directories.has(target)) return true
  const above = directoriesAbove(target)
  if (above.some((directory) => byTarget.get(directory)?.isLink === true)) return true
  const { directory = '' } = source.managed.project ?? {}
  const below = `${directory}/${target}`
  return source.onHost.has(below) || [...source.onHost].some((path) => path.startsWith(`${below}/`))
}

type At = { readonly file: ReadFile; readonly reference: Reference }

function refuse({ source, problems }: Walk, { file, reference }: At, { message, remedy }: Said): void {
  const { name } = source.managed.service
  problems.push(invalid(message, placeOf(file, reference.path), { service: name, remedy }))
}

type Said = { readonly message: string; readonly remedy: string }

function outside({ key, written, use }: Reference): Said {
  return {
    message: `${key} names ${quoted(written)}, which is outside of the service: only its own files are beside the compose file on a host`,
    remedy:
      use === 'mount'
        ? 'Name the place on the host by its absolute path.'
        : 'Move it into the directory of the service.',
  }
}

function tellMissing(walk: Walk, at: At, target: string): void {
  const { key, use, isContent } = at.reference
  const { directory, name } = walk.source.managed.service
  const source = `${directory}/${target}`
  const isIgnored = walk.source.ignored.has(source)
  const why = whyNotThere(walk, target)
  const message = `${key} names ${quoted(target)}, but the repository has no ${source}`
  const remedy = why ?? `Expected it at ${source}.`
  if (use !== 'mount') refuse(walk, at, { message, remedy })
  if (use !== 'mount' || (isContent !== true && !isIgnored)) return
  walk.warnings.push({
    code: 'compose-mount-missing',
    message: `${message}: docker makes an empty directory of it.`,
    where: placeOf(at.file, at.reference.path),
    remedy: why ?? 'Add it, or name the place on the host by its absolute path.',
    service: name,
  })
}

/** Of what a person sees beside the compose file, and no host gets. */
function whyNotThere({ source }: Walk, target: string): string | undefined {
  if (source.ignored.has(`${source.managed.service.directory}/${target}`))
    return 'It is there, but git ignores it, and it would not be committed: commit it, with secrets as names in a template.'
  return /^(?:files|units)\/|^(?:README\.md|service\.yaml)$/.test(target)
    ? 'README.md, service.yaml, files/ and units/ are not copied beside the compose file: move it.'
    : undefined
}

export function placeOf({ model }: Pick<ReadFile, 'model'>, path: KeyPath) {
  return model.yaml.placeOf(path)
}
