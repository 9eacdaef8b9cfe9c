// A compose file as lint reads it: YAML with compose's own extensions, and what is in it by type. Pure.
import { type ComposeValues, givenVariables, interpolate } from '../../../shared/repository/compose-variables.ts'
import { composeYamlRules, type KeyPath, readYaml, type YamlFile } from '../../../shared/repository/yaml.ts'

/** Of the agent, and so of every compose run of its. */
const agentHome = '/root'

/** What a reference sees without any file; of most of them only that they have a value is known here. */
export const agentValues: ComposeValues = new Map(
  givenVariables.map((name) => [name, name === 'HOME' ? agentHome : 'x']),
)

/** `~/x`, which compose takes for a path in the home directory. */
export function fromHome(path: string): string {
  return path.replace(/^~(?=\/|$)/, agentHome)
}

/** What has no value becomes something that is not known, as what a template fills in. */
export function withValues(
  value: unknown,
  values: ComposeValues,
  left = { characters: filledCharactersLimit },
): unknown {
  if (typeof value === 'string') {
    if (!value.includes('$')) return value
    if (left.characters <= 0) return undefined
    const { text, unset, required, malformed } = interpolate(value, values)
    left.characters -= text.length
    return unset.length + required.length === 0 && malformed === undefined ? text : undefined
  }
  if (Array.isArray(value)) return value.map((item) => withValues(item, values, left))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withValues(inner, values, left)]))
}

/** Of one file: long values that many texts name would fill the memory. */
const filledCharactersLimit = 8 * 1024 * 1024

export type ComposeModel = { readonly yaml: YamlFile; readonly root: Fields }

export type Fields = Readonly<Record<string, unknown>>

/** What the agent fills into a template; such a value is not known here. */
export const filledIn = '\uE001'

export function readComposeModel(file: string, text: string): ComposeModel {
  const yaml = readYaml(file, withoutPlaceholders(text), composeYamlRules)
  return { yaml, root: fieldsOf(yaml.value) }
}

/** Of the same length, so that places stay as they are. */
export function withoutPlaceholders(text: string): string {
  return text.replace(/\$\{\{[^\n]*?\}\}/g, (all) => filledIn.repeat(all.length))
}

/** False of a value that a template fills in, and of one with a reference that is still in it. */
export function isKnown(text: string): boolean {
  return !text.includes(filledIn)
}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

export function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return value === undefined || value === null ? [] : [value]
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

export type Named = { readonly name: string; readonly fields: Fields; readonly path: KeyPath }

/** `services`, `networks`, `volumes`, `configs`, `secrets`. */
export function namedIn(root: Fields, section: string): readonly Named[] {
  return Object.entries(fieldsOf(root[section])).map(([name, value]) => ({
    name,
    fields: fieldsOf(value),
    path: [section, name],
  }))
}

/** What services use, from all files of a project: a later one adds to what an earlier one says. */
export function sectionsOf(files: readonly { readonly root: Fields }[]): Fields {
  return Object.fromEntries(
    ['volumes', 'secrets', 'configs', 'networks'].map((section) => [
      section,
      Object.assign({}, ...files.map(({ root }) => fieldsOf(root[section]))) as Fields,
    ]),
  )
}

export function shapeProblem({ yaml, root }: ComposeModel, isMain: boolean): string | undefined {
  // An empty one is left to docker compose, which says so.
  if (yaml.value === null) return undefined
  if (Object.keys(root).length === 0) return 'is no compose file: expected a map with `services`'
  const isEmpty = Object.keys(fieldsOf(root['services'])).length === 0
  if (isMain && isEmpty && root['include'] === undefined) return 'has no `services`, and includes no file that has'
  return undefined
}
