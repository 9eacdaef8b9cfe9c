// Names that a compose file uses and that none of the project's files defines: compose refuses such a project. Pure.
import type { Problem } from '../../../shared/problem.ts'
import { invalid, quoted } from '../../../shared/repository/invalid.ts'
import { suggestion } from '../../../shared/repository/nearest.ts'
import type { KeyPath } from '../../../shared/repository/yaml.ts'
import { fieldsOf, isKnown, listOf, type Named, namedIn, textOf } from './model.ts'
import { type ComposeProject, placeOf, type ReadFile } from './project.ts'

type Section = 'services' | 'networks' | 'volumes' | 'configs' | 'secrets'
type Use = { readonly section: Section; readonly name: string; readonly path: KeyPath }

export function undefinedNames(project: ComposeProject): readonly Problem[] {
  // What a file from elsewhere defines is not known here.
  if (!project.isWhole) return []
  const defined = (section: Section) =>
    project.files.flatMap(({ root }) => namedIn(root, section).map(({ name }) => name))
  const known = {
    services: defined('services'),
    networks: [...defined('networks'), 'default'],
    volumes: defined('volumes'),
    configs: defined('configs'),
    secrets: defined('secrets'),
  }
  return project.files.flatMap((file) =>
    namedIn(file.root, 'services')
      .flatMap(usesOf)
      .flatMap((use) =>
        known[use.section].includes(use.name) ? [] : [problem(use, known[use.section], { project, file })],
      ),
  )
}

function usesOf({ fields, path }: Named): readonly Use[] {
  const listed = (key: string, section: Section) => namesIn(fields[key], section, [...path, key])
  const mode = /^service:(.+)$/.exec(textOf(fields['network_mode']) ?? '')?.[1]
  return [
    ...listed('networks', 'networks'),
    ...listed('configs', 'configs'),
    ...listed('secrets', 'secrets'),
    ...listed('depends_on', 'services'),
    ...listOf(fields['links']).flatMap((link, index) => linkIn(link, [...path, 'links', index])),
    ...(mode === undefined ? [] : [{ section: 'services' as const, name: mode, path: [...path, 'network_mode'] }]),
    ...listOf(fields['volumes']).flatMap((volume, index) => volumeIn(volume, [...path, 'volumes', index])),
  ]
}

/** A list of names or of maps with `source`, or a map by name. */
function namesIn(value: unknown, section: Section, path: KeyPath): readonly Use[] {
  if (!Array.isArray(value))
    return Object.entries(fieldsOf(value)).flatMap(([name, entry]) =>
      section === 'services' && fieldsOf(entry)['required'] === false ? [] : [{ section, name, path: [...path, name] }],
    )
  return value.flatMap((item: unknown, index) => {
    const name = textOf(item) ?? textOf(fieldsOf(item)['source'])
    return name === undefined || !isKnown(name) ? [] : [{ section, name, path: [...path, index] }]
  })
}

/** `db`, `db:database` */
function linkIn(value: unknown, path: KeyPath): readonly Use[] {
  const name = textOf(value)?.split(':')[0]
  return name === undefined || !isKnown(name) ? [] : [{ section: 'services', name, path }]
}

/** A path that begins neither with `/` nor with `.` or `~` is a volume's name for compose. */
function volumeIn(value: unknown, path: KeyPath): readonly Use[] {
  const fields = fieldsOf(value)
  const name = /^([A-Za-z0-9_][^:\\]*):(?!\\)/.exec(textOf(value) ?? '')?.[1] ?? textOf(fields['source'])
  if (name === undefined || !isKnown(name)) return []
  return textOf(value) !== undefined || fields['type'] === 'volume' ? [{ section: 'volumes', name, path }] : []
}

type In = { readonly project: ComposeProject; readonly file: ReadFile }

function problem({ section, name, path }: Use, known: readonly string[], { project, file }: In): Problem {
  const kind = section.slice(0, -1)
  const remedy =
    section === 'volumes' && name.includes('/')
      ? `A path beside the compose file begins with ./: ./${name}`
      : section === 'services'
        ? suggestion(name, known, 'services')
        : `${suggestion(name, known, section) ?? ''} Define it under \`${section}:\` at the top level.`.trim()
  return invalid(`the ${kind} ${quoted(name)} is not defined: compose refuses the project`, placeOf(file, path), {
    service: project.source.managed.service.name,
    remedy,
  })
}
