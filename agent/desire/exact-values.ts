// Values that a template is filled in with, against what their reader makes of them: a `$`, a quote, a `#` or a newline that is
// syntax there would give a program another value than the secret has. Pure.
import type { Problem } from '../../shared/problem.ts'
import { readEnvironment } from '../../shared/repository/compose-environment.ts'
import { interpolate } from '../../shared/repository/compose-variables.ts'
import { invalid, quoted } from '../../shared/repository/invalid.ts'
import { readRawEnvironment, readUnitEnvironment } from '../../shared/repository/unit-environment.ts'
import { composeYamlRules, readYaml } from '../../shared/repository/yaml.ts'
import { type Reference, rendered, type Template } from './template.ts'
import { unitValues } from './unit-values.ts'

/**
 * Who reads the filled-in file: compose as `.env` or `env_file`, compose as its own file, systemd as a unit or as an
 * `EnvironmentFile=`, docker or podman as a file of plain lines.
 */
export type Reader = 'environment' | 'compose' | 'unit' | 'unit-environment' | 'raw-environment'

type Filled = { readonly template: Template; readonly textOf: (reference: Reference) => string }

/** A problem for each reference whose value would not arrive as it is. */
export function inexactValues({ template, textOf }: Filled, reader: Reader): readonly Problem[] {
  const references = template.parts.filter((part) => typeof part !== 'string').filter((one) => isJudged(one, reader))
  if (references.length === 0) return []
  const marks = new Map(references.map((reference, index) => [reference, `PLUMBvalue${index}x`]))
  const marked = decoded(template, (reference) => marks.get(reference) ?? textOf(reference))
  const expected = valuesFor[reader](marked)
  const actual = valuesFor[reader](decoded(template, textOf))
  // What is not readable without the values is no matter of theirs.
  if (expected === undefined) return []
  return references
    .filter((reference) => {
      const places = [...expected].filter(([, value]) => value.includes(marks.get(reference) ?? ''))
      return !places.every(([key, value]) => actual?.get(key) === withValues(value, marks, textOf))
    })
    .map((reference) => problemOf(template, reference, reader))
}

/** A variable may be meant as syntax: a list of ports in a compose file, options in a unit. A secret is a value. */
function isJudged({ kind }: Reference, reader: Reader): boolean {
  return kind === 'secret' || (kind === 'variable' && reader !== 'compose' && reader !== 'unit')
}

type Values = ReadonlyMap<string, string>

/** Values by their identity; undefined: the text cannot be read. */
const valuesFor: Readonly<Record<Reader, (text: string) => Values | undefined>> = {
  environment: (text) => {
    const { values, faults } = readEnvironment(text)
    return faults.some(({ kind }) => kind === 'unreadable') ? undefined : values
  },
  compose: (text) => {
    const { value, problems } = readYaml('compose.yaml', text, composeYamlRules)
    return problems.length > 0 ? undefined : new Map(leavesIn(value, ''))
  },
  unit: unitValues,
  'unit-environment': readUnitEnvironment,
  'raw-environment': readRawEnvironment,
}

function leavesIn(value: unknown, path: string): readonly (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return [[path, interpolate(String(value ?? ''), new Map()).text]]
  return Object.entries(value).flatMap(([key, inner]) => leavesIn(inner, `${path}/${key}`))
}

function decoded(template: Template, textOf: (reference: Reference) => string): string {
  return new TextDecoder().decode(rendered(template, textOf))
}

function withValues(text: string, marks: ReadonlyMap<Reference, string>, textOf: Filled['textOf']): string {
  return [...marks].reduce((filled, [reference, mark]) => filled.replaceAll(mark, () => textOf(reference)), text)
}

/** Without the value: it may be a secret. */
function problemOf({ source }: Template, { kind, name, line, column }: Reference, reader: Reader): Problem {
  const what = `${kind === 'secret' ? 'the secret' : 'the variable'} ${quoted(name)}`
  const message = `the value of ${what} would not arrive as it is: ${syntax[reader]}`
  return invalid(message, { file: source, line, column }, { code: 'validation-failed', remedy: remedies[reader] })
}

const syntax: Readonly<Record<Reader, string>> = {
  environment:
    'a character of it, such as $, #, a quote, a backslash or a newline, is syntax in an environment file of compose',
  compose: 'a character of it, such as $, #, a quote or a newline, is syntax in a compose file',
  'unit-environment':
    'a character of it, such as a quote, a backslash, a newline or a blank at an end, is syntax in a file that systemd reads as EnvironmentFile=',
  'raw-environment': 'a newline of it is syntax in a file that is read line by line, each value as it is written',
  unit: 'a character of it, such as %, $, a quote, a backslash, a blank or a newline, is syntax in a unit',
}

const remedies: Readonly<Record<Reader, string>> = {
  environment:
    "Write it between single quotes: NAME='...'. If it stands there already, the value has a single quote itself: change the value, or mount it as a file.",
  compose: 'Bring it by .env or env_file, there between single quotes.',
  'unit-environment':
    "Write it between single quotes: NAME='...'. If it stands there already, the value has a single quote itself: bring it by LoadCredential=.",
  'raw-environment':
    'Write NAME=value without quotes. A value with a newline is brought as a file: a mount or a secret.',
  unit: 'Bring it by a file of its own: LoadCredential=, or EnvironmentFile= with the value between single quotes.',
}
