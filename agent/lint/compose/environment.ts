// Environment variables of a compose project beyond its compose files: `.env`, the files of `env_file`, secrets and configs that come
// from a variable, and variables that are named without a value. Pure.
import { posix } from 'node:path'
import type { Problem } from '../../../shared/problem.ts'
import { type EnvironmentFault, readEnvironment } from '../../../shared/repository/compose-environment.ts'
import type { ComposeValues } from '../../../shared/repository/compose-variables.ts'
import { invalid, quoted } from '../../../shared/repository/invalid.ts'
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import type { LintWarning } from '../warning.ts'
import { agentValues, fieldsOf, isKnown, listOf, namedIn, textOf, withoutPlaceholders } from './model.ts'
import { type ComposeProject, placeOf, type ReadFile } from './project.ts'

export function environmentProblems(project: ComposeProject): readonly Problem[] {
  if (isElsewhere(project)) return []
  const judged = new Set<string>()
  return project.files.flatMap((file) => [
    // What stands further down in it is not seen.
    ...faultsOf(project, { target: '.env', given: agentValues, judged }),
    ...faultsOf(project, { target: posix.join(file.base, '.env'), given: file.values, judged }),
    ...environmentFilesIn(project, file).flatMap(({ target, given }) => faultsOf(project, { target, given, judged })),
    ...['secrets', 'configs'].flatMap((section) => withoutValue(project, { file, section })),
  ])
}

/** `environment: [TZ]`: compose by hand takes the value from the shell, and the agent has none to hand on. */
export function variablesNotPassed(project: ComposeProject): readonly LintWarning[] {
  if (isElsewhere(project)) return []
  return project.files.flatMap((file) =>
    namedIn(file.root, 'services').flatMap(({ name, fields, path }) =>
      bareNames(fields['environment'], [...path, 'environment']).flatMap(({ variable, at }) =>
        file.values.has(variable) || !isKnown(variable)
          ? []
          : [
              {
                code: 'compose-variable-not-passed',
                message: `${name} is handed the variable ${quoted(variable)}, which has no value here: its containers do not have it.`,
                where: placeOf(file, at),
                remedy: `Set it in .env beside the compose file, or take the line out.`,
                service: project.source.managed.service.name,
              },
            ],
      ),
    ),
  )
}

/** Where a link leads is not known here, and so are its values. */
function isElsewhere({ source }: ComposeProject): boolean {
  return (
    source.managed.service.compose?.files.some(({ target, kind }) => target === '.env' && kind === 'symlink') === true
  )
}

type Wanted = { readonly target: string; readonly given: ComposeValues; readonly judged: Set<string> }

/** Of a file of the project that is here; each file once. */
function faultsOf(project: ComposeProject, { target, given, judged }: Wanted): readonly Problem[] {
  const { service } = project.source.managed
  const file = textAt(project, target)
  if (file === undefined || judged.has(target)) return []
  judged.add(target)
  const known = withoutPlaceholders(file.text)
  const { faults } = readEnvironment(known, given)
  return faults.flatMap(({ line, kind, name }) => {
    // A template may fill in what makes the line readable.
    if (kind === 'unreadable' && !isKnown(known)) return []
    const { message, remedy } = said[kind](quoted(name), name)
    const details = { code: 'variable-unknown', service: service.name, remedy } as const
    return [invalid(message, { file: file.source, line }, details)]
  })
}

function textAt(
  { source }: ComposeProject,
  target: string,
): { readonly source: string; readonly text: string } | undefined {
  const file = source.managed.service.compose?.files.find((one) => one.target === target && one.kind === 'file')
  const text = file === undefined ? undefined : source.texts.get(file.source)
  return file === undefined || text === undefined ? undefined : { source: file.source, text }
}

type Said = { readonly message: string; readonly remedy: string }

const said: Readonly<Record<EnvironmentFault['kind'], (shown: string, name: string) => Said>> = {
  unset: withoutValueText,
  required: withoutValueText,
  malformed: (shown) => ({
    message: `${shown} is no reference to a variable`,
    remedy: 'Put the value between single quotes.',
  }),
  unreadable: (_, why) => ({
    message: `is refused by compose: ${why}`,
    remedy: 'Write NAME=value, and a value with blanks or quotes between single quotes.',
  }),
}

function withoutValueText(shown: string): Said {
  return {
    message: `the variable ${shown} has no value: compose would put an empty text in its place`,
    remedy: 'Set it in .env beside the compose file; a value with a dollar sign stands between single quotes.',
  }
}

type Listed = { readonly target: string; readonly given: ComposeValues }

/** Those that compose fills in. A file sees what the ones before it of the service say. */
function environmentFilesIn(project: ComposeProject, { root, base, values }: ReadFile): readonly Listed[] {
  return namedIn(root, 'services').flatMap(({ fields }) => {
    const given = new Map([...pairsOf(fields['environment']), ...values])
    return listOf(fields['env_file']).flatMap((each) => {
      const { path, format } = fieldsOf(each)
      const written = textOf(each) ?? textOf(path)
      if (written === undefined || !isKnown(written) || written.startsWith('/') || format === 'raw') return []
      const target = posix.join(base, written)
      const listed = { target, given: new Map(given) }
      const own = readEnvironment(withoutPlaceholders(textAt(project, target)?.text ?? ''), given).values
      for (const [name, value] of own) if (!given.has(name)) given.set(name, value)
      return [listed]
    })
  })
}

function pairsOf(environment: unknown): readonly (readonly [string, string])[] {
  if (!Array.isArray(environment))
    return Object.entries(fieldsOf(environment)).flatMap(([name, value]) =>
      value === null ? [] : [[name, String(value)] as const],
    )
  return environment.flatMap((each) => {
    const [, name, value] = /^([^=]+)=([\s\S]*)$/.exec(textOf(each) ?? '') ?? []
    return name === undefined || value === undefined ? [] : [[name, value] as const]
  })
}

function bareNames(environment: unknown, path: KeyPath): readonly { variable: string; at: KeyPath }[] {
  if (Array.isArray(environment))
    return environment.flatMap((each: unknown, index) => {
      const variable = textOf(each)
      return variable === undefined || variable.includes('=') ? [] : [{ variable, at: [...path, index] }]
    })
  return Object.entries(fieldsOf(environment)).flatMap(([variable, value]) =>
    value === null ? [{ variable, at: [...path, variable] }] : [],
  )
}

type In = { readonly file: ReadFile; readonly section: string }

/** `secrets: { db: { environment: DB_PASSWORD } }` */
function withoutValue({ source }: ComposeProject, { file, section }: In): readonly Problem[] {
  return namedIn(file.root, section).flatMap(({ name, fields, path }) => {
    const variable = textOf(fields['environment'])
    if (variable === undefined || !isKnown(variable) || (file.values.get(variable) ?? '') !== '') return []
    const message = `the ${section.slice(0, -1)} ${quoted(name)} is the variable ${quoted(variable)}, which has no value here`
    const remedy = 'Set it in .env beside the compose file, or bring it as a file: `file: ./NAME`, a template.'
    const details = { code: 'variable-unknown', service: source.managed.service.name, remedy } as const
    return [invalid(message, placeOf(file, [...path, 'environment']), details)]
  })
}
