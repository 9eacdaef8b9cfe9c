// A YAML file against its schema: the value, as far as it can be read, and a problem with place and remedy for all that is wrong.
import { z } from 'zod'
import type { Problem } from '../problem.ts'
import { invalid, quoted } from './invalid.ts'
import { modesMeant } from './mode-meant.ts'
import { nearest, suggestion } from './nearest.ts'
import { modeSchema } from './scalars.ts'
import { type KeyPath, keyText, type YamlFile } from './yaml.ts'

export type Validated<Value> = {
  /** Without the parts that are wrong, so that the rest can still be checked; undefined when nothing is left. */
  readonly value: Value | undefined
  readonly problems: readonly Problem[]
}

type Options<Value> = {
  readonly schema: z.ZodType<Value>
  /** Stands in for top-level keys that must be there and are not, so that the rest can be read. */
  readonly required?: Readonly<Record<string, unknown>>
}

export function validated<Value>(yaml: YamlFile, options: Options<Value>): Validated<Value> {
  const { schema } = options
  if (yaml.value === undefined) return { value: undefined, problems: yaml.problems }
  const parsed = schema.safeParse(yaml.value, { error: expectation })
  const issues = (parsed.error?.issues ?? []).flatMap(inChosenOption)
  const unknownIn = new Set(issues.flatMap(({ code, path }) => (code === 'unrecognized_keys' ? [path.join('.')] : [])))
  // What a map lacks is said by the key it has instead.
  const told = issues.filter(({ code, path }) => code !== 'custom' || !unknownIn.has(path.join('.')))
  const problems = told.flatMap((issue) => problemsOf(issue, schema, yaml))
  const known = new Set([...yaml.problems, ...problems].map((problem) => problem.where?.key))
  const inexact = yaml.inexact.filter(({ path }) => !known.has(keyText(path)))
  return {
    value: parsed.success ? parsed.data : remainder(yaml.value, issues, options),
    problems: [...yaml.problems, ...problems, ...inexact.map((number) => inexactProblem(number, { schema, yaml }))],
  }
}

type Issue = z.core.$ZodIssue

/** What is wrong in the one option that the value has the type of: a map that may also be written as text. */
function inChosenOption(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const isOfType = (inner: readonly Issue[]) =>
    !inner.some(({ code, path }) => code === 'invalid_type' && path.length === 0)
  const [chosen, ...others] = issue.errors.filter(isOfType)
  if (chosen === undefined || others.length > 0) return [issue]
  return chosen.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }))
}

/** The noun phrase after "expected" where a schema has none of its own. */
function expectation(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeNames[issue.expected] ?? issue.expected
    case 'invalid_value':
    case 'invalid_union':
      return choice(valuesOf(issue)) || 'another value'
    case 'too_big':
      return `at most ${issue.maximum} ${issue.origin === 'string' ? 'characters' : 'entries'}`
    case 'too_small':
      return `at least ${issue.minimum} ${issue.origin === 'string' ? 'characters' : 'entries'}`
    default:
      return 'another value'
  }
}

const typeNames: Readonly<Record<string, string>> = {
  object: 'a map of keys and values',
  record: 'a map of keys and values',
  array: 'a list',
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
}

function choice(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

function problemsOf(issue: Issue, schema: z.ZodType, yaml: YamlFile): readonly Problem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') {
    const there = asMap(valueAt(yaml.value, path))
    const known = keysAt(schema, path, yaml.value)
    return issue.keys.map((key) => unknownKey(key, path, { known, there, yaml }))
  }
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0]?.message ?? 'another key'
    const message = `${inside(path.slice(0, -1))}expected ${expected}, found the key ${quoted(String(path.at(-1)))}`
    return [invalid(message, yaml.placeOfKey(path))]
  }
  const found = valueAt(yaml.value, path)
  if (found === undefined && path.length > 0) {
    const message = `${inside(path.slice(0, -1))}the key "${path.at(-1)}" is missing`
    return [invalid(message, yaml.placeOf(path), { remedy: `Expected ${issue.message}.` })]
  }
  const message = `${inside(path)}expected ${issue.message}, found ${shown(found)}`
  return [invalid(message, yaml.placeOf(path), { remedy: remedyFor(issue, path, { schema, yaml }) })]
}

function unknownKey(
  key: string,
  path: KeyPath,
  context: { readonly known: readonly string[]; readonly there: object; readonly yaml: YamlFile },
): Problem {
  const where = context.yaml.placeOfKey([...path, key])
  const message = `unknown key ${quoted(key)}${path.length === 0 ? '' : ` in ${keyText(path)}`}`
  const meant = nearest(key, context.known)
  const isThere = meant !== undefined && Object.hasOwn(context.there, meant)
  const remedy = isThere
    ? `Did you mean "${meant}", which is set already? Merge the two.`
    : suggestion(key, context.known, 'keys')
  return invalid(message, where, { remedy })
}

function inside(path: KeyPath): string {
  return path.length === 0 ? '' : `${keyText(path)}: `
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return quoted(value)
  return typeof value === 'object' ? 'a map' : `the ${typeof value} ${String(value)}`
}

type Written = { readonly schema: z.ZodType; readonly yaml: YamlFile }

