// The name of a service's compose project: what service.yaml says, else COMPOSE_PROJECT_NAME of `.env`, else `name:` of the
// compose file, else the service's own. The name decides which volumes, networks and containers are the project's. Pure.
import { readEnvironment } from './compose-environment.ts'
import { interpolate } from './compose-variables.ts'
import { composeYamlRules, readYaml } from './yaml.ts'

export type ProjectName = {
  readonly name: string
  readonly from: 'service.yaml' | '.env' | 'compose file' | 'service'
  /** Why it cannot be a project's name. */
  readonly fault?: string
  /** What compose makes of a name that has other characters: the volumes and networks that exist may be called so. */
  readonly fitting?: string
}

/** Where the files of compose projects are on a host, each in a directory of its service's name. */
export const projectsDirectory = '/srv/compose'

export const projectNamePattern = /^[a-z0-9][a-z0-9_-]*$/

export type NamedBy = {
  readonly service: string
  /** `compose: { project: NAME }` */
  readonly project: string | undefined
  /** Texts; undefined: there is none. */
  readonly composeFile: string | undefined
  /** Of `compose: { files: [...] }`, in their order; the last one that has a name decides. */
  readonly overrides?: readonly string[]
  readonly environment: string | undefined
}

export function projectName({ service, project, composeFile, overrides, environment }: NamedBy): ProjectName {
  if (project !== undefined) return { name: project, from: 'service.yaml' }
  const { values } = readEnvironment(environment ?? '')
  const candidates = [
    { from: '.env', written: values.get('COMPOSE_PROJECT_NAME') },
    { from: 'compose file', written: lastName(overrides ?? [composeFile ?? '']) },
  ] as const
  for (const { from, written } of candidates) {
    if (written === undefined || written === '') continue
    const { text: name, unset, required, malformed } = interpolate(written, values)
    const isKnown = unset.length === 0 && required.length === 0 && malformed === undefined
    if (!isKnown) return { name: written, from, fault: 'has a variable without a value in it' }
    if (projectNamePattern.test(name)) return { name, from }
    const fitting = name
      .toLowerCase()
      .replace(/[^a-z0-9_-]/g, '')
      .replace(/^[_-]+/, '')
    return { name, from, fault: notAName, ...(fitting === '' ? {} : { fitting }) }
  }
  const name = service.toLowerCase()
  return projectNamePattern.test(name) ? { name, from: 'service' } : { name, from: 'service', fault: notAName }
}

/** COMPOSE_FILE of `.env`; undefined: compose looks for a file by its usual names. */
export function composeFilesNamed(environment: string | undefined): readonly string[] | undefined {
  const { values } = readEnvironment(environment ?? '')
  const written = values.get('COMPOSE_FILE')
  if (written === undefined || written === '') return undefined
  return written.split(values.get('COMPOSE_PATH_SEPARATOR') || ':').map((path) => path.trim().replace(/^\.\//, ''))
}

const notAName = 'has other characters than lower-case letters, digits, - and _'

function lastName(texts: readonly string[]): string | undefined {
  return texts.map(nameIn).findLast((name) => name !== undefined && name !== '')
}

/** In a block of YAML nothing but a key of the top level begins at the first column. */
const nameLine = /^\uFEFF?(?:name|"name"|'name')[^\S\n]*:(?=\s|$)[^\S\n]*(.*)$/m

/** A plain text, or one in quotes without escapes; a comment may follow. Undefined: neither. In time that grows with its length. */
function simpleValue(written: string): string | undefined {
  if (/^[A-Za-z0-9_$.-]/.test(written)) return written.replace(/\s#.*$/, '').trimEnd()
  const [, double, single, behind = ''] = /^(?:"([^"\\]*)"|'([^']*)')(.*)$/.exec(written) ?? []
  return /^\s*$|^\s+#/.test(behind) ? (double ?? single) : undefined
}

/**
 * Whether the name, if there is one, stands otherwise than as a simple key: in JSON, indented, as a block, with an anchor or
 * escapes. To read these takes a YAML parser, which has to be paid for (parse.ts).
 */
export function isNamedByYaml(text: string): boolean {
  if (jsonIn(text) !== undefined) return false
  const line = nameLine.exec(text)
  if (line !== null) return simpleValue(line[1] ?? '') === undefined
  const body = text.replace(/^\uFEFF?(?:[^\S\n]*(?:#[^\n]*|%[^\n]*|---[^\S\n]*)?\n)*/, '')
  return /^(?:---)?\s*[{&!]|^[^\S\n]+\S|^\?/m.test(body.slice(0, 200)) && text.includes('name')
}

function nameIn(text: string): string | undefined {
  const json = jsonIn(text)
  if (json !== undefined) return nameOf(json)
  if (isNamedByYaml(text)) return nameOf(readYaml('compose.yaml', text, composeYamlRules).value)
  return simpleValue(nameLine.exec(text)?.[1] ?? '')
}

/** What is no YAML is for others to say. */
function nameOf(value: unknown): string | undefined {
  const name = typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined
  return typeof name === 'string' || typeof name === 'number' ? String(name) : undefined
}

/** Of programs that write compose files; read in a hundredth of the time that YAML takes. */
function jsonIn(text: string): object | undefined {
  if (!/^\uFEFF?\s*\{\s*"/.test(text.slice(0, 1000))) return undefined
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
