// Templates: `${{ vars.NAME }}`, `${{ secrets.NAME }}` and `${{ host.name }}`, replaced by text. Names only, no logic.
import { identifierSchema } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { invalid, quoted } from '../../shared/repository/invalid.ts'
import { nearest, suggestion } from '../../shared/repository/nearest.ts'

export type Template = {
  /** Path inside the repository. */
  readonly source: string
  readonly parts: readonly (string | Reference)[]
}

export type Reference = {
  readonly kind: 'variable' | 'secret' | 'host-name'
  readonly name: string
  readonly line: number
  readonly column: number
}

export type ParsedTemplate = { readonly template: Template; readonly problems: readonly Problem[] }

export function parseTemplate(source: string, content: Uint8Array): ParsedTemplate {
  const text = decoded(content)
  if (text === undefined) {
    const message = 'is a template but not UTF-8 text'
    const remedy = 'Take `template: true` from it in service.yaml.'
    return { template: { source, parts: [] }, problems: [invalid(message, { file: source }, { remedy })] }
  }
  const parts: (string | Reference)[] = []
  const problems: Problem[] = []
  let end = 0
  for (const { start, place } of openings(text)) {
    if (start < end) continue
    parts.push(text.slice(end, start))
    const close = closeOf(text, start)
    end = close ?? start + opening.length
    const inside = text.slice(start + opening.length, end - closing.length).trim()
    const reference = close === undefined ? unclosed : referenceOf(inside)
    if ('message' in reference)
      problems.push(invalid(reference.message, { file: source, ...place }, { remedy: reference.remedy }))
    else parts.push({ ...reference, ...place })
  }
  parts.push(text.slice(end))
  return { template: { source, parts }, problems }
}

function referencesIn(template: Template): readonly Reference[] {
  return template.parts.filter((part) => typeof part !== 'string')
}

/** Names of the secrets whose values the rendered content holds. */
export function secretsIn(template: Template): readonly string[] {
  const names = referencesIn(template).flatMap(({ kind, name }) => (kind === 'secret' ? [name] : []))
  return [...new Set(names)].toSorted()
}

export function unknownVariables(template: Template, vars: ReadonlySet<string>): readonly Problem[] {
  return referencesIn(template).flatMap(({ kind, name, line, column }) => {
    const where = { file: template.source, line, column }
    return kind === 'variable' && !vars.has(name) ? [unknownVariable(name, vars, where)] : []
  })
}

/** One problem for each place that names a secret without a file. */
export function missingSecrets(template: Template, secrets: KnownSecrets): readonly Problem[] {
  return referencesIn(template).flatMap(({ kind, name, line, column }) => {
    const where = { file: template.source, line, column }
    return kind === 'secret' && !secrets.names.has(name) ? [missingSecret(name, secrets, where)] : []
  })
}

type KnownSecrets = { readonly names: ReadonlySet<string>; readonly directory: string }

export function rendered(template: Template, textFor: (reference: Reference) => string): Uint8Array {
  const text = template.parts.map((part) => (typeof part === 'string' ? part : textFor(part))).join('')
  return new TextEncoder().encode(text)
}

/** The template's line behind each rendered line; undefined when they are the same. */
export function templateLines(
  template: Template,
  textFor: (reference: Reference) => string,
): readonly number[] | undefined {
  const lines = [1]
  let line = 1
  for (const part of template.parts) {
    const ends = newlines(typeof part === 'string' ? part : textFor(part))
    for (let end = 0; end < ends; end += 1) {
      if (typeof part === 'string') line += 1
      lines.push(line)
    }
  }
  return lines.length === line ? undefined : lines
}

function newlines(text: string): number {
  return text.split('\n').length - 1
}

// Two pieces, so that this file's own text is not taken for a placeholder.
const opening = `${'$'}{{`
const closing = '}}'
const known = ['vars', 'secrets', 'host']

function decoded(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    return undefined
  }
}

type Place = { readonly line: number; readonly column: number }

/** Where the opening braces stand, with 1-based places, in one pass over the text. */
function openings(text: string): readonly { readonly start: number; readonly place: Place }[] {
  const found: { readonly start: number; readonly place: Place }[] = []
  let line = 1
  let lineStart = 0
  for (let start = text.indexOf(opening); start !== -1; start = text.indexOf(opening, start + 1)) {
    for (let at = text.indexOf('\n', lineStart); at !== -1 && at < start; at = text.indexOf('\n', lineStart)) {
      line += 1
      lineStart = at + 1
    }
    found.push({ start, place: { line, column: start - lineStart + 1 } })
  }
  return found
}

/** Past the closing braces, which must stand on the same line. */
function closeOf(text: string, start: number): number | undefined {
  const close = text.indexOf(closing, start)
  const newline = text.indexOf('\n', start)
  return close === -1 || (newline !== -1 && newline < close) ? undefined : close + closing.length
}

type Misread = { readonly message: string; readonly remedy: string }

const unclosed: Misread = { message: `${opening} is not closed on its line`, remedy: `Close it with ${closing}.` }

function referenceOf(inside: string): Pick<Reference, 'kind' | 'name'> | Misread {
  if (inside === 'host.name') return { kind: 'host-name', name: 'host.name' }
  const dot = inside.indexOf('.')
  const space = inside.slice(0, Math.max(0, dot))
  const name = inside.slice(dot + 1)
  const namesOne = identifierSchema.safeParse(name).success
  if (space === 'vars' && namesOne) return { kind: 'variable', name }
  if (space === 'secrets' && namesOne) return { kind: 'secret', name }
  const meant = known.includes(space) ? space : nearest(space, known)
  return {
    message: `expected vars.NAME, secrets.NAME or host.name in ${opening} ${closing}, found ${quoted(inside)}`,
    remedy:
      meant === undefined
        ? 'To copy the file as it is, remove `template: true` from it in service.yaml.'
        : `Did you mean "${meant === 'host' ? 'host.name' : `${meant}.NAME`}"?`,
  }
}

function unknownVariable(name: string, vars: ReadonlySet<string>, where: Place & { readonly file: string }): Problem {
  const remedy =
    suggestion(name, vars, 'variables') ?? 'Set it under vars: of the host, a group or the fleet in plumb.yaml.'
  return invalid(`unknown variable ${quoted(name)}`, where, { code: 'variable-unknown', remedy })
}

export function missingSecret(name: string, secrets: KnownSecrets, where: Problem['where'] & {}): Problem {
  const meant = nearest(name, secrets.names)
  const remedy = `${meant === undefined ? '' : `Did you mean "${meant}"? `}Write its value to ${secrets.directory}/${name} on the host (owner root, mode 0600, in a directory of mode 0700).`
  return invalid(`the secret ${quoted(name)} is not set on this host`, where, { code: 'secret-missing', remedy })
}