function remedyFor(issue: Issue, path: KeyPath, written: Written): string | undefined {
  const found = valueAt(written.yaml.value, path)
  if (issue.code === 'invalid_type' && issue.expected === 'string' && isPlain(found)) return quoteIt(path, written)
  const meant = typeof found === 'string' ? nearest(found, valuesOf(issue)) : undefined
  return meant === undefined ? undefined : `Did you mean "${meant}"?`
}

function valuesOf(issue: z.core.$ZodIssue | z.core.$ZodRawIssue): readonly string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String)
  const isChoice = issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options)
  return isChoice ? issue.options.map(String) : []
}

function isPlain(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean'
}

/** Proposes only what is read as meant; undefined when nothing of the kind is. */
function quoteIt(path: KeyPath, { schema, yaml }: Written): string | undefined {
  const source = yaml.sourceOf(path) ?? String(valueAt(yaml.value, path))
  const schemas = schemasAt(schema, path, yaml.value)
  const candidates = schemas.includes(modeText) ? modesMeant(source) : [source, `${source}s`]
  const meant = candidates.find((text) => schemas.some((inner) => z.safeParse(inner, text).success))
  if (meant === undefined) return undefined
  const key = path.at(-1)
  const written = `"${meant}"`
  const how = meant === source ? 'Put it in quotes' : 'Write it so'
  return `${how}: ${typeof key === 'string' ? `${key}: ${written}` : written}.`
}

function inexactProblem(number: YamlFile['inexact'][number], written: Written): Problem {
  const { yaml } = written
  const value = valueAt(yaml.value, number.path)
  const message = `${inside(number.path)}${quoted(number.source)} is read as the number ${String(value)}`
  return invalid(message, yaml.placeOf(number.path), { remedy: quoteIt(number.path, written) })
}

/** The keys a strict object knows at a path of the schema; of a union, those of the option the value chose. */
function keysAt(schema: z.core.$ZodType, path: KeyPath, value: unknown): readonly string[] {
  return schemasAt(schema, path, value).flatMap((at) => (at instanceof z.ZodObject ? Object.keys(at.shape) : []))
}

/** What stands at a path, without what wraps it; of a union all options, unless the value chose one. */
function schemasAt(schema: z.core.$ZodType, path: KeyPath, value: unknown): readonly z.core.$ZodType[] {
  const at = unwrapped(schema)
  if (at instanceof z.ZodDiscriminatedUnion) return schemasAt(optionFor(at, value), path, value)
  if (at instanceof z.ZodUnion) return at.options.flatMap((option: z.core.$ZodType) => schemasAt(option, path, value))
  const [part, ...rest] = path
  if (part === undefined) return [at]
  const inner = valueAt(value, [part])
  if (at instanceof z.ZodObject) return at.shape[String(part)] ? schemasAt(at.shape[String(part)], rest, inner) : []
  if (at instanceof z.ZodRecord) return schemasAt(at.valueType, rest, inner)
  return at instanceof z.ZodArray ? schemasAt(at.element, rest, inner) : []
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodPipe) return unwrapped(schema.in)
  const wraps =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodExactOptional
  return wraps ? unwrapped(schema.unwrap()) : schema
}

const modeText = unwrapped(modeSchema)

function optionFor(union: z.ZodDiscriminatedUnion, value: unknown): z.core.$ZodType {
  const { discriminator } = union.def
  const chosen = valueAt(value, [discriminator])
  const fits = (option: z.core.$ZodType) =>
    option instanceof z.ZodObject && option.shape[discriminator]?.safeParse(chosen).success === true
  return union.options.find(fits) ?? z.never()
}

function valueAt(value: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>((inner, part) => {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, part)) return undefined
    return Reflect.get(inner, part)
  }, value)
}

/** Cuts out what is wrong and reads the rest again; what makes an entry incomplete takes the whole entry with it. */
function remainder<Value>(value: unknown, issues: readonly Issue[], options: Options<Value>): Value | undefined {
  let rest = value
  let wrong = issues
  for (let round = 0; round < 8; round += 1) {
    const cuts = new Set(wrong.flatMap((issue) => cutsFor(issue, rest)))
    if (cuts.has('')) return undefined
    rest = { ...options.required, ...asMap(without(rest, cuts, [])) }
    const parsed = options.schema.safeParse(rest)
    if (parsed.success) return parsed.data
    wrong = parsed.error.issues
  }
  return undefined
}

function cutsFor(issue: Issue, value: unknown): readonly string[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => keyText([...path, key]))
  if (valueAt(value, path) !== undefined) return [keyText(path)]
  return path.length === 1 ? [] : [keyText(path.slice(0, -1))]
}

function without(value: unknown, cuts: ReadonlySet<string>, path: KeyPath): unknown {
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value
    const kept = items.map((item, index) => ({ item, at: [...path, index] })).filter(({ at }) => !cuts.has(keyText(at)))
    return kept.map(({ item, at }) => without(item, cuts, at))
  }
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key]) => !cuts.has(keyText([...path, key])))
  return Object.fromEntries(kept.map(([key, inner]) => [key, without(inner, cuts, [...path, key])]))
}

function asMap(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}
